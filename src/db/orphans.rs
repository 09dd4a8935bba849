//! Schedules that another program deleted: what was due or waiting of them is settled.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::changes::{About, note_change};
use super::plans::{Outcome, end_waiting, settle_until, timetable, to_i64};
use super::revisions::end_revision;
use super::time::DbTime;
use super::{AT_ONCE, Db, Tx, hinted, rows};
use crate::error::Result;
use crate::models::{By, Lifecycle, Operation, Policy, PromptSchedule, State};

/// Why an instant of a deleted schedule is not sent.
const DELETED: &str = "its schedule was deleted";

impl Db {
    /// Settles what another program's deletions left behind: the instants that were due, and the
    /// prompts that waited. A prompt on its way ends by itself. It settles at most
    /// [`AT_ONCE`] of each, and says whether there may be more.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settle_deleted(&self, now: Timestamp) -> Result<bool> {
        let doing = "settle the prompts of deleted schedules";
        let failed = |e| self.failed(doing, e);
        // Looked for outside a transaction: almost always there is nothing to write.
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let any = "SELECT 1 WHERE EXISTS (SELECT 1 FROM deleted_schedules) OR EXISTS (\
                   SELECT 1 FROM occurrences o INDEXED BY ix_occurrences_open \
                   WHERE o.state = 'waiting' AND o.state IN ('waiting', 'sending', 'unknown') \
                   AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
                       WHERE s.uid = o.uid))";
        let any = hinted::fetch_optional(&mut connection, any, |q| q).await;
        if any.map_err(failed)?.is_none() {
            return Ok(false);
        }
        drop(connection);
        let mut tx = self.begin(doing).await?;
        let deleted = take_deleted(&mut tx).await.map_err(failed)?;
        for row in &deleted {
            settle_one(&mut tx, row, now).await.map_err(failed)?;
        }
        let ended = end_replaced(&mut tx, now).await.map_err(failed)?;
        self.commit(tx, doing).await?;
        Ok(deleted.len().max(ended) >= usize::try_from(AT_ONCE).unwrap_or(usize::MAX))
    }
}

/// Takes the notes of deleted schedules, with their last plans.
async fn take_deleted(tx: &mut Tx) -> sqlx::Result<Vec<SqliteRow>> {
    let rows = sqlx::query(
        "SELECT d.rowid AS note, d.uid, d.agent_id, d.lifecycle, d.planned_next_run AS next, \
         d.repetitions, d.paused_at, d.id AS id, r.schedule_type, r.schedule_value, r.timezone, r.anchor, \
         r.end_at, r.max_repetitions, EXISTS (SELECT 1 FROM schedules s WHERE s.uid = d.uid) \
             AS replaced \
         FROM deleted_schedules d LEFT JOIN schedule_revisions r \
         ON r.id = (SELECT max(id) FROM schedule_revisions WHERE uid = d.uid) LIMIT $1",
    )
    .bind(to_i64(AT_ONCE))
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

/// Ends what waits of schedules that were replaced, of which nobody told us. Returns how many they
/// were.
async fn end_replaced(tx: &mut Tx, now: Timestamp) -> sqlx::Result<usize> {
    let waiting = "SELECT id FROM occurrences o INDEXED BY ix_occurrences_open \
                   WHERE state = 'waiting' AND state IN ('waiting', 'sending', 'unknown') \
                   AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
                       WHERE s.uid = o.uid) LIMIT $1";
    let waiting = hinted::fetch_all(tx, waiting, |q| q.bind(to_i64(AT_ONCE))).await?;
    for row in &waiting {
        sqlx::query(
            "UPDATE occurrences SET state = 'cancelled', reason = $2, finished_at = $3, \
             not_before = NULL, fence = fence + 1 WHERE id = $1",
        )
        .bind(rows::number(row, "id"))
        .bind(DELETED)
        .bind(DbTime(now))
        .execute(&mut **tx)
        .await?;
    }
    Ok(waiting.len())
}

async fn settle_one(tx: &mut Tx, row: &SqliteRow, now: Timestamp) -> sqlx::Result<()> {
    settle_instants(tx, row, now).await?;
    // Last: until then it says where the schedule stood.
    sqlx::query("DELETE FROM deleted_schedules WHERE rowid = $1")
        .bind(rows::number(row, "note"))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn settle_instants(tx: &mut Tx, row: &SqliteRow, now: Timestamp) -> sqlx::Result<()> {
    if rows::flag(row, "replaced") {
        return Ok(());
    }
    let Some(uid) = rows::text(row, "uid").and_then(|u| u.parse::<Uuid>().ok()) else {
        return Ok(());
    };
    let schedule = as_it_was(row, uid);
    let about = About {
        id: rows::number(row, "id"),
        ..About::schedule(&schedule)
    };
    let by = By::another_program();
    note_change(tx, &by, Operation::Delete, about, None, now).await?;
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

fn as_it_was(row: &SqliteRow, uid: Uuid) -> PromptSchedule {
    let lifecycle = rows::text(row, "lifecycle").and_then(|l| Lifecycle::from_word(&l));
    PromptSchedule {
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
        max_repetitions: rows::number(row, "max_repetitions"),
        repetitions: rows::number(row, "repetitions").unwrap_or(0),
        lifecycle: lifecycle.unwrap_or(Lifecycle::Cancelled),
        broken_reason: None,
        paused_at: rows::lenient_time(row, "paused_at"),
        pause_note: None,
        policy: Policy::default(),
        ping_url: None,
        payload: None,
    }
}
