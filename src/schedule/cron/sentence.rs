//! What several patterns mean together, in plain English.

use jiff::civil::Time;

use super::description::{Pieces, Times, list};
use super::pattern::Pattern;
use crate::schedule::words::{self, MOST_TIMES, clauses};

/// The minutes of a day.
const DAY: i16 = 1_440;

/// A part of the sentence.
enum Clause {
    /// Days, and the times of day of all patterns that have these days.
    At(String, Vec<String>),
    /// What fires again and again.
    Often(String),
}

/// The sentence. `None` for a text that is no pattern.
pub(super) fn sentence(patterns: &[Pattern]) -> Option<String> {
    let mut rest: Vec<Pieces> = Vec::new();
    for pattern in patterns {
        rest.push(pattern.pieces()?);
    }
    let mut parts: Vec<Clause> = Vec::new();
    while let Some(first) = rest.first() {
        let days = first.days();
        let (same, others): (Vec<Pieces>, Vec<Pieces>) =
            rest.into_iter().partition(|pieces| pieces.days() == days);
        match together(&same, &days) {
            Some(often) => parts.push(Clause::Often(often)),
            None => same.iter().for_each(|pieces| add(&mut parts, pieces)),
        }
        rest = others;
    }
    let told = parts.into_iter().map(|part| match part {
        Clause::At(days, mut times) => {
            times.sort_unstable();
            times.dedup();
            format!("{days} at {}", list(&times))
        }
        Clause::Often(told) => told,
    });
    Some(clauses(&told.collect::<Vec<_>>()))
}

fn add(parts: &mut Vec<Clause>, pieces: &Pieces) {
    let Times::At(more) = pieces.times() else {
        parts.push(Clause::Often(pieces.told()));
        return;
    };
    let days = pieces.days();
    for part in parts.iter_mut() {
        if let Clause::At(same, times) = part
            && *same == days
        {
            times.extend(more);
            return;
        }
    }
    parts.push(Clause::At(days, more));
}

/// Several patterns of the same days that together fire at one distance: "every 15 minutes from 09:00
/// through 17:00, every weekday".
fn together(patterns: &[Pieces], days: &str) -> Option<String> {
    let each = patterns.iter().flat_map(Pieces::minutes_of_day);
    let mut times: Vec<i16> = each.collect();
    times.sort_unstable();
    times.dedup();
    if patterns.len() < 2 || times.len() <= MOST_TIMES {
        return None;
    }
    // The distance of each from the one before it, which for the first is the last of the day before.
    let before = times.iter().rev().take(1).map(|last| last - DAY);
    let before = before.chain(times.iter().copied());
    let distances: Vec<i16> = times
        .iter()
        .zip(before)
        .map(|(at, before)| at - before)
        .collect();
    let step = *distances.iter().min()?;
    let mut starts = (0..times.len()).filter(|at| distances.get(*at) != Some(&step));
    let start = starts.next().unwrap_or_default();
    let is_one = starts.next().is_none() && (start == 0 || days == "every day");
    times.rotate_left(start);
    let (first, last) = (times.first()?, times.last()?);
    let clock = |minute: &i16| {
        let [hour, minute] = [minute / 60, minute % 60].map(|n| i8::try_from(n).unwrap_or(0));
        Time::new(hour, minute, 0, 0).unwrap_or_default()
    };
    let often = words::at_a_distance(i64::from(step), [first, last].map(clock));
    is_one.then(|| match days {
        "every day" => often,
        days => format!("{often}, {days}"),
    })
}
