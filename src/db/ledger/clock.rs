//! What the database knows of the time: the readings of the clocks that were kept, and the newest
//! time that is recorded as past.

use jiff::{SignedDuration, Timestamp};

use crate::clock::{KnownTimes, Moment, Reading};
use crate::db::Db;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::error::Result;

impl Db {
    /// Everything that is known of the time. It is asked for at every start, so each part of it is
    /// found by an index, whatever the size of the database.
    pub async fn known_times(&self) -> Result<KnownTimes> {
        self.read("read what it knows of the time", |tx| {
            let rows =
                query("SELECT trusted, at, boot, uptime FROM clock_readings").fetch_all(tx)?;
            let of = |trusted: bool| {
                let row = rows
                    .iter()
                    .find(|row| rows::flag(row, "trusted") == trusted)?;
                reading(row)
            };
            Ok(KnownTimes {
                trusted: of(true),
                doubted: of(false),
                newest: latest_past(tx)?,
            })
        })
        .await
    }

    /// Keeps a reading at which the clock was trusted, in place of the one before.
    pub async fn trust_clock(&self, reading: &Reading) -> Result<()> {
        let reading = reading.to_owned();
        self.write("keep what time it is", move |tx| {
            let reading = &reading;
            query("DELETE FROM clock_readings WHERE trusted = 0").execute(tx)?;
            write(tx, reading, true)?;
            Ok(())
        })
        .await
    }

    /// Notes that the clock is in doubt: from the first such reading on it has to be steady.
    pub async fn note_doubt(&self, reading: &Reading, known: &KnownTimes) -> Result<()> {
        let reading = reading.to_owned();
        let known = known.to_owned();
        self.write("note that the clock is in doubt", move |tx| {
            let (reading, known) = (&reading, &known);
            let doubted = known.doubted.as_ref();
            if doubted.is_some_and(|doubted| reading.continues(doubted)) {
                return Ok(());
            }
            write(tx, reading, false)?;
            Ok(())
        })
        .await
    }

    /// The latest time that was written down as past. Of attempts and revisions the newest rows
    /// tell it, and where those were written by a false clock, its other rows do.
    pub async fn latest_past(&self) -> Result<Option<Timestamp>> {
        self.read("read its latest times", |tx| Ok(latest_past(tx)?))
            .await
    }
}

fn latest_past(tx: &Tx<'_>) -> sql::Result<Option<Timestamp>> {
    let row = query(
        "SELECT max(t) AS t FROM (SELECT max(heartbeat_at) AS t FROM schedulers \
     UNION ALL SELECT started_at FROM attempts \
         WHERE rowid = (SELECT max(rowid) FROM attempts) \
     UNION ALL SELECT max(finished_at) FROM occurrences WHERE finished_at IS NOT NULL \
     UNION ALL SELECT max(from_at) FROM schedule_revisions \
     UNION ALL SELECT at FROM clock_readings WHERE trusted = 1)",
    )
    .fetch_one(tx)?;
    Ok(rows::lenient_time(&row, "t"))
}

/// The time by which something may be thrown away for its age: `now`, or the time at which the
/// clock was last trusted, since a false clock makes everything old.
pub(in crate::db) fn sure_time(tx: &Tx<'_>, now: Timestamp) -> sql::Result<Timestamp> {
    let at: Option<DbTime> =
        query("SELECT at FROM clock_readings WHERE trusted = 1").optional(tx)?;
    Ok(at.map_or(now, |at| at.0.min(now)))
}

fn write(tx: &Tx<'_>, reading: &Reading, trusted: bool) -> sql::Result<()> {
    let uptime = i64::try_from(reading.moment.uptime.as_micros()).unwrap_or(i64::MAX);
    query(
        "INSERT OR REPLACE INTO clock_readings (trusted, at, boot, uptime) VALUES ($1, $2, $3, $4)",
    )
    .bind(trusted)
    .bind(DbTime(reading.moment.now))
    .bind(reading.boot.as_deref())
    .bind(uptime)
    .execute(tx)?;
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
