//! Days that have times of their own: "mondays at 9 and fridays at 16:30".
//!
//! Each clause is a phrase of a repetition by itself. A place holds for all of them, and "every" for
//! those that follow.

use super::once::is_last_day;
use super::read::read;
use super::said::{Day, Repeat, Said, Which};
use super::token::Token;
use super::{NotUnderstood, Recurrence, Rule, Why, phrase};

/// So many words between which a phrase may be divided are looked at.
const MOST_PLACES: usize = 40;

/// The clauses of a phrase. `None` unless there is one way, and no other, to divide it into clauses
/// of which each names days and times of day.
pub(super) fn divide(tokens: &[Token]) -> Option<Vec<Said>> {
    // Where clauses may end, and where the next one begins.
    let mut places: Vec<(usize, usize)> = vec![(0, 0)];
    let mut at = 0;
    while at < tokens.len() {
        match separator(tokens.get(at..)?) {
            0 => at += 1,
            length => {
                places.push((at, at + length));
                at += length;
            }
        }
    }
    places.push((tokens.len(), tokens.len()));
    if places.len() < 3 || places.len() > MOST_PLACES {
        return None;
    }
    // For each place, how many divisions end there, and the last clause of one of them.
    let mut ways: Vec<(usize, Option<(usize, Said)>)> = vec![(1, None)];
    for last in 1..places.len() {
        let (end, _) = *places.get(last)?;
        let (mut count, mut clause) = (0, None);
        for first in 0..last {
            let (before, _) = *ways.get(first)?;
            let (_, start) = *places.get(first)?;
            if before > 0
                && let Some(said) = tokens.get(start..end).and_then(clause_of)
            {
                count += before;
                clause = Some((first, said));
            }
        }
        ways.push((count, clause));
    }
    let mut clauses = Vec::new();
    let mut at = places.len() - 1;
    while at > 0 {
        let (1, Some((first, said))) = ways.get(at)? else {
            return None;
        };
        clauses.push(said.clone());
        at = *first;
    }
    clauses.reverse();
    (clauses.len() > 1).then_some(clauses)
}

/// How many tokens stand between two clauses here.
fn separator(tokens: &[Token]) -> usize {
    let is = |at: usize, words: &[&str]| {
        let token: Option<&Token> = tokens.get(at);
        token.is_some_and(|token| words.contains(&token.text.as_str()))
    };
    let comma = usize::from(is(0, &[",", ";"]));
    comma + usize::from(is(comma, &["and", "&"]))
}

/// A clause, if it names days and times of day.
fn clause_of(tokens: &[Token]) -> Option<Said> {
    // Months that come last may be those of all clauses.
    let said = read(tokens).ok().filter(|said| !said.has_months_last)?;
    let has_days = said.day.is_some() || said.repeat.is_some();
    let has_times = !said.clocks.is_empty()
        || said.part.is_some()
        || said.repeat == Some(Repeat::Hourly)
        || said.within.is_some()
        || said.window.is_some()
        || is_last_day(&said);
    (has_days && has_times).then_some(said)
}

/// Gives the place that some clauses name to all of them.
///
/// # Errors
/// [`Why::Twice`] if they name several.
pub(super) fn share_place(clauses: &mut [Said]) -> Result<(), Why> {
    let mut named = clauses.iter().filter_map(|said| said.place.clone());
    let Some(place) = named.next() else {
        return Ok(());
    };
    if named.any(|other| other != place) {
        return Err(Why::Twice("place"));
    }
    for said in clauses {
        said.place = Some(place.clone());
    }
    Ok(())
}

/// "Every monday at 9 and friday at 16:30": every friday, too. If one of them is in some months only,
/// that is not so sure.
pub(super) fn share_every(clauses: &mut [Said]) {
    let mut is_each = false;
    for said in clauses {
        let is_coming = matches!(
            said.day,
            Some(Day::Week {
                which: Which::Coming,
                ..
            })
        );
        if is_each && is_coming && said.repeat.is_none() && said.months.is_empty() {
            said.repeat = Some(Repeat::Each);
        }
        is_each = said.repeat == Some(Repeat::Each) && said.months.is_empty();
    }
}

/// Several repetitions as one.
pub(super) fn together(each: Vec<Recurrence>) -> Recurrence {
    let phrases: Vec<String> = each.iter().map(without_zone).collect();
    let zone = each.iter().find_map(|found| found.zone.clone());
    let mut patterns: Vec<String> = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    for found in each {
        if let Rule::Cron(more) = found.rule {
            patterns.extend(more);
        }
        notes.extend(found.notes);
    }
    for texts in [&mut patterns, &mut notes] {
        let mut seen: Vec<String> = Vec::new();
        texts.retain(|text| {
            let is_new = !seen.contains(text);
            seen.extend(is_new.then(|| text.clone()));
            is_new
        });
    }
    let words = phrase::in_zone(phrase::clauses(&phrases), zone.as_ref());
    Recurrence {
        notes,
        ..Recurrence::new(Rule::Cron(patterns), zone, words)
    }
}

fn without_zone(found: &Recurrence) -> String {
    let zone = phrase::in_zone(String::new(), found.zone.as_ref());
    let words = found.phrase.strip_suffix(&zone);
    words.unwrap_or(&found.phrase).to_owned()
}

/// The texts with the phrase of each clause, or with one of its readings; so many at most.
pub(super) fn texts(each: &[Result<Recurrence, NotUnderstood>], most: usize) -> Vec<String> {
    let mut all: Vec<Vec<&str>> = vec![Vec::new()];
    for one in each {
        let phrases: Vec<&str> = match one {
            Ok(found) => vec![&found.phrase],
            Err(refusal) => refusal.readings.iter().map(String::as_str).collect(),
        };
        let longer = all.iter().flat_map(|before| {
            let each = phrases.iter();
            each.map(|phrase| [before.as_slice(), &[*phrase]].concat())
        });
        all = longer.take(most).collect();
    }
    all.iter().map(|clauses| clauses.join("; ")).collect()
}
