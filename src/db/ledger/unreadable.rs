//! Open occurrences that can't be read: they are given up, so that they don't keep a lane closed.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

use super::fault::Fault;
use super::notices::{Settled, follow_verdict};
use crate::db::Db;
use crate::db::statements::unreadable;
use crate::error::Result;
use crate::models::{Fault as Trouble, State, UnreadableOccurrence, Verdict};

const DOING: &str = "give up an occurrence that can't be read";

/// The error class of an unreadable occurrence.
const CLASS: &str = "unreadable";

/// The unreadable occurrences that were logged, by database.
static REPORTED: Mutex<BTreeSet<(Uuid, i64)>> = Mutex::new(BTreeSet::new());

impl Db {
    /// The readable ones. The others are logged once per process.
    pub(in crate::db) fn readable<T>(
        &self,
        read: impl IntoIterator<Item = std::result::Result<T, UnreadableOccurrence>>,
    ) -> Vec<T> {
        let keep = |read: std::result::Result<T, UnreadableOccurrence>| {
            read.inspect_err(|unreadable| self.report(unreadable)).ok()
        };
        read.into_iter().filter_map(keep).collect()
    }

    fn report(&self, unreadable: &UnreadableOccurrence) {
        let UnreadableOccurrence { id, reason } = unreadable;
        let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.insert((self.install_id, *id)) {
            tracing::error!(
                "occurrence {id} in the database {} can't be read: {reason}",
                self.path.display()
            );
        }
    }

    /// Gives up an occurrence that waits or whose outcome is unknown: it can be neither sent nor
    /// searched for. Returns whether it was given up; if even that is refused, it stays.
    ///
    /// # Errors
    /// If the database fails as a whole, not only for this occurrence.
    pub async fn give_up(&self, unreadable: &UnreadableOccurrence, now: Timestamp) -> Result<bool> {
        let UnreadableOccurrence { id, reason } = unreadable;
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

    /// The same as part of a claim.
    pub(in crate::db) async fn give_up_unreadable(
        &self,
        id: i64,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let reason = reason.to_owned();
        let given_up = self.claim(DOING, move |tx| {
            let error = format!("{CLASS}: {reason}");
            let Some(given_up) = unreadable::give_up(tx, id, &reason, &error, now)? else {
                return Ok(());
            };
            let verdict = Verdict::Dead {
                fault: Trouble::new(CLASS, reason.as_str()),
            };
            let settled = Settled {
                occurrence_id: id,
                uid: &given_up.uid,
                agent_id: &given_up.agent_id,
                lane: &given_up.lane,
                state: State::Dead,
                verdict: &verdict,
                is_last: false,
            };
            follow_verdict(tx, &settled, now)?;
            Ok(())
        });
        given_up.await
    }
}
