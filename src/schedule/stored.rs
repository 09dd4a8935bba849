//! The timetable of a stored schedule.

use super::{LeftOut, Spec, Timetable, Zone};
use crate::error::{Code, Error, Result};
use crate::models::{PromptSchedule, ScheduleType};

/// The timetable of a stored schedule.
///
/// # Errors
/// [`Code::ScheduleBroken`] and the codes of the schedule's own parts.
pub fn timetable_of(schedule: &PromptSchedule) -> Result<Timetable> {
    let zone = match schedule.timezone.as_deref() {
        Some(name) => Zone::parse(name)?,
        None => Zone::utc(),
    };
    let next_run = schedule.next_run.ok_or_else(|| {
        Error::new(
            Code::ScheduleBroken,
            "next_run is not a date and time in UTC",
        )
    })?;
    let spec = match schedule_type(&schedule.schedule_type)? {
        // Other programs set next_run separately from the value, so it is the instant.
        ScheduleType::Once => Spec::Once(next_run),
        kind => Spec::read_stored(kind, &schedule.schedule_value, &zone)?,
    };
    let anchor = schedule.anchor.unwrap_or(next_run);
    Ok(Timetable {
        spec,
        zone,
        anchor,
        end_at: schedule.end_at,
        except: LeftOut::read_stored(schedule.except.as_deref())?,
    })
}

/// Parses a stored `schedule_type`.
///
/// # Errors
/// [`Code::ScheduleBroken`] for any word but ours.
pub(crate) fn schedule_type(text: &str) -> Result<ScheduleType> {
    ScheduleType::from_word(text.trim()).ok_or_else(|| {
        Error::new(
            Code::ScheduleBroken,
            format!("schedule_type {text:?} is not once, cron or interval"),
        )
    })
}

/// How many more instants the schedule may have; `None` for no limit.
pub fn remaining(schedule: &PromptSchedule) -> Option<u64> {
    schedule
        .max_repetitions
        .map(|max| u64::try_from(max.saturating_sub(schedule.repetitions)).unwrap_or(0))
}
