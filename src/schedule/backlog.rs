//! Divides a backlog: which of the instants that passed unsent is sent, and what happens to the
//! others.

use jiff::Timestamp;

use super::timetable::{Passed, Timetable, just_before};
use crate::models::{CatchUp, Policy};

/// Consecutive instants that share an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The oldest.
    pub first: Timestamp,
    /// The newest.
    pub newest: Timestamp,
    /// How many there are.
    pub count: u64,
}

/// What one claim takes from a backlog, the oldest instants first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// Those too old to be useful.
    pub missed: Option<Range>,
    /// Those that the sent one replaces.
    pub coalesced: Option<Range>,
    /// The one that is sent.
    pub sent: Option<Timestamp>,
}

impl Division {
    /// How many instants are taken in total.
    pub fn taken(&self) -> u64 {
        let count = |range: Option<Range>| range.map_or(0, |r| r.count);
        count(self.missed) + count(self.coalesced) + u64::from(self.sent.is_some())
    }

    /// The newest instant that is taken.
    pub fn newest(&self) -> Option<Timestamp> {
        self.sent
            .or(self.coalesced.map(|r| r.newest))
            .or(self.missed.map(|r| r.newest))
    }
}

impl Timetable {
    /// Divides the instants from `first` (which may lie off the timetable) to `now`; at most `left`
    /// of them.
    pub fn divide(
        &self,
        first: Timestamp,
        now: Timestamp,
        left: Option<u64>,
        policy: &Policy,
    ) -> Division {
        match policy.catch_up() {
            CatchUp::Latest => self.latest(first, now, left),
            CatchUp::All => Division {
                sent: Some(first).filter(|at| *at <= now && left != Some(0)),
                ..NOTHING
            },
            CatchUp::Skip => {
                let too_old = now.checked_sub(policy.grace()).unwrap_or(Timestamp::MIN);
                let missed = range(first, self.passed(first, just_before(too_old), left));
                let Some(missed) = missed else {
                    return self.latest(first, now, left);
                };
                let left = left.map(|left| left.saturating_sub(missed.count));
                let rest = match self.next_after(missed.newest) {
                    Some(next) => self.latest(next, now, left),
                    None => NOTHING,
                };
                Division {
                    missed: Some(missed),
                    ..rest
                }
            }
        }
    }

    fn latest(&self, first: Timestamp, now: Timestamp, left: Option<u64>) -> Division {
        let passed = self.passed(first, now, left);
        let older = passed.before_newest.map(|newest| Range {
            first,
            newest,
            count: passed.count - 1,
        });
        Division {
            coalesced: older,
            sent: Some(passed.newest).filter(|_| passed.count > 0),
            ..NOTHING
        }
    }
}

const NOTHING: Division = Division {
    missed: None,
    coalesced: None,
    sent: None,
};

fn range(first: Timestamp, passed: Passed) -> Option<Range> {
    (passed.count > 0).then_some(Range {
        first,
        newest: passed.newest,
        count: passed.count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ScheduleType;
    use crate::schedule::{LeftOut, Spec, Zone};
    use jiff::SignedDuration;

    fn at(text: &str) -> Timestamp {
        format!("2026-02-01T{text}:00Z").parse().unwrap()
    }

    fn every_five_minutes() -> Timetable {
        let zone = Zone::utc();
        Timetable {
            spec: Spec::parse(ScheduleType::Cron, "*/5 * * * *", &zone, at("00:00")).unwrap(),
            zone,
            anchor: at("00:00"),
            end_at: None,
            except: LeftOut::default(),
        }
    }

    fn policy(catch_up: CatchUp) -> Policy {
        Policy {
            catch_up: Some(catch_up),
            ..Policy::default()
        }
    }

    #[test]
    fn the_latest_stands_for_all_that_passed() {
        let division =
            every_five_minutes().divide(at("09:00"), at("12:00"), None, &Policy::default());
        assert_eq!(division.sent, Some(at("12:00")));
        let coalesced = division.coalesced.unwrap();
        assert_eq!(
            (coalesced.first, coalesced.newest, coalesced.count),
            (at("09:00"), at("11:55"), 36)
        );
        assert_eq!((division.missed, division.taken()), (None, 37));
    }

    #[test]
    fn all_takes_the_oldest_alone() {
        let division =
            every_five_minutes().divide(at("09:00"), at("12:00"), None, &policy(CatchUp::All));
        assert_eq!(division.sent, Some(at("09:00")));
        assert_eq!(division.taken(), 1);
        assert_eq!(division.newest(), Some(at("09:00")));
    }

    #[test]
    fn skip_misses_what_is_older_than_the_grace_and_sends_the_newest_of_the_rest() {
        let division =
            every_five_minutes().divide(at("09:00"), at("12:00"), None, &policy(CatchUp::Skip));
        let missed = division.missed.unwrap();
        assert_eq!((missed.first, missed.newest), (at("09:00"), at("11:45")));
        assert_eq!(missed.count, 34);
        let coalesced = division.coalesced.unwrap();
        assert_eq!(
            (coalesced.first, coalesced.newest),
            (at("11:50"), at("11:55"))
        );
        assert_eq!(coalesced.count, 2);
        assert_eq!(division.sent, Some(at("12:00")));
        assert_eq!(division.taken(), 37);
    }

    #[test]
    fn skip_sends_nothing_where_everything_is_too_old() {
        let skip = Policy {
            grace: Some(SignedDuration::from_mins(1)),
            ..policy(CatchUp::Skip)
        };
        let division = every_five_minutes().divide(at("09:00"), at("12:02"), None, &skip);
        assert_eq!((division.sent, division.coalesced), (None, None));
        assert_eq!(division.taken(), 37);
        assert_eq!(division.newest(), Some(at("12:00")));
    }

    #[test]
    fn no_policy_takes_more_than_are_left() {
        for catch_up in [CatchUp::Latest, CatchUp::All, CatchUp::Skip] {
            for left in [0, 1, 2, 35, 36, 40] {
                let division = every_five_minutes().divide(
                    at("09:00"),
                    at("12:00"),
                    Some(left),
                    &policy(catch_up),
                );
                assert!(division.taken() <= left, "{catch_up} {left}");
            }
        }
    }
}
