//! Schedules that another program deleted: what was due or waiting of them is settled.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::plans::{Outcome, end_waiting, settle_until, timetable};
use super::revisions::end_revision;
use super::time::DbTime;
use super::{Db, Tx, rows};
use crate::error::Result;
use crate::models::{Lifecycle, Policy, PromptSchedule, State};

/// Why an instant of a deleted schedule is not sent.
const DELETED: &str = "its schedule was deleted";

impl Db {
    /// Settles what another program's deletions left behind: the instants that were due, and the
    /// prompts that waited. A prompt on its way ends by itself.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settle_deleted(&self, now: Timestamp) -> Result<()> {
        let doing = "settle the prompts of deleted schedules";
        let failed = |e| self.failed(doing, e);
        // The state is said twice, so that SQLite sees that the index of open ones will do.
        // Looked for outside a transaction: almost always there is nothing to write.
        let any: Option<i64> = sqlx::query_scalar(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM deleted_schedules) \
             OR EXISTS (SELECT 1 FROM occurrences o WHERE o.state = 'waiting' \
                        AND o.state IN ('waiting', 'sending', 'unknown') \
                        AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.uid = o.uid))",
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        if any.is_none() {
            return Ok(());
        }
        let mut tx = self.begin(doing).await?;
        let deleted = sqlx::query(
            "SELECT d.uid, d.agent_id, d.lifecycle, d.planned_next_run AS next, d.repetitions, \
             d.paused_at, r.schedule_type, r.schedule_value, r.timezone, r.anchor, r.end_at, \
             r.max_repetitions FROM deleted_schedules d JOIN schedule_revisions r \
             ON r.id = (SELECT max(id) FROM schedule_revisions WHERE uid = d.uid) \
             WHERE NOT EXISTS (SELECT 1 FROM schedules s WHERE s.uid = d.uid)",
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
        for row in &deleted {
            settle_one(&mut tx, row, now).await.map_err(failed)?;
        }
        for statement in [
            "DELETE FROM deleted_schedules",
            // Of schedules that were replaced, of which nobody told us.
            "UPDATE occurrences SET state = 'cancelled', reason = $2, finished_at = $1, \
             not_before = NULL, fence = fence + 1 WHERE state = 'waiting' \
             AND state IN ('waiting', 'sending', 'unknown') \
             AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.uid = occurrences.uid)",
        ] {
            sqlx::query(statement)
                .bind(DbTime(now))
                .bind(DELETED)
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
        }
        self.commit(tx, doing).await
    }
}

async fn settle_one(tx: &mut Tx, row: &SqliteRow, now: Timestamp) -> sqlx::Result<()> {
    let Some(uid) = rows::text(row, "uid").and_then(|u| u.parse::<Uuid>().ok()) else {
        return Ok(());
    };
    let schedule = as_it_was(row, uid)?;
    if let Ok(timetable) = timetable(&schedule) {
        let outcome = Outcome {
            state: State::Cancelled,
            reason: DELETED,
            at: now,
        };
        settle_until(tx, &schedule, &timetable, now, outcome).await?;
    }
    end_revision(tx, uid, None).await?;
    end_waiting(tx, uid, State::Cancelled, DELETED, now).await
}

fn as_it_was(row: &SqliteRow, uid: Uuid) -> sqlx::Result<PromptSchedule> {
    let lifecycle = rows::text(row, "lifecycle").and_then(|l| Lifecycle::from_word(&l));
    Ok(PromptSchedule {
        id: 0,
        agent_id: rows::text(row, "agent_id").unwrap_or_default(),
        prompt_text: String::new(),
        schedule_type: rows::text(row, "schedule_type").unwrap_or_default(),
        schedule_value: rows::text(row, "schedule_value").unwrap_or_default(),
        next_run: rows::lenient_time(row, "next"),
        created_at: None,
        active: lifecycle == Some(Lifecycle::Active),
        last_run: None,
        uid: Some(uid),
        name: None,
        timezone: rows::text(row, "timezone"),
        anchor: rows::lenient_time(row, "anchor"),
        start_at: None,
        end_at: rows::lenient_time(row, "end_at"),
        max_repetitions: row.try_get_unchecked("max_repetitions")?,
        repetitions: row.try_get_unchecked("repetitions")?,
        lifecycle: lifecycle.unwrap_or(Lifecycle::Cancelled),
        broken_reason: None,
        paused_at: rows::lenient_time(row, "paused_at"),
        pause_note: None,
        policy: Policy::default(),
        ping_url: None,
        payload: None,
    })
}
