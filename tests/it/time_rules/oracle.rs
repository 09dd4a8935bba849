//! The rules of time again, by brute force: every minute of a window is checked against the rules
//! as they are worded. It uses nothing of the calculation under test, only the zone's offsets.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A minute counted from 1970-01-01T00:00, of UTC or of a wall clock.
pub type Minute = i64;

pub const DAY: Minute = 24 * 60;

/// A pattern in figures, and as the text that is tested.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub text: String,
    pub minutes: Vec<i64>,
    pub hours: Vec<i64>,
    /// `None` is a star, also below.
    pub days: Option<Vec<i64>>,
    pub months: Option<Vec<i64>>,
    pub weekdays: Option<Vec<i64>>,
    /// Its minute or hour field has a star or a step.
    pub elapsed: bool,
}

impl Pattern {
    fn matches(&self, wall: &Wall) -> bool {
        self.minutes.contains(&wall.minute)
            && self.hours.contains(&wall.hour)
            && self.months.as_ref().is_none_or(|m| m.contains(&wall.month))
            && match (&self.days, &self.weekdays) {
                (Some(d), Some(w)) => d.contains(&wall.day) || w.contains(&wall.weekday),
                (Some(d), None) => d.contains(&wall.day),
                (None, Some(w)) => w.contains(&wall.weekday),
                (None, None) => true,
            }
    }
}

/// What a wall clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall {
    pub minute: i64,
    pub hour: i64,
    pub day: i64,
    pub month: i64,
    /// 0 is Sunday.
    pub weekday: i64,
}

/// Takes a wall minute apart. The date is Howard Hinnant's `civil_from_days`.
pub fn wall(at: Minute) -> Wall {
    let days = at.div_euclid(DAY);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    debug_assert!(era >= 0);
    Wall {
        minute: at.rem_euclid(60),
        hour: at.rem_euclid(DAY) / 60,
        day: day_of_year - (153 * month + 2) / 5 + 1,
        month: if month < 10 { month + 3 } else { month - 9 },
        // 1970-01-01 was a Thursday.
        weekday: (days + 4).rem_euclid(7),
    }
}

/// Every minute of a stretch of time, with what the wall clock shows.
pub struct Window {
    start: Minute,
    /// The wall minute at each minute of UTC.
    shown: Vec<Minute>,
    /// When each wall minute is shown first.
    first: BTreeMap<Minute, Minute>,
    /// Each wall minute between the lowest and the highest, taken apart.
    walls: Vec<(Minute, Wall)>,
}

impl Window {
    pub fn new(tz: &TimeZone, minutes: RangeInclusive<Minute>) -> Window {
        let start = *minutes.start();
        let shown: Vec<Minute> = minutes
            .map(|at| {
                let offset = tz.to_offset(instant(at)).seconds();
                assert_eq!(offset % 60, 0, "the window is walked by the minute");
                at + i64::from(offset) / 60
            })
            .collect();
        let mut first = BTreeMap::new();
        for (i, wall) in (0..).zip(&shown) {
            first.entry(*wall).or_insert(start + i);
        }
        let lowest = *shown.iter().min().unwrap();
        let highest = *shown.iter().max().unwrap();
        let walls = (lowest..=highest).map(|at| (at, wall(at))).collect();
        Window {
            start,
            shown,
            first,
            walls,
        }
    }

    /// When the wall clock shows `wall`: the first time; in a gap, the first instant after it.
    pub fn instant_of(&self, wall: Minute) -> Option<Minute> {
        if let Some(at) = self.first.get(&wall) {
            return Some(*at);
        }
        let jump = self
            .shown
            .windows(2)
            .position(|two| two[0] < wall && wall < two[1])?;
        Some(self.start + jump as i64 + 1)
    }

    /// The date that the wall clock shows, in days since 1970.
    pub fn date_of(&self, at: Minute) -> i64 {
        self.shown[(at - self.start) as usize].div_euclid(DAY)
    }

    /// All instants of a pattern in the window.
    pub fn instants(&self, pattern: &Pattern) -> Vec<Minute> {
        let lowest = self.walls[0].0;
        let mut found: Vec<Minute> = if pattern.elapsed {
            // Every real instant whose wall time matches.
            (self.start..)
                .zip(&self.shown)
                .filter(|(_, shown)| {
                    let (_, wall) = &self.walls[(**shown - lowest) as usize];
                    pattern.matches(wall)
                })
                .map(|(at, _)| at)
                .collect()
        } else {
            // Every matching wall time once.
            self.walls
                .iter()
                .filter(|(_, wall)| pattern.matches(wall))
                .filter_map(|(at, _)| self.instant_of(*at))
                .collect()
        };
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// A minute of UTC as an instant.
pub fn instant(at: Minute) -> Timestamp {
    Timestamp::from_second(at * 60).unwrap()
}
