//! Recurrence rules of iCalendar (RFC 5545, section 3.3.10), as patterns and intervals: calendars and
//! other schedulers for agents have them.

use super::cron::Correction;
use super::plain;

/// The days of the week as rules name them, from Sunday on, as in cron.
const DAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

/// The parts of a rule.
#[derive(Default)]
struct RecurrenceRule<'a> {
    frequency: &'a str,
    interval: Option<u32>,
    minutes: Vec<i8>,
    hours: Vec<i8>,
    weekdays: Vec<String>,
    /// Some of the days of the week are counted within the month.
    has_nths: bool,
    days: Vec<String>,
    months: Vec<i8>,
}

/// Whether a text is meant as a rule.
pub(in crate::schedule) fn is_recurrence_rule(text: &str) -> bool {
    let text = text.trim_start().to_ascii_uppercase();
    text.starts_with("RRULE") || text.starts_with("FREQ=")
}

/// What a rule means. `None` if it has parts that say more than a pattern can, or less.
pub(in crate::schedule) fn recurrence_rule(text: &str) -> Option<Correction> {
    let upper = plain(text)?.to_ascii_uppercase();
    let rule = RecurrenceRule::read(upper.strip_prefix("RRULE:").unwrap_or(&upper))?;
    match rule.every() {
        Some(every) => Some(Correction::Every(every)),
        None => Some(Correction::Cron(rule.pattern()?, None)),
    }
}

impl<'a> RecurrenceRule<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut rule = RecurrenceRule::default();
        for part in text.trim_end_matches(';').split(';') {
            let (name, value) = part.split_once('=')?;
            match name {
                "FREQ" => rule.frequency = value,
                "INTERVAL" => rule.interval = Some(value.parse().ok()?),
                "BYSECOND" if value == "0" || value == "00" => {}
                // It says something only beside an interval of weeks.
                "WKST" => {}
                "BYMINUTE" => rule.minutes = numbers(value, 0..=59)?,
                "BYHOUR" => rule.hours = numbers(value, 0..=23)?,
                "BYMONTH" => rule.months = numbers(value, 1..=12)?,
                "BYMONTHDAY" => rule.days = items(value, month_day)?,
                "BYDAY" => {
                    rule.weekdays = items(value, weekday)?;
                    rule.has_nths = value.contains(|c: char| c.is_ascii_digit());
                }
                _ => return None,
            }
        }
        Some(rule)
    }

    /// The interval of a rule of hours, minutes or seconds that has no other parts.
    fn every(&self) -> Option<String> {
        let has_time = !self.minutes.is_empty() || !self.hours.is_empty();
        if has_time || self.has_days() {
            return None;
        }
        let letter = match self.frequency {
            "SECONDLY" => "s",
            "MINUTELY" => "m",
            "HOURLY" => "h",
            // The time of day of the others is that at which they begin.
            _ => return None,
        };
        let amount = self.interval.unwrap_or(1);
        (amount > 0).then(|| format!("{amount}{letter}"))
    }

    fn has_days(&self) -> bool {
        !(self.weekdays.is_empty() && self.days.is_empty() && self.months.is_empty())
    }

    /// The pattern of a rule that says its times of day, and its days unless it is daily.
    fn pattern(&self) -> Option<String> {
        let says_day = match self.frequency {
            "HOURLY" | "DAILY" => !self.has_nths,
            "WEEKLY" => !self.weekdays.is_empty() && !self.has_nths && self.days.is_empty(),
            "MONTHLY" | "YEARLY" => {
                (!self.days.is_empty() || self.has_nths)
                    && (self.frequency == "MONTHLY" || !self.months.is_empty())
            }
            _ => false,
        };
        // Cron has no "both" of a day of the month and one of the week.
        let has_both = !self.days.is_empty() && !self.weekdays.is_empty();
        let is_hourly = self.frequency == "HOURLY" && !self.minutes.is_empty();
        let says_time = !self.hours.is_empty() || is_hourly;
        if !says_day || !says_time || has_both || self.interval.unwrap_or(1) != 1 {
            return None;
        }
        let minutes = match self.minutes.as_slice() {
            [] => "0".to_owned(),
            minutes => joined(minutes),
        };
        Some(format!(
            "{minutes} {} {} {} {}",
            joined(&self.hours),
            joined(&self.days),
            joined(&self.months),
            joined(&self.weekdays),
        ))
    }
}

/// A field of a pattern: each if there are none.
fn joined<T: ToString>(items: &[T]) -> String {
    match items {
        [] => "*".to_owned(),
        items => items.iter().map(T::to_string).collect::<Vec<_>>().join(","),
    }
}

fn items(value: &str, read: fn(&str) -> Option<String>) -> Option<Vec<String>> {
    value.split(',').map(read).collect()
}

fn numbers(value: &str, range: std::ops::RangeInclusive<i8>) -> Option<Vec<i8>> {
    let each = value.split(',').map(|n| n.parse().ok());
    each.map(|n| n.filter(|n| range.contains(n))).collect()
}

/// `15`, and `-1` for the last day.
fn month_day(text: &str) -> Option<String> {
    match text.parse().ok()? {
        -1 => Some("L".to_owned()),
        day @ 1..=31 => Some(i8::to_string(&day)),
        _ => None,
    }
}

/// `MO`, `1MO` for the first of a month and `-1FR` for the last.
fn weekday(text: &str) -> Option<String> {
    let (nth, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let day = DAYS.iter().position(|day| *day == name)?;
    match nth {
        "" => Some(day.to_string()),
        "-1" => Some(format!("{day}L")),
        _ => match nth.trim_start_matches('+').parse::<u8>().ok()? {
            nth @ 1..=5 => Some(format!("{day}#{nth}")),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recurrence_rule_becomes_the_pattern_or_interval_that_means_the_same() {
        for (rule, wanted) in [
            (
                "RRULE:FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
                Some("0 9 * * *"),
            ),
            ("FREQ=DAILY;BYHOUR=9", Some("0 9 * * *")),
            (
                "FREQ=DAILY;INTERVAL=1;BYHOUR=9,17;BYMINUTE=30",
                Some("30 9,17 * * *"),
            ),
            (
                "freq=weekly;byday=mo,we,fr;byhour=18;byminute=0;wkst=mo",
                Some("0 18 * * 1,3,5"),
            ),
            ("FREQ=MONTHLY;BYMONTHDAY=1,-1;BYHOUR=8", Some("0 8 1,L * *")),
            (
                "FREQ=MONTHLY;BYDAY=1MO,-1FR;BYHOUR=8",
                Some("0 8 * * 1#1,5L"),
            ),
            (
                "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24;BYHOUR=8;BYMINUTE=15",
                Some("15 8 24 12 *"),
            ),
            ("FREQ=DAILY;BYMONTH=1;BYHOUR=8", Some("0 8 * 1 *")),
            ("FREQ=HOURLY;BYMINUTE=30", Some("30 * * * *")),
            ("FREQ=MINUTELY;INTERVAL=15", Some("15m")),
            ("FREQ=HOURLY", Some("1h")),
            ("FREQ=DAILY;INTERVAL=3", None),
            // They say less than a pattern, or more.
            ("FREQ=DAILY", None),
            ("FREQ=WEEKLY;BYDAY=MO", None),
            ("FREQ=WEEKLY;BYHOUR=9", None),
            ("FREQ=MONTHLY;BYHOUR=9", None),
            ("FREQ=YEARLY;BYMONTHDAY=1;BYHOUR=9", None),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9", None),
            ("FREQ=DAILY;INTERVAL=2;BYHOUR=9", None),
            ("FREQ=DAILY;BYHOUR=9;COUNT=5", None),
            ("FREQ=DAILY;BYHOUR=9;UNTIL=20301231T000000Z", None),
            ("FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=13;BYHOUR=9", None),
            ("FREQ=DAILY;BYHOUR=24", None),
            ("FREQ=DAILY;BYHOUR=9;BYSECOND=30", None),
            ("FREQ=MONTHLY;BYDAY=MO;BYHOUR=9", None),
            ("FREQ=MINUTELY;INTERVAL=0", None),
            ("every day at 9", None),
            ("=", None),
            ("", None),
        ] {
            let found = recurrence_rule(rule).map(|correction| match correction {
                Correction::Cron(pattern, _) => pattern,
                Correction::Every(every) => every,
            });
            assert_eq!(found.as_deref(), wanted, "{rule}");
        }
    }
}
