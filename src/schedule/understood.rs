//! What a caller asks for as a time: in the form of a kind of time, or in words.
//!
//! The forms are tried first and mean what they always meant. Words may make an interval of what
//! was asked for as a pattern, and the other way round: both repeat.

use jiff::Timestamp;

use super::asked::{Asked, Given};
use super::corrections::cron::begins_in_signs;
use super::corrections::recurrence_rule::is_recurrence_rule;
use super::cron::joined;
use super::interval::{Step, is_capital_m};
use super::timetable::{Timetable, just_before};
use super::unclear;
use super::words::{self, Meaning, Once, Recurrence, Rule};
use super::{CronSpec, IntervalSpec, Spec, Zone, when};
use crate::error::Result;
use crate::models::ScheduleType;

/// A time that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// When it is.
    pub spec: Spec,
    /// The zone that was said in words.
    pub zone: Option<Zone>,
    /// The first instant of an interval, if words name it.
    pub first: Option<First>,
    /// What was taken for granted.
    pub notes: Vec<String>,
}

/// The first instant of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// When it is.
    pub at: Timestamp,
    /// Whether it was said. Otherwise it is the first to come that has the time of day, and the day
    /// of the week if that was said.
    pub is_said: bool,
}

impl Understood {
    /// What a caller asks for at `now`; what names no zone is meant in `zone`.
    ///
    /// # Errors
    /// [`crate::error::Code::TimeInvalid`], [`crate::error::Code::TimePast`],
    /// [`crate::error::Code::CronInvalid`], [`crate::error::Code::CronNever`] and
    /// [`crate::error::Code::IntervalInvalid`], with the readings of words that leave a doubt.
    pub fn parse(asked: Asked, value: &str, zone: &Zone, now: Timestamp) -> Result<Understood> {
        let given = Given {
            asked,
            other_field: None,
            value,
            zone,
            now,
        };
        match asked {
            Asked::Exactly(kind) => Spec::parse(kind, value, zone, now).map(Understood::from),
            _ if is_recurrence_rule(value) => Err(unclear::recurrence_rule(given)),
            Asked::As(ScheduleType::Once) => once(value, zone, now),
            Asked::As(kind) => recurring(kind, given),
            Asked::AsAny => any(given),
        }
    }

    /// Whether a schedule with a timetable in the same zone is what is meant.
    pub fn is_of(&self, stored: &Timetable) -> bool {
        if !self.spec.is_same_as(&stored.spec, &stored.zone) {
            return false;
        }
        let Some(First { at, is_said }) = self.first else {
            return true;
        };
        if is_said {
            return stored.anchor == at || stored.next_after(just_before(at)) == Some(at);
        }
        let is_weekly = match &self.spec {
            Spec::Interval(interval) => {
                matches!(interval.step(), Step::Days(days) if days % 7 == 0)
            }
            Spec::Once(_) | Spec::Cron(_) => false,
        };
        let [first, anchor] = [at, stored.anchor].map(|at| stored.zone.wall(at));
        first.time() == anchor.time() && (!is_weekly || first.weekday() == anchor.weekday())
    }
}

/// Whether a caller who asks for `value` at `now` means what a schedule has, apart from its zone. An
/// unchanged value may be in the past, or in a form that only older programs use.
pub fn is_meant(
    stored: &Timetable,
    asked: Asked,
    value: &str,
    zone: &Zone,
    now: Timestamp,
) -> bool {
    let kind = asked.kind().unwrap_or(stored.spec.kind());
    stored.spec.is_meant_by(kind, value, zone, now)
        || Understood::parse(asked, value, zone, now).is_ok_and(|meant| meant.is_of(stored))
}

impl From<Spec> for Understood {
    fn from(spec: Spec) -> Self {
        Understood {
            spec,
            zone: None,
            first: None,
            notes: Vec::new(),
        }
    }
}

impl From<Once> for Understood {
    fn from(once: Once) -> Self {
        Understood {
            zone: once.zone,
            notes: once.notes,
            ..Spec::Once(once.at).into()
        }
    }
}

/// A time as one instant.
fn once(value: &str, zone: &Zone, now: Timestamp) -> Result<Understood> {
    let read = when::read_time(value, zone, now)?;
    match read.at > now {
        true => Ok(read.into()),
        false => Err(unclear::past(value, read.at, zone, now)),
    }
}

/// A pattern or an interval.
fn recurring(kind: ScheduleType, given: Given<'_>) -> Result<Understood> {
    let Given {
        value, zone, now, ..
    } = given;
    let error = match Spec::parse(kind, value, zone, now) {
        Ok(spec) => return Ok(spec.into()),
        Err(error) => error,
    };
    // `1M` may be a month or a minute.
    if is_capital_m(value.trim()) {
        return Err(error);
    }
    match words::understand_recurrence(value, now, zone) {
        Ok(found) => repeated(found, given),
        Err(refusal) => Err(unclear::explained(error, &refusal, given)),
    }
}

/// Whatever a text is: a time, a pattern or something in words.
fn any(given: Given<'_>) -> Result<Understood> {
    let Given {
        value, zone, now, ..
    } = given;
    if let Some(read) = when::in_its_form(value, zone, now) {
        return match read? {
            read if read.at > now => Ok(read.into()),
            read => Err(unclear::past(value, read.at, zone, now)),
        };
    }
    if CronSpec::parse(value).is_ok() || CronSpec::is_begun_by(value) {
        return Spec::parse(ScheduleType::Cron, value, zone, now).map(Understood::from);
    }
    match words::understand(value, now, zone) {
        Ok(Meaning::Once(once)) => Ok(once.into()),
        Ok(Meaning::Recurring(found)) => repeated(found, given),
        Err(refusal) if refusal.readings.is_empty() && looks_like_pattern(value) => {
            Err(unclear::no_pattern(given))
        }
        Err(refusal) => Err(unclear::explained(unclear::unknown(given), &refusal, given)),
    }
}

/// Whether a text has the signs and about as many fields as a pattern, or a nickname.
fn looks_like_pattern(value: &str) -> bool {
    let fields: Vec<&str> = value.split_whitespace().collect();
    match fields.as_slice() {
        [name] => name.starts_with('@'),
        _ => (4..=7).contains(&fields.len()) && begins_in_signs(&fields),
    }
}

/// A repetition in words as a spec.
fn repeated(found: Recurrence, given: Given<'_>) -> Result<Understood> {
    let zone = found.zone.as_ref().unwrap_or(given.zone);
    let (spec, first) = match &found.rule {
        Rule::Cron(patterns) => {
            let spec = Spec::parse(ScheduleType::Cron, &joined(patterns), zone, given.now)?;
            (spec, None)
        }
        Rule::Interval {
            every,
            first,
            is_first_said,
        } => {
            let first = first.map(|at| First {
                at,
                is_said: *is_first_said,
            });
            (Spec::Interval(IntervalSpec::parse(every)?), first)
        }
    };
    Ok(Understood {
        spec,
        zone: found.zone,
        first,
        notes: found.notes,
    })
}

#[cfg(test)]
mod tests;
