//! Halting: nothing at all is sent until the halt is lifted.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::changes::{About, note_change};
use crate::db::Db;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::error::Result;
use crate::models::Operation;

/// Why nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// Since when.
    pub since: Timestamp,
    /// Why, in somebody's words.
    pub note: Option<String>,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all delivery has been halted since {}", self.since)?;
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

impl Db {
    /// Halts all delivery from the next claim on; what is on its way ends by itself. A halt that
    /// is there already keeps its time, and its note unless another one is given. Returns the halt.
    pub async fn halt(&self, note: Option<&str>, now: Timestamp) -> Result<Halt> {
        let note = note.map(str::to_owned);
        let db = self.clone();
        self.write("halt all delivery", move |tx| {
            let note = note.as_deref();
            let was: Option<i64> = query("SELECT 1 FROM halt").optional(tx)?;
            let row = query(
                "INSERT INTO halt (only_row, since, note) VALUES (1, $1, $2) \
             ON CONFLICT (only_row) DO UPDATE SET note = coalesce($2, note) \
             RETURNING since, note",
            )
            .bind(DbTime(now))
            .bind(note)
            .fetch_one(tx)?;
            if was.is_none() || note.is_some() {
                let what = note.map(|_| "note");
                note_change(tx, &db.by, Operation::Halt, About::none(), what, now)?;
            }
            Ok(halt(&row))
        })
        .await
    }

    /// Lifts the halt, and gives what waits the time back: it did not age meanwhile. Returns the
    /// halt that was there.
    pub async fn lift_halt(&self, now: Timestamp) -> Result<Option<Halt>> {
        let db = self.clone();
        self.write("let deliveries go on", move |tx| {
            let row = query("DELETE FROM halt RETURNING since, note").fetch_optional(tx)?;
            let Some(row) = row else { return Ok(None) };
            let halt = halt(&row);
            // Where it can't be read since when, nobody can tell how much time to give back.
            let since = rows::lenient_time(&row, "since").unwrap_or(now);
            let by = now.duration_since(since);
            // The search for unknown fates went on meanwhile: its deadline stays.
            give_time_back(tx, Deadline::Expiry, None, by)?;
            let none = About::none();
            note_change(tx, &db.by, Operation::LiftHalt, none, None, now)?;
            Ok(Some(halt))
        })
        .await
    }

    /// The halt, if there is one.
    pub async fn get_halt(&self) -> Result<Option<Halt>> {
        self.read("look whether delivery is halted", move |tx| {
            let row = query("SELECT since, note FROM halt").fetch_optional(tx)?;
            Ok(row.as_ref().map(halt))
        })
        .await
    }
}

/// That the row is there halts; what stands in it is for people.
fn halt(row: &Row) -> Halt {
    Halt {
        since: rows::lenient_time(row, "since").unwrap_or_default(),
        note: rows::text(row, "note"),
    }
}

/// A deadline of an open occurrence.
#[derive(Clone, Copy)]
pub(in crate::db) enum Deadline {
    /// The end of its retries.
    Expiry,
    /// The end of the search for its fate.
    Reconcile,
}

/// Moves a deadline of open occurrences by the time that nobody could use: of all of them, or of
/// those in the lanes of one target.
pub(in crate::db) fn give_time_back(
    tx: &Tx<'_>,
    deadline: Deadline,
    target: Option<&str>,
    by: SignedDuration,
) -> sql::Result<()> {
    // A lane is named after its target. SQLite's own times end with milliseconds, and a time that
    // lies beyond its calendar stays.
    macro_rules! moved {
        ($column:literal) => {
            concat!(
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
    let update = match deadline {
        Deadline::Expiry => moved!("expires_at"),
        Deadline::Reconcile => moved!("reconcile_until"),
    };
    // A clock that was set back meanwhile makes nobody older.
    let by = by.max(SignedDuration::ZERO);
    query(update)
        .bind(by.as_secs())
        .bind(i64::from(by.subsec_micros()))
        .bind(target)
        .execute(tx)?;
    Ok(())
}
