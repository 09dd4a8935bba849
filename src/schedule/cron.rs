//! Cron specs: one pattern, or several that count as one schedule.

mod description;
mod field;
mod instants;
mod pattern;
mod sentence;
mod union;

use std::borrow::Borrow;

use jiff::Timestamp;
use jiff::civil::Date;

pub(super) use self::description::Absent;
use self::instants::Instants;
pub(super) use self::pattern::Pattern;
use self::pattern::never;
use self::union::Union;
use super::{Zone, corrections};
use crate::error::{Code, Error, Result, fields};
use crate::limits;

/// What stands between two patterns of one schedule.
pub(crate) const SEPARATOR: char = ';';

/// One pattern or several: it fires whenever one of them does, and once where several do.
#[derive(Clone, Debug, PartialEq)]
pub struct CronSpec {
    text: String,
    patterns: Vec<Pattern>,
}

/// The minutes of a date, by hour.
type Minutes = [u64; 24];

impl CronSpec {
    /// Parses patterns for registration. Besides what [`CronSpec::read`] refuses, a step longer
    /// than its field is refused: `*/90` is not every 90 minutes.
    ///
    /// # Errors
    /// [`Code::CronInvalid`], [`Code::CronNever`].
    pub fn parse(text: &str) -> Result<CronSpec> {
        Self::build(text, Pattern::parse)
    }

    /// Like [`CronSpec::parse`], but the error contains a correction if it is clear what was meant.
    ///
    /// # Errors
    /// [`Code::CronInvalid`], [`Code::CronNever`].
    pub fn understand(text: &str) -> Result<CronSpec> {
        Self::build(text, Pattern::understand).map_err(|error| match error.correction() {
            None => error.example_if(corrected(text).map(|text| fields([("cron", text)]))),
            Some(_) => error,
        })
    }

    /// Parses stored patterns: everything that croniter accepts in five fields.
    ///
    /// # Errors
    /// [`Code::CronInvalid`], [`Code::CronNever`].
    pub fn read(text: &str) -> Result<CronSpec> {
        Self::build(text, Pattern::read)
    }

    /// Whether at least one of several texts is a pattern, so that the others should be too.
    pub(super) fn is_begun_by(text: &str) -> bool {
        let mut texts = text.split(SEPARATOR);
        text.contains(SEPARATOR) && texts.any(|text| Pattern::parse(text).is_ok())
    }

    fn build(text: &str, one: fn(&str) -> Result<Pattern>) -> Result<CronSpec> {
        let texts: Vec<&str> = text.split(SEPARATOR).collect();
        let count = texts.len();
        if count > limits::PATTERNS {
            let many = format!(
                "these are {count} cron patterns: a schedule has at most {}",
                limits::PATTERNS
            );
            return Err(Error::new(Code::CronInvalid, many));
        }
        let mut patterns = Vec::new();
        for (at, text) in texts.into_iter().enumerate() {
            let read = match corrections::cron::split_zone(text) {
                Some(_) if count > 1 => Err(Error::new(
                    Code::CronInvalid,
                    "it names a zone, and a schedule has one zone for all of its patterns: write it \
                     before the first of them",
                )),
                _ => one(text),
            };
            patterns.push(read.map_err(|error| of_nth(error, at, count))?);
        }
        let texts: Vec<&str> = patterns.iter().map(Pattern::text).collect();
        Ok(CronSpec {
            text: joined(&texts),
            patterns,
        })
    }

    /// Refuses a pattern that has no instant after `now`, which may be so although it matches days:
    /// `*/5 2 * 3 0L` lies in the hour that most of Europe skips.
    pub(super) fn check_instants(&self, zone: &Zone, now: Timestamp) -> Result<()> {
        for (at, pattern) in self.patterns.iter().enumerate() {
            if Instants::new(pattern, zone, now).next().is_none() {
                let why = format!(
                    "every time it matches is skipped when clocks change in {}",
                    zone.name()
                );
                return Err(of_nth(never(pattern, &why), at, self.patterns.len()));
            }
        }
        Ok(())
    }

    /// The patterns as written, with single spaces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Each pattern.
    pub(super) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The patterns and their meaning in English.
    pub fn describe(&self, zone: &Zone) -> String {
        format!("{}, {} (cron {})", self.sentence(), zone.name(), self.text)
    }

    /// Their meaning in English: `every weekday at 09:00`.
    pub(super) fn sentence(&self) -> String {
        sentence::sentence(&self.patterns).unwrap_or_else(|| self.text.clone())
    }

    /// The instants strictly after `after`, in order.
    pub(super) fn instants<'a>(&'a self, zone: &'a Zone, after: Timestamp) -> Union<'a> {
        Union::new(&self.patterns, zone, after)
    }

    /// Whether both fire at the same instants in `zone`, however they are written.
    ///
    /// Which days of a year match depends only on its length and first weekday: 28 consecutive years
    /// of the Julian calendar include every combination.
    pub(super) fn is_same_as(&self, other: &CronSpec, zone: &Zone) -> bool {
        let start = Date::constant(2000, 1, 1);
        let mut dates = std::iter::successors(Some(start), |date| date.tomorrow().ok())
            .take_while(|date| date.year() < 2028);
        self.patterns == other.patterns
            || dates.all(|date| {
                let [a, b] = [self, other].map(|spec| spec.minutes_of(date));
                match zone.never_changes() {
                    true => either(a) == either(b),
                    false => a == b,
                }
            })
    }

    /// The minutes of a date that match: those of fixed patterns, and those of elapsed ones.
    fn minutes_of(&self, date: Date) -> [Minutes; 2] {
        let mut all = [[0; 24]; 2];
        for pattern in self.patterns.iter().filter(|p| p.matches_day(date)) {
            let [fixed, elapsed] = &mut all;
            let of_kind = if pattern.is_elapsed() { elapsed } else { fixed };
            let (hours, minutes) = pattern.times();
            for (hour, slot) in of_kind.iter_mut().enumerate() {
                *slot |= if hours >> hour & 1 == 1 { minutes } else { 0 };
            }
        }
        all
    }
}

fn either([fixed, elapsed]: [Minutes; 2]) -> Minutes {
    std::array::from_fn(|hour| {
        let minutes = |of: &Minutes| of.get(hour).copied().unwrap_or_default();
        minutes(&fixed) | minutes(&elapsed)
    })
}

/// Patterns as one text.
pub(super) fn joined<T: Borrow<str>>(texts: &[T]) -> String {
    texts.join(&format!("{SEPARATOR} "))
}

/// An error about one of several patterns: it says which, and an example that is not about all of
/// them is none.
fn of_nth(error: Error, at: usize, count: usize) -> Error {
    match count {
        1 => error,
        _ => error
            .without_example()
            .preceded_by(format!("pattern {} of {count}", at + 1)),
    }
}

/// Several patterns with each of them corrected, where it is clear what was meant.
fn corrected(text: &str) -> Option<String> {
    let texts = text.split(SEPARATOR).filter(|text| !text.trim().is_empty());
    let each = texts.map(|text| match Pattern::understand(text) {
        Ok(pattern) => Some(pattern.text().to_owned()),
        Err(error) => Some(error.corrected_field("cron")?.as_str()?.to_owned()),
    });
    let each: Vec<String> = each.collect::<Option<_>>()?;
    let each: Vec<&str> = each.iter().map(String::as_str).collect();
    let whole = joined(&each);
    CronSpec::parse(&whole).is_ok().then_some(whole)
}

#[cfg(test)]
mod tests;
