//! Dates on which a schedule does not run.
//!
//! An instant belongs to the date that the clocks of the schedule's zone show at it. So an instant
//! that was moved out of a skipped stretch belongs to the date on which it really is.

use std::fmt;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::{Zone, shown};
use crate::error::{Code, Error, Result, fields};
use crate::limits;

/// How many years a range of dates may be long.
const LONGEST_YEARS: i16 = 10;

/// Dates that are left out, as ranges in order, which neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    ranges: Vec<(Date, Date)>,
}

impl LeftOut {
    /// Parses dates and ranges with commas between them: `2026-12-25, 2026-12-31..2027-01-02`. None
    /// at all is nothing, or `none`.
    ///
    /// # Errors
    /// [`Code::ExceptInvalid`].
    pub fn parse(text: &str) -> Result<LeftOut> {
        if matches!(text.trim(), "" | "none") {
            return Ok(LeftOut::default());
        }
        let items = text.split([',', ';', '\n']).map(str::trim);
        let items = items.filter(|item| !item.is_empty());
        let mut ranges = Vec::new();
        for item in items {
            ranges.push(range(item).map_err(|error| match corrected(text) {
                Some(text) if error.correction().is_none() => {
                    error.example(fields([("except", text)]))
                }
                _ => error,
            })?);
        }
        LeftOut::of(ranges)
    }

    /// Parses stored dates.
    ///
    /// # Errors
    /// [`Code::ExceptInvalid`], if the row is broken.
    pub fn read_stored(text: Option<&str>) -> Result<LeftOut> {
        text.map_or(Ok(LeftOut::default()), LeftOut::parse)
    }

    /// Dates, each from a first to a last.
    ///
    /// # Errors
    /// [`Code::ExceptInvalid`] if there are too many, or if a range is too long.
    pub fn of(mut ranges: Vec<(Date, Date)>) -> Result<LeftOut> {
        ranges.sort_unstable();
        let mut joined: Vec<(Date, Date)> = Vec::new();
        for (first, last) in ranges {
            let most = first.checked_add(LONGEST_YEARS.years());
            if most.is_ok_and(|most| last > most) {
                return Err(invalid(format!(
                    "{first}..{last} is longer than {LONGEST_YEARS} years: to end a schedule, give it \
                     an end"
                )));
            }
            match joined.last_mut() {
                Some((_, end)) if end.tomorrow().is_ok_and(|next| first <= next) => {
                    *end = last.max(*end);
                }
                _ => joined.push((first, last)),
            }
        }
        match joined.len() {
            many if many > limits::LEFT_OUT => Err(invalid(format!(
                "these are {many} dates and ranges: a schedule leaves out at most {}",
                limits::LEFT_OUT
            ))),
            _ => Ok(LeftOut { ranges: joined }),
        }
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Its dates, from a first to a last.
    pub fn ranges(&self) -> impl Iterator<Item = (Date, Date)> + '_ {
        self.ranges.iter().copied()
    }

    /// The text to store, or none.
    pub fn to_stored(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.to_string())
    }

    /// "Except 2026-12-25 and 3 more dates".
    pub fn describe(&self) -> Option<String> {
        let (first, more) = self.ranges.split_first()?;
        let days = |(first, last): &(Date, Date)| i64::from((*last - *first).get_days()) + 1;
        let more: i64 = more.iter().map(days).sum();
        let first = written(first);
        Some(match more {
            0 => format!("except {first}"),
            1 => format!("except {first} and 1 more date"),
            more => format!("except {first} and {more} more dates"),
        })
    }

    /// The first instant that is on none of the dates, if `at` is on one. `None` if it is not.
    pub(super) fn end_of(&self, at: Timestamp, zone: &Zone) -> Option<Timestamp> {
        self.range_of(zone, at)?;
        let mut at = at;
        // As long as the clocks don't change, dates are whole days.
        while let Some((_, last)) = self.range_of(zone, at) {
            let end = midnight(last.tomorrow().ok()?, zone, at)?;
            match zone.tz().following(at).next() {
                Some(change) if change.timestamp() < end => at = change.timestamp(),
                _ => at = end,
            }
        }
        Some(at)
    }

    /// The first instant after `at`, which is on none of the dates, that is on one. `None` if there is
    /// none until `until`.
    pub(super) fn begin_after(
        &self,
        at: Timestamp,
        until: Timestamp,
        zone: &Zone,
    ) -> Option<Timestamp> {
        let (_, last) = self.ranges.last()?;
        let mut at = at;
        while at <= until && self.range_of(zone, at).is_none() {
            let date = zone.wall(at).date();
            // No clock is set back by more than a day.
            if date > last.checked_add(2.days()).ok()? {
                return None;
            }
            let next = self.ranges.partition_point(|(first, _)| *first <= date);
            let next = self.ranges.get(next);
            let begin = next.and_then(|(first, _)| midnight(*first, zone, at));
            let change = zone.tz().following(at).next();
            let change = change.map(|change| change.timestamp());
            at = match (begin, change) {
                (Some(begin), Some(change)) => begin.min(change),
                (begin, change) => begin.or(change)?,
            };
        }
        (at <= until).then_some(at)
    }

    /// The range that has the date of an instant.
    fn range_of(&self, zone: &Zone, at: Timestamp) -> Option<(Date, Date)> {
        if self.is_empty() {
            return None;
        }
        let date = zone.wall(at).date();
        let after = self.ranges.partition_point(|(first, _)| *first <= date);
        let range = self.ranges.get(after.checked_sub(1)?)?;
        (date <= range.1).then_some(*range)
    }
}

/// When a date would begin if the clocks went on as they go at `at`.
fn midnight(date: Date, zone: &Zone, at: Timestamp) -> Option<Timestamp> {
    let offset = zone.tz().to_offset(at);
    offset.to_timestamp(date.at(0, 0, 0, 0)).ok()
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.ranges.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{}", written(range))?;
        }
        Ok(())
    }
}

/// `2026-12-25`, or `2026-12-24..2027-01-02`.
fn written((first, last): &(Date, Date)) -> String {
    match first == last {
        true => first.to_string(),
        false => format!("{first}..{last}"),
    }
}

/// Reads a date, or a range of dates.
///
/// # Errors
/// [`Code::ExceptInvalid`].
fn range(item: &str) -> Result<(Date, Date)> {
    let (first, last) = item.split_once("..").unwrap_or((item, item));
    let (Some(first), Some(last)) = (date(first.trim()), date(last.trim())) else {
        return Err(invalid(format!(
            "{} is neither a date nor a range of dates: write YYYY-MM-DD, or two of them with two dots \
             between",
            shown(item)
        )));
    };
    match first <= last {
        true => Ok((first, last)),
        false => Err(invalid(format!("{} ends before it begins", shown(item)))),
    }
}

/// A date, written as ISO 8601 has it with hyphens.
fn date(text: &str) -> Option<Date> {
    let is_plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    text.parse().ok().filter(|_| is_plain)
}

/// The same dates with hyphens, if they are written with slashes or dots from the year on.
fn corrected(text: &str) -> Option<String> {
    let hyphens = |item: &str| item.trim().replace(['/', '.'], "-");
    let items = text.split(',').map(|item| match item.split_once("..") {
        Some((first, last)) => format!("{}..{}", hyphens(first), hyphens(last)),
        None => hyphens(item),
    });
    let items: Vec<String> = items.collect();
    items
        .iter()
        .all(|item| range(item).is_ok())
        .then(|| items.join(","))
}

fn invalid(wrong: impl Into<crate::error::Message>) -> Error {
    Error::new(Code::ExceptInvalid, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> LeftOut {
        LeftOut::parse(text).unwrap()
    }

    #[test]
    fn dates_are_the_same_however_they_are_written() {
        for (text, wanted) in [
            ("2026-12-25", "2026-12-25"),
            (" 2026-12-25 ,2026-12-27, ", "2026-12-25, 2026-12-27"),
            ("2026-12-26,2026-12-25", "2026-12-25..2026-12-26"),
            (
                "2026-12-24 .. 2027-01-02, 2026-12-30..2027-01-05",
                "2026-12-24..2027-01-05",
            ),
            ("2026-12-25..2026-12-25, 2026-12-25", "2026-12-25"),
            ("none", ""),
            (" ", ""),
        ] {
            let read = parse(text);
            assert_eq!(read.to_string(), wanted, "{text}");
            assert_eq!(
                LeftOut::read_stored(read.to_stored().as_deref()).unwrap(),
                read
            );
        }
    }

    #[test]
    fn what_is_left_out_is_told_in_short() {
        for (text, wanted) in [
            ("none", None),
            ("2026-12-25", Some("except 2026-12-25")),
            (
                "2026-12-24..2027-01-02",
                Some("except 2026-12-24..2027-01-02"),
            ),
            (
                "2026-12-25, 2027-01-01",
                Some("except 2026-12-25 and 1 more date"),
            ),
            (
                "2026-12-25, 2026-12-31..2027-01-02",
                Some("except 2026-12-25 and 3 more dates"),
            ),
        ] {
            assert_eq!(parse(text).describe().as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused_with_the_date_that_is_meant_if_that_is_clear() {
        for (text, wanted, corrected) in [
            (
                "25.12.2026",
                "\"25.12.2026\" is neither a date nor a range",
                None,
            ),
            ("12/25/2026", "\"12/25/2026\" is neither", None),
            ("2026-12-25, christmas", "\"christmas\" is neither", None),
            ("2026-02-30", "\"2026-02-30\" is neither", None),
            ("2026-12-25T09:00", "\"2026-12-25T09:00\" is neither", None),
            ("+2026-12-25", "is neither", None),
            ("2027-01-02..2026-12-24", "ends before it begins", None),
            ("2026-12-24..", "\"2026-12-24..\" is neither", None),
            (
                "2026/12/25, 2026-12-26",
                "\"2026/12/25\" is neither",
                Some("--except \"2026-12-25,2026-12-26\""),
            ),
            ("2026-01-01..2036-01-02", "is longer than 10 years", None),
        ] {
            let error = LeftOut::parse(text).unwrap_err();
            assert_eq!(error.code(), Code::ExceptInvalid, "{text}");
            assert!(error.to_string().contains(wanted), "{text}: {error}");
            assert_eq!(error.corrected().as_deref(), corrected, "{text}");
        }
        assert!(LeftOut::parse("2026-01-01..2036-01-01").is_ok());
    }

    #[test]
    fn there_is_a_bound_to_how_many_dates_are_left_out() {
        let every_other = |n: i64| {
            let first = Date::constant(2026, 1, 1);
            let dates = (0..n).map(|n| first.checked_add((2 * n).days()).unwrap());
            LeftOut::of(dates.map(|date| (date, date)).collect())
        };
        assert!(every_other(1_000).is_ok());
        let error = every_other(1_001).unwrap_err().to_string();
        assert!(
            error.starts_with("these are 1001 dates and ranges"),
            "{error}"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_fault(text in "\\PC*", near in "[-0-9.,; ]{0,40}") {
            let _ = LeftOut::parse(&text);
            let _ = LeftOut::parse(&near);
        }

        /// Where the dates begin and end, minute by minute.
        #[test]
        fn the_ends_of_dates_are_where_the_clock_says_they_are(
            start in 0..4_i64,
            days in 0..3_i64,
            hours in 0..96_i64,
            place in 0..5_usize,
        ) {
            let (zone, around) = [
                ("Europe/Berlin", "2026-10-23"),
                ("Asia/Beirut", "2026-10-22"),
                ("America/Havana", "2026-10-30"),
                ("Pacific/Apia", "2011-12-28"),
                ("America/St_Johns", "2006-10-27"),
            ][place];
            let zone = Zone::parse(zone).unwrap();
            let around: Date = around.parse().unwrap();
            let first = around.checked_add(start.days()).unwrap();
            let dates = LeftOut::of(vec![(first, first.checked_add(days.days()).unwrap())]).unwrap();
            let is_out = |at: Timestamp| {
                let date = zone.wall(at).date();
                first <= date && date <= first.checked_add(days.days()).unwrap()
            };
            let at = zone.instant_of(around.at(0, 30, 0, 0)).unwrap();
            let at = at.checked_add(hours.hours()).unwrap();
            let minute = |n: i64| at.checked_add(n.minutes()).unwrap();
            let until = minute(9 * 24 * 60);
            let first_that = |out: bool| (1..).map(minute).find(|t| is_out(*t) == out || *t > until);
            match is_out(at) {
                true => proptest::prop_assert_eq!(dates.end_of(at, &zone), first_that(false)),
                false => {
                    proptest::prop_assert_eq!(dates.end_of(at, &zone), None);
                    let begin = first_that(true).filter(|t| *t <= until);
                    proptest::prop_assert_eq!(dates.begin_after(at, until, &zone), begin);
                }
            }
        }
    }
}
