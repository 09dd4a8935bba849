//! Open occurrences.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::plans::to_i64;
use crate::db::statements::occurrences::{self, Latest, StoredOpen};
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::{Identity, Lane, LongestWaits, OpenOccurrence, State, UnreadableOccurrence};

/// How many otids the original may have used after a copy of it was taken.
const USED_SINCE: i64 = 3;

impl Db {
    /// Every open occurrence, the oldest intended instant first. One that can't be read is left
    /// out, and logged once: it stops none of the others.
    pub async fn list_open_occurrences(&self) -> Result<Vec<OpenOccurrence>> {
        Ok(self.sort_open_occurrences().await?.0)
    }

    /// The same, with those that can't be read, except those being sent: they belong to their
    /// sender.
    pub async fn sort_open_occurrences(
        &self,
    ) -> Result<(Vec<OpenOccurrence>, Vec<UnreadableOccurrence>)> {
        let db = self.clone();
        self.read("look for open occurrences", move |tx| {
            let mut unreadable = Vec::new();
            let stored = occurrences::list_open(tx)?.into_iter().map(|read| {
                read.map_err(|open| {
                    if open.state != State::Sending.as_str() {
                        unreadable.push(open.unreadable.clone());
                    }
                    open.unreadable
                })
            });
            let stored = db.readable(stored);
            let open = stored.into_iter().map(|stored| db.open_occurrence(stored));
            let mut open: Vec<OpenOccurrence> = open.collect();
            open.sort_by_key(|o| (o.intended_at, o.id));
            Ok((open, unreadable))
        })
        .await
    }

    fn open_occurrence(&self, stored: StoredOpen) -> OpenOccurrence {
        let otids = self.otids(&stored);
        let o = stored.occurrence;
        OpenOccurrence {
            id: o.id,
            fence: stored.fence,
            uid: o.uid,
            agent_id: stored.agent_id,
            trigger: o.trigger,
            lane: o.lane.unwrap_or_else(|| Lane::new("")),
            state: o.state,
            intended_at: o.intended_at,
            not_before: o.not_before,
            owner: stored.owner,
            first_sent_at: stored.first_sent_at,
            sent_at: o.sent_at,
            doubted_at: stored.doubted_at,
            run_id: o.run_id,
            failures: stored.failures,
            generation: stored.generation,
            expires_at: stored.expires_at,
            reconcile_until: stored.reconcile_until,
            paused: stored.paused,
            otids,
        }
    }

    /// Every otid under which an occurrence may have been sent, the newest last.
    fn otids(&self, stored: &StoredOpen) -> Vec<Uuid> {
        let (o, generation) = (&stored.occurrence, stored.generation);
        let identity = self.identity(o.uid, o.trigger, o.intended_at);
        let of_former = stored.former_installs.iter().flat_map(|install_id| {
            let identity = Identity {
                install_id: *install_id,
                ..identity
            };
            (0..=generation + USED_SINCE).map(move |g| identity.otid(g))
        });
        let own: Vec<Uuid> = (0..=generation).map(|g| identity.otid(g)).collect();
        let used = stored.used_otids.iter().copied();
        let mut otids: Vec<Uuid> = of_former.chain(used).collect();
        otids.retain(|otid| !own.contains(otid));
        otids.extend(own);
        otids
    }

    /// Takes over prompts of a dead scheduler, at most [`AT_ONCE`]: if it is that many, there may
    /// be more. What it was sending becomes `unknown`, to be searched for before anything is sent.
    /// Returns how many.
    pub async fn take_over(
        &self,
        owner: &str,
        reconcile_deadline: SignedDuration,
        now: Timestamp,
    ) -> Result<u64> {
        let owner = owner.to_owned();
        self.write("take over from a dead scheduler", move |tx| {
            let until = now.checked_add(reconcile_deadline);
            let until = until.unwrap_or(Timestamp::MAX);
            let left = occurrences::list_sending_of(tx, &owner, to_i64(AT_ONCE))?;
            for id in &left {
                occurrences::mark_left(tx, *id, &owner, until, now)?;
            }
            Ok(left.len() as u64)
        })
        .await
    }

    /// Shortens waits that were computed from a later time, before the clock was set back: an
    /// answer or the sending lies in the future. A wait that began before now stays, however long
    /// the target asked for. The search for an unknown outcome never has a long wait.
    ///
    /// It corrects at most [`AT_ONCE`]: if it is that many, there may be more. Returns how many.
    pub async fn pull_forward(&self, now: Timestamp, waits: &LongestWaits) -> Result<u64> {
        let after = |wait| now.checked_add(wait).unwrap_or(Timestamp::MAX);
        let latest = Latest {
            now,
            retry: after(waits.retry),
            reconcile: after(waits.reconcile),
        };
        self.write("correct the times of open occurrences", move |tx| {
            let wrong = occurrences::list_later(tx, &latest, to_i64(AT_ONCE))?;
            for id in &wrong {
                occurrences::pull_forward(tx, *id, &latest)?;
            }
            Ok(wrong.len() as u64)
        })
        .await
    }
}
