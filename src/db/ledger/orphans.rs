//! Schedules that another program deleted: what was due or waiting of them is settled.

use jiff::Timestamp;
use uuid::Uuid;

use super::changes::{About, note_change};
use super::plans::{Outcome, settle_until, timetable, to_i64};
use super::revisions::end_revision;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::plans::end_waiting;
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::{By, Lifecycle, Operation, Policy, PromptSchedule, State};

/// Why an instant of a deleted schedule is not sent.
const DELETED: &str = "its schedule was deleted";

impl Db {
    /// Settles what another program's deletions left behind: the instants that were due, and the
    /// prompts that waited. A prompt on its way ends by itself. It settles at most
    /// [`AT_ONCE`] of each, and says whether there may be more.
    pub async fn settle_deleted(&self, now: Timestamp) -> Result<bool> {
        const DOING: &str = "settle the prompts of deleted schedules";
        // Looked for first: almost always there is nothing to write.
        let any = self.read(DOING, |tx| {
            let any = "SELECT 1 WHERE EXISTS (SELECT 1 FROM deleted_schedules) OR EXISTS (\
                   SELECT 1 FROM occurrences o INDEXED BY ix_occurrences_open \
                   WHERE o.state = 'waiting' AND o.state IN ('waiting', 'sending', 'unknown') \
                   AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
                       WHERE s.uid = o.uid))";
            Ok(query(any).fetch_optional(tx)?.is_some())
        });
        if !any.await? {
            return Ok(false);
        }
        self.write(DOING, move |tx| {
            let deleted = take_deleted(tx)?;
            for row in &deleted {
                settle_one(tx, row, now)?;
            }
            let ended = end_replaced(tx, now)?;
            Ok(deleted.len().max(ended) >= usize::try_from(AT_ONCE).unwrap_or(usize::MAX))
        })
        .await
    }
}

/// Takes the notes of deleted schedules, with their last plans.
fn take_deleted(tx: &Tx<'_>) -> sql::Result<Vec<Row>> {
    let rows = query(
        "SELECT d.rowid AS note, d.uid, d.agent_id, d.lifecycle, d.planned_next_run AS next, \
         d.repetitions, d.paused_at, d.id AS id, r.schedule_type, r.schedule_value, r.timezone, \
         r.anchor, r.end_at, r.max_repetitions, EXISTS (SELECT 1 FROM schedules s WHERE s.uid = \
             d.uid) AS replaced \
         FROM deleted_schedules d LEFT JOIN schedule_revisions r \
         ON r.id = (SELECT max(id) FROM schedule_revisions WHERE uid = d.uid) LIMIT $1",
    )
    .bind(to_i64(AT_ONCE))
    .fetch_all(tx)?;
    Ok(rows)
}

/// Ends what waits of schedules that were replaced, of which nobody told us. Returns how many they
/// were.
fn end_replaced(tx: &Tx<'_>, now: Timestamp) -> sql::Result<usize> {
    let waiting = "SELECT id FROM occurrences o INDEXED BY ix_occurrences_open \
                   WHERE state = 'waiting' AND state IN ('waiting', 'sending', 'unknown') \
                   AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
                       WHERE s.uid = o.uid) LIMIT $1";
    let waiting = query(waiting).bind(to_i64(AT_ONCE)).fetch_all(tx)?;
    for row in &waiting {
        query(
            "UPDATE occurrences SET state = 'cancelled', reason = $2, finished_at = $3, \
             not_before = NULL, fence = fence + 1 WHERE id = $1",
        )
        .bind(rows::number(row, "id"))
        .bind(DELETED)
        .bind(DbTime(now))
        .execute(tx)?;
    }
    Ok(waiting.len())
}

fn settle_one(tx: &Tx<'_>, row: &Row, now: Timestamp) -> sql::Result<()> {
    settle_instants(tx, row, now)?;
    // Last: until then it says where the schedule stood.
    query("DELETE FROM deleted_schedules WHERE rowid = $1")
        .bind(rows::number(row, "note"))
        .execute(tx)?;
    Ok(())
}

fn settle_instants(tx: &Tx<'_>, row: &Row, now: Timestamp) -> sql::Result<()> {
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
    note_change(tx, &by, Operation::Delete, about, None, now)?;
    if let Ok(timetable) = timetable(&schedule) {
        let outcome = Outcome {
            state: State::Cancelled,
            reason: DELETED,
            at: now,
        };
        settle_until(tx, &schedule, &timetable, now, outcome)?;
    }
    end_revision(tx, uid, None)?;
    end_waiting(tx, uid, State::Cancelled, DELETED, now)
}

fn as_it_was(row: &Row, uid: Uuid) -> PromptSchedule {
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
