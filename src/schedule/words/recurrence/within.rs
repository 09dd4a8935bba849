//! What happens at a distance within each day: "every 15 minutes between 9am and 5pm on weekdays",
//! "every hour at :30".

use jiff::civil::Time;

use super::super::clock::choices;
use super::super::refusal::Doubt;
use super::super::said::{Clock, Day, Days, Form, HOUR, Length, Repeat, Said, Which, Window};
use super::super::{Recurrence, Rule, Why, phrase};
use super::pattern::{at_times, days, numbered, pattern_of, patterns};
use crate::schedule::Zone;

/// The minutes of a day.
const DAY: i64 = 1_440;

/// The distance within each day, if a phrase has one. An interval alone has none: it goes on through
/// the night.
pub(super) fn length(said: &Said) -> Option<Length> {
    match said.repeat {
        _ if said.within.is_some() => said.within,
        Some(Repeat::Hourly) => Some(HOUR),
        Some(Repeat::Step(length)) if length.seconds != 0 => {
            let is_bounded = said.window.is_some() || said.day.is_some() || !said.months.is_empty();
            Some(length).filter(|_| is_bounded)
        }
        _ => None,
    }
}

/// What happens at a distance on each of some days.
pub(super) fn within(
    said: &Said,
    length: Length,
    place: Option<Zone>,
) -> Result<Recurrence, Doubt> {
    if !said.clocks.is_empty() || said.part.is_some() {
        let interval = "an interval of hours or minutes";
        return Err(Why::Unfit("a time of day", interval).into());
    }
    if said.from.is_some() {
        return Err(Why::Unfit("a beginning", "days and times").into());
    }
    let days = days_of(said)?;
    let is_hourly = said.repeat == Some(Repeat::Hourly) || !said.minutes.is_empty();
    match said.window {
        None if is_hourly => Ok(hourly(said, &days, place)),
        None => Err(whole_day(said, length)),
        Some(_) if !matches!(said.minutes.as_slice(), [] | [0]) => {
            Err(Why::Unfit("minutes past the hour", "a part of the day").into())
        }
        Some(window) => in_window(said, length, window, &days, place),
    }
}

/// The days of a phrase: each, unless it names some.
fn days_of(said: &Said) -> Result<Days, Doubt> {
    let repeat = match said.repeat {
        Some(Repeat::Step(_) | Repeat::Hourly) => None,
        repeat => repeat,
    };
    if repeat.is_none() && said.day.is_none() {
        return Ok(Days::All(said.months.clone()));
    }
    // "Every hour on Monday": on the next one, or on all of them?
    if let (None, Some(Day::Week { which, .. })) = (repeat, &said.day)
        && *which != Which::All
    {
        let readings = match which {
            Which::Coming => {
                let repeat = Some(Repeat::Each);
                let within = length(said);
                vec![Said {
                    repeat,
                    within,
                    ..said.clone()
                }]
            }
            _ => Vec::new(),
        };
        let why = Why::Ambiguous("whether it is on one day or every week");
        return Err(Doubt::new(why, readings));
    }
    days(&Said {
        repeat,
        ..said.clone()
    })
}

/// So many minutes past each hour.
fn hourly(said: &Said, days: &Days, place: Option<Zone>) -> Recurrence {
    let minutes = match said.minutes.as_slice() {
        [] => numbered(&[0]),
        minutes => numbered(minutes),
    };
    let patterns = vec![pattern_of(&minutes, "*", days)];
    let words = phrase::past_each_hour(&said.minutes, days);
    let words = phrase::in_zone(words, place.as_ref());
    Recurrence::new(Rule::Cron(patterns), place, words)
}

/// "Every 30 minutes on weekdays" does not say from when on: from midnight, perhaps.
fn whole_day(said: &Said, length: Length) -> Doubt {
    let why = Why::Unfit("a day", "an interval of hours or minutes");
    let seconds = length.seconds;
    if length.days != 0 || length.months != 0 || seconds % 60 != 0 || (DAY * 60) % seconds != 0 {
        return why.into();
    }
    let last = DAY - seconds / 60;
    let window = Window {
        from: Clock::sure(Time::midnight()),
        to: Clock::sure(time(last)),
        is_through: true,
        is_inclusive: false,
    };
    let window = Some(window);
    let reading = match length == HOUR && said.within.is_none() {
        true => Said {
            repeat: Some(Repeat::Hourly),
            ..said.clone()
        },
        false => Said {
            window,
            ..said.clone()
        },
    };
    let why = Why::Ambiguous("from what time of day on");
    Doubt::new(why, vec![reading])
}

/// What happens from one time of day to another.
fn in_window(
    said: &Said,
    length: Length,
    window: Window,
    days: &Days,
    place: Option<Zone>,
) -> Result<Recurrence, Doubt> {
    if length.days != 0 || length.months != 0 {
        return Err(Why::Unfit("a part of the day", "an interval of days").into());
    }
    if length.seconds % 60 != 0 {
        return Err(Why::Seconds.into());
    }
    let step = length.seconds / 60;
    let (first, last) = ends(said, window)?;
    let count = (last - first) / step;
    if count == 0 {
        return Err(Why::Unfit("that interval", "a shorter part of the day").into());
    }
    let end = first + count * step;
    if end != last && window.is_inclusive {
        let nothing = "an end at which nothing happens";
        return Err(Why::Unfit("\"inclusive\"", nothing).into());
    }
    // Each day has a midnight at its end; that of a Friday is on Saturday.
    let can_end = end < DAY || *days == Days::All(Vec::new());
    if last > DAY && !can_end || end == DAY && window.is_through && !can_end {
        return Err(Why::Unfit("a part of the day that ends after midnight", "some days").into());
    }
    if end == last && !window.is_through {
        let through = |minute| {
            let ends = [first, minute].map(|minute| Clock::sure(time(minute)));
            with_window(said, ends, true)
        };
        let mut readings = Vec::new();
        if can_end {
            readings.push(through(end));
        }
        if count > 1 {
            readings.push(through(end - step));
        }
        let why = Why::Ambiguous("whether it also happens at the end of that time");
        return Err(Doubt::new(why, readings));
    }
    let mut times: Vec<Time> = (0..=count).map(|n| time(first + n * step)).collect();
    times.sort_unstable();
    times.dedup();
    if times.len() <= phrase::MOST_TIMES {
        return at_times(days, &times, place);
    }
    let words = phrase::within(step, [time(first), time(end)], days);
    let words = phrase::in_zone(words, place.as_ref());
    let rule = Rule::Cron(patterns(days, &times)?);
    Ok(Recurrence::new(rule, place, words))
}

/// The minutes of the day at which a part of it begins and ends. The end may be on the day after.
fn ends(said: &Said, window: Window) -> Result<(i64, i64), Doubt> {
    let (from, to) = (
        minutes(said, window.from, 0)?,
        minutes(said, window.to, DAY)?,
    );
    let all = from
        .iter()
        .flat_map(|from| to.iter().map(move |to| (*from, *to)));
    let (on_one_day, others): (Vec<_>, Vec<_>) = all.partition(|(from, to)| from < to);
    let meant = match on_one_day.is_empty() {
        true => others
            .into_iter()
            .filter(|(from, to)| from != to)
            .map(|(from, to)| (from, to + DAY))
            .collect(),
        false => on_one_day,
    };
    match meant.as_slice() {
        [] => Err(Why::Unfit("the end of that time", "its beginning").into()),
        [only] => Ok(*only),
        several => {
            let each = several.iter().map(|(from, to)| {
                let ends = [*from, *to].map(|minute| Clock::sure(time(minute)));
                with_window(said, ends, window.is_through)
            });
            let why = Why::Ambiguous("whether the hour is before noon or after it");
            Err(Doubt::new(why, each.collect()))
        }
    }
}

/// The minutes of the day that a time of day may mean. Midnight is at one end of it.
fn minutes(said: &Said, clock: Clock, midnight: i64) -> Result<Vec<i64>, Doubt> {
    if clock.time.second() != 0 || clock.time.subsec_nanosecond() != 0 {
        return Err(Why::Seconds.into());
    }
    let of = |time: Time| i64::from(time.hour()) * 60 + i64::from(time.minute());
    Ok(match clock.form {
        Form::Midnight | Form::TwelveAm | Form::DayEnd => vec![midnight],
        _ => {
            let all = choices(said, clock)?.into_iter();
            all.map(|(time, _)| of(time)).collect()
        }
    })
}

/// The time of day of a minute, which may be on the day after.
fn time(minute: i64) -> Time {
    let [hour, minute] = [minute % DAY / 60, minute % 60].map(|n| i8::try_from(n).unwrap_or(0));
    Time::new(hour, minute, 0, 0).unwrap_or_default()
}

fn with_window(said: &Said, [from, to]: [Clock; 2], is_through: bool) -> Said {
    Said {
        window: Some(Window {
            from,
            to,
            is_through,
            is_inclusive: false,
        }),
        ..said.clone()
    }
}
