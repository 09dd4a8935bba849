//! Halting: nothing is sent, or nothing to a target, until the halt is lifted.

use jiff::{SignedDuration, Timestamp};

use super::changes::{About, note_change};
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::halt::{self, Stored};
use crate::error::Result;
use crate::models::{Halt, Operation, TargetName};

/// The existence of the row is the halt; its content is for people.
fn halt_of(target: Option<TargetName>, stored: Stored) -> Halt {
    Halt {
        target,
        since: stored.since.unwrap_or_default(),
        note: stored.note,
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
            Ok(halt_of(None, stored))
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
            Ok(Some(halt_of(None, stored)))
        })
        .await
    }

    /// Halts delivery to a target, as [`Db::halt`] does all.
    pub async fn halt_target(
        &self,
        target: &TargetName,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<Halt> {
        let (target, note) = (target.clone(), note.map(str::to_owned));
        let db = self.clone();
        self.write("halt delivery to a target", move |tx| {
            let note = note.as_deref();
            let was_halted = halt::is_halted(tx, &target)?;
            let stored = halt::upsert_target(tx, &target, note, now)?;
            if !was_halted || note.is_some() {
                let (about, what) = (About::target(&target), note.map(|_| "note"));
                note_change(tx, &db.by, Operation::Halt, about, what, now)?;
            }
            Ok(halt_of(Some(target.clone()), stored))
        })
        .await
    }

    /// Lifts the halt of a target, and extends the deadlines of what waits for it. While all delivery
    /// was halted, too, they are extended by that time twice: rather too long than too short.
    /// Returns the halt that was lifted.
    pub async fn lift_target(&self, target: &TargetName, now: Timestamp) -> Result<Option<Halt>> {
        let target = target.clone();
        let db = self.clone();
        self.write("start delivery to a target again", move |tx| {
            let Some(stored) = halt::delete_target(tx, &target)? else {
                return Ok(None);
            };
            let by = now.duration_since(stored.since.unwrap_or(now));
            give_time_back(tx, Deadline::Expiry, Some(target.as_str()), by)?;
            let about = About::target(&target);
            note_change(tx, &db.by, Operation::LiftHalt, about, None, now)?;
            Ok(Some(halt_of(Some(target.clone()), stored)))
        })
        .await
    }

    /// The halts of targets, by name.
    pub async fn list_halted_targets(&self) -> Result<Vec<Halt>> {
        self.read("look which targets are halted", move |tx| {
            Ok(halts_of_targets(tx)?)
        })
        .await
    }

    /// The halt of all delivery, if there is one.
    pub async fn get_halt(&self) -> Result<Option<Halt>> {
        self.read("look whether delivery is halted", move |tx| {
            Ok(halt::fetch(tx)?.map(|stored| halt_of(None, stored)))
        })
        .await
    }
}

/// The halts of targets, by name.
pub(in crate::db) fn halts_of_targets(tx: &Tx<'_>) -> sql::Result<Vec<Halt>> {
    let halts = halt::list_targets(tx)?.into_iter();
    Ok(halts
        .map(|(target, stored)| halt_of(Some(target), stored))
        .collect())
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
