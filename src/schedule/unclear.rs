//! The errors for times that are not understood. They give the readings of words that leave a
//! doubt, and the caller's own wish corrected where only one thing can be meant.

use jiff::Timestamp;

use super::asked::Given;
use super::words::{self, NotUnderstood, Rule, Why};
use super::{LeftOut, Zone, corrections, shown};
use crate::error::{Code, Error, Example, field, fields, message};

/// The error for a text that is not in the form that was asked for, given what words say of it.
///
/// Words know best what is in doubt. Otherwise `error`, which is about the form, and its correction
/// come first: `0 9 * *` is no sentence.
pub(super) fn explained(error: Error, refusal: &NotUnderstood, given: Given<'_>) -> Error {
    let mut words = given.value.split(|c: char| !c.is_alphabetic());
    if words.any(|word| word.eq_ignore_ascii_case("except")) {
        return with_dates(given);
    }
    match &refusal.why {
        Why::Repeats(phrase) => repeats(phrase, given),
        Why::IsOnce(phrase) if error.correction().is_none() => {
            is_once(phrase, &refusal.readings, given)
        }
        Why::Ambiguous(_) => refused(refusal, given),
        _ if error.correction().is_some() => error,
        Why::Empty | Why::TooLong | Why::Unfinished(_) => error,
        // The error of the form says more of `9999999d`.
        Why::TooFar if given.value.trim().starts_with(|c: char| c.is_ascii_digit()) => error,
        // A bare number is no slip in a sentence.
        Why::Unknown(_) if refusal.readings.is_empty() || is_bare(given.value) => error,
        _ => refused(refusal, given),
    }
}

fn is_bare(value: &str) -> bool {
    !value.contains(|c: char| c.is_alphabetic())
}

/// The error for dates to leave out beside a time, which have a field of their own.
fn with_dates(given: Given<'_>) -> Error {
    let Given {
        value, zone, now, ..
    } = given;
    let text = message![
        shown(value.trim()),
        ": what is left out is not part of a time. Give dates as ",
        field("except"),
        "; instead of leaving out days of the week, name the others"
    ];
    let divided = value.split_once("except").map(|(time, dates)| {
        let time = time.trim_end_matches([',', ' ']);
        (time, dates.trim())
    });
    let is_clear = |(time, dates): &(&str, &str)| {
        let is_time = words::understand_recurrence(time, now, zone).is_ok();
        is_time && LeftOut::parse(dates).is_ok_and(|dates| !dates.is_empty())
    };
    let corrected = divided.filter(is_clear);
    let example = corrected.map(|(time, dates)| fields([(given.field(), time), ("except", dates)]));
    Error::new(given.code(), text).example_if(example)
}

/// The error for words that are understood in part, or in several ways.
fn refused(refusal: &NotUnderstood, given: Given<'_>) -> Error {
    let Given {
        value, zone, now, ..
    } = given;
    let mut text = format!("{}: {}", shown(value.trim()), refusal.why);
    if !refusal.readings.is_empty() {
        text.push_str(&format!("; write {}", either(&refusal.readings)));
    }
    let code = match refusal.why {
        Why::Past(_) | Why::Ago => Code::TimePast,
        _ => given.code(),
    };
    // What repeats doesn't depend on it.
    if let Code::TimePast | Code::TimeInvalid = code {
        text.push_str(&format!("; it is now {}", zone.both(now)));
    }
    let is_open = matches!(refusal.why, Why::Ambiguous(_));
    let example = match refusal.readings.as_slice() {
        // What has passed was meant, and nothing else; and what is left open is not one thing.
        [only] if code != Code::TimePast && !is_open => {
            Some(fields([(given.field(), only.as_str())]))
        }
        _ => None,
    };
    Error::new(code, text).example_if(example)
}

/// The error for a repetition in place of a single time.
fn repeats(phrase: &str, given: Given<'_>) -> Error {
    let Given {
        value, zone, now, ..
    } = given;
    let found = words::understand_recurrence(value, now, zone);
    let (name, instead) = match found.map(|found| (found.rule, found.zone)) {
        Ok((
            Rule::Interval {
                every, first: None, ..
            },
            None,
        )) => ("every", every),
        Ok((Rule::Interval { .. }, _)) => ("every", phrase.to_owned()),
        _ => ("cron", phrase.to_owned()),
    };
    let text = message![
        shown(value.trim()),
        " repeats: it means {phrase:?}, and ",
        field(given.field()),
        " is a single time. Give it as ",
        field(name),
        format!("; it is now {}", zone.both(now))
    ];
    Error::new(given.code(), text).example(fields([(name, instead)]))
}

/// The error for a single time in place of a repetition.
fn is_once(phrase: &str, readings: &[String], given: Given<'_>) -> Error {
    let mut text = message![
        shown(given.value.trim()),
        " is a single time, {phrase:?}, and ",
        field(given.field()),
        " repeats. "
    ];
    if readings.is_empty() {
        text.push(message!["Give it as ", field("time")]);
        let example = fields([("time", phrase)]);
        return Error::new(given.code(), text).example(example);
    }
    text.push(message![
        format!(
            "Write {} if it is to repeat, or give it as ",
            either(readings)
        ),
        field("time"),
        " if it is not"
    ]);
    Error::new(given.code(), text)
}

/// The error for a text that may be any kind of time and is in no form of one.
pub(super) fn unknown(given: Given<'_>) -> Error {
    let Given {
        value, zone, now, ..
    } = given;
    let what = match value.trim().is_empty() {
        true => "no time was given".to_owned(),
        false => format!("{} is not understood", shown(value.trim())),
    };
    let text = format!(
        "{what}: write a time (\"tomorrow at 9am\", \"2030-01-31 09:00\"), a repetition (\"every \
         weekday at 9am\", \"every 30 minutes\") or a cron pattern of five fields; it is now {}",
        zone.both(now)
    );
    Error::new(Code::TimeInvalid, text).example_if(in_when(given))
}

/// What a text in an unknown form means, as a field that takes any time.
fn in_when(given: Given<'_>) -> Option<Example> {
    let Given {
        value, zone, now, ..
    } = given;
    if let Some(time) = corrections::time::time(value, zone, now).filter(|time| time.at > now) {
        return Some(fields([("when", time.text)]));
    }
    match corrections::cron::cron(value)? {
        corrections::cron::Correction::Cron(pattern, None) => Some(fields([("when", pattern)])),
        corrections::cron::Correction::Cron(pattern, Some(zone)) => {
            Some(fields([("when", pattern), ("timezone", zone)]))
        }
        // Bare, it may be meant once.
        corrections::cron::Correction::Every(_) => None,
    }
}

/// The error for a time that has passed.
pub(super) fn past(value: &str, at: Timestamp, zone: &Zone, now: Timestamp) -> Error {
    Error::new(
        Code::TimePast,
        format!(
            "{} is {}, which has passed: it is now {}",
            shown(value.trim()),
            zone.both(at),
            zone.both(now)
        ),
    )
}

/// Readings, each in quotation marks.
fn either(readings: &[String]) -> String {
    let quoted: Vec<String> = readings.iter().map(|r| format!("{r:?}")).collect();
    match quoted.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
