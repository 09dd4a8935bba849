//! Times of day that repeat.

use jiff::civil::Time;

use super::super::Why;
use super::super::clock::{Choice, choices, suggestions};
use super::super::once::{LAST_DAY_HOUR, at_clock, is_last_day};
use super::super::refusal::Doubt;
use super::super::said::{Clock, Day, Form, Repeat, Said};

/// The times of day of a phrase that repeats, in order.
pub(super) fn times(said: &Said) -> Result<Vec<Time>, Doubt> {
    let is_daily = said.repeat == Some(Repeat::Daily) && said.day.is_none();
    let mut all: Vec<Vec<Choice>> = Vec::new();
    for clock in clocks(said)? {
        let mut choices = choices(said, clock)?;
        // Where each day has it, one midnight is as good as the other.
        if is_daily {
            choices.iter_mut().for_each(|(_, days)| *days = 0);
            choices.dedup();
        }
        all.push(choices);
    }
    if all.iter().flatten().any(|(_, days)| *days != 0) {
        return Err(on_which_day(said, &all));
    }
    if all.iter().any(|choices| choices.len() > 1) {
        let readings = [0, 1].map(|nth| with(said, &all, nth)).to_vec();
        let why = Why::Ambiguous("whether the hour is before noon or after it");
        return Err(Doubt::new(why, readings));
    }
    let mut times: Vec<Time> = all.into_iter().flatten().map(|(time, _)| time).collect();
    times.sort_unstable();
    times.dedup();
    Ok(times)
}

/// The times of day that were said, or the usual one of what was.
fn clocks(said: &Said) -> Result<Vec<Clock>, Doubt> {
    if !said.clocks.is_empty() {
        return Ok(said.clocks.clone());
    }
    match said.part {
        Some(part) => Ok(vec![Clock::hour(part.usual_hour())]),
        None if is_last_day(said) => Ok(vec![Clock::hour(LAST_DAY_HOUR)]),
        None => {
            let each = suggestions(None).into_iter();
            let mut readings: Vec<Said> = each.map(|clock| at_clock(said, clock)).collect();
            if said.repeat == Some(Repeat::Daily) && said.day.is_none() {
                readings.push(said.every_days(1));
            }
            Err(Doubt::new(Why::NoTime, readings))
        }
    }
}

/// The same phrase with the first or the second choice of each time of day that has two.
fn with(said: &Said, all: &[Vec<Choice>], nth: usize) -> Said {
    let clocks = all.iter().filter_map(|choices| {
        let (time, _) = choices.get(nth).or(choices.last())?;
        Some(Clock::sure(*time))
    });
    Said {
        clocks: clocks.collect(),
        part: None,
        ..said.clone()
    }
}

/// The midnight at the beginning of a day, or at its end? Days of the week have a next one.
fn on_which_day(said: &Said, all: &[Vec<Choice>]) -> Doubt {
    let same = with(said, all, 0);
    let mut readings = Vec::new();
    if said.clocks.iter().all(|clock| clock.form != Form::DayEnd) {
        readings.push(same.clone());
    }
    if let (Some(Day::Week { days, which }), [_]) = (&said.day, all) {
        let days = days.iter().map(|day| day.next()).collect();
        let which = *which;
        readings.push(Said {
            day: Some(Day::Week { days, which }),
            ..same
        });
    }
    let why = Why::Ambiguous("whether it is at the beginning of the day or at its end");
    Doubt::new(why, readings)
}
