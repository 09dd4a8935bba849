//! What is due, and what becomes due next.

use jiff::Timestamp;

use crate::db::Db;
use crate::db::statements::due;
use crate::error::Result;
use crate::models::DueSchedule;

impl Db {
    /// Every active schedule whose next run has come, the oldest first. Rows changed by another
    /// program are listed after their adoption.
    pub async fn get_due_schedules(&self, now: Timestamp) -> Result<Vec<DueSchedule>> {
        Ok(self.list_oldest_due(now, usize::MAX).await?.0)
    }

    /// The same, up to a number of schedules, with the ids of those that can't be read.
    pub async fn list_oldest_due(
        &self,
        now: Timestamp,
        most: usize,
    ) -> Result<(Vec<DueSchedule>, Vec<i64>)> {
        self.read("look for due schedules", move |tx| {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let rows = due::list(tx, now, most)?;
            let (mut due, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
            for row in rows {
                match row {
                    Ok(schedule) => due.push(schedule),
                    Err(id) => unreadable.push(id),
                }
            }
            Ok((due, unreadable))
        })
        .await
    }

    /// Marks schedules for adoption that another program has made unreadable unnoticed.
    pub async fn readopt(&self, ids: &[i64]) -> Result<()> {
        let ids = ids.to_owned();
        self.write("have a schedule adopted", move |tx| {
            for id in &ids {
                due::mark_touched(tx, *id)?;
            }
            Ok(())
        })
        .await
    }

    /// How many schedules are due.
    pub async fn count_due(&self, now: Timestamp) -> Result<i64> {
        let doing = "count the due schedules";
        self.read(doing, move |tx| Ok(due::count(tx, now)?)).await
    }

    /// When the next schedule becomes due after `now`.
    pub async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let doing = "look for the next due schedule";
        self.read(doing, move |tx| Ok(due::next(tx, now)?)).await
    }
}
