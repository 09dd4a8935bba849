//! The instants at which a pattern fires in a zone.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZoneFollowingTransitions, TimeZoneTransition};
use jiff::{SignedDuration, Timestamp};

use super::pattern::Pattern;
use crate::schedule::{Zone, cut};

/// The instants of a pattern, in order.
pub(crate) struct Instants<'a> {
    cron: &'a Pattern,
    /// The first wall time not checked yet; `None` past the calendar's end.
    from: Option<DateTime>,
    walk: Walk<'a>,
}

enum Walk<'a> {
    /// Walks through wall times, each of which fires once.
    Fixed { zone: &'a Zone, last: Timestamp },
    /// Walks through periods with one offset each, in which wall time is elapsed time.
    Elapsed {
        offset: Offset,
        /// Where the next period begins.
        next: Option<TimeZoneTransition<'a>>,
        later: TimeZoneFollowingTransitions<'a>,
        /// The last search: where it began and what it found. For a rare pattern the periods are
        /// short, and most begin within an earlier search.
        found: Option<(DateTime, DateTime)>,
    },
}

impl<'a> Instants<'a> {
    /// The instants strictly after `after`.
    pub(super) fn new(cron: &'a Pattern, zone: &'a Zone, after: Timestamp) -> Self {
        let walk = if cron.elapsed {
            let mut later = zone.tz().following(after);
            Walk::Elapsed {
                offset: zone.tz().to_offset(after),
                next: later.next(),
                later,
                found: None,
            }
        } else {
            Walk::Fixed { zone, last: after }
        };
        let wall = zone.wall(after);
        Instants {
            cron,
            from: minute_after(minute_of(wall)),
            walk,
        }
    }

    fn advance(&mut self) -> Option<Timestamp> {
        match &mut self.walk {
            Walk::Fixed { zone, last } => loop {
                let wall = self.cron.match_from(self.from?)?;
                self.from = minute_after(wall);
                let at = zone.instant_of(wall)?;
                // Skipped wall times share one instant; a repeated one lies before `last` if the
                // search began in its second half.
                if at > *last {
                    *last = at;
                    return Some(at);
                }
            },
            Walk::Elapsed {
                offset,
                next,
                later,
                found,
            } => loop {
                let start = self.from?;
                let wall = match *found {
                    Some((from, wall)) if from <= start && start <= wall => wall,
                    _ => self.cron.match_from(start)?,
                };
                *found = Some((start, wall));
                let at = offset.to_timestamp(wall);
                match next.as_ref() {
                    Some(end) if at.as_ref().map_or(true, |at| *at >= end.timestamp()) => {
                        *offset = end.offset();
                        let start = offset.to_datetime(end.timestamp());
                        let minute = minute_of(start);
                        self.from = if minute < start {
                            minute_after(minute)
                        } else {
                            Some(minute)
                        };
                        *next = later.next();
                    }
                    _ => {
                        self.from = minute_after(wall);
                        return at.ok().map(cut);
                    }
                }
            },
        }
    }
}

impl Iterator for Instants<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        self.advance()
    }
}

/// The start of the minute that contains a wall time.
fn minute_of(wall: DateTime) -> DateTime {
    wall.date().at(wall.hour(), wall.minute(), 0, 0)
}

/// One minute later; `None` at the end of the calendar.
fn minute_after(minute: DateTime) -> Option<DateTime> {
    minute.checked_add(SignedDuration::from_mins(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(pattern: &str, zone: &str, after: &str, n: usize) -> Vec<String> {
        let zone = Zone::parse(zone).unwrap();
        let cron = Pattern::read(pattern).unwrap();
        Instants::new(&cron, &zone, after.parse().unwrap())
            .take(n)
            .map(|at| at.to_string())
            .collect()
    }

    #[test]
    fn a_fixed_time_in_a_gap_fires_at_the_first_instant_after_it() {
        assert_eq!(
            next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        assert_eq!(
            next("0 2,14 * * *", "Europe/Berlin", "2026-03-28T14:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-29T12:00:00Z"]
        );
    }

    #[test]
    fn fixed_times_that_fall_on_one_instant_fire_once() {
        assert_eq!(
            next("0,30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 3),
            [
                "2026-03-29T01:00:00Z",
                "2026-03-29T01:30:00Z",
                "2026-03-30T00:00:00Z"
            ]
        );
    }

    #[test]
    fn a_fixed_time_in_a_fold_fires_the_first_time_only() {
        for after in ["2026-11-01T05:29:59Z", "2026-11-01T04:00:00Z"] {
            assert_eq!(
                next("30 1 * * *", "America/New_York", after, 2),
                ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]
            );
        }
        // Asked from within the second hour, which shows 01:10 again.
        assert_eq!(
            next("30 1 * * *", "America/New_York", "2026-11-01T06:10:00Z", 1),
            ["2026-11-02T06:30:00Z"]
        );
    }

    #[test]
    fn an_elapsed_pattern_fires_in_both_halves_of_a_fold_and_not_in_a_gap() {
        assert_eq!(
            next("30 * * * *", "America/New_York", "2026-11-01T05:00:00Z", 3),
            [
                "2026-11-01T05:30:00Z",
                "2026-11-01T06:30:00Z",
                "2026-11-01T07:30:00Z"
            ]
        );
        assert_eq!(
            next(
                "*/30 1 * * *",
                "America/New_York",
                "2026-11-01T05:00:00Z",
                4
            ),
            [
                "2026-11-01T05:30:00Z",
                "2026-11-01T06:00:00Z",
                "2026-11-01T06:30:00Z",
                "2026-11-02T06:00:00Z"
            ]
        );
        assert_eq!(
            next("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 1),
            ["2026-03-30T00:00:00Z"]
        );
    }

    #[test]
    fn a_fold_across_midnight_repeats_the_end_of_the_day_before() {
        // In Beirut 24:00 of 2026-10-24 becomes 23:00 again.
        assert_eq!(
            next("30 23 * * *", "Asia/Beirut", "2026-10-24T12:00:00Z", 2),
            ["2026-10-24T20:30:00Z", "2026-10-25T21:30:00Z"]
        );
        assert_eq!(
            next("30 23/1 * * *", "Asia/Beirut", "2026-10-24T12:00:00Z", 3),
            [
                "2026-10-24T20:30:00Z",
                "2026-10-24T21:30:00Z",
                "2026-10-25T21:30:00Z"
            ]
        );
    }

    #[test]
    fn a_day_that_a_zone_left_out_counts_as_a_gap() {
        assert_eq!(
            next("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 3),
            [
                "2011-12-29T19:00:00Z",
                "2011-12-30T10:00:00Z",
                "2011-12-30T19:00:00Z"
            ]
        );
        assert_eq!(
            next("0 */12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 3),
            [
                "2011-12-29T22:00:00Z",
                "2011-12-30T10:00:00Z",
                "2011-12-30T22:00:00Z"
            ]
        );
    }
}
