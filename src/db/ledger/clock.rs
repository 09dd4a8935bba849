//! What the database knows of the time: the readings of the clocks that were kept, and the newest
//! time that is recorded as past.

use jiff::Timestamp;

use crate::clock::{KnownTimes, Reading};
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::clock;
use crate::error::Result;

impl Db {
    /// Everything that is known of the time. It is asked for at every start, so each part of it is
    /// found by an index, whatever the size of the database.
    pub async fn known_times(&self) -> Result<KnownTimes> {
        self.read("read what it knows of the time", |tx| {
            let kept = clock::list_readings(tx)?;
            let of = |trusted: bool| {
                let kept = kept.iter().find(|kept| kept.trusted == trusted)?;
                kept.reading.clone()
            };
            Ok(KnownTimes {
                trusted: of(true),
                doubted: of(false),
                newest: clock::fetch_latest_past(tx)?,
            })
        })
        .await
    }

    /// Keeps a reading at which the clock was trusted, in place of the one before.
    pub async fn trust_clock(&self, reading: &Reading) -> Result<()> {
        let reading = reading.to_owned();
        self.write("keep what time it is", move |tx| {
            clock::forget_doubt(tx)?;
            clock::keep_reading(tx, &reading, true)?;
            Ok(())
        })
        .await
    }

    /// Notes that the clock is in doubt: from the first such reading on it has to be steady.
    pub async fn note_doubt(&self, reading: &Reading, known: &KnownTimes) -> Result<()> {
        let reading = reading.to_owned();
        let known = known.to_owned();
        self.write("note that the clock is in doubt", move |tx| {
            let doubted = known.doubted.as_ref();
            if doubted.is_some_and(|doubted| reading.continues(doubted)) {
                return Ok(());
            }
            clock::keep_reading(tx, &reading, false)?;
            Ok(())
        })
        .await
    }

    /// The latest time that was written down as past. Of attempts and revisions the newest rows
    /// tell it, and where those were written by a false clock, its other rows do.
    pub async fn latest_past(&self) -> Result<Option<Timestamp>> {
        self.read("read its latest times", |tx| {
            Ok(clock::fetch_latest_past(tx)?)
        })
        .await
    }
}

/// The time by which something may be thrown away for its age: `now`, or the time at which the
/// clock was last trusted, since a false clock makes everything old.
pub(in crate::db) fn sure_time(tx: &Tx<'_>, now: Timestamp) -> sql::Result<Timestamp> {
    let trusted_at = clock::fetch_trusted_at(tx)?;
    Ok(trusted_at.map_or(now, |at| at.min(now)))
}
