//! Candidates whose claim the database refuses although it works: they don't stop any other, and
//! are retried with growing waits.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::clock::later;
use crate::scheduler::queue::{Candidate, Key};

/// How often a candidate keeps its place in its lane. After that, others may overtake it.
const KEEPS_PLACE: u32 = 3;

/// How many of them the log names.
const NAMED: usize = 10;

/// The longest wait between two tries.
const LONGEST: SignedDuration = SignedDuration::from_mins(10);

/// The candidates that were refused.
#[derive(Debug, Default)]
pub(super) struct FailedClaims(HashMap<Key, Failures>);

#[derive(Debug)]
struct Failures {
    times: u32,
    until: Timestamp,
}

impl FailedClaims {
    /// Records that a candidate was refused, and why. Returns when it may be retried.
    pub(super) fn add(&mut self, candidate: &Candidate, reason: &str, now: Timestamp) -> Timestamp {
        self.0.retain(|_, r| later(r.until, LONGEST) > now);
        if !self.0.contains_key(&candidate.key()) && self.0.len() < NAMED {
            tracing::error!(
                lane = candidate.lane.as_str(),
                "{reason}; retrying with growing waits"
            );
        }
        let failures = self.0.entry(candidate.key()).or_insert(Failures {
            times: 0,
            until: now,
        });
        let seconds = 1_i64.checked_shl(failures.times).unwrap_or(i64::MAX);
        failures.times = failures.times.saturating_add(1).min(30);
        failures.until = later(now, SignedDuration::from_secs(seconds).min(LONGEST));
        failures.until
    }

    /// Forgets a candidate that was not refused.
    pub(super) fn forget(&mut self, candidate: &Candidate) {
        self.0.remove(&candidate.key());
    }

    /// The candidate with the time it has to wait, or only that time if it has lost its place.
    pub(super) fn place(
        &self,
        candidate: Candidate,
        now: Timestamp,
    ) -> Result<Candidate, Timestamp> {
        match self.0.get(&candidate.key()) {
            // Unless the clock was set back since.
            Some(failures) if failures.until > now && failures.until <= later(now, LONGEST) => {
                match failures.times <= KEEPS_PLACE {
                    true => Ok(Candidate {
                        not_before: candidate.not_before.max(failures.until),
                        ..candidate
                    }),
                    false => Err(failures.until),
                }
            }
            _ => Ok(candidate),
        }
    }
}
