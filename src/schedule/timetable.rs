//! A spec with everything else that determines its instants.

use jiff::Timestamp;

use super::interval::{micros, nth_elapsed};
use super::{LeftOut, Spec, Zone};

/// Everything that decides when a schedule fires.
#[derive(Clone, Debug, PartialEq)]
pub struct Timetable {
    /// When it is to run.
    pub spec: Spec,
    /// The zone that it applies to.
    pub zone: Zone,
    /// Where an interval is counted from; cron and once ignore it.
    pub anchor: Timestamp,
    /// The last instant at which it may fire, inclusive.
    pub end_at: Option<Timestamp>,
    /// The dates on which it does not fire; once ignores them.
    pub except: LeftOut,
}

/// How many instants have passed, and the newest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// How many.
    pub count: u64,
    /// The newest of them; the first instant asked about, if none has passed.
    pub newest: Timestamp,
    /// The one before the newest, if there are two.
    pub before_newest: Option<Timestamp>,
}

impl Timetable {
    /// The first instant of a schedule created at `made`, which may begin at `start_at`.
    ///
    /// A once has only one. A cron begins with its first match at or after `start_at` and after
    /// `made`. An interval begins at `start_at`, which is then its anchor too, or otherwise one
    /// interval after the anchor. A `start_at` before `made` starts the count, but instants before
    /// `made` are not fired.
    pub fn first(&self, made: Timestamp, start_at: Option<Timestamp>) -> Option<Timestamp> {
        let from = start_at.filter(|start| *start >= made);
        let first = match (&self.spec, start_at) {
            (Spec::Once(at), _) => Some(*at),
            (Spec::Cron(cron), _) => {
                let after = match from {
                    Some(start) => just_before(start),
                    None => made,
                };
                cron.instants(&self.zone, after).next()
            }
            (Spec::Interval(_), Some(_)) if from.is_some() => from,
            (Spec::Interval(interval), Some(start)) => interval.next_after(&self.zone, start, made),
            (Spec::Interval(interval), None) => {
                interval.next_after(&self.zone, self.anchor, self.anchor)
            }
        };
        self.kept_from(first?)
    }

    /// The first instant strictly after `after`; `None` if there is none, because a once or
    /// `end_at` has passed or the calendar ends.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.kept_from(self.of_spec_after(after)?)
    }

    /// An instant of the spec, or the first one after it if it is on a date that is left out.
    pub fn kept_from(&self, at: Timestamp) -> Option<Timestamp> {
        let mut at = at;
        while let Some(end) = self.left_out_until(at).filter(|_| self.allows(at)) {
            at = self.of_spec_after(just_before(end))?;
        }
        Some(at).filter(|at| self.allows(*at))
    }

    /// The same with no date left out.
    pub fn on_any_date(&self) -> Timetable {
        Timetable {
            except: LeftOut::default(),
            ..self.clone()
        }
    }

    /// Its meaning, in short plain English.
    pub fn describe(&self) -> String {
        let spec = self.spec.describe(&self.zone, self.anchor);
        match self.except.describe() {
            Some(except) => format!("{spec}, {except}"),
            None => spec,
        }
    }

    /// The first instant of the spec strictly after `after`, on whatever date.
    fn of_spec_after(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.spec {
            Spec::Once(at) => Some(*at).filter(|at| *at > after),
            Spec::Cron(cron) => cron.instants(&self.zone, after).next(),
            Spec::Interval(interval) => interval.next_after(&self.zone, self.anchor, after),
        }
    }

    /// If an instant is on a date that is left out, when the next date begins that is not.
    pub(super) fn left_out_until(&self, at: Timestamp) -> Option<Timestamp> {
        match self.spec {
            Spec::Once(_) => None,
            Spec::Cron(_) | Spec::Interval(_) => self.except.end_of(at, &self.zone),
        }
    }

    /// The instants in `first ..= until`, at most `limit` of them. `first` is always counted: it is
    /// an intended instant that may lie off the timetable.
    pub fn passed(&self, first: Timestamp, until: Timestamp, limit: Option<u64>) -> Passed {
        let mut passed = Passed {
            count: 0,
            newest: first,
            before_newest: None,
        };
        if first > until || limit == Some(0) {
            return passed;
        }
        passed.count = 1;
        let until = self.end_at.map_or(until, |end| end.min(until));
        let left = limit.map(|limit| limit - 1);
        if let Some(step) = self.elapsed_step() {
            self.jump(&mut passed, step, until, left);
            return passed;
        }
        for at in self.after(first).take_while(|at| *at <= until) {
            if left.is_some_and(|left| passed.count > left) {
                break;
            }
            passed.count += 1;
            passed.before_newest = Some(passed.newest);
            passed.newest = at;
        }
        passed
    }

    /// `first` and the instants after it, `n` in total or as many as there are.
    pub fn upcoming(&self, first: Timestamp, n: usize) -> Vec<Timestamp> {
        std::iter::once(first)
            .chain(self.after(first))
            .take(n)
            .collect()
    }

    /// The instants strictly after `after`, in order.
    fn after(&self, after: Timestamp) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        let Spec::Cron(cron) = &self.spec else {
            return Box::new(std::iter::successors(self.next_after(after), |at| {
                self.next_after(*at)
            }));
        };
        let mut instants = cron.instants(&self.zone, after);
        let kept = std::iter::from_fn(move || {
            loop {
                let at = instants.next().filter(|at| self.allows(*at))?;
                match self.left_out_until(at) {
                    None => return Some(at),
                    Some(end) => instants = cron.instants(&self.zone, just_before(end)),
                }
            }
        });
        Box::new(kept)
    }

    /// Counts the instants of an elapsed interval by arithmetic, because there may be hundreds of
    /// millions: from one stretch of dates that are left out to the next.
    fn jump(&self, passed: &mut Passed, step: i128, until: Timestamp, left: Option<u64>) {
        let mut left = left;
        while let Some(first) = self.next_after(passed.newest).filter(|at| *at <= until) {
            let left_out = self.except.begin_after(first, until, &self.zone);
            let last = left_out.map_or(until, just_before);
            let there_are = (micros(last) - micros(first)) / step + 1;
            let more = match left {
                Some(left) => there_are.min(i128::from(left)),
                None => there_are,
            };
            if more < 1 {
                return;
            }
            // The two newest; the count stays below 2^63, because instants are whole microseconds.
            let Some(newest) = nth_elapsed(first, step, more - 1) else {
                return;
            };
            passed.before_newest = match more {
                1 => Some(passed.newest),
                _ => nth_elapsed(first, step, more - 2),
            };
            passed.newest = newest;
            let more = u64::try_from(more).unwrap_or(u64::MAX - 1);
            passed.count += more;
            left = left.map(|left| left.saturating_sub(more));
        }
    }

    /// The step of an elapsed interval in microseconds.
    fn elapsed_step(&self) -> Option<i128> {
        match &self.spec {
            Spec::Interval(interval) => interval.elapsed_micros(),
            _ => None,
        }
    }

    /// Whether `end_at` allows an instant.
    fn allows(&self, at: Timestamp) -> bool {
        self.end_at.is_none_or(|end| at <= end)
    }
}

/// The last instant before `at` that the database can store.
pub(crate) fn just_before(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond().saturating_sub(1)).unwrap_or(at)
}

/// The first instant after `at` that the database can store.
pub(crate) fn just_after(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond().saturating_add(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests;
