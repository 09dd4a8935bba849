//! Keeping the history: pruning what is old, purging what nobody may read any more.

use jiff::Timestamp;

use super::Service;
use crate::db::{Pruned, Purge};
use crate::error::{Code, Error, Result};
use crate::models::Lifecycle;

impl Service {
    /// Prunes what was settled before a time. Its sums stay in the account.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn prune(&self, before: Timestamp) -> Result<Pruned> {
        self.db.prune(before).await
    }

    /// The texts of a schedule that may be purged.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], and [`Code::ScheduleLive`] where its prompt is still to be sent.
    pub async fn purge_of(&self, id: i64) -> Result<Purge> {
        let schedule = self.find(id).await?;
        match (schedule.lifecycle, schedule.uid) {
            (Lifecycle::Finished | Lifecycle::Cancelled, Some(uid)) => Ok(Purge::Schedule(uid)),
            (lifecycle, _) => Err(Error::new(
                Code::ScheduleLive,
                format!(
                    "schedule {id} is {lifecycle}, so its prompt is still to be sent and can't be \
                     removed: cancel it first"
                ),
            )
            .example(format!("promptyoself cancel --id {id}"))),
        }
    }
}
