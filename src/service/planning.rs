//! Plans a schedule's first instant from the requested time.

use jiff::Timestamp;

use super::views::show_local;
use crate::error::{Code, Error, Result, field, fields, message, quoted};
use crate::models::{Plan, ScheduleType};
use crate::schedule::{Spec, Timetable, Zone, parse_time};

/// The requested time, as given.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The kind of time.
    pub kind: ScheduleType,
    /// The time, pattern or interval.
    pub value: String,
}

/// The requested time with everything that belongs to it, as given.
#[derive(Clone, Debug)]
pub struct When {
    /// The time, pattern or interval.
    pub wish: Wish,
    /// The IANA zone; `None` for the configured one.
    pub timezone: Option<String>,
    /// The time before which it does not run.
    pub start_at: Option<String>,
    /// The last time at which it may run.
    pub end_at: Option<String>,
    /// How many instants there are in total.
    pub max_repetitions: Option<i64>,
}

/// Parses and checks every part of the time.
pub(super) fn plan(asked: &When, zone: &Zone, now: Timestamp) -> Result<(Plan, Timetable)> {
    let Wish { kind, value } = &asked.wish;
    let spec = Spec::parse(*kind, value, zone, now)?;
    let time = |name: &'static str, text: &Option<String>| match text {
        Some(text) => {
            let read = parse_time(text, zone, now).map_err(|e| e.about(name));
            read.map(Some)
        }
        None => Ok(None),
    };
    let start_at = time("start_at", &asked.start_at)?;
    if let Some(start) = start_at {
        if *kind == ScheduleType::Once {
            return Err(Error::new(
                Code::SpecConflict,
                "a start was given for a prompt that is sent once: leave it out, because the time \
                 is its start",
            )
            .example(fields([("time", value.as_str())])));
        }
        if start <= now {
            return Err(Error::new(
                Code::TimePast,
                message![
                    field("start_at"),
                    ": ",
                    quoted(asked.start_at.as_deref().unwrap_or_default()),
                    " is {start}, which has passed: it is now {now} (",
                    show_local(now, zone),
                    ")"
                ],
            ));
        }
    }
    if *kind == ScheduleType::Once
        && let Some(times) = asked.max_repetitions.filter(|n| *n > 1)
    {
        return Err(Error::new(
            Code::SpecConflict,
            format!(
                "{times} repetitions were given for a prompt that is sent once: leave them out, or \
                 give an interval or a pattern instead of the time"
            ),
        ));
    }
    let mut timetable = Timetable {
        spec,
        zone: zone.clone(),
        anchor: start_at.unwrap_or(now),
        end_at: None,
    };
    let Some(next_run) = timetable.first(now, start_at) else {
        return Err(Error::new(
            Code::CronNever,
            format!("{value:?} never runs after its start; it is now {now}"),
        ));
    };
    let end_at = time("end_at", &asked.end_at)?;
    if let Some(end) = end_at
        && end < next_run
    {
        return Err(Error::new(
            Code::EndBeforeFirst,
            format!("it would end at {end}, before its first run at {next_run}; it is now {now}"),
        ));
    }
    timetable.end_at = end_at;
    let plan = Plan {
        schedule_type: *kind,
        schedule_value: timetable.spec.to_stored(zone),
        timezone: zone.name().to_owned(),
        anchor: timetable.anchor,
        next_run,
        start_at,
        end_at,
        max_repetitions: asked.max_repetitions,
    };
    Ok((plan, timetable))
}
