//! The minimum age of runs that don't say when they began.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

/// How many such runs are remembered.
const MOST_SIGHTINGS: usize = 10_000;

/// When runs without a start time were first seen, by the clock that never jumps: they are at least
/// that old.
#[derive(Debug, Default)]
pub(super) struct Sightings(Mutex<HashMap<String, SignedDuration>>);

impl Sightings {
    /// How long ago a run was first seen; zero if this is the first time.
    pub(super) fn age(&self, run: &str, uptime: SignedDuration) -> SignedDuration {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_SIGHTINGS && !seen.contains_key(run) {
            seen.clear();
        }
        uptime.saturating_sub(*seen.entry(run.to_owned()).or_insert(uptime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_does_not_say_when_it_began_grows_older_from_when_it_was_first_seen() {
        let seen = Sightings::default();
        let at = SignedDuration::from_secs;
        assert_eq!(seen.age("run-1", at(10)), at(0));
        assert_eq!(seen.age("run-1", at(70)), at(60));
        assert_eq!(seen.age("run-2", at(70)), at(0));
    }
}
