//! Intervals, and the instants at which they begin.

use jiff::civil::{Date, Time, Weekday};
use jiff::{Timestamp, ToSpan};

use super::super::here::{Here, shown};
use super::super::once::{self, at_clock};
use super::super::refusal::Doubt;
use super::super::said::{Clock, Day, Length, MonthDay, Of, Place, Repeat, Said, Which};
use super::super::{Recurrence, Rule, Why, phrase};
use super::times::times;
use crate::schedule::Zone;

/// Ten years of 365 days.
const LONGEST_DAYS: i64 = 3_650;
const DAY: i64 = 86_400;

/// An interval, perhaps with the instant at which it begins.
pub(super) fn interval(
    said: &Said,
    length: Length,
    now: Timestamp,
    here: &Zone,
    place: Option<&Zone>,
) -> Result<Recurrence, Doubt> {
    if length.months != 0 {
        return Err(months(said, length, now, here));
    }
    let (every, words) = written(length)?;
    let zone = place.cloned();
    let has_time = said.day.is_some() || !said.clocks.is_empty() || said.part.is_some();
    let begins = match (&said.from, has_time) {
        (Some(_), true) => return Err(Why::Twice("beginning").into()),
        (Some(from), false) => return beginning(said, from, now, here, zone, every, &words),
        (None, true) => first(said, length, now, here)?,
        (None, false) => {
            let rule = Rule::Interval {
                every,
                first: None,
                is_first_said: false,
            };
            let words = phrase::in_zone(words, zone.as_ref());
            return Ok(Recurrence::new(rule, zone, words));
        }
    };
    Ok(with_first(every, &words, (begins, false), zone, here))
}

fn with_first(
    every: String,
    words: &str,
    (first, is_first_said): (Timestamp, bool),
    zone: Option<Zone>,
    here: &Zone,
) -> Recurrence {
    let at = shown(first, &Here::Zone(here.clone()));
    let own = format!(" {}", phrase::zone(here));
    let words = match (at.strip_suffix(&own), &zone) {
        // The schedule's own zone goes without saying.
        (Some(at), None) => format!("{words} from {at}"),
        (Some(_), Some(_)) | (None, None) => format!("{words} from {at}"),
        // An instant with an offset does not say whose days are counted.
        (None, Some(zone)) => format!("{words} {} from {at}", phrase::zone(zone)),
    };
    let rule = Rule::Interval {
        every,
        first: Some(first),
        is_first_said,
    };
    Recurrence::new(rule, zone, words)
}

/// An interval that says when it begins.
fn beginning(
    said: &Said,
    from: &Said,
    now: Timestamp,
    here: &Zone,
    zone: Option<Zone>,
    every: String,
    words: &str,
) -> Result<Recurrence, Doubt> {
    if from.repeat.is_some() || from.lone.is_some() {
        return Err(Why::Unfit("a repetition", "a beginning").into());
    }
    // A zone in the beginning is that of the days that follow.
    let zone = match (&from.place, zone) {
        (Some(Place::In(_)), Some(_)) => return Err(Why::Twice("place").into()),
        (Some(Place::In(zone)), None) => Some(zone.clone()),
        (_, zone) => zone,
    };
    let here = zone.as_ref().unwrap_or(here).clone();
    let once = once::resolve(from, now, &here).map_err(|doubt| {
        let readings = doubt.readings.into_iter().map(|from| Said {
            from: Some(Box::new(from)),
            ..said.clone()
        });
        Doubt::new(doubt.why, readings.collect())
    })?;
    Ok(with_first(every, words, (once.at, true), zone, &here))
}

/// The first instant of "every other day at 8" and "every 2 weeks on Monday at 9".
fn first(said: &Said, length: Length, now: Timestamp, here: &Zone) -> Result<Timestamp, Doubt> {
    if length.days == 0 {
        let why = Why::Unfit("a day or a time of day", "an interval of hours or minutes");
        return Err(why.into());
    }
    let days = match &said.day {
        None => None,
        Some(Day::Week {
            days,
            which: Which::Coming,
        }) if length.days % 7 == 0 => match days.as_slice() {
            [day] => Some(*day),
            days => return Err(one_each_week(said, days, now, here)),
        },
        Some(_) => return Err(Why::Unfit("that day", "an interval").into()),
    };
    let wall = here.wall(now);
    let times = times(said)?;
    if days.is_none() && length.days % 7 == 0 {
        let each = [wall.date(), wall.date().tomorrow().unwrap_or(wall.date())];
        let each = each.map(|date| Said {
            day: Some(Day::Week {
                days: vec![date.weekday()],
                which: Which::Coming,
            }),
            clocks: times.iter().map(|time| Clock::sure(*time)).collect(),
            part: None,
            ..said.clone()
        });
        return Err(Doubt::new(Why::NoDay, each.to_vec()));
    }
    let fits = |date: &Date| days.is_none_or(|day| date.weekday() == day);
    for ahead in 0..=7 {
        let date = wall.date().checked_add(ahead.days());
        let date = date.map_err(|_| Doubt::from(Why::TooFar))?;
        let mut each = Vec::new();
        for time in &times {
            each.push(Here::Zone(here.clone()).instant_of(date.to_datetime(*time))?);
        }
        if !fits(&date) || each.iter().any(|at| *at <= now) {
            continue;
        }
        return match each.as_slice() {
            [only] => Ok(*only),
            _ => Err(one_each_time(said, date, &times)),
        };
    }
    Err(Why::TooFar.into())
}

/// The doubt about "every 2 days at 9 and 17", which are the same days: those from `date` on.
fn one_each_time(said: &Said, date: Date, times: &[Time]) -> Doubt {
    let each = times.iter().map(|time| Said {
        day: None,
        clocks: Vec::new(),
        from: Some(Box::new(at_clock(
            &Said {
                day: Some(Day::On(date)),
                ..Said::default()
            },
            Clock::sure(*time),
        ))),
        ..said.clone()
    });
    Doubt::new(Why::OneEach("time of day"), each.collect())
}

/// The doubt about "every 2 weeks on Monday and Thursday". Which of the weeks are meant is clear as long
/// as both are still to come in this one, or neither.
fn one_each_week(said: &Said, days: &[Weekday], now: Timestamp, here: &Zone) -> Doubt {
    let is_later = |day: &Weekday| {
        let today = here.wall(now).weekday();
        day.to_monday_zero_offset() - today.to_monday_zero_offset()
    };
    let is_clear =
        days.iter().all(|day| is_later(day) > 0) || days.iter().all(|day| is_later(day) < 0);
    let each = days.iter().filter(|_| is_clear).map(|day| Said {
        day: Some(Day::Week {
            days: vec![*day],
            which: Which::Coming,
        }),
        ..said.clone()
    });
    Doubt::new(Why::OneEach("day of the week"), each.collect())
}

/// The doubt about "every 3 months": of which ones? Each year has them in the same places.
fn months(said: &Said, length: Length, now: Timestamp, here: &Zone) -> Doubt {
    let step = match i8::try_from(length.months) {
        Ok(step) if step > 1 && 12 % step == 0 && (length.days, length.seconds) == (0, 0) => step,
        _ => return Why::Months.into(),
    };
    let of = |months| Of::Months(months, None);
    let in_months = |months| match &said.day {
        None => Some(Day::Month {
            days: vec![MonthDay::Number(1)],
            of: of(months),
        }),
        Some(Day::Month {
            days,
            of: Of::Unsaid,
        }) => Some(Day::Month {
            days: days.clone(),
            of: of(months),
        }),
        Some(Day::Nths {
            nths,
            weekday,
            of: Of::Unsaid,
        }) => Some(Day::Nths {
            nths: nths.clone(),
            weekday: *weekday,
            of: of(months),
        }),
        _ => None,
    };
    let this = here.wall(now).month();
    let readings = (1..=step).filter_map(|ahead| {
        let first = (this + ahead - 1) % 12 + 1;
        let mut months: Vec<i8> = (0..12 / step)
            .map(|n| (first + n * step - 1) % 12 + 1)
            .collect();
        months.sort_unstable();
        Some(Said {
            repeat: Some(Repeat::Each),
            day: Some(in_months(months)?),
            ..said.clone()
        })
    });
    Doubt::new(Why::Months, readings.collect())
}

/// An interval as it is written, and in words.
fn written(length: Length) -> Result<(String, String), Doubt> {
    let Length { days, seconds, .. } = length;
    if days != 0 && seconds != 0 {
        let seconds = days.saturating_mul(DAY).saturating_add(seconds);
        let length = Length {
            seconds,
            ..Length::default()
        };
        let elapsed = Said {
            repeat: Some(Repeat::Step(length)),
            ..Said::default()
        };
        return Err(Doubt::new(Why::Mixed, vec![elapsed]));
    }
    if days > LONGEST_DAYS || seconds > LONGEST_DAYS * DAY || (days, seconds) == (0, 0) {
        return Err(Why::TooFar.into());
    }
    let (amount, letter, unit) = match (days, seconds) {
        (days, 0) if days % 7 == 0 => (days / 7, "w", "week"),
        (days, 0) => (days, "d", "day"),
        (_, seconds) if seconds % 3_600 == 0 => (seconds / 3_600, "h", "hour"),
        (_, seconds) if seconds % 60 == 0 => (seconds / 60, "m", "minute"),
        (_, seconds) => (seconds, "s", "second"),
    };
    Ok((format!("{amount}{letter}"), phrase::interval(amount, unit)))
}
