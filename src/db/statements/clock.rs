//! Stored clock readings, and what is recorded as past.

use jiff::{SignedDuration, Timestamp};

use super::rows;
use crate::clock::{Moment, Reading};
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;

/// A stored reading.
pub(in crate::db) struct Kept {
    /// Whether the clock was trusted then.
    pub(in crate::db) trusted: bool,
    /// The reading; `None` if it can't be read.
    pub(in crate::db) reading: Option<Reading>,
}

/// Every stored reading.
pub(in crate::db) fn list_readings(tx: &Tx<'_>) -> sql::Result<Vec<Kept>> {
    statement!("SELECT trusted, at, boot, uptime FROM clock_readings").map(tx, |row| {
        Ok(Kept {
            trusted: rows::flag(row, "trusted"),
            reading: reading(row),
        })
    })
}

/// When the clock was last trusted.
pub(in crate::db) fn fetch_trusted_at(tx: &Tx<'_>) -> sql::Result<Option<Timestamp>> {
    let at: Option<DbTime> =
        statement!("SELECT at FROM clock_readings WHERE trusted = 1").optional(tx)?;
    Ok(at.map(|at| at.0))
}

/// The latest time recorded as past.
pub(in crate::db) fn fetch_latest_past(tx: &Tx<'_>) -> sql::Result<Option<Timestamp>> {
    let row = statement!(
        "SELECT max(t) AS t FROM (SELECT max(heartbeat_at) AS t FROM schedulers \
         UNION ALL SELECT started_at FROM attempts \
             WHERE rowid = (SELECT max(rowid) FROM attempts) \
         UNION ALL SELECT max(finished_at) FROM occurrences WHERE finished_at IS NOT NULL \
         UNION ALL SELECT max(from_at) FROM schedule_revisions \
         UNION ALL SELECT at FROM clock_readings WHERE trusted = 1) AS past"
    )
    .fetch_one(tx)?;
    Ok(rows::lenient_time(&row, "t"))
}

/// Stores a reading, replacing the previous one of its kind.
pub(in crate::db) fn keep_reading(
    tx: &Tx<'_>,
    reading: &Reading,
    trusted: bool,
) -> sql::Result<()> {
    let uptime = i64::try_from(reading.moment.uptime.as_micros()).unwrap_or(i64::MAX);
    statement!(
        "INSERT INTO clock_readings (trusted, at, boot, uptime) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (trusted) DO UPDATE SET at = $2, boot = $3, uptime = $4"
    )
    .bind(trusted)
    .bind(DbTime(reading.moment.now))
    .bind(reading.boot.as_deref())
    .bind(uptime)
    .execute(tx)?;
    Ok(())
}

/// Deletes the reading at which the clock was in doubt.
pub(in crate::db) fn forget_doubt(tx: &Tx<'_>) -> sql::Result<()> {
    statement!("DELETE FROM clock_readings WHERE trusted = 0").execute(tx)?;
    Ok(())
}

fn reading(row: &Row) -> Option<Reading> {
    Some(Reading {
        moment: Moment {
            now: rows::lenient_time(row, "at")?,
            uptime: SignedDuration::from_micros(row.get("uptime").ok()?),
        },
        boot: rows::text(row, "boot"),
    })
}
