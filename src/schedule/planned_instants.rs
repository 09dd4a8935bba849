//! The instants that a schedule should have had, computed from its plans alone: the account
//! compares them with what was recorded.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Timetable, just_before};

/// How many instants are compared one by one where plans overlap. They only overlap if another
/// program has set a `next_run` back.
const MOST: usize = 200_000;

/// The instants of a schedule under one plan.
#[derive(Clone, Debug)]
pub struct PlannedInstants {
    /// When it fires.
    pub timetable: Timetable,
    /// The first instant, which may lie off the timetable.
    pub first: Timestamp,
    /// Only instants before this one.
    pub before: Timestamp,
    /// At most this many.
    pub limit: Option<u64>,
}

/// Instants already counted.
#[derive(Clone, Debug, Default)]
pub struct Past {
    plans: Vec<Span>,
    points: BTreeSet<Timestamp>,
    ranges: Vec<(Timestamp, Timestamp)>,
    newest: Option<Timestamp>,
}

/// The instants of a plan, from the first to the newest.
#[derive(Clone, Debug)]
struct Span {
    timetable: Timetable,
    first: Timestamp,
    newest: Timestamp,
}

/// The instants of a plan that were not counted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// How many.
    pub count: u64,
    /// The oldest; meaningless if there are none.
    pub first: Timestamp,
    /// The newest; meaningless if there are none.
    pub newest: Timestamp,
}

/// Plans overlap in too many instants to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl PlannedInstants {
    /// Its instants that are not in `past`.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn fresh(&self, past: &Past) -> Result<Fresh, TooMany> {
        let all = self.passed();
        let whole = Fresh {
            count: all.count,
            first: self.first,
            newest: all.newest,
        };
        if all.count == 0 || past.newest.is_none_or(|newest| newest < self.first) {
            return Ok(whole);
        }
        let Some((from, to)) = past.overlap(self.first, all.newest) else {
            return Ok(whole);
        };
        let mut fresh = Fresh { count: 0, ..whole };
        fresh.add(self.first, self.until(just_before(from)));
        let mut at = match from <= self.first {
            true => Some(self.first),
            false => self.timetable.next_after(just_before(from)),
        };
        let mut looked = 0;
        while let Some(instant) = at.filter(|at| *at <= to && *at <= all.newest) {
            looked += 1;
            if looked > MOST {
                return Err(TooMany);
            }
            if !past.contains(instant) {
                fresh.add(instant, (1, instant));
            }
            at = self.timetable.next_after(instant);
        }
        if let Some(instant) = at.filter(|at| *at <= all.newest) {
            let (before, _) = self.until(just_before(instant));
            fresh.add(instant, (all.count - before, all.newest));
        }
        Ok(fresh)
    }

    /// Whether this is one of its instants.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.span().is_some_and(|span| span.contains(at))
    }

    /// Its instants in order.
    pub fn instants(&self) -> impl Iterator<Item = Timestamp> + '_ {
        let newest = self.span().map(|span| span.newest);
        std::iter::successors(newest.map(|_| self.first), |at| {
            self.timetable.next_after(*at)
        })
        .take_while(move |at| newest.is_some_and(|newest| *at <= newest))
    }

    fn span(&self) -> Option<Span> {
        let passed = self.passed();
        (passed.count > 0).then(|| Span {
            timetable: self.timetable.clone(),
            first: self.first,
            newest: passed.newest,
        })
    }

    fn passed(&self) -> super::Passed {
        let until = just_before(self.before);
        self.timetable.passed(self.first, until, self.limit)
    }

    /// How many of its instants are not after `until`, and the newest of them.
    fn until(&self, until: Timestamp) -> (u64, Timestamp) {
        let until = until.min(just_before(self.before));
        let passed = self.timetable.passed(self.first, until, self.limit);
        (passed.count, passed.newest)
    }
}

impl Fresh {
    fn add(&mut self, first: Timestamp, (count, newest): (u64, Timestamp)) {
        if count > 0 {
            if self.count == 0 {
                self.first = first;
            }
            self.count += count;
            self.newest = newest;
        }
    }
}

impl Past {
    /// Adds the instants of a plan.
    pub fn add(&mut self, planned: &PlannedInstants) {
        if let Some(span) = planned.span() {
            self.newest = self.newest.max(Some(span.newest));
            self.plans.push(span);
        }
    }

    /// Adds what was recorded without a plan: one instant, or every instant of a range.
    pub fn add_recorded(&mut self, first: Timestamp, newest: Timestamp) {
        self.newest = self.newest.max(Some(newest));
        match first == newest {
            true => {
                self.points.insert(newest);
            }
            false => self.ranges.push((first, newest)),
        }
    }

    /// Whether an instant is included.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.points.contains(&at)
            || self.ranges.iter().any(|(a, b)| *a <= at && at <= *b)
            || self.plans.iter().any(|span| span.contains(at))
    }

    /// The part of `first ..= newest` that overlaps with what is included.
    fn overlap(&self, first: Timestamp, newest: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let spans = self.plans.iter().map(|s| (s.first, s.newest));
        let points = self.points.range(first..=newest).map(|at| (*at, *at));
        spans
            .chain(self.ranges.iter().copied())
            .filter(|(a, b)| *a <= newest && first <= *b)
            .chain(points)
            .map(|(a, b)| (a.max(first), b.min(newest)))
            .reduce(|(a, b), (c, d)| (a.min(c), b.max(d)))
    }
}

impl Span {
    fn contains(&self, at: Timestamp) -> bool {
        at == self.first
            || (self.first < at
                && at <= self.newest
                && self.timetable.next_after(just_before(at)) == Some(at))
    }
}

/// How many distinct instants the plans have.
///
/// # Errors
/// [`TooMany`].
pub fn count_distinct(plans: &[PlannedInstants]) -> Result<u64, TooMany> {
    let mut past = Past::default();
    let mut count = 0;
    for plan in plans {
        count += plan.fresh(&past)?.count;
        past.add(plan);
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::models::ScheduleType;
    use crate::schedule::{LeftOut, Spec, Zone};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_770_000_000 + seconds).unwrap()
    }

    fn every(interval: &str, first: i64, before: i64, limit: Option<u64>) -> PlannedInstants {
        let zone = Zone::utc();
        let spec = Spec::read_stored(ScheduleType::Interval, interval, &zone).unwrap();
        PlannedInstants {
            timetable: Timetable {
                spec,
                zone,
                anchor: at(first),
                end_at: None,
                except: LeftOut::default(),
            },
            first: at(first),
            before: at(before),
            limit,
        }
    }

    fn distinct(plans: &[PlannedInstants]) -> u64 {
        count_distinct(plans).unwrap()
    }

    #[test]
    fn an_instant_counts_once_however_often_it_was_planned() {
        let whole = every("10s", 0, 100, None);
        assert_eq!(distinct(std::slice::from_ref(&whole)), 10);
        assert_eq!(distinct(&[whole.clone(), whole.clone()]), 10);
        assert_eq!(distinct(&[whole.clone(), every("10s", 50, 131, None)]), 14);
        assert_eq!(distinct(&[whole.clone(), every("10s", 55, 131, None)]), 18);
        assert_eq!(distinct(&[whole.clone(), every("15s", 0, 61, None)]), 12);
        // Before, within and after; and a limit.
        assert_eq!(distinct(&[whole.clone(), every("10s", -20, 121, None)]), 15);
        assert_eq!(
            distinct(&[whole.clone(), every("10s", -20, 121, Some(4))]),
            12
        );
        assert_eq!(distinct(&[whole, every("10s", 7, 7, None)]), 10);
    }

    /// The same, counted without shortcuts.
    #[test]
    fn shortcuts_count_what_counting_one_by_one_counts() {
        for (step, first, before) in [
            ("7s", -30, 200),
            ("10s", 30, 31),
            ("3s", 95, 300),
            ("11s", -5, 100),
        ] {
            let plans = [every("10s", 0, 100, None), every(step, first, before, None)];
            let all: BTreeSet<Timestamp> = plans.iter().flat_map(|p| p.instants()).collect();
            assert_eq!(
                distinct(&plans),
                u64::try_from(all.len()).unwrap(),
                "{step} {first}"
            );
        }
    }

    #[test]
    fn fresh_instants_have_their_own_first_and_newest() {
        let mut past = Past::default();
        past.add(&every("10s", 20, 71, None));
        let fresh = every("10s", 0, 91, None).fresh(&past).unwrap();
        assert_eq!((fresh.count, fresh.first, fresh.newest), (4, at(0), at(90)));
        let fresh = every("10s", 30, 71, None).fresh(&past).unwrap();
        assert_eq!(fresh.count, 0);
        past.add_recorded(at(-40), at(-20));
        past.add_recorded(at(0), at(0));
        let fresh = every("10s", -30, 91, None).fresh(&past).unwrap();
        assert_eq!(
            (fresh.count, fresh.first, fresh.newest),
            (4, at(-10), at(90))
        );
    }

    #[test]
    fn years_of_seconds_are_counted_at_once_and_a_long_overlap_is_told() {
        let year = 365 * 86_400;
        let plan = every("1s", 0, 10 * year, None);
        assert_eq!(distinct(std::slice::from_ref(&plan)), 315_360_000);
        assert_eq!(count_distinct(&[plan.clone(), plan.clone()]), Err(TooMany));
        assert!(plan.contains(at(year)));
        let between = at(year) + SignedDuration::from_millis(500);
        assert!(!plan.contains(between));
    }
}
