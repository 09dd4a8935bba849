//! Noticing that another process has written.

use std::time::Duration;

use tokio::sync::mpsc;

use super::super::Scheduler;
use super::super::core::Event;
use super::Message;

/// How often the database is asked whether another process has written.
const WATCH: Duration = Duration::from_millis(500);

/// Tells the loop when another process has written to the database.
pub(super) async fn watch_changes(
    scheduler: Scheduler,
    mut seen: Option<i64>,
    messages: mpsc::UnboundedSender<Message>,
) {
    loop {
        scheduler.clock.sleep(WATCH).await;
        if let Ok(version) = scheduler.db.data_version().await
            && seen
                .replace(version)
                .is_some_and(|before| before != version)
            && messages.send(Message::Event(Event::Changed)).is_err()
        {
            return;
        }
    }
}
