//! Halting: nothing is sent until the halt is lifted.

use jiff::{SignedDuration, Timestamp};

use super::changes::{About, note_change};
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::halt::{self, Stored};
use crate::error::Result;
use crate::models::{Halt, Operation};

/// The existence of the row is the halt; its content is for people.
impl From<Stored> for Halt {
    fn from(stored: Stored) -> Self {
        Halt {
            since: stored.since.unwrap_or_default(),
            note: stored.note,
        }
    }
}

impl Db {
    /// Halts all delivery from the next claim on; prompts being sent finish. An existing halt keeps
    /// its time, and its note unless another one is given. Returns the halt.
    pub async fn halt(&self, note: Option<&str>, now: Timestamp) -> Result<Halt> {
        let note = note.map(str::to_owned);
        let db = self.clone();
        self.write("halt all delivery", move |tx| {
            let note = note.as_deref();
            let was_halted = halt::exists(tx)?;
            let stored = halt::upsert(tx, note, now)?;
            if !was_halted || note.is_some() {
                let what = note.map(|_| "note");
                note_change(tx, &db.by, Operation::Halt, About::none(), what, now)?;
            }
            Ok(Halt::from(stored))
        })
        .await
    }

    /// Lifts the halt, and extends the deadlines of what waits: it did not age during the halt.
    /// Returns the halt that was lifted.
    pub async fn lift_halt(&self, now: Timestamp) -> Result<Option<Halt>> {
        let db = self.clone();
        self.write("start delivery again", move |tx| {
            let Some(stored) = halt::delete(tx)? else {
                return Ok(None);
            };
            // If the start of the halt can't be read, it is unknown how much time to give back.
            let by = now.duration_since(stored.since.unwrap_or(now));
            // The search for unknown outcomes continued during the halt: its deadline stays.
            give_time_back(tx, Deadline::Expiry, None, by)?;
            let none = About::none();
            note_change(tx, &db.by, Operation::LiftHalt, none, None, now)?;
            Ok(Some(Halt::from(stored)))
        })
        .await
    }

    /// The halt, if there is one.
    pub async fn get_halt(&self) -> Result<Option<Halt>> {
        self.read("look whether delivery is halted", move |tx| {
            Ok(halt::fetch(tx)?.map(Halt::from))
        })
        .await
    }
}

/// A deadline of an open occurrence.
#[derive(Clone, Copy)]
pub(in crate::db) enum Deadline {
    /// The end of its retries.
    Expiry,
    /// The end of the search for its outcome.
    Reconcile,
}

/// Extends a deadline of open occurrences by time that could not be used: for all of them, or for
/// those in the lanes of one target.
pub(in crate::db) fn give_time_back(
    tx: &Tx<'_>,
    deadline: Deadline,
    target: Option<&str>,
    by: SignedDuration,
) -> sql::Result<()> {
    // If the clock was set back during the hold, nothing gets older.
    let by = by.max(SignedDuration::ZERO);
    match deadline {
        Deadline::Expiry => halt::move_expiry(tx, target, by),
        Deadline::Reconcile => halt::move_reconciling(tx, target, by),
    }
}
