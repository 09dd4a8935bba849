//! Pauses.

use jiff::Timestamp;

use super::rows;
use super::schedules::change_schedule;
use crate::db::sql::{self, Tx, statement};
use crate::db::time::{DbTime, optional};

/// Pauses a schedule. Somebody who resumes it has fixed what was wrong, so it gets all its attempts
/// again.
pub(in crate::db) fn write_pause(
    tx: &Tx<'_>,
    id: i64,
    note: Option<&str>,
    until: Option<Timestamp>,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(change_schedule!(
        "lifecycle = 'paused', active = 0, paused_at = $2, pause_note = $3, dead_in_row = 0, \
         paused_by_failures = 0, resume_at = $4",
        " WHERE id = $1"
    ))
    .bind(id)
    .bind(DbTime(now))
    .bind(note)
    .bind(optional(until))
    .execute(tx)?;
    Ok(())
}

/// Changes when a paused schedule resumes by itself, and keeps its note unless there is a new one.
pub(in crate::db) fn write_resume_at(
    tx: &Tx<'_>,
    id: i64,
    note: Option<&str>,
    until: Option<Timestamp>,
) -> sql::Result<()> {
    statement!(change_schedule!(
        "resume_at = $2, pause_note = coalesce($3, pause_note)",
        " WHERE id = $1"
    ))
    .bind(id)
    .bind(optional(until))
    .bind(note)
    .execute(tx)?;
    Ok(())
}

/// The paused schedules that are to resume by now, up to a number.
pub(in crate::db) fn list_to_resume(
    tx: &Tx<'_>,
    now: Timestamp,
    most: i64,
) -> sql::Result<Vec<i64>> {
    statement!(
        "SELECT id FROM schedules INDEXED BY ix_schedules_resume \
         WHERE resume_at IS NOT NULL AND lifecycle = 'paused' AND resume_at <= $1 \
         ORDER BY resume_at, id LIMIT $2"
    )
    .bind(DbTime(now))
    .bind(most)
    .map(tx, |row| row.get("id"))
}

/// When the first paused schedule resumes by itself; that may have come.
pub(in crate::db) fn next_resume(tx: &Tx<'_>) -> sql::Result<Option<Timestamp>> {
    let row = statement!(
        "SELECT min(resume_at) AS next FROM schedules INDEXED BY ix_schedules_resume \
         WHERE resume_at IS NOT NULL AND lifecycle = 'paused'"
    )
    .fetch_one(tx)?;
    Ok(rows::lenient_time(&row, "next"))
}
