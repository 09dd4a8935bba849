//! The instants at which a pattern fires in a zone.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZoneFollowingTransitions, TimeZoneTransition};
use jiff::{SignedDuration, Timestamp};

use super::CronSpec;
use crate::schedule::{Zone, cut};

/// The instants of a pattern, one after the other.
pub(crate) struct Instants<'a> {
    cron: &'a CronSpec,
    /// The first wall time that has not been looked at.
    from: DateTime,
    walk: Walk<'a>,
}

enum Walk<'a> {
    /// Through wall times, each of which fires once.
    Fixed { zone: &'a Zone, last: Timestamp },
    /// Through stretches of one offset each, in which wall time is elapsed time.
    Elapsed {
        offset: Offset,
        /// Where the next stretch begins.
        next: Option<TimeZoneTransition<'a>>,
        later: TimeZoneFollowingTransitions<'a>,
        /// The latest search, from which wall time and what it found: stretches are short for a
        /// rare pattern, and most begin within it.
        found: Option<(DateTime, DateTime)>,
    },
}

impl<'a> Instants<'a> {
    pub(super) fn new(cron: &'a CronSpec, zone: &'a Zone, after: Timestamp) -> Self {
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
            from: minute_after(minute_of(wall)).unwrap_or(DateTime::MAX),
            walk,
        }
    }

    fn advance(&mut self) -> Option<Timestamp> {
        match &mut self.walk {
            Walk::Fixed { zone, last } => loop {
                let wall = self.cron.match_from(self.from)?;
                self.from = minute_after(wall)?;
                let at = zone.instant_of(wall)?;
                // Skipped wall times share one instant; a repeated one lies before `last` when
                // the search began in its second half.
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
                let wall = match *found {
                    Some((from, wall)) if from <= self.from && self.from <= wall => wall,
                    _ => self.cron.match_from(self.from)?,
                };
                *found = Some((self.from, wall));
                let at = offset.to_timestamp(wall);
                match next.as_ref() {
                    Some(end) if at.as_ref().map_or(true, |at| *at >= end.timestamp()) => {
                        *offset = end.offset();
                        let start = offset.to_datetime(end.timestamp());
                        let minute = minute_of(start);
                        self.from = if minute < start {
                            minute_after(minute)?
                        } else {
                            minute
                        };
                        *next = later.next();
                    }
                    _ => {
                        self.from = minute_after(wall)?;
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

/// The whole minute in which a wall time lies.
fn minute_of(wall: DateTime) -> DateTime {
    wall.date().at(wall.hour(), wall.minute(), 0, 0)
}

/// One minute later; `None` at the end of the calendar.
fn minute_after(minute: DateTime) -> Option<DateTime> {
    minute.checked_add(SignedDuration::from_mins(1)).ok()
}
