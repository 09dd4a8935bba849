//! Notices writes by other processes.

use super::super::Scheduler;

/// Notifies every subscriber when another process has written to the database.
pub(super) async fn watch_changes(scheduler: Scheduler, mut seen: Option<i64>) {
    loop {
        scheduler
            .db
            .wait_for_others(&scheduler.clock, &mut seen)
            .await;
        scheduler.db.notify_all();
    }
}
