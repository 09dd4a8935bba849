//! What is due, and what becomes due next. Asked so that the index of what may run serves, and not
//! the one of what is active, which nearly every schedule is.

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::Db;
use crate::db::sql::query;
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::error::Result;
use crate::models::AgentId;

/// A schedule whose time has come, without its prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueSchedule {
    /// Its number.
    pub id: i64,
    /// Its identity.
    pub uid: Uuid,
    /// Whom it is for.
    pub agent_id: AgentId,
    /// The oldest instant that is not taken yet.
    pub next_run: Timestamp,
}

impl Db {
    /// Every active schedule whose next run has come, the oldest first. Rows that another program
    /// has changed come after their adoption.
    pub async fn get_due_schedules(&self, now: Timestamp) -> Result<Vec<DueSchedule>> {
        Ok(self.list_oldest_due(now, usize::MAX).await?.0)
    }

    /// The same, but so many of them at most, and the numbers of those that can't be read.
    pub async fn list_oldest_due(
        &self,
        now: Timestamp,
        most: usize,
    ) -> Result<(Vec<DueSchedule>, Vec<i64>)> {
        self.read("look for due schedules", move |tx| {
            let due = "SELECT id, uid, agent_id, next_run FROM schedules INDEXED BY \
                   ix_schedules_due WHERE active = 1 AND touched = 0 AND next_run <= $1 \
                   ORDER BY next_run, id LIMIT $2";
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let rows = query(due).bind(DbTime(now)).bind(most).fetch_all(tx);
            let rows = rows?;
            let read = |id, r| -> Option<DueSchedule> {
                Some(DueSchedule {
                    id,
                    uid: rows::uuid(r, "uid").ok()?,
                    agent_id: AgentId::parse(&rows::text(r, "agent_id")?).ok()?,
                    next_run: rows::lenient_time(r, "next_run")?,
                })
            };
            let (mut due, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
            for row in &rows {
                let id = row.get("id")?;
                match read(id, row) {
                    Some(schedule) => due.push(schedule),
                    None => unreadable.push(id),
                }
            }
            Ok((due, unreadable))
        })
        .await
    }

    /// Has schedules adopted that another program has made unreadable without our noticing.
    pub async fn readopt(&self, ids: &[i64]) -> Result<()> {
        let ids = ids.to_owned();
        self.write("have a schedule adopted", move |tx| {
            let ids = &ids;
            for id in ids {
                query("UPDATE schedules SET touched = 1 WHERE id = $1")
                    .bind(id)
                    .execute(tx)?;
            }
            Ok(())
        })
        .await
    }

    /// How many schedules are due.
    pub async fn count_due(&self, now: Timestamp) -> Result<i64> {
        self.read("count the due schedules", move |tx| {
            let count = "SELECT count(*) AS due FROM schedules INDEXED BY ix_schedules_due \
                     WHERE active = 1 AND touched = 0 AND next_run <= $1";
            let row = query(count).bind(DbTime(now)).fetch_optional(tx);
            let row = row?;
            Ok(row.and_then(|row| rows::number(&row, "due")).unwrap_or(0))
        })
        .await
    }

    /// When the next schedule becomes due after `now`.
    pub async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        self.read("look for the next due schedule", move |tx| {
            let next = "SELECT min(next_run) AS next FROM schedules INDEXED BY \
                    ix_schedules_due WHERE active = 1 AND touched = 0 AND next_run > $1";
            let row = query(next).bind(DbTime(now)).fetch_optional(tx);
            let row = row?;
            Ok(row.and_then(|row| rows::lenient_time(&row, "next")))
        })
        .await
    }
}
