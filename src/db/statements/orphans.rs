//! What other programs leave behind when they delete schedules.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{Lifecycle, Policy, PromptSchedule};

/// The note of a deleted schedule.
pub(in crate::db) struct Deleted {
    /// The note's own id.
    pub(in crate::db) note: i64,
    /// The id that the schedule had.
    pub(in crate::db) schedule_id: Option<i64>,
    /// Whether another row has taken its place.
    pub(in crate::db) replaced: bool,
    /// The schedule, by its last plan; `None` if it is unknown which one it was.
    pub(in crate::db) schedule: Option<PromptSchedule>,
}

/// Whether anything was left behind.
pub(in crate::db) fn exist(tx: &Tx<'_>) -> sql::Result<bool> {
    // The state is given twice, here and below, so that SQLite sees that it can use the index of
    // open ones.
    let any: Option<i64> = statement!(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM deleted_schedules) OR EXISTS (\
             SELECT 1 FROM occurrences o INDEXED BY ix_occurrences_open \
             WHERE o.state = 'waiting' AND o.state IN ('waiting', 'sending', 'unknown') \
             AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
                 WHERE s.uid = o.uid))"
    )
    .optional(tx)?;
    Ok(any.is_some())
}

/// Some notes of deleted schedules.
pub(in crate::db) fn list_deleted(tx: &Tx<'_>, most: i64) -> sql::Result<Vec<Deleted>> {
    statement!(
        "SELECT d.rowid AS note, d.uid, d.agent_id, d.lifecycle, d.planned_next_run AS next, \
         d.repetitions, d.paused_at, d.target, d.id AS id, r.schedule_type, r.schedule_value, r.timezone, \
         r.anchor, r.end_at, r.max_repetitions, r.except_dates, CASE WHEN EXISTS (SELECT 1 FROM schedules s \
             WHERE s.uid = d.uid) THEN 1 ELSE 0 END AS replaced \
         FROM deleted_schedules d LEFT JOIN schedule_revisions r \
         ON r.id = (SELECT max(id) FROM schedule_revisions WHERE uid = d.uid) LIMIT $1"
    )
    .bind(most)
    .map(tx, deleted)
}

/// Deletes a note.
pub(in crate::db) fn delete_note(tx: &Tx<'_>, note: i64) -> sql::Result<()> {
    statement!("DELETE FROM deleted_schedules WHERE rowid = $1")
        .bind(note)
        .execute(tx)?;
    Ok(())
}

/// The ids of some waiting occurrences without a schedule.
pub(in crate::db) fn list_waiting(tx: &Tx<'_>, most: i64) -> sql::Result<Vec<i64>> {
    statement!(
        "SELECT id FROM occurrences o INDEXED BY ix_occurrences_open \
         WHERE state = 'waiting' AND state IN ('waiting', 'sending', 'unknown') \
         AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
             WHERE s.uid = o.uid) LIMIT $1"
    )
    .bind(most)
    .all(tx)
}

/// Cancels an occurrence.
pub(in crate::db) fn cancel(
    tx: &Tx<'_>,
    occurrence_id: i64,
    reason: &str,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "UPDATE occurrences SET state = 'cancelled', reason = $2, finished_at = $3, \
         not_before = NULL, fence = fence + 1 WHERE id = $1"
    )
    .bind(occurrence_id)
    .bind(reason)
    .bind(DbTime(now))
    .execute(tx)?;
    Ok(())
}

fn deleted(row: &Row) -> sql::Result<Deleted> {
    let uid = rows::text(row, "uid").and_then(|u| u.parse().ok());
    Ok(Deleted {
        note: row.get("note")?,
        schedule_id: rows::number(row, "id"),
        replaced: rows::flag(row, "replaced"),
        schedule: uid.map(|uid| as_it_was(row, uid)),
    })
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
        except: rows::text(row, "except_dates"),
        max_repetitions: rows::number(row, "max_repetitions"),
        repetitions: rows::number(row, "repetitions").unwrap_or(0),
        lifecycle: lifecycle.unwrap_or(Lifecycle::Cancelled),
        broken_reason: None,
        paused_at: rows::lenient_time(row, "paused_at"),
        pause_note: None,
        resume_at: None,
        policy: Policy::default(),
        target: rows::target(row),
        conversation: None,
        ping_url: None,
        payload: None,
    }
}
