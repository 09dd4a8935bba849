//! What other programs do to the table `schedules`, done for them: the same statements as theirs,
//! adopted at once, so that unreadable values are refused instead of becoming `broken`.

use jiff::Timestamp;

use super::adoption::adopt;
use crate::db::Db;
use crate::db::ledger::current::lock_schedule;
use crate::db::sql::{self, Tx, query};
use crate::db::statements::rows::{self, schedule_columns};
use crate::db::time::{DbTime, optional};
use crate::error::{Code, Error, Result};
use crate::models::{Lifecycle, PromptSchedule, RowColumns};

const INSERT: &str = "insert the row";
const CHANGE: &str = "change the row";

impl Db {
    /// Inserts a row and adopts it. Of the first five columns, those not given are empty, and are
    /// refused for that.
    ///
    /// # Errors
    /// [`Code::ScheduleBroken`] with what can't be read, and those of the database.
    pub async fn insert_row(&self, row: &RowColumns, now: Timestamp) -> Result<i64> {
        let row = row.to_owned();
        let db = self.clone();
        self.write(INSERT, move |tx| {
            let row = &row;
            let id = query(
                "INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, \
             next_run, created_at, active, last_run, max_repetitions) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
            )
            .bind(row.agent_id.as_deref().unwrap_or_default())
            .bind(row.prompt_text.as_deref().unwrap_or_default())
            .bind(row.schedule_type.as_deref().unwrap_or_default())
            .bind(row.schedule_value.as_deref().unwrap_or_default())
            .bind(DbTime(row.next_run.unwrap_or(now)))
            .bind(DbTime(row.created_at.unwrap_or(now)))
            .bind(row.active.unwrap_or(true))
            .bind(optional(row.last_run.flatten()))
            .bind(row.max_repetitions.flatten())
            .one(tx)?;
            db.adopt_or_refuse(tx, id, now, INSERT)?;
            Ok(id)
        })
        .await
    }

    /// Changes a row and adopts the change. Returns whether the row exists.
    ///
    /// # Errors
    /// [`Code::ScheduleBroken`] if the change made it unreadable, and those of the database.
    pub async fn update_row(&self, id: i64, row: &RowColumns, now: Timestamp) -> Result<bool> {
        let row = row.to_owned();
        let db = self.clone();
        self.write(CHANGE, move |tx| {
            let row = &row;
            let Some(before) = lock_schedule(tx, id, &db.zone, now)? else {
                return Ok(false);
            };
            // Without row_version, as other programs write, so that the trigger marks the row.
            query(
                "UPDATE schedules SET agent_id = coalesce($2, agent_id), \
             prompt_text = coalesce($3, prompt_text), \
             schedule_type = coalesce($4, schedule_type), \
             schedule_value = coalesce($5, schedule_value), \
             next_run = coalesce($6, next_run), created_at = coalesce($7, created_at), \
             active = coalesce($8, active), \
             last_run = CASE WHEN $9 THEN $10 ELSE last_run END, \
             max_repetitions = CASE WHEN $11 THEN $12 ELSE max_repetitions END WHERE id = $1",
            )
            .bind(id)
            .bind(&row.agent_id)
            .bind(&row.prompt_text)
            .bind(&row.schedule_type)
            .bind(&row.schedule_value)
            .bind(optional(row.next_run))
            .bind(optional(row.created_at))
            .bind(row.active)
            .bind(row.last_run.is_some())
            .bind(optional(row.last_run.flatten()))
            .bind(row.max_repetitions.is_some())
            .bind(row.max_repetitions.flatten())
            .execute(tx)?;
            match before.lifecycle {
                // It may be corrected column by column.
                Lifecycle::Broken => drop(adopt(tx, id, &db.zone, now)?),
                _ => db.adopt_or_refuse(tx, id, now, CHANGE)?,
            }
            Ok(true)
        })
        .await
    }

    /// Every row whose next run has come, the oldest first.
    pub async fn due_rows(&self, now: Timestamp) -> Result<Vec<PromptSchedule>> {
        self.read("look for due schedules", move |tx| {
            let due = query(concat!(
                "SELECT ",
                schedule_columns!(),
                " FROM schedules WHERE active = 1 AND next_run <= $1 ORDER BY next_run, id"
            ))
            .bind(DbTime(now))
            .fetch_all(tx)?;
            let due = due.iter().map(rows::schedule);
            Ok(due.collect::<sql::Result<_>>()?)
        })
        .await
    }

    /// Adopts a row in the transaction that wrote it; if it can't be read, that is undone.
    fn adopt_or_refuse(&self, tx: &Tx<'_>, id: i64, now: Timestamp, doing: &str) -> Result<()> {
        let adopted = adopt(tx, id, &self.zone, now);
        let adopted = adopted.map_err(|e| self.failed(doing, e))?;
        match adopted.and_then(|a| a.broken_reason) {
            None => Ok(()),
            Some(reason) => Err(Error::new(
                Code::ScheduleBroken,
                format!("could not {doing}, because it would not run: {reason}"),
            )),
        }
    }
}
