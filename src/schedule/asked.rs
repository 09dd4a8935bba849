//! What a caller asks for as a time, and as what kind of time.

use jiff::Timestamp;

use super::Zone;
use crate::error::Code;
use crate::models::ScheduleType;

/// As what a time is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// As this kind of time, in its form or in words.
    As(ScheduleType),
    /// As whatever it is.
    AsAny,
    /// As this kind of time, in its form only.
    Exactly(ScheduleType),
}

impl Asked {
    /// The kind of time, if only one will do.
    pub fn kind(self) -> Option<ScheduleType> {
        match self {
            Asked::As(kind) | Asked::Exactly(kind) => Some(kind),
            Asked::AsAny => None,
        }
    }

    /// Whether a cron pattern will do.
    pub fn takes_patterns(self) -> bool {
        self.kind().is_none_or(|kind| kind == ScheduleType::Cron)
    }
}

/// A time that was given.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// As what.
    pub asked: Asked,
    /// The field of a request that it is in, if that is not the time of the schedule itself.
    pub other_field: Option<&'static str>,
    /// The text.
    pub value: &'a str,
    /// The zone in which it is meant if it names none.
    pub zone: &'a Zone,
    /// The time of asking.
    pub now: Timestamp,
}

impl Given<'_> {
    /// The field of a request that it is in.
    pub(super) fn field(&self) -> &'static str {
        match self.asked.kind() {
            _ if let Some(name) = self.other_field => name,
            Some(ScheduleType::Once) => "time",
            Some(ScheduleType::Cron) => "cron",
            Some(ScheduleType::Interval) => "every",
            None => "when",
        }
    }

    /// The code of an error about it.
    pub(super) fn code(&self) -> Code {
        match self.asked.kind() {
            Some(ScheduleType::Cron) => Code::CronInvalid,
            Some(ScheduleType::Interval) => Code::IntervalInvalid,
            Some(ScheduleType::Once) | None => Code::TimeInvalid,
        }
    }
}
