//! What the database knows of the time: the readings of the clocks that were kept, and the newest
//! time that is recorded as past.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Db;
use super::rows;
use super::time::DbTime;
use crate::clock::{KnownTimes, Moment, Reading};
use crate::error::Result;

impl Db {
    /// Everything that is known of the time. It is asked for at every start, so each part of it is
    /// found by an index, whatever the size of the database.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn known_times(&self) -> Result<KnownTimes> {
        let rows = sqlx::query("SELECT trusted, at, boot, uptime FROM clock_readings")
            .fetch_all(&self.pool)
            .await
            .map_err(|e| self.failed("read what it knows of the time", e))?;
        let of = |trusted: bool| {
            let row = rows
                .iter()
                .find(|row| rows::flag(row, "trusted") == trusted)?;
            reading(row)
        };
        Ok(KnownTimes {
            trusted: of(true),
            doubted: of(false),
            newest: self.latest_past().await?,
        })
    }

    /// Keeps a reading at which the clock was trusted, in place of the one before.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn trust_clock(&self, reading: &Reading) -> Result<()> {
        let doing = "keep what time it is";
        let failed = |e| self.failed(doing, e);
        let mut tx = self.begin(doing).await?;
        sqlx::query("DELETE FROM clock_readings WHERE trusted = 0")
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        write(reading, true)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        self.commit(tx, doing).await
    }

    /// Notes that the clock is in doubt: from the first such reading on it has to be steady.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn note_doubt(&self, reading: &Reading, known: &KnownTimes) -> Result<()> {
        let doubted = known.doubted.as_ref();
        if doubted.is_some_and(|doubted| reading.continues(doubted)) {
            return Ok(());
        }
        write(reading, false)
            .execute(&self.pool)
            .await
            .map_err(|e| self.failed("note that the clock is in doubt", e))?;
        Ok(())
    }

    /// The latest time that was written down as past. Of attempts and revisions the newest rows
    /// tell it, and where those were written by a false clock, its other rows do.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn latest_past(&self) -> Result<Option<Timestamp>> {
        let row = sqlx::query(
            "SELECT max(t) AS t FROM (SELECT max(heartbeat_at) AS t FROM schedulers \
             UNION ALL SELECT * FROM (SELECT started_at FROM attempts ORDER BY rowid DESC LIMIT 1) \
             UNION ALL SELECT max(finished_at) FROM occurrences WHERE finished_at IS NOT NULL \
             UNION ALL SELECT max(from_at) FROM schedule_revisions \
             UNION ALL SELECT at FROM clock_readings WHERE trusted = 1)",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(|e| self.failed("read its latest times", e))?;
        Ok(rows::lenient_time(&row, "t"))
    }

    /// The time by which something may be thrown away for its age: `now`, or the time at which the
    /// clock was last trusted, since a false clock makes everything old.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn sure_time(&self, now: Timestamp) -> Result<Timestamp> {
        let at: Option<DbTime> =
            sqlx::query_scalar("SELECT at FROM clock_readings WHERE trusted = 1")
                .fetch_optional(&self.pool)
                .await
                .map_err(|e| self.failed("read when the clock was last trusted", e))?;
        Ok(at.map_or(now, |at| at.0.min(now)))
    }
}

fn write(
    reading: &Reading,
    trusted: bool,
) -> sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    let uptime = i64::try_from(reading.moment.uptime.as_micros()).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT OR REPLACE INTO clock_readings (trusted, at, boot, uptime) VALUES ($1, $2, $3, $4)",
    )
    .bind(trusted)
    .bind(DbTime(reading.moment.now))
    .bind(reading.boot.as_deref())
    .bind(uptime)
}

fn reading(row: &SqliteRow) -> Option<Reading> {
    Some(Reading {
        moment: Moment {
            now: rows::lenient_time(row, "at")?,
            uptime: SignedDuration::from_micros(row.try_get("uptime").ok()?),
        },
        boot: rows::text(row, "boot"),
    })
}
