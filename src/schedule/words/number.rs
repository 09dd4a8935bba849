//! Numbers in words, and the names of months and days of the week.

use jiff::civil::Weekday;

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

const ORDINALS: [&str; 20] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
];

/// The months, from January on.
pub(in crate::schedule) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The days of the week, from Sunday on, as in cron.
pub(in crate::schedule) const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

/// The minutes before an hour that people say without "minutes": "ten to nine".
pub(super) const ROUND_MINUTES: [&str; 3] = ["five", "ten", "twenty"];

fn place<const N: usize>(list: &[&str; N], word: &str) -> Option<i8> {
    let at = list.iter().position(|w| *w == word)?;
    i8::try_from(at).ok()
}

/// A number below twenty in words.
pub(in crate::schedule) fn small(word: &str) -> Option<i8> {
    place(&SMALL, word)
}

/// Twenty, thirty and so on to ninety.
pub(in crate::schedule) fn tens(word: &str) -> Option<i8> {
    place(&TENS, word).map(|at| at * 10 + 20)
}

/// First to twentieth, and thirtieth.
pub(super) fn ordinal(word: &str) -> Option<i8> {
    match word {
        "thirtieth" => Some(30),
        _ => place(&ORDINALS, word).map(|at| at + 1),
    }
}

/// An ordinal below a hundred and its ending: `3rd`.
pub(in crate::schedule) fn with_ending(number: i8) -> String {
    let ending = match (number % 10, number) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// First to fifth.
pub(in crate::schedule) fn ordinal_name(number: i8) -> &'static str {
    let at = usize::try_from(number - 1).unwrap_or_default();
    ORDINALS.get(at).copied().unwrap_or("first")
}

/// A month by its name or the beginning of it that is common.
pub(super) fn month(word: &str) -> Option<i8> {
    let at = match word {
        "sept" => Some(8),
        _ => MONTHS
            .iter()
            .position(|name| *name == word || (word.len() == 3 && name.starts_with(word))),
    };
    i8::try_from(at?).ok().map(|at| at + 1)
}

/// The name of a month.
pub(super) fn month_name(month: i8) -> &'static str {
    let at = usize::try_from(month - 1).unwrap_or_default();
    MONTHS.get(at).copied().unwrap_or("january")
}

/// A day of the week by its name or the beginning of it that is common, and whether all days of
/// that name are meant.
pub(super) fn weekday(word: &str) -> Option<(Weekday, bool)> {
    let named = |word: &str| {
        let at = WEEKDAYS.iter().position(|name| {
            let common: &[usize] = match *name {
                "tuesday" => &[3, 4],
                "thursday" => &[3, 4, 5],
                _ => &[3],
            };
            *name == word || (common.contains(&word.len()) && name.starts_with(word))
        });
        let at = match word {
            "weds" => Some(3),
            _ => at,
        };
        let at = at.and_then(|at| i8::try_from(at).ok())?;
        Weekday::from_sunday_zero_offset(at).ok()
    };
    match named(word) {
        Some(day) => Some((day, false)),
        None => {
            let single = word.strip_suffix('s').filter(|w| w.ends_with("day"))?;
            named(single).map(|day| (day, true))
        }
    }
}

/// The name of a day of the week.
pub(super) fn weekday_name(day: Weekday) -> &'static str {
    let at = usize::try_from(day.to_sunday_zero_offset()).unwrap_or_default();
    WEEKDAYS.get(at).copied().unwrap_or("sunday")
}
