//! The halt of all delivery and those of targets, and the extension of deadlines when one ends.

use jiff::{SignedDuration, Timestamp};

use super::rows;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::TargetName;

/// The stored halt.
pub(in crate::db) struct Stored {
    /// Since when; `None` if that can't be read.
    pub(in crate::db) since: Option<Timestamp>,
    /// A note on why.
    pub(in crate::db) note: Option<String>,
}

/// Whether there is a halt.
pub(in crate::db) fn exists(tx: &Tx<'_>) -> sql::Result<bool> {
    let halt: Option<i64> = statement!("SELECT 1 FROM halt").optional(tx)?;
    Ok(halt.is_some())
}

/// Writes the halt. An existing one keeps its time, and its note unless another one is given.
pub(in crate::db) fn upsert(
    tx: &Tx<'_>,
    note: Option<&str>,
    now: Timestamp,
) -> sql::Result<Stored> {
    let row = statement!(
        "INSERT INTO halt (only_row, since, note) VALUES (1, $1, $2) \
         ON CONFLICT (only_row) DO UPDATE SET note = coalesce($2, halt.note) \
         RETURNING since, note"
    )
    .bind(DbTime(now))
    .bind(note)
    .fetch_one(tx)?;
    Ok(stored(&row))
}

/// Deletes the halt. Returns it.
pub(in crate::db) fn delete(tx: &Tx<'_>) -> sql::Result<Option<Stored>> {
    let row = statement!("DELETE FROM halt RETURNING since, note").fetch_optional(tx)?;
    Ok(row.as_ref().map(stored))
}

/// The halt, if there is one.
pub(in crate::db) fn fetch(tx: &Tx<'_>) -> sql::Result<Option<Stored>> {
    let row = statement!("SELECT since, note FROM halt").fetch_optional(tx)?;
    Ok(row.as_ref().map(stored))
}

/// Whether a target is halted.
pub(in crate::db) fn is_halted(tx: &Tx<'_>, target: &TargetName) -> sql::Result<bool> {
    let halt: Option<i64> = statement!("SELECT 1 FROM halted_targets WHERE target = $1")
        .bind(target.as_str())
        .optional(tx)?;
    Ok(halt.is_some())
}

/// Writes the halt of a target. An existing one keeps its time, and its note unless another one is
/// given.
pub(in crate::db) fn upsert_target(
    tx: &Tx<'_>,
    target: &TargetName,
    note: Option<&str>,
    now: Timestamp,
) -> sql::Result<Stored> {
    let row = statement!(
        "INSERT INTO halted_targets (target, since, note) VALUES ($1, $2, $3) \
         ON CONFLICT (target) DO UPDATE SET note = coalesce($3, halted_targets.note) \
         RETURNING since, note"
    )
    .bind(target.as_str())
    .bind(DbTime(now))
    .bind(note)
    .fetch_one(tx)?;
    Ok(stored(&row))
}

/// Deletes the halt of a target. Returns it.
pub(in crate::db) fn delete_target(
    tx: &Tx<'_>,
    target: &TargetName,
) -> sql::Result<Option<Stored>> {
    let row = statement!("DELETE FROM halted_targets WHERE target = $1 RETURNING since, note")
        .bind(target.as_str())
        .fetch_optional(tx)?;
    Ok(row.as_ref().map(stored))
}

/// The halted targets, by name.
pub(in crate::db) fn list_targets(tx: &Tx<'_>) -> sql::Result<Vec<(TargetName, Stored)>> {
    let rows = statement!("SELECT target, since, note FROM halted_targets ORDER BY target")
        .fetch_all(tx)?;
    let read = |row| Some((rows::target(row)?, stored(row)));
    Ok(rows.iter().filter_map(read).collect())
}

/// Moves a deadline of open occurrences: of all of them, or of those in the lanes of one target,
/// which begin with its name. SQLite's own times have milliseconds only, and a time beyond its
/// calendar stays.
macro_rules! move_deadline {
    ($column:literal) => {
        statement!(
            "UPDATE occurrences SET ",
            $column,
            " = coalesce(strftime('%Y-%m-%d %H:%M:%S', \
                 strftime('%s', substr(",
            $column,
            ", 1, 19)) + $1 + (substr(",
            $column,
            ", 21) + $2) / 1000000, 'unixepoch') \
                 || printf('.%06d', (substr(",
            $column,
            ", 21) + $2) % 1000000), ",
            $column,
            ") WHERE state IN ('waiting', 'sending', 'unknown') \
             AND ($3 IS NULL OR substr(lane, 1, length($3) + 1) = $3 || '/')"
        )
    };
}

/// Moves the end of the retries of open occurrences, of all of them or of one target's.
pub(in crate::db) fn move_expiry(
    tx: &Tx<'_>,
    target: Option<&str>,
    by: SignedDuration,
) -> sql::Result<()> {
    move_deadline!("expires_at")
        .bind(by.as_secs())
        .bind(i64::from(by.subsec_micros()))
        .bind(target)
        .execute(tx)?;
    Ok(())
}

/// Moves the end of the search for the outcome of open occurrences, of all of them or of one
/// target's.
pub(in crate::db) fn move_reconciling(
    tx: &Tx<'_>,
    target: Option<&str>,
    by: SignedDuration,
) -> sql::Result<()> {
    move_deadline!("reconcile_until")
        .bind(by.as_secs())
        .bind(i64::from(by.subsec_micros()))
        .bind(target)
        .execute(tx)?;
    Ok(())
}

fn stored(row: &Row) -> Stored {
    Stored {
        since: rows::lenient_time(row, "since"),
        note: rows::text(row, "note"),
    }
}
