//! Words that people use and that name no certain time: what they may mean instead.

use super::number::{MONTHS, ROUND_MINUTES, WEEKDAYS, small};
use super::token::{Kind, Token};
use crate::schedule::nearest;

/// Words, and those that may be put in their place.
const VAGUE: &[(&str, &[&str])] = &[
    ("end of the day", &["at 17:00", "at 23:59"]),
    ("end of day", &["at 17:00", "at 23:59"]),
    ("eod", &["at 17:00", "at 23:59"]),
    ("end of business", &["at 17:00", "at 18:00"]),
    ("close of business", &["at 17:00", "at 18:00"]),
    ("cob", &["at 17:00", "at 18:00"]),
    ("end of the week", &["friday at 17:00", "sunday at 23:59"]),
    ("end of week", &["friday at 17:00", "sunday at 23:59"]),
    ("eow", &["friday at 17:00", "sunday at 23:59"]),
    (
        "end of the year",
        &["31 december at 09:00", "31 december at 23:59"],
    ),
    (
        "end of year",
        &["31 december at 09:00", "31 december at 23:59"],
    ),
    ("eoy", &["31 december at 09:00", "31 december at 23:59"]),
    ("this weekend", &["saturday", "sunday"]),
    (
        "next weekend",
        &[
            "saturday",
            "sunday",
            "saturday next week",
            "sunday next week",
        ],
    ),
    ("beginning of next week", &["monday next week"]),
    ("start of next week", &["monday next week"]),
    (
        "end of next week",
        &[
            "friday next week",
            "saturday next week",
            "1 day after saturday next week",
        ],
    ),
    ("later this week", &[]),
    ("later next week", &[]),
    ("later this month", &[]),
    ("another", &[""]),
    ("next week", &["monday next week", "friday next week"]),
    (
        "next month",
        &["on the 1st of next month", "end of next month"],
    ),
    ("next year", &["1 january", "in 1 year"]),
    ("the next day", &["tomorrow"]),
    ("next day", &["tomorrow"]),
    ("the following day", &["tomorrow"]),
    ("following day", &["tomorrow"]),
    ("christmas eve", &["24 december"]),
    ("christmas day", &["25 december"]),
    ("christmas", &["25 december"]),
    ("new year's eve", &["31 december"]),
    ("new year's day", &["1 january"]),
    ("new year", &["1 january"]),
    ("valentine's day", &["14 february"]),
    ("halloween", &["31 october"]),
    ("during business hours", &["from 09:00 to 17:00"]),
    ("during working hours", &["from 09:00 to 17:00"]),
    ("during office hours", &["from 09:00 to 17:00"]),
    ("no later than", &["at"]),
    ("at least", &[""]),
    ("by", &[""]),
    ("within", &["in"]),
    ("roughly", &[""]),
    ("next morning", &["tomorrow morning"]),
    ("next hour", &["in 1 hour"]),
    ("later today", &["in 2 hours", "today at 18:00"]),
    ("later", &["in 1 hour", "in 3 hours"]),
    ("soon", &["in 5 minutes", "in 1 hour"]),
    ("a few", &["3", "5"]),
    ("few", &["3", "5"]),
    ("several", &["3", "5"]),
    ("about", &[""]),
    ("around", &["at"]),
    ("approximately", &[""]),
    ("first thing", &["at 08:00", "at 09:00"]),
    ("lunchtime", &["at 12:00", "at 13:00"]),
    ("lunch", &["at 12:00", "at 13:00"]),
    ("right now", &["in 1 minute"]),
    ("now", &["in 1 minute"]),
    ("immediately", &["in 1 minute"]),
    ("asap", &["in 1 minute"]),
    ("M", &["minutes", "months"]),
    ("same time tomorrow", &["in 1 day"]),
    ("this time tomorrow", &["in 1 day"]),
    ("same time next week", &["in 1 week"]),
    ("this time next week", &["in 1 week"]),
    ("every second", &["every 1 second"]),
    ("weekday", &["weekdays"]),
    ("weekend", &["weekends"]),
    ("biweekly", &["every 2 weeks", "every monday and thursday"]),
    ("bi-weekly", &["every 2 weeks", "every monday and thursday"]),
    ("semiweekly", &["every monday and thursday"]),
    (
        "bimonthly",
        &[
            "on the 1st and 15th of every month",
            "on the 1st of january, march, may, july, september and november every year",
        ],
    ),
    (
        "bi-monthly",
        &[
            "on the 1st and 15th of every month",
            "on the 1st of january, march, may, july, september and november every year",
        ],
    ),
    ("semimonthly", &["on the 1st and 15th of every month"]),
    ("twice a month", &["on the 1st and 15th of every month"]),
    (
        "quarterly",
        &[
            "on the 1st of january, april, july and october every year",
            "every 3 months",
        ],
    ),
    (
        "every quarter",
        &[
            "on the 1st of january, april, july and october every year",
            "every 3 months",
        ],
    ),
    ("nightly", &["every day at 00:00", "every night"]),
    (
        "twice a day",
        &["every 12 hours", "every day at 09:00 and 21:00"],
    ),
    (
        "twice daily",
        &["every 12 hours", "every day at 09:00 and 21:00"],
    ),
    (
        "three times a day",
        &["every 8 hours", "every day at 08:00, 14:00 and 20:00"],
    ),
    (
        "four times a day",
        &[
            "every 6 hours",
            "every day at 08:00, 12:00, 16:00 and 20:00",
        ],
    ),
    ("twice an hour", &["every 30 minutes"]),
    ("twice a week", &["every monday and thursday"]),
    (
        "every morning and evening",
        &["every day at 09:00 and 18:00"],
    ),
];

/// The longest name of a vague time, in tokens.
const LONGEST: usize = 4;

/// The words that are looked for where one is misspelt.
const KNOWN: &[&str] = &[
    "today",
    "tomorrow",
    "tonight",
    "morning",
    "afternoon",
    "evening",
    "midnight",
    "weekdays",
    "every",
    "minutes",
    "hours",
    "seconds",
    "weeks",
    "months",
    "daily",
    "hourly",
    "weekly",
    "monthly",
    "month",
    "first",
    "third",
    "fourth",
    "noon",
];

/// The texts that are meant by one with vague words in it.
pub(super) fn vague(tokens: &[Token]) -> Option<Vec<String>> {
    // A deadline. Between other words, "before" may count back.
    if let [first, rest @ ..] = tokens
        && first.text == "before"
    {
        return Some(vec![text(rest)]);
    }
    for at in 0..tokens.len() {
        for length in (1..=LONGEST.min(tokens.len() - at)).rev() {
            let words = text(tokens.get(at..at + length)?);
            let Some((_, others)) = VAGUE.iter().find(|(vague, _)| *vague == words) else {
                continue;
            };
            return with_others(tokens, at, length, others);
        }
    }
    spoken(tokens)
}

/// The texts with each of some others in the place of so many tokens.
fn with_others<T: std::fmt::Display>(
    tokens: &[Token],
    at: usize,
    length: usize,
    others: &[T],
) -> Option<Vec<String>> {
    let before = text(tokens.get(..at)?);
    let after = text(tokens.get(at + length..)?);
    let texts = others
        .iter()
        .map(|other| format!("{before} {other} {after}"));
    Some(texts.collect())
}

/// "Half seven", which is half past six for some, and "ten to nine", which may also be the time between
/// them.
fn spoken(tokens: &[Token]) -> Option<Vec<String>> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    for at in 0..tokens.len() {
        let hour = |at: usize| {
            let hour = small(word(at)).or_else(|| word(at).parse().ok());
            hour.filter(|hour| (1..=12).contains(hour))
        };
        let (length, others) = match (word(at), word(at + 1)) {
            ("half", _) if let Some(hour) = hour(at + 1) => {
                let before = if hour == 1 { 12 } else { hour - 1 };
                let each = [hour, before].map(|hour| format!("half past {hour}"));
                (2, each.to_vec())
            }
            (minutes, "to") if ROUND_MINUTES.contains(&minutes) && hour(at + 2).is_some() => {
                (3, vec![format!("at {minutes} to {}", word(at + 2))])
            }
            _ => continue,
        };
        return with_others(tokens, at, length, &others);
    }
    None
}

/// The texts that are meant by one with a slip of the keyboard in a word, or with an hour or a city
/// that has nothing before it.
pub(super) fn misspelt(tokens: &[Token], unknown: &str) -> Vec<String> {
    let with = |at: usize, meant: String| {
        let mut tokens = tokens.to_vec();
        if let Some(token) = tokens.get_mut(at) {
            token.text = meant;
        }
        text(&tokens)
    };
    let is_hour = matches!(unknown.len(), 1 | 2 | 4) && unknown.bytes().all(|b| b.is_ascii_digit());
    let mut texts = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let word = token.text.as_str();
        let names = KNOWN.iter().chain(&WEEKDAYS).chain(&MONTHS).copied();
        if is_hour && word == unknown {
            texts.push(with(at, format!("at {word}")));
        } else if token.kind == Kind::Letters && word == unknown && at > 0 {
            // A city, perhaps.
            texts.push(with(at, format!("in {word}")));
        }
        if token.kind == Kind::Letters
            && word.len() >= 4
            && let Some(meant) = nearest(word, names).filter(|meant| *meant != word)
        {
            texts.push(with(at, meant.to_owned()));
        }
    }
    texts
}

/// Tokens as a text again.
fn text(tokens: &[Token]) -> String {
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        if at > 0 && !token.is_joined {
            text.push(' ');
        }
        text.push_str(&token.text);
    }
    text
}
