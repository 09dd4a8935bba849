//! Plans a schedule's first instant from the requested time.

use jiff::Timestamp;

use super::views::show_local;
use crate::error::{Code, Error, Result, field, fields, message, quoted};
use crate::models::{Plan, ScheduleType};
use crate::schedule::{
    Asked, First, LeftOut, Timetable, Understood, Zone, just_before, parse_time_of,
};

/// The requested time, as given.
#[derive(Clone, Debug)]
pub struct Wish {
    /// As what kind of time it is given.
    pub asked: Asked,
    /// The time, pattern, interval or words.
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
    /// The dates on which it does not run.
    pub except: LeftOut,
    /// How many instants there are in total.
    pub max_repetitions: Option<i64>,
}

/// A schedule's time, ready to be stored.
#[derive(Debug)]
pub(super) struct Planning {
    /// What is stored.
    pub plan: Plan,
    /// When it runs.
    pub timetable: Timetable,
    /// What words took for granted.
    pub notes: Vec<String>,
}

impl Wish {
    /// The zone that the words name, if they are understood and name one.
    pub(super) fn said_zone(&self, zone: &Zone, now: Timestamp) -> Option<Zone> {
        let understood = Understood::parse(self.asked, &self.value, zone, now);
        understood.ok().and_then(|understood| understood.zone)
    }
}

impl When {
    /// The zone of the schedule: the given one, that of the words, or else `usual`.
    ///
    /// # Errors
    /// [`Code::TimezoneUnknown`].
    pub(super) fn zone(&self, usual: &Zone, now: Timestamp) -> Result<Zone> {
        match &self.timezone {
            Some(name) => Zone::parse(name),
            None => Ok(self.wish.said_zone(usual, now).unwrap_or(usual.clone())),
        }
    }
}

/// Parses and checks every part of the time. `zone` is that of the schedule.
pub(super) fn plan(asked: &When, zone: &Zone, now: Timestamp) -> Result<Planning> {
    let Wish {
        asked: asked_as,
        value,
    } = &asked.wish;
    let mut understood = Understood::parse(*asked_as, value, zone, now)?;
    let kind = understood.spec.kind();
    check_zone(asked, &understood, zone)?;
    let time = |name: &'static str, text: &Option<String>| match text {
        Some(text) => parse_time_of(name, text, zone, now).map(Some),
        None => Ok(None),
    };
    let start_at = time("start_at", &asked.start_at)?;
    if let Some(start) = start_at {
        if kind == ScheduleType::Once {
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
        match understood.first {
            Some(First { is_said: true, .. }) => {
                return Err(Error::new(
                    Code::SpecConflict,
                    message![
                        quoted(value),
                        " says when it begins, and so does ",
                        field("start_at"),
                        ": leave one of them out"
                    ],
                ));
            }
            // The first of its times from the start on.
            Some(_) => {
                understood = Understood::parse(*asked_as, value, zone, just_before(start))?;
            }
            None => {}
        }
    }
    if kind == ScheduleType::Once
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
    if kind == ScheduleType::Once && !asked.except.is_empty() {
        return Err(only_once());
    }
    let first = understood.first.map(|first| first.at);
    let mut timetable = Timetable {
        spec: understood.spec,
        zone: zone.clone(),
        anchor: first.or(start_at).unwrap_or(now),
        end_at: None,
        except: asked.except.clone(),
    };
    let next_run = match first {
        Some(first) => timetable.kept_from(first),
        None => timetable.first(now, start_at),
    };
    let Some(next_run) = next_run else {
        return Err(Error::new(
            Code::CronNever,
            format!("{value:?} never runs after its start; it is now {now}"),
        ));
    };
    let end_at = time("end_at", &asked.end_at)?;
    if let Some(end) = end_at
        && end < next_run
    {
        let on_any_date = timetable.on_any_date();
        refuse_all_left_out(first.or_else(|| on_any_date.first(now, start_at)), end)?;
        return Err(Error::new(
            Code::EndBeforeFirst,
            format!("it would end at {end}, before its first run at {next_run}; it is now {now}"),
        ));
    }
    timetable.end_at = end_at;
    let plan = Plan {
        schedule_type: kind,
        schedule_value: timetable.spec.to_stored(zone),
        timezone: zone.name().to_owned(),
        anchor: timetable.anchor,
        next_run,
        start_at,
        end_at,
        except: timetable.except.to_stored(),
        max_repetitions: asked.max_repetitions,
    };
    Ok(Planning {
        plan,
        timetable,
        notes: understood.notes,
    })
}

/// The error for dates to leave out of a single time.
pub(super) fn only_once() -> Error {
    Error::new(
        Code::SpecConflict,
        message![
            "a prompt that is sent once leaves out no dates: drop ",
            field("except"),
            ", or give an interval or a pattern instead of the time"
        ],
    )
}

/// Refuses dates that leave nothing of a schedule until its end. `first` is its first instant on
/// whatever date.
///
/// # Errors
/// [`Code::CronNever`].
pub(super) fn refuse_all_left_out(first: Option<Timestamp>, end: Timestamp) -> Result<()> {
    match first.is_some_and(|first| first <= end) {
        true => Err(Error::new(
            Code::CronNever,
            message![
                "it would never run: every run until its end at {end} is on one of the dates in ",
                field("except")
            ],
        )),
        false => Ok(()),
    }
}

/// Refuses words that repeat in another zone than the given one. A single time is an instant
/// wherever it was said.
fn check_zone(asked: &When, understood: &Understood, zone: &Zone) -> Result<()> {
    let Some(said) = understood.zone.as_ref() else {
        return Ok(());
    };
    if said.is_same_as(zone) || understood.spec.kind() == ScheduleType::Once {
        return Ok(());
    }
    Err(Error::new(
        Code::SpecConflict,
        message![
            quoted(&asked.wish.value),
            " names the zone ",
            said.name(),
            ", but ",
            field("timezone"),
            " is ",
            quoted(zone.name()),
            ": leave one of them out"
        ],
    ))
}
