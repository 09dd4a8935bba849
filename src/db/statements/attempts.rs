//! Attempts: each time an occurrence was sent.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows;
use crate::db::sql::{self, Tx, statement};
use crate::db::time::DbTime;
use crate::models::Fault;

/// The line sent before the prompt under an otid; the outer `None` if there was no such attempt.
pub(in crate::db) fn fetch_envelope(
    tx: &Tx<'_>,
    occurrence_id: i64,
    otid: Uuid,
) -> sql::Result<Option<Option<String>>> {
    let row = statement!(
        "SELECT envelope FROM attempts INDEXED BY sqlite_autoindex_attempts_1 \
         WHERE occurrence_id = $1 AND otid = $2 LIMIT 1"
    )
    .bind(occurrence_id)
    .bind(otid.to_string())
    .fetch_optional(tx)?;
    Ok(row.map(|row| rows::text(&row, "envelope")))
}

/// An earlier attempt.
pub(in crate::db) struct Earlier {
    /// Its number, if readable.
    pub(in crate::db) n: Option<i64>,
    /// When it began, if readable.
    pub(in crate::db) started_at: Option<Timestamp>,
    /// The otid under which it was sent.
    pub(in crate::db) otid: Option<String>,
    /// Why it failed, if it has.
    pub(in crate::db) error_code: Option<String>,
}

/// The attempts of an occurrence so far.
pub(in crate::db) fn list_earlier(tx: &Tx<'_>, occurrence_id: i64) -> sql::Result<Vec<Earlier>> {
    statement!(
        "SELECT n, started_at, otid, error_code FROM attempts INDEXED BY sqlite_autoindex_attempts_1 \
         WHERE occurrence_id = $1"
    )
    .bind(occurrence_id)
    .map(tx, |row| {
        Ok(Earlier {
            n: rows::number(row, "n"),
            started_at: rows::lenient_time(row, "started_at"),
            otid: rows::text(row, "otid"),
            error_code: rows::text(row, "error_code"),
        })
    })
}

/// Records an attempt before its first byte is sent.
pub(in crate::db) fn insert(
    tx: &Tx<'_>,
    occurrence_id: i64,
    n: i64,
    otid: Uuid,
    envelope: Option<&str>,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "INSERT INTO attempts (occurrence_id, n, otid, envelope, started_at) \
         VALUES ($1, $2, $3, $4, $5)"
    )
    .bind(occurrence_id)
    .bind(n)
    .bind(otid.to_string())
    .bind(envelope)
    .bind(DbTime(now))
    .execute(tx)?;
    Ok(())
}

/// Counts the answer to the last attempt in the one before it, if that did not count either, had
/// the same otid and failed in the same way. Returns whether it did.
pub(in crate::db) fn count_repeat(
    tx: &Tx<'_>,
    occurrence_id: i64,
    fault: &Fault,
    now: Timestamp,
) -> sql::Result<bool> {
    let counted = statement!(
        "UPDATE attempts SET repeats = repeats + 1, finished_at = $2, error = $4 \
         WHERE occurrence_id = $1 AND counted = 0 AND error_code = $3 \
         AND n = (SELECT max(n) - 1 FROM attempts WHERE occurrence_id = $1) \
         AND otid = (SELECT otid FROM attempts WHERE occurrence_id = $1 ORDER BY n DESC LIMIT 1)"
    )
    .bind(occurrence_id)
    .bind(DbTime(now))
    .bind(&fault.code)
    .bind(&fault.text)
    .execute(tx)?;
    Ok(counted > 0)
}

/// Removes the last attempt of an occurrence.
pub(in crate::db) fn delete_last(tx: &Tx<'_>, occurrence_id: i64) -> sql::Result<()> {
    statement!(
        "DELETE FROM attempts WHERE occurrence_id = $1 \
         AND n = (SELECT max(n) FROM attempts WHERE occurrence_id = $1)"
    )
    .bind(occurrence_id)
    .execute(tx)?;
    Ok(())
}

/// Writes the answer into the last attempt of an occurrence.
pub(in crate::db) fn finish_last(
    tx: &Tx<'_>,
    occurrence_id: i64,
    fault: Option<&Fault>,
    run_id: Option<&str>,
    counted: bool,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "UPDATE attempts SET finished_at = $2, error_code = $3, error = $4, \
         run_id = coalesce($5, run_id), counted = $6 WHERE occurrence_id = $1 \
         AND n = (SELECT max(n) FROM attempts WHERE occurrence_id = $1)"
    )
    .bind(occurrence_id)
    .bind(DbTime(now))
    .bind(fault.map(|f| &f.code))
    .bind(fault.map(|f| &f.text))
    .bind(run_id)
    .bind(counted)
    .execute(tx)?;
    Ok(())
}
