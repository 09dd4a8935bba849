//! One pattern: five fields, with vixie-cron's rules.
//!
//! croner parses a pattern and knows which days it means. Which *instants* those are is decided
//! here, because the wall clock of a zone may skip and repeat hours.

use std::sync::Arc;

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Weekday};
use jiff::civil::{Date, DateTime, Time};

use super::description::{Absent, Pieces};
use super::field::Field;
use crate::error::{Code, Error, Message, Result, fields};
use crate::schedule::{IntervalSpec, corrections, shown};

/// A cron pattern that matches at least one day.
///
/// A pattern whose minute or hour field has a star or a step is *elapsed*: it fires at every real
/// instant whose wall time matches, so twice for a time that happens twice and never for one that
/// is skipped. Every other pattern is *fixed*: each wall time fires once, a skipped one at the
/// first instant after the gap and a repeated one the first time. ISC cron 4.1 and cronie tell
/// wildcard jobs from fixed-time ones in this way; here a step counts as a wildcard too.
///
/// If day-of-month and day-of-week are both restricted, either may match. A field that begins with
/// a star (even `*/2`) does not count as restricted, and then both must match: see crontab(5) and
/// vixie-cron's `DOM_STAR`; croniter calls this `implement_cron_bug`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    text: String,
    cron: Arc<Cron>,
    minutes: u64,
    hours: u64,
    months: u64,
    pub(super) elapsed: bool,
}

/// The Gregorian calendar, including weekdays, repeats every 400 years, or 146,097 days. A pattern
/// that matches none of them never matches.
const CYCLE_DAYS: u32 = 146_097;

/// The longest pattern that is stored.
const LONGEST: usize = crate::limits::TEXT;

impl Pattern {
    /// Parses a pattern for registration. Besides what [`Pattern::read`] refuses, a step longer
    /// than its field is refused: `*/90` is not every 90 minutes.
    ///
    /// # Errors
    /// [`Code::CronInvalid`], [`Code::CronNever`].
    pub fn parse(text: &str) -> Result<Pattern> {
        Self::build(text, true)
    }

    /// Like [`Pattern::parse`], but the error contains a correction if it is clear what was meant.
    ///
    /// # Errors
    /// [`Code::CronInvalid`], [`Code::CronNever`].
    pub fn understand(text: &str) -> Result<Pattern> {
        let error = match Self::parse(text) {
            Ok(spec) => return Ok(spec),
            Err(error) => error,
        };
        if let Some(five) = corrections::cron::without_seconds(text) {
            return Self::parse(&five);
        }
        Err(match corrections::cron::cron(text) {
            Some(corrected) if error.correction().is_none() => error.example(corrected.example()),
            _ => error,
        })
    }

    /// Parses a stored pattern: everything that croniter accepts in five fields.
    ///
    /// # Errors
    /// [`Code::CronInvalid`], [`Code::CronNever`].
    pub fn read(text: &str) -> Result<Pattern> {
        Self::build(text, false)
    }

    fn build(written: &str, strict: bool) -> Result<Pattern> {
        let text = written.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.len() > LONGEST {
            return Err(invalid(format!(
                "the cron pattern {} is longer than {LONGEST} characters",
                shown(&text)
            )));
        }
        let lower = text.to_ascii_lowercase();
        let pattern = nickname(&text, &lower)?;
        let fields = split(&text, pattern)?;
        let mut croner = Vec::new();
        for (field, text) in Field::ALL.into_iter().zip(fields) {
            let read = field.read(text).map_err(|wrong| {
                let text = text.escape_debug();
                invalid(format!("the {} field '{text}': {wrong}", field.name()))
            })?;
            if let (Some(step), true) = (read.idle_step, strict) {
                return Err(idle(field, text, step, pattern));
            }
            croner.push(read);
        }
        let [minute, hour, day, month, weekday] = croner.as_slice() else {
            return Err(invalid(format!("{} can't be read", shown(&text))));
        };
        // croner's `+` requires both days to match. It only treats a lone `*` as a star.
        let both = (day.star || weekday.star) && day.croner != "*" && weekday.croner != "*";
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(&format!(
                "{} {} {} {} {}{}",
                minute.croner,
                hour.croner,
                day.croner,
                month.croner,
                if both { "+" } else { "" },
                weekday.croner
            ))
            .map_err(|e| {
                invalid(format!("the cron pattern {} can't be read", shown(&text))).caused_by(e)
            })?;
        let spec = Pattern {
            minutes: bits(&cron.pattern.minutes),
            hours: bits(&cron.pattern.hours),
            months: bits(&cron.pattern.months),
            elapsed: minute.repeats || hour.repeats,
            text,
            cron: Arc::new(cron),
        };
        let start = Date::constant(2000, 1, 1);
        if spec
            .match_from(start.to_datetime(Time::midnight()))
            .is_none()
        {
            return Err(never(
                &spec,
                "no year has a day that matches its day and month fields",
            ));
        }
        Ok(spec)
    }

    /// The pattern as written, with single spaces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The days that it names and that some of its months don't have.
    pub(in crate::schedule) fn absent_days(&self) -> Vec<Absent> {
        self.pieces()
            .map_or(Vec::new(), |pieces| pieces.absent_days())
    }

    /// The pattern in pieces; every pattern has them.
    pub(super) fn pieces(&self) -> Option<Pieces> {
        let lower = self.text.to_ascii_lowercase();
        let fields = split(&self.text, nickname(&self.text, &lower).ok()?).ok()?;
        let read = |(field, text): (Field, &str)| field.read(text).ok();
        let fields: Option<Vec<_>> = Field::ALL.into_iter().zip(fields).map(read).collect();
        let [_, _, day, _, weekday] = <[_; 5]>::try_from(fields?).ok()?;
        let each = |bits: u64| (0..60).filter(|n| bits >> n & 1 == 1).collect::<Vec<i8>>();
        let months = each(self.months);
        Some(Pieces {
            minutes: each(self.minutes),
            hours: each(self.hours),
            day: day.croner,
            months: if months.len() == 12 {
                Vec::new()
            } else {
                months
            },
            weekday: weekday.croner,
            both: day.star || weekday.star,
        })
    }

    /// Whether it fires at every instant whose wall time matches.
    pub(in crate::schedule) fn is_elapsed(&self) -> bool {
        self.elapsed
    }

    /// Whether it fires in every hour of the day.
    pub(in crate::schedule) fn is_of_every_hour(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    /// The first wall time in `from .. to` that matches all five fields.
    pub(in crate::schedule) fn first_match(
        &self,
        from: DateTime,
        to: DateTime,
    ) -> Option<DateTime> {
        let whole = from.with().second(0).subsec_nanosecond(0).build().ok()?;
        let found = self.match_from(whole)?;
        (found >= from && found < to).then_some(found)
    }

    /// Its times of a day that it matches: the hours, each with its minutes.
    pub(super) fn times(&self) -> (u64, u64) {
        (self.hours, self.minutes)
    }

    /// The first wall time at or after `from` (a whole minute) that matches all five fields. `None`
    /// if there is none in 400 years or before the calendar's end.
    pub(super) fn match_from(&self, from: DateTime) -> Option<DateTime> {
        if self.matches_day(from.date())
            && let Some(time) = self.time_from(from.hour(), from.minute())
        {
            return Some(from.date().to_datetime(time));
        }
        let midnight = self.time_from(0, 0)?;
        let mut date = from.date().tomorrow().ok()?;
        for _ in 0..=CYCLE_DAYS {
            if self.months >> date.month() & 1 == 0 {
                date = date.last_of_month().tomorrow().ok()?;
            } else if self.matches_day(date) {
                return Some(date.to_datetime(midnight));
            } else {
                date = date.tomorrow().ok()?;
            }
        }
        None
    }

    /// The first matching time of day at or after `hour:minute`.
    fn time_from(&self, hour: i8, minute: i8) -> Option<Time> {
        let hours = self.hours >> hour;
        if hours & 1 == 1
            && let Some(minute) = lowest(self.minutes >> minute, minute)
        {
            return Time::new(hour, minute, 0, 0).ok();
        }
        let hour = lowest(hours >> 1, hour + 1)?;
        Time::new(hour, lowest(self.minutes, 0)?, 0, 0).ok()
    }

    /// Whether the three day fields match a date.
    pub(super) fn matches_day(&self, date: Date) -> bool {
        let day = |n: i8| u32::from(n.unsigned_abs());
        let weekday = Weekday::from_days_from_sunday(day(date.weekday().to_sunday_zero_offset()));
        let (year, month) = (i32::from(date.year()), day(date.month()));
        self.months >> date.month() & 1 == 1
            && self
                .cron
                .pattern
                .day_match(year, month, day(date.day()), weekday)
                .unwrap_or(false)
    }
}

/// The values of a croner field as a bit mask.
fn bits(field: &croner::CronComponent) -> u64 {
    field
        .values()
        .into_iter()
        .filter(|v| *v < 64)
        .fold(0, |bits, v| bits | 1 << v)
}

/// The position of the lowest bit, counted from `from`.
fn lowest(bits: u64, from: i8) -> Option<i8> {
    let place = i8::try_from(bits.trailing_zeros()).ok()?;
    (bits != 0).then(|| from + place)
}

/// The pattern of a nickname, or the pattern itself.
fn nickname<'a>(text: &str, lower: &'a str) -> Result<&'a str> {
    let Some(name) = lower.strip_prefix('@') else {
        return Ok(lower);
    };
    match name {
        "hourly" => Ok("0 * * * *"),
        "daily" | "midnight" => Ok("0 0 * * *"),
        "weekly" => Ok("0 0 * * 0"),
        "monthly" => Ok("0 0 1 * *"),
        "yearly" | "annually" => Ok("0 0 1 1 *"),
        "reboot" => Err(invalid(
            "@reboot is not a time: a schedule fires by the clock, whether or not the machine \
             restarts",
        )),
        _ => match name.strip_prefix("every ") {
            Some(interval) => Err(Error::new(
                Code::CronInvalid,
                format!("{} is an interval, not a cron pattern", shown(text)),
            )
            .example_if(
                IntervalSpec::parse(interval)
                    .ok()
                    .map(|interval| fields([("every", interval.text().replace(' ', ""))])),
            )),
            None => Err(invalid(format!(
                "{} is not a known nickname: use @hourly, @daily, @midnight, @weekly, @monthly, \
                 @yearly or @annually",
                shown(text)
            ))),
        },
    }
}

/// The five fields of a pattern.
fn split<'a>(text: &str, pattern: &'a str) -> Result<Vec<&'a str>> {
    let fields: Vec<&str> = pattern.split(' ').filter(|f| !f.is_empty()).collect();
    let wrong = match fields.len() {
        5 => return Ok(fields),
        0 => "the cron pattern is empty".to_owned(),
        n @ (6 | 7) => format!(
            "the cron pattern {} has {n} fields: seconds and years are not part of it (an \
             interval may be less than a minute)",
            shown(text)
        ),
        1 => format!("the cron pattern {} has 1 field", shown(text)),
        n => format!("the cron pattern {} has {n} fields", shown(text)),
    };
    Err(invalid(format!(
        "{wrong}; give five: minute hour day-of-month month day-of-week"
    )))
}

/// The error for a step that never comes a second time. If the pattern has nothing else, it is
/// probably meant as an interval.
fn idle(field: Field, text: &str, step: u16, pattern: &str) -> Error {
    let others: Vec<&str> = pattern.split(' ').filter(|f| *f != text).collect();
    let cycle = match field {
        Field::Minute => "hour",
        Field::Hour => "day",
        Field::Day => "month",
        Field::Month => "year",
        Field::Weekday => "week",
    };
    let every = match (field, others.as_slice()) {
        (Field::Minute, ["*", "*", "*", "*"]) => Some(format!("{step}m")),
        (Field::Hour, ["0", "*", "*", "*"]) => Some(format!("{step}h")),
        _ => None,
    };
    let every = every.filter(|_| text.starts_with("*/"));
    Error::new(
        Code::CronInvalid,
        format!(
            "the {} field '{text}': steps restart every {cycle}, so a step of {step} would match \
             only once",
            field.name()
        ),
    )
    .example_if(every.map(|every| fields([("every", every)])))
}

/// The error for a pattern that never fires, with the reason.
pub(in crate::schedule) fn never(spec: &Pattern, why: &str) -> Error {
    Error::new(
        Code::CronNever,
        format!("the cron pattern {} never fires: {why}", shown(&spec.text)),
    )
}

fn invalid(wrong: impl Into<Message>) -> Error {
    Error::new(Code::CronInvalid, wrong)
}
