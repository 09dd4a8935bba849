//! Open occurrences that can't be read: they are given up, so that they keep no lane closed.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

use super::fault::Fault;
use super::notices::{Settled, follow_verdict};
use crate::db::Db;
use crate::db::sql::{self, Row, query};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::error::Result;
use crate::models::{Fault as Trouble, State, Verdict};

const DOING: &str = "give up an occurrence that can't be read";

/// An occurrence that is open and can't be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Its number.
    pub id: i64,
    /// Which column it is, and what stands there.
    pub reason: String,
}

/// The class of what can't be read, as an occurrence's error gives it.
const CLASS: &str = "unreadable";

/// The occurrences that can't be read and were reported, with the databases they are in.
static REPORTED: Mutex<BTreeSet<(Uuid, i64)>> = Mutex::new(BTreeSet::new());

/// More otids than any occurrence uses up: each of them costs a failed try.
const MOST_OTIDS: i64 = 1_000_000;

/// More claims than any occurrence sees. SQLite counts in fractions only far beyond.
const MOST_CLAIMS: i64 = 1 << 40;

/// How many otids an occurrence has used up.
pub(in crate::db) fn generation(row: &Row) -> sql::Result<i64> {
    count_up_to(row, "generation", MOST_OTIDS)
}

/// The right to settle an occurrence.
pub(in crate::db) fn fence(row: &Row) -> sql::Result<i64> {
    count_up_to(row, "fence", MOST_CLAIMS)
}

fn count_up_to(row: &Row, column: &str, most: i64) -> sql::Result<i64> {
    let number = rows::number(row, column).filter(|n| (0..=most).contains(n));
    let stored = || rows::text(row, column).unwrap_or_default();
    number.ok_or_else(|| rows::unreadable(column, &stored()))
}

impl Db {
    /// What can be read of `rows`. The others are reported, once in the life of this process.
    pub(in crate::db) fn readable<T>(
        &self,
        rows: &[Row],
        mut read: impl FnMut(&Row) -> sql::Result<T>,
    ) -> Vec<T> {
        let read_or_report = |row| match read(row) {
            Ok(occurrence) => Some(occurrence),
            Err(e) => {
                self.report_unreadable(row, &e);
                None
            }
        };
        rows.iter().filter_map(read_or_report).collect()
    }

    fn report_unreadable(&self, row: &Row, error: &sql::Error) {
        let id: i64 = row.get("id").unwrap_or_default();
        let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.insert((self.install_id, id)) {
            tracing::error!(
                "occurrence {id} in the database {} can't be read: {error}",
                self.path.display()
            );
        }
    }

    /// Gives up an occurrence that waits or whose fate is unknown: it can neither be sent nor be
    /// looked for. Returns
    /// whether it was; where even that is refused it stays.
    ///
    /// # Errors
    /// Those of the database as a whole.
    pub async fn give_up(&self, unreadable: &Unreadable, now: Timestamp) -> Result<bool> {
        let Unreadable { id, reason } = unreadable;
        let refusal = match self.give_up_unreadable(*id, reason, now).await {
            Ok(()) => return Ok(true),
            Err(Fault::Transaction(e)) => return Err(e),
            Err(Fault::Row(reason)) => reason,
            Err(Fault::Statement(e)) => match self.refused(DOING, e) {
                (e, true) => e.chain(),
                (e, false) => return Err(e),
            },
        };
        tracing::debug!("occurrence {id} can't be given up either: {refusal}");
        Ok(false)
    }

    /// The same as a part of a claim.
    pub(in crate::db) async fn give_up_unreadable(
        &self,
        id: i64,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let reason = reason.to_owned();
        let given_up = self.claim(DOING, move |tx| {
            let reason = reason.as_str();
            let given_up = query(
                "UPDATE occurrences SET state = 'dead', reason = $2, error = $3, finished_at = $4, \
             not_before = NULL, owner = NULL, fence = fence + 1 \
             WHERE id = $1 AND state IN ('waiting', 'unknown') RETURNING uid, agent_id, lane",
            )
            .bind(id)
            .bind(reason)
            .bind(format!("{CLASS}: {reason}"))
            .bind(DbTime(now))
            .fetch_optional(tx)?;
            if let Some(row) = given_up {
                let [uid, agent_id, lane] = ["uid", "agent_id", "lane"]
                    .map(|column| rows::text(&row, column).unwrap_or_default());
                let verdict = Verdict::Dead {
                    fault: Trouble::new(CLASS, reason),
                };
                let settled = Settled {
                    occurrence_id: id,
                    uid: &uid,
                    agent_id: &agent_id,
                    lane: &lane,
                    state: State::Dead,
                    verdict: &verdict,
                    is_last: false,
                };
                follow_verdict(tx, &settled, now)?;
            }
            Ok(())
        });
        given_up.await?;
        self.outbox_changed.notify_one();
        Ok(())
    }
}
