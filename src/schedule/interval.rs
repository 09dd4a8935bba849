//! Intervals: a distance from an anchor, in elapsed time or in calendar days of the zone.

use jiff::{Span, Timestamp};

use super::{Zone, corrections, cut, shown};
use crate::error::{Code, Error, Message, Result, field, fields, message};

/// An interval of at least a second and at most ten years.
///
/// `h m s` are elapsed time. `d w` are calendar days of the zone: the wall time stays the same when
/// the clocks change.
#[derive(Clone, Debug, PartialEq)]
pub struct IntervalSpec {
    text: String,
    step: Step,
}

/// The distance between two instants of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Elapsed seconds.
    Seconds(i64),
    /// Calendar days of the zone.
    Days(i64),
}

/// Ten years of 365 days.
const LONGEST_DAYS: i64 = 3_650;
pub(super) const DAY: i64 = 86_400;

/// The units: their names in singular and plural, and their length.
pub(super) const UNITS: [(&[&str], Step, Unit); 5] = [
    (
        &["s", "sec", "secs", "second", "seconds"],
        Step::Seconds(1),
        Unit::Second,
    ),
    (
        &["m", "min", "mins", "minute", "minutes"],
        Step::Seconds(60),
        Unit::Minute,
    ),
    (
        &["h", "hr", "hrs", "hour", "hours"],
        Step::Seconds(3_600),
        Unit::Hour,
    ),
    (&["d", "day", "days"], Step::Days(1), Unit::Day),
    (&["w", "week", "weeks"], Step::Days(7), Unit::Week),
];

/// A unit of an interval, to check that none is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
}

impl IntervalSpec {
    /// Parses `30s`, `5m`, `1h30m`, `2d`, `1w`, in upper or lower case, with spaces and whole words
    /// (`5 minutes`) where they are unambiguous; a bare number is seconds.
    ///
    /// # Errors
    /// [`Code::IntervalInvalid`].
    pub fn parse(text: &str) -> Result<IntervalSpec> {
        let text = text.trim();
        let step = read(text)?;
        Ok(IntervalSpec {
            text: text.to_owned(),
            step,
        })
    }

    /// The interval as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether both are the same distance, such as `1h` and `60m`.
    pub(super) fn is_same_as(&self, other: &IntervalSpec) -> bool {
        self.step == other.step
    }

    /// Its shortest description in English: `every 5 minutes`. `anchor` tells at what time of day
    /// days and weeks are counted.
    pub fn describe(&self, zone: &Zone, anchor: Timestamp) -> String {
        match self.step {
            Step::Seconds(seconds) => format!("every {}", in_words(seconds)),
            Step::Days(days) => {
                let local = zone.wall(anchor);
                let weekday = local.strftime("%A");
                let often = match (days, days % 7) {
                    (1, _) => "day".to_owned(),
                    (7, _) => format!("{weekday}"),
                    (_, 0) => format!("{} weeks on {weekday}", days / 7),
                    _ => format!("{days} days"),
                };
                let clock = match local.second() {
                    0 => local.strftime("%H:%M"),
                    _ => local.strftime("%H:%M:%S"),
                };
                format!("every {often} at {clock}, {}", zone.name())
            }
        }
    }

    /// The first instant strictly after `after` that lies a whole number of intervals from
    /// `anchor`, which counts as the first. `None` beyond the year 9999.
    pub(super) fn next_after(
        &self,
        zone: &Zone,
        anchor: Timestamp,
        after: Timestamp,
    ) -> Option<Timestamp> {
        if after < anchor {
            return Some(anchor);
        }
        match self.step {
            Step::Seconds(seconds) => {
                let step = step_micros(seconds);
                let n = (micros(after) - micros(anchor)).div_euclid(step) + 1;
                nth_elapsed(anchor, step, n)
            }
            Step::Days(days) => {
                let start = zone.wall(anchor);
                let between = start.date().until(zone.wall(after).date()).ok()?;
                // The wall time of day decides whether the instant on that date has passed, and a
                // zone that skips a day may shift dates by one: start a little early and walk.
                let mut n = (i64::from(between.get_days()) / days - 1).max(1);
                loop {
                    let wall = start
                        .checked_add(Span::new().try_days(days.checked_mul(n)?).ok()?)
                        .ok()?;
                    let at = zone.instant_of(wall)?;
                    if at > after {
                        return Some(at);
                    }
                    n += 1;
                }
            }
        }
    }

    /// The distance itself.
    pub(super) fn step(&self) -> Step {
        self.step
    }

    /// The elapsed step in microseconds; `None` for calendar days.
    pub(super) fn elapsed_micros(&self) -> Option<i128> {
        match self.step {
            Step::Seconds(seconds) => Some(step_micros(seconds)),
            Step::Days(_) => None,
        }
    }
}

/// An instant in microseconds, in a type wide enough to subtract.
pub(super) fn micros(at: Timestamp) -> i128 {
    i128::from(at.as_microsecond())
}

fn step_micros(seconds: i64) -> i128 {
    i128::from(seconds.max(1)) * 1_000_000
}

/// `anchor + n × step`, or `None` if that is out of range.
pub(super) fn nth_elapsed(anchor: Timestamp, step: i128, n: i128) -> Option<Timestamp> {
    let at = step.checked_mul(n)?.checked_add(micros(anchor))?;
    let at = Timestamp::from_microsecond(i64::try_from(at).ok()?).ok()?;
    Some(cut(at))
}

/// Parses an interval.
fn read(text: &str) -> Result<Step> {
    if text.is_empty() {
        return Err(invalid("the interval is empty"));
    }
    let lower = text.to_ascii_lowercase();
    if lower.starts_with('-') {
        return Err(invalid(format!(
            "{} is negative: an interval is at least 1 second",
            shown(text)
        )));
    }
    if let Some(seconds) = bare_number(&lower) {
        return checked(text, seconds, 0);
    }
    if is_capital_m(text) {
        return Err(months_or_minutes(text));
    }
    let mut rest = lower.as_str();
    let (mut seconds, mut days) = (Some(0_i64), Some(0_i64));
    let mut seen: Vec<Unit> = Vec::new();
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (word, after) = split(after.trim_start(), |c| c.is_ascii_alphabetic());
        let known = UNITS.iter().find(|(names, ..)| names.contains(&word));
        let Some((_, worth, unit)) = known.filter(|_| !digits.is_empty()) else {
            return Err(not_understood(text, word));
        };
        if seen.contains(unit) {
            return Err(invalid(format!("{} has the same unit twice", shown(text))));
        }
        seen.push(*unit);
        let number = digits.parse::<i64>().ok();
        match worth {
            Step::Seconds(worth) => seconds = add(seconds, number, *worth),
            Step::Days(worth) => days = add(days, number, *worth),
        }
        rest = after.trim_start();
    }
    let mixed = seen.iter().any(|u| matches!(u, Unit::Day | Unit::Week))
        && !seen.iter().all(|u| matches!(u, Unit::Day | Unit::Week));
    if mixed {
        return Err(mixing(text, seconds, days));
    }
    checked(text, seconds, days.unwrap_or(i64::MAX))
}

/// The length of a unit, by any of its names in lower case.
pub(super) fn unit(word: &str) -> Option<Step> {
    let known = UNITS.iter().find(|(names, ..)| names.contains(&word));
    known.map(|(_, worth, _)| *worth)
}

/// Whether the first unit is a capital M: cron-like tools use it for months, ISO 8601 for both
/// months and minutes.
pub(super) fn is_capital_m(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ' ');
    unit.len() < text.len() && unit.trim_end() == "M"
}

/// A number of seconds without a unit; JSON writers may add `.0`. `None` if it is something else,
/// `Some(None)` if it is too large to represent.
fn bare_number(text: &str) -> Option<Option<i64>> {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    let number = !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit());
    number.then(|| whole.parse().ok())
}

/// The beginning of `text` that `fits`, and the rest.
fn split(text: &str, fits: fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c: char| !fits(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// `sum + number × worth`; `None` once it is too large to represent.
fn add(sum: Option<i64>, number: Option<i64>, worth: i64) -> Option<i64> {
    sum?.checked_add(number?.checked_mul(worth)?)
}

/// The step, if it is within bounds; `None` seconds are too many to represent.
fn checked(text: &str, seconds: Option<i64>, days: i64) -> Result<Step> {
    let step = match (seconds, days) {
        (Some(0), 0) => {
            return Err(invalid(format!(
                "{} is zero: an interval is at least 1 second",
                shown(text)
            )));
        }
        (Some(0), 1..=LONGEST_DAYS) => Some(Step::Days(days)),
        (Some(seconds), 0) if seconds <= LONGEST_DAYS * DAY => Some(Step::Seconds(seconds)),
        _ => None,
    };
    step.ok_or_else(|| {
        invalid(format!(
            "{} is too long: an interval is at most 10 years ({LONGEST_DAYS}d)",
            shown(text)
        ))
    })
}

/// The error for `1M`.
fn months_or_minutes(text: &str) -> Error {
    let n: String = text.chars().filter(char::is_ascii_digit).collect();
    let days = n.parse::<i64>().ok().and_then(|n| n.checked_mul(30));
    let days = days
        .filter(|d| *d <= LONGEST_DAYS)
        .map_or(String::new(), |d| format!(", {d}d for days"));
    invalid(message![
        shown(text),
        " could mean months or minutes: write {n}m for minutes{days}, or a cron pattern for days \
         of the \
         month, as in ",
        field("cron"),
        " \"0 9 1 * *\""
    ])
}

/// The error for a text that can't be parsed, with a correction if it is clear what was meant.
fn not_understood(text: &str, word: &str) -> Error {
    let mut error = invalid(format!(
        "{} is not an interval: write whole numbers with a unit, s m h (elapsed time) or d w \
         (days), as in 30s, 5m, 1h30m, 2d, 1w; a bare number is seconds",
        shown(text)
    ));
    if let "mo" | "mon" | "month" | "months" | "y" | "yr" | "year" | "years" = word {
        error = error.hint(message![
            "; months and years differ in length, so use a cron pattern, as in ",
            field("cron"),
            " \"0 9 1 * *\""
        ]);
    }
    match corrections::interval::interval(text) {
        Some(every) => error.example(fields([("every", every)])),
        None => match corrections::cron::pattern(text) {
            Some(pattern) => error.example(pattern),
            None => error,
        },
    }
}

/// The error for days mixed with hours.
fn mixing(text: &str, seconds: Option<i64>, days: Option<i64>) -> Error {
    let whole = seconds
        .zip(days)
        .and_then(|(s, d)| s.checked_add(d.checked_mul(DAY)?))
        .filter(|s| *s > 0 && *s <= LONGEST_DAYS * DAY);
    let wrong = format!(
        "{} mixes days, which follow the calendar, with hours, minutes or seconds, which are \
         elapsed time",
        shown(text)
    );
    let (Some(whole), Some(days)) = (whole, days.filter(|d| *d <= LONGEST_DAYS)) else {
        return invalid(wrong);
    };
    let elapsed = compact(whole);
    let both = format!("{wrong}: write it all as elapsed time ({elapsed}) or as days ({days}d)");
    invalid(both).example(fields([("every", elapsed)]))
}

fn invalid(wrong: impl Into<Message>) -> Error {
    Error::new(Code::IntervalInvalid, wrong)
}

/// The hours, minutes and seconds in `seconds`, without those that are zero.
fn parts(seconds: i64) -> impl Iterator<Item = (i64, &'static str)> {
    [
        (seconds / 3_600, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
}

/// `1h30m`.
pub(super) fn compact(seconds: i64) -> String {
    parts(seconds)
        .map(|(n, unit)| format!("{n}{}", unit.get(..1).unwrap_or(unit)))
        .collect()
}

/// `1 hour 30 minutes`, or only the unit when there is one of it: `minute`.
fn in_words(seconds: i64) -> String {
    let words: Vec<String> = parts(seconds)
        .map(|(n, unit)| format!("{n} {unit}{}", if n == 1 { "" } else { "s" }))
        .collect();
    match words.as_slice() {
        [only] => only.strip_prefix("1 ").unwrap_or(only).to_owned(),
        _ => words.join(" "),
    }
}

#[cfg(test)]
mod tests;
