//! The cron patterns or the interval that a phrase means.

mod interval;
mod pattern;
mod times;
mod within;

use jiff::Timestamp;
use jiff::tz::Offset;

use super::refusal::Doubt;
use super::said::{Day, Length, Nth, Of, Place, Repeat, Said};
use super::{Recurrence, Why};
use crate::schedule::Zone;

/// The recurrence of a phrase that repeats.
pub(super) fn resolve(said: &Said, now: Timestamp, zone: &Zone) -> Result<Recurrence, Doubt> {
    if said.after.is_some() || said.epoch.is_some() {
        return Err(Why::Unfit("a point in time", "a repetition").into());
    }
    if said.weekday.is_some() {
        // A day of the week and a day of the month: cron has no "both".
        return Err(Why::Unfit("a day of the week", "a date that repeats").into());
    }
    let place = place(said, now)?;
    let here = place.as_ref().unwrap_or(zone);
    if said.is_single {
        return Err(Why::Unfit("\"once\"", "a repetition").into());
    }
    if let Some(length) = within::length(said) {
        return within::within(said, length, place);
    }
    match said.repeat {
        Some(Repeat::Step(_)) if !said.months.is_empty() => {
            Err(Why::Unfit("a month", "an interval").into())
        }
        Some(Repeat::Step(length)) => interval::interval(said, length, now, here, place.as_ref()),
        _ if said.from.is_some() => Err(Why::Unfit("a beginning", "days and times").into()),
        Some(Repeat::Nth(n)) => Err(second_or_other(said, n)),
        _ => pattern::pattern(said, place),
    }
}

/// The zone of a repetition, which must be one whose clocks go as people there set them.
fn place(said: &Said, now: Timestamp) -> Result<Option<Zone>, Doubt> {
    let in_zones = |zones: Vec<Zone>| {
        let each = zones.into_iter().map(|zone| Said {
            place: Some(Place::In(zone)),
            ..said.clone()
        });
        each.collect()
    };
    match &said.place {
        None => Ok(None),
        Some(Place::In(zone)) => Ok(Some(zone.clone())),
        Some(Place::At(offset)) => match fixed(*offset) {
            Some(zone) => Ok(Some(zone)),
            None => Err(Why::Unfit("that offset", "a repetition, which needs a zone").into()),
        },
        Some(Place::Short(offset, zone)) => {
            let mut changes = zone.tz().following(now);
            let is_constant = zone.tz().to_offset(now) == *offset
                && changes.all(|change| change.offset() == *offset);
            if is_constant {
                return Ok(Some(zone.clone()));
            }
            let why = Why::Ambiguous(
                "which clock is meant: its zone has another offset for a part of the year",
            );
            Err(Doubt::new(why, in_zones(vec![zone.clone()])))
        }
        Some(Place::Several(zones)) => {
            let why = Why::Ambiguous("which zone is meant: several have that abbreviation");
            Err(Doubt::new(why, in_zones(zones.clone())))
        }
    }
}

/// The zone that keeps an offset of whole hours all year.
fn fixed(offset: Offset) -> Option<Zone> {
    match (offset.seconds() / 3_600, offset.seconds() % 3_600) {
        (0, 0) => Some(Zone::utc()),
        // IANA counts hours to the west of Greenwich.
        (hours, 0) => Zone::named(&format!("Etc/GMT{:+}", -hours)),
        _ => None,
    }
}

/// "Every second Monday": of each two, or of the month?
fn second_or_other(said: &Said, n: i8) -> Doubt {
    let days = i64::from(n) * 7;
    let step = Length {
        days,
        ..Length::default()
    };
    let mut readings = vec![Said {
        repeat: Some(Repeat::Step(step)),
        ..said.clone()
    }];
    if let Some(Day::Week { days, .. }) = &said.day
        && let [weekday] = days.as_slice()
        && n <= 5
    {
        let (repeat, of) = match said.months.as_slice() {
            [] => (Repeat::Monthly, Of::Every),
            months => (Repeat::Each, Of::Months(months.to_vec(), None)),
        };
        readings.push(Said {
            repeat: Some(repeat),
            day: Some(Day::Nths {
                nths: vec![Nth::Number(n)],
                weekday: *weekday,
                of,
            }),
            months: Vec::new(),
            ..said.clone()
        });
    }
    Doubt::new(
        Why::Ambiguous("whether it is counted in weeks or within the month"),
        readings,
    )
}
