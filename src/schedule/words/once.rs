//! The point in time that a phrase means.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::clock::{choices, halves, suggestions};
use super::days::{dates, later, on};
use super::here::Here;
use super::refusal::Doubt;
use super::said::{Clock, Day, Form, Length, MonthDay, Of, Place, Said};
use super::{Once, Why};
use crate::schedule::Zone;

/// The hour at which the last day of a month is meant where none is said.
pub(super) const LAST_DAY_HOUR: i8 = 9;

/// Where a phrase is meant, `zone` if it doesn't say so.
fn here(said: &Said, zone: &Zone) -> Result<Here, Doubt> {
    Ok(match &said.place {
        None => Here::Zone(zone.clone()),
        Some(Place::In(zone) | Place::Short(_, zone)) => Here::Zone(zone.clone()),
        Some(Place::At(offset)) => Here::Offset(*offset),
        Some(Place::Several(zones)) => {
            let each = zones
                .iter()
                .map(|zone| in_place(said, Place::In(zone.clone())));
            let why = Why::Ambiguous("which zone is meant: several have that abbreviation");
            return Err(Doubt::new(why, each.collect()));
        }
    })
}

fn in_place(said: &Said, place: Place) -> Said {
    Said {
        place: Some(place),
        ..said.clone()
    }
}

/// The same phrase with a time of day.
pub(super) fn at_clock(said: &Said, clock: Clock) -> Said {
    Said {
        clocks: vec![clock],
        part: None,
        ..said.clone()
    }
}

/// The point in time of a phrase that does not repeat.
pub(super) fn resolve(said: &Said, now: Timestamp, zone: &Zone) -> Result<Once, Doubt> {
    if let Some(at) = said.epoch {
        let epoch = Some(at);
        let alone = Said {
            epoch,
            ..Said::default()
        };
        return match *said == alone {
            true => Ok(Once::new(to_come(at, now)?, None, None, zone)),
            false => Err(Why::Unfit("a number of seconds since 1970", "anything else").into()),
        };
    }
    if let Some(length) = &said.after {
        let is_alone = said.day.is_none() && said.clocks.is_empty() && said.part.is_none();
        if is_alone && said.weekday.is_none() && said.place.is_none() {
            let at = from_now(said, length, now, zone)?;
            return Ok(Once::new(to_come(at, now)?, None, None, zone));
        }
        if length.seconds != 0 || (is_alone && said.place.is_some()) {
            let beside = "a length of time in hours and minutes";
            return Err(Why::Unfit("a day, time of day or place", beside).into());
        }
    }
    let here = here(said, zone)?;
    let today = said.today.unwrap_or(here.wall(now).date());
    let home = zone.wall(now).date();
    if said.place.is_some() && said.today.is_none() && today != home && names_no_date(said) {
        return two_todays(said, now, zone, [today, home]);
    }
    let mut at = match said.day.is_some() || said.after.is_some() {
        true => on_a_day(said, today, now, &here)?,
        false => within_a_day(said, now, &here)?,
    };
    // Of an hour that happens twice, the abbreviation says which.
    if let Some(Place::Short(offset, place)) = &said.place
        && let Ok(second) = offset.to_timestamp(at.wall)
        && place.tz().to_offset(second) == *offset
    {
        at.at = second;
    }
    if let Some(Place::Short(offset, place)) = &said.place
        && place.tz().to_offset(at.at) != *offset
    {
        let readings = [Place::At(*offset), Place::In(place.clone())];
        let readings = readings.map(|place| in_place(said, place)).to_vec();
        let why = Why::Ambiguous("which clock is meant: its zone has another offset then");
        return Err(Doubt::new(why, readings));
    }
    let place = match (&said.place, &here) {
        (None, _) => None,
        (Some(Place::Short(offset, _)), _) => Some(Here::Offset(*offset)),
        (Some(_), here) => Some(here.clone()),
    };
    Ok(Once::new(at.at, Some(at.wall), place, zone))
}

/// An instant, and what was said that the clock would show.
struct Meant {
    at: Timestamp,
    wall: DateTime,
}

/// An instant that is still to come.
fn to_come(at: Timestamp, now: Timestamp) -> Result<Timestamp, Doubt> {
    match at > now {
        true => Ok(at),
        false => Err(Why::Past(at).into()),
    }
}

/// Whether a phrase does not say the date itself, so that it depends on what is today.
fn names_no_date(said: &Said) -> bool {
    match &said.day {
        None => said.after.is_some(),
        Some(Day::On(_)) => false,
        Some(Day::Month { of, .. } | Day::Nths { of, .. }) => !matches!(of, Of::Months(_, Some(_))),
        Some(_) => true,
    }
}

/// "Tomorrow" in New York, said in Berlin in the morning: where is it tomorrow?
fn two_todays(said: &Said, now: Timestamp, zone: &Zone, todays: [Date; 2]) -> Result<Once, Doubt> {
    let each = todays.map(|today| Said {
        today: Some(today),
        ..said.clone()
    });
    let [there, here] = each.clone().map(|said| resolve(&said, now, zone));
    match (there, here) {
        (Ok(there), Ok(here)) if there.at == here.at => Ok(there),
        (Ok(_), Ok(_)) => {
            let why = Why::Ambiguous("on which date: it is not the same there as here");
            Err(Doubt::new(why, each.to_vec()))
        }
        // One of the two has passed, so the other is the reading.
        (Ok(_), Err(doubt)) | (Err(doubt), Ok(_)) if matches!(doubt.why, Why::Past(_)) => {
            let why = Why::Ambiguous("on which date: it is not the same there as here");
            Err(Doubt::new(why, each.to_vec()))
        }
        (Err(doubt), _) | (_, Err(doubt)) => Err(match doubt.readings.is_empty() {
            true => Doubt::new(doubt.why, each.to_vec()),
            false => doubt,
        }),
    }
}

/// So long from now: months and days by the calendar, then elapsed time.
fn from_now(said: &Said, length: &Length, now: Timestamp, zone: &Zone) -> Result<Timestamp, Doubt> {
    let start = match (length.months, length.days) {
        (0, 0) => now,
        _ => {
            let wall = zone.wall(now);
            let date = match later(said, wall.date(), length) {
                Ok(date) => date,
                Err(doubt) if length.seconds == 0 => {
                    let clock = Clock::sure(
                        wall.with()
                            .subsec_nanosecond(0)
                            .build()
                            .unwrap_or(wall)
                            .time(),
                    );
                    let readings = doubt.readings.iter();
                    let readings = readings.map(|said| at_clock(said, clock)).collect();
                    return Err(Doubt::new(doubt.why, readings));
                }
                Err(doubt) => return Err(doubt.why.into()),
            };
            Here::Zone(zone.clone()).instant_of(date.to_datetime(wall.time()))?
        }
    };
    let at = start
        .checked_add(SignedDuration::from_secs(length.seconds))
        .map_err(|_| Doubt::from(Why::TooFar))?;
    // Nobody counts fractions of a second from now.
    Timestamp::from_second(at.as_second()).map_err(|_| Why::TooFar.into())
}

/// The one time of day of a phrase, or the usual one of what it says.
fn one_clock(said: &Said) -> Result<Clock, Doubt> {
    match (said.clocks.as_slice(), said.part) {
        ([clock], _) => Ok(*clock),
        ([], Some(part)) if said.day.is_some() || said.after.is_some() => {
            Ok(Clock::hour(part.usual_hour()))
        }
        ([], None) if is_last_day(said) => Ok(Clock::hour(LAST_DAY_HOUR)),
        ([], part) => {
            let each = suggestions(part).into_iter();
            let each = each.map(|clock| at_clock(said, clock));
            Err(Doubt::new(Why::NoTime, each.collect()))
        }
        (several, _) => {
            let each = several.iter().map(|clock| {
                let clocks = vec![*clock];
                Said {
                    clocks,
                    ..said.clone()
                }
            });
            let why = Why::Ambiguous("which of several times of day");
            Err(Doubt::new(why, each.collect()))
        }
    }
}

/// Whether the day is the last of a month, which is a day and a point in time alike.
pub(super) fn is_last_day(said: &Said) -> bool {
    matches!(&said.day, Some(Day::Month { days, .. }) if *days == [MonthDay::Last])
}

/// The instant of a phrase that names its day.
fn on_a_day(said: &Said, today: Date, now: Timestamp, here: &Here) -> Result<Meant, Doubt> {
    let dates = dates(said, today)?;
    let clock = one_clock(said)?;
    let choices = match clock.form {
        // Even where a date is only worked out, "9:30" beside figures is on the clock of 24 hours.
        Form::Sure if said.part.is_none() => vec![(clock.time, 0)],
        // "Friday at 8", on a Friday at ten: tonight, or in the morning in a week?
        Form::Twelve { .. } if said.part.is_none() && dates.len() > 1 => {
            let (before, after) = halves(clock.time);
            vec![(before, 0), (after, 0)]
        }
        _ => choices(said, clock)?,
    };
    let question = match choices.as_slice() {
        [_] => "whether the day is today or the next of that name",
        [.., (_, 0)] => "whether the hour is before noon or after it",
        _ => "whether it is at the beginning of the day or at its end",
    };
    let mut all: Vec<(Meant, Said)> = Vec::new();
    for date in dates {
        for (time, days) in &choices {
            let date = date
                .checked_add(days.days())
                .map_err(|_| Doubt::from(Why::TooFar))?;
            let wall = date.to_datetime(*time);
            let at = here.instant_of(wall)?;
            let said = at_clock(&on(said, date), Clock::sure(*time));
            all.push((Meant { at, wall }, said));
        }
    }
    let first = all.iter().map(|(meant, _)| meant.at).min();
    all.retain(|(meant, _)| meant.at > now);
    match all.len() {
        0 => {
            let why = Why::Past(first.unwrap_or(now));
            let mut readings = later_readings(said, today);
            let is_today = matches!(said.day, Some(Day::Relative(_)));
            if let (Form::Twelve { .. }, None, true) = (clock.form, said.part, is_today) {
                readings.insert(0, at_clock(said, Clock::sure(halves(clock.time).1)));
            }
            Err(Doubt::new(why, readings))
        }
        1 => all
            .pop()
            .map(|(meant, _)| meant)
            .ok_or_else(|| Why::NoTime.into()),
        _ => {
            all.sort_by_key(|(meant, _)| meant.at);
            let readings = all.into_iter().map(|(_, said)| said).collect();
            Err(Doubt::new(Why::Ambiguous(question), readings))
        }
    }
}

/// What may be meant instead of a time that has passed today, this month or this year.
fn later_readings(said: &Said, today: Date) -> Vec<Said> {
    let day = match &said.day {
        Some(Day::Relative(0)) => Some(Day::Relative(1)),
        Some(Day::Month {
            days,
            of: Of::This | Of::TheMonth,
        }) => Some(Day::Month {
            days: days.clone(),
            of: Of::Next,
        }),
        Some(Day::Nths {
            nths,
            weekday,
            of: Of::This,
        }) => Some(Day::Nths {
            nths: nths.clone(),
            weekday: *weekday,
            of: Of::Next,
        }),
        Some(Day::Month {
            days,
            of: Of::Months(months, None),
        }) => Some(Day::Month {
            days: days.clone(),
            of: Of::Months(months.clone(), Some(today.year() + 1)),
        }),
        _ => None,
    };
    let weekday = None;
    let said = day.map(|day| Said {
        day: Some(day),
        weekday,
        ..said.clone()
    });
    said.into_iter().collect()
}

/// The next instant at which the clock shows a time of day.
fn within_a_day(said: &Said, now: Timestamp, here: &Here) -> Result<Meant, Doubt> {
    let clock = one_clock(said)?;
    let choices = match clock.form {
        Form::Midnight | Form::TwelveAm | Form::DayEnd if said.part.is_none() => {
            vec![(jiff::civil::Time::midnight(), 0)]
        }
        _ => choices(said, clock)?,
    };
    let next = |time: jiff::civil::Time| -> Result<Meant, Doubt> {
        let today = here.wall(now).date();
        let tomorrow = today.tomorrow().map_err(|_| Doubt::from(Why::TooFar))?;
        for date in [today, tomorrow] {
            let wall = date.to_datetime(time);
            let at = here.instant_of(wall)?;
            if at > now {
                return Ok(Meant { at, wall });
            }
        }
        Err(Why::TooFar.into())
    };
    let mut times: Vec<_> = choices.into_iter().map(|(time, _)| time).collect();
    times.dedup();
    match times.as_slice() {
        [time] => next(*time),
        times => {
            let each = times.iter().map(|time| at_clock(said, Clock::sure(*time)));
            let why = Why::Ambiguous("whether the hour is before noon or after it");
            Err(Doubt::new(why, each.collect()))
        }
    }
}
