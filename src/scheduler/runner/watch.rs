//! Notices writes by other processes.

use std::time::Duration;

use super::super::Scheduler;

/// How often the database is checked for writes by other processes.
const WATCH: Duration = Duration::from_millis(500);

/// Notifies every subscriber when another process has written to the database.
pub(super) async fn watch_changes(scheduler: Scheduler, mut seen: Option<i64>) {
    loop {
        scheduler.clock.sleep(WATCH).await;
        if let Ok(version) = scheduler.db.data_version().await
            && seen
                .replace(version)
                .is_some_and(|before| before != version)
        {
            scheduler.db.notify_all();
        }
    }
}
