//! Pauses.

use jiff::Timestamp;

use super::schedules::change_schedule;
use crate::db::sql::{self, Tx, statement};
use crate::db::time::DbTime;

/// Pauses a schedule. Somebody who resumes it has fixed what was wrong, so it gets all its attempts
/// again.
pub(in crate::db) fn write_pause(
    tx: &Tx<'_>,
    id: i64,
    note: Option<&str>,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(change_schedule!(
        "lifecycle = 'paused', active = 0, paused_at = $2, pause_note = $3, dead_in_row = 0, \
         paused_by_failures = 0",
        " WHERE id = $1"
    ))
    .bind(id)
    .bind(DbTime(now))
    .bind(note)
    .execute(tx)?;
    Ok(())
}
