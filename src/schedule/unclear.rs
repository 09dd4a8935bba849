//! The errors for times that are not understood. They give the readings of words that leave a
//! doubt, and the caller's own wish corrected where only one thing can be meant.

use jiff::Timestamp;

use super::asked::{Asked, Given};
use super::corrections::cron::Correction;
use super::words::{self, NotUnderstood, Recurrence, Rule, Why};
use super::{CronSpec, LeftOut, Zone, corrections, shown};
use crate::error::{Code, Error, Example, field, fields, message};

/// The error for a text that is not in the form that was asked for, given what words say of it.
///
/// Words know best what is in doubt. Otherwise `error`, which is about the form, and its correction
/// come first: `0 9 * *` is no sentence.
pub(super) fn explained(error: Error, refusal: &NotUnderstood, given: Given<'_>) -> Error {
    // Only the time of a schedule has such fields beside it.
    if given.other_field.is_none()
        && let Some(error) = MISPLACED
            .iter()
            .find_map(|other| other.refused(&refusal.why, given))
    {
        return error;
    }
    match &refusal.why {
        Why::Repeats(phrase) => repeats(phrase, given),
        Why::IsOnce(phrase) if error.correction().is_none() => {
            is_once(phrase, &refusal.readings, given)
        }
        Why::Ambiguous(_) | Why::IsLength => refused(refusal, given),
        // "daily" in place of a pattern is `@daily`, and may be anything where any time will do.
        Why::NoTime | Why::NoDay | Why::Vague
            if given.asked == Asked::AsAny && !refusal.readings.is_empty() =>
        {
            refused(refusal, given)
        }
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

/// What people write beside a time, and what has a field of its own.
struct Misplaced {
    /// The words that begin it.
    words: &'static [&'static str],
    /// What it is, and what to give.
    what: [&'static str; 2],
    /// The field.
    name: &'static str,
    /// A text in the form of the field.
    as_field: fn(&str, Given<'_>) -> Option<String>,
    /// What words say of it.
    is_why: fn(&Why) -> bool,
    /// What else may be done.
    or: &'static str,
}

const MISPLACED: [Misplaced; 3] = [
    Misplaced {
        words: &["except", "excluding"],
        what: ["what is left out", "dates"],
        name: "except",
        as_field: |text, _| {
            let dates = LeftOut::parse(text).ok()?;
            (!dates.is_empty()).then(|| text.to_owned())
        },
        is_why: |why| matches!(why, Why::Unknown(_) | Why::Vague),
        or: "",
    },
    Misplaced {
        words: &["until", "till", "ending"],
        what: ["where it ends", "it"],
        name: "end_at",
        as_field: |text, given| time_of(text, "23:59", given),
        is_why: |why| matches!(why, Why::Unknown(_) | Why::Vague),
        or: "",
    },
    Misplaced {
        words: &["starting", "beginning", "from"],
        what: ["where it begins", "it"],
        name: "start_at",
        as_field: |text, given| time_of(text, "00:00", given),
        // An interval may say it.
        is_why: |why| matches!(why, Why::Unfit("a beginning", _) | Why::Unknown(_)),
        or: "",
    },
];

/// A text that is a time, or a day with a time of day at one end of it.
fn time_of(text: &str, clock: &str, given: Given<'_>) -> Option<String> {
    let found = |text: &str| words::understand_time(text, given.now, given.zone);
    match found(text) {
        Ok(_) => Some(text.to_owned()),
        Err(NotUnderstood {
            why: Why::NoTime, ..
        }) => found(&format!("{text} at {clock}"))
            .ok()
            .map(|once| once.phrase),
        Err(_) => None,
    }
}

impl Misplaced {
    /// The error for a repetition with something beside it that has a field of its own.
    fn refused(&self, why: &Why, given: Given<'_>) -> Option<Error> {
        let Given {
            value, zone, now, ..
        } = given;
        let lower = value.to_ascii_lowercase();
        let is_whole = |at: usize, word: &str| {
            let is_letter = |c: char| c.is_alphabetic();
            let before = lower.get(..at).unwrap_or_default();
            let after = lower.get(at + word.len()..).unwrap_or_default();
            !before.ends_with(is_letter) && !after.starts_with(is_letter)
        };
        let found = self.words.iter().find_map(|word| {
            let mut all = lower.match_indices(word);
            all.find(|(at, _)| is_whole(*at, word))
        });
        let (at, word) = found.filter(|_| (self.is_why)(why))?;
        let before = value.get(..at)?.trim().trim_end_matches(',');
        let after = value.get(at + word.len()..)?.trim();
        // "From 9am to 5pm" are times of day.
        if matches!(why, Why::Unknown(_)) && word == "from" && !words::begins_with_date(after) {
            return None;
        }
        let is_clear = match words::understand_recurrence(before, now, zone) {
            Ok(Recurrence {
                rule: Rule::Interval { .. },
                ..
            }) if self.name == "start_at" => return None,
            Ok(_) => true,
            Err(refusal) if refusal.readings.is_empty() => return None,
            Err(_) => false,
        };
        let [what, it] = self.what;
        let text = message![
            shown(value.trim()),
            format!(": {what} is not part of a time. Give {it} as "),
            field(self.name),
            self.or
        ];
        let value = (self.as_field)(after, given).filter(|_| is_clear);
        let example = value.map(|value| fields([(given.field(), before), (self.name, &value)]));
        Some(Error::new(given.code(), text).example_if(example))
    }
}

/// The error for words that are understood in part, or in several ways.
fn refused(refusal: &NotUnderstood, given: Given<'_>) -> Error {
    let Given {
        value, zone, now, ..
    } = given;
    let mut text = format!("{}: {}", shown(value.trim()), refusal.why);
    match (refusal.readings.is_empty(), &refusal.why) {
        (true, _) => {}
        (false, Why::OneEach(_)) => {
            text.push_str(&format!(", {}", listed(&refusal.readings, "and")))
        }
        (false, _) => text.push_str(&format!("; write {}", either(&refusal.readings))),
    }
    let code = match refusal.why {
        Why::Past(_) | Why::Ago => Code::TimePast,
        _ => given.code(),
    };
    // What repeats doesn't depend on it.
    if let Code::TimePast | Code::TimeInvalid = code {
        text.push_str(&format!("; it is now {}", zone.both(now)));
    }
    let is_open = match refusal.why {
        Why::Ambiguous(_) => true,
        // The time of a schedule may be meant to repeat.
        Why::IsLength => given.other_field.is_none(),
        _ => false,
    };
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
    let it_is_now = format!("; it is now {}", zone.both(now));
    let repeats = message![
        shown(value.trim()),
        " repeats: it means {phrase:?}, and ",
        field(given.field()),
        " is a single time"
    ];
    if given.other_field.is_some() {
        return Error::new(given.code(), message![repeats, it_is_now]);
    }
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
    let text = message![repeats, ". Give it as ", field(name), it_is_now];
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

/// The error for a text that may be any kind of time and is a pattern with a mistake.
pub(super) fn no_pattern(given: Given<'_>) -> Error {
    match CronSpec::parse(given.value) {
        Err(error) => error.example_if(in_when(given)),
        Ok(_) => unknown(given),
    }
}

/// The error for a recurrence rule of iCalendar, with what it means as a pattern or interval.
pub(super) fn recurrence_rule(given: Given<'_>) -> Error {
    let text = format!(
        "{} is a recurrence rule (RRULE), which is not understood: write it as a cron pattern or an \
         interval, or in words",
        shown(given.value.trim())
    );
    let meant = corrections::recurrence_rule::recurrence_rule(given.value);
    let example = meant.map(|meant| match (given.asked, meant) {
        (Asked::AsAny, Correction::Cron(pattern, _)) => fields([("when", pattern)]),
        (Asked::AsAny, Correction::Every(every)) => fields([("when", format!("every {every}"))]),
        (_, meant) => meant.example(),
    });
    Error::new(given.code(), text).example_if(example)
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
        Correction::Cron(pattern, None) => Some(fields([("when", pattern)])),
        Correction::Cron(pattern, Some(zone)) => {
            Some(fields([("when", pattern), ("timezone", zone)]))
        }
        // Bare, it may be meant once.
        Correction::Every(_) => None,
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

/// Readings of which one is meant.
fn either(readings: &[String]) -> String {
    listed(readings, "or")
}

/// Readings, each in quotation marks.
fn listed(readings: &[String], last_word: &str) -> String {
    let quoted: Vec<String> = readings.iter().map(|r| format!("{r:?}")).collect();
    match quoted.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} {last_word} {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
