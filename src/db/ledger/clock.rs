//! What the database knows about the time: stored clock readings, and the newest time recorded as
//! past.

use jiff::Timestamp;

use crate::clock::{KnownTimes, Reading};
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::clock;
use crate::error::Result;

impl Db {
    /// Everything known about the time. It is read at every start, so each part is found by an
    /// index, whatever the size of the database.
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

    /// Stores a reading at which the clock was trusted, replacing the previous one.
    pub async fn trust_clock(&self, reading: &Reading) -> Result<()> {
        let reading = reading.to_owned();
        self.write("keep what time it is", move |tx| {
            clock::forget_doubt(tx)?;
            clock::keep_reading(tx, &reading, true)?;
            Ok(())
        })
        .await
    }

    /// Records that the clock is in doubt: it has to be steady from the first such reading on.
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

    /// The latest time recorded as past. The newest attempts and revisions show it, and if those
    /// were written by a wrong clock, other rows do.
    pub async fn latest_past(&self) -> Result<Option<Timestamp>> {
        self.read("read its latest times", |tx| {
            Ok(clock::fetch_latest_past(tx)?)
        })
        .await
    }
}

/// The time by which something may be deleted for its age: `now`, or the time at which the clock
/// was last trusted, because a wrong clock makes everything look old.
pub(in crate::db) fn sure_time(tx: &Tx<'_>, now: Timestamp) -> sql::Result<Timestamp> {
    let trusted_at = clock::fetch_trusted_at(tx)?;
    Ok(trusted_at.map_or(now, |at| at.min(now)))
}
