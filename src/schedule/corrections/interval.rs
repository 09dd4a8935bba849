//! Intervals in words.

use jiff::Span;

use super::{number, plain};
use crate::schedule::interval::{DAY, IntervalSpec, Step, UNITS, compact, is_capital_m, unit};

/// The interval that a text means, in our syntax: `2h` for `every 2 hours`.
pub(crate) fn interval(text: &str) -> Option<String> {
    let text = plain(text)?;
    // Months are not an interval, and it is unclear whether minutes are meant.
    if is_capital_m(&text) {
        return None;
    }
    let text = text.to_ascii_lowercase();
    let text = text.trim_end_matches(['.', '!']);
    let (written, _) = length(text)?;
    let found = IntervalSpec::parse(&written).ok()?;
    Some(found.text().to_owned())
}

/// Whether a lower-case text is a repetition, and no length of time.
pub(super) fn repeats(text: &str) -> bool {
    let text = text.trim();
    text.ends_with("ly") || length(text).is_some_and(|(_, is_every)| is_every)
}

/// What a lower-case text means in our syntax, and whether it began with "every".
fn length(text: &str) -> Option<(String, bool)> {
    let mut rest = text;
    for before in [
        "once a ",
        "once an ",
        "once per ",
        "once every ",
        "@every ",
        "every ",
        "each ",
    ] {
        if let Some(after) = rest.strip_prefix(before) {
            rest = after.trim_start();
            break;
        }
    }
    let is_every = rest != text;
    let written = match rest {
        "hourly" => "1h".to_owned(),
        "daily" => "1d".to_owned(),
        "weekly" => "1w".to_owned(),
        "fortnightly" | "fortnight" => "2w".to_owned(),
        _ => iso(rest)
            .or_else(|| clock(rest))
            .or_else(|| in_words(rest, is_every))?,
    };
    Some((written, is_every))
}

/// `PT1H30M`, `P1D`. Months and years differ in length, so they get no correction.
fn iso(text: &str) -> Option<String> {
    if !text.starts_with('p') {
        return None;
    }
    let span: Span = text.to_ascii_uppercase().parse().ok()?;
    let others = [span.get_years().into(), span.get_months()];
    let fraction = span.get_milliseconds() + span.get_microseconds() + span.get_nanoseconds();
    if span.is_negative() || others != [0, 0] || fraction != 0 {
        return None;
    }
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let seconds =
        i64::from(span.get_hours()) * 3_600 + span.get_minutes() * 60 + span.get_seconds();
    match (days, seconds) {
        (0, seconds) => Some(compact(seconds)),
        (days, 0) => Some(format!("{days}d")),
        _ => None,
    }
}

/// `01:30:00`. Two numbers may be hours and minutes or minutes and seconds.
fn clock(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [hours, minutes, seconds] = parts.as_slice() else {
        return None;
    };
    let number = |part: &str, most: i64| {
        let fits = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<i64>().ok().filter(|n| fits && *n <= most)
    };
    let seconds = number(seconds, 59)?;
    Some(compact(
        number(hours, 99)? * 3_600 + number(minutes, 59)? * 60 + seconds,
    ))
}

/// Numbers with units: `2 hours and 30 minutes`, `an hour`, `half an hour`, `1.5h`, `1h30`.
fn in_words(text: &str, is_every: bool) -> Option<String> {
    let spaced = apart(text);
    let mut words: Vec<&str> = spaced.split_whitespace().collect();
    words.retain(|w| !matches!(*w, "and" | "," | "&"));
    let (mut seconds, mut days) = (0.0_f64, 0_i64);
    let mut parts: Vec<(String, Step)> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let (amount, used) = amount(&words[at..], is_every && parts.is_empty())?;
        at += used;
        let name = words.get(at).map(|w| w.trim_end_matches('.'));
        let step = match (name, parts.last()) {
            (Some(name), _) => unit(name).or_else(|| misspelt(name))?,
            // `1h30` continues with the next smaller unit.
            (None, Some((_, Step::Seconds(3_600)))) if amount < 60.0 => Step::Seconds(60),
            (None, Some((_, Step::Seconds(60)))) if amount < 60.0 => Step::Seconds(1),
            (None, _) => return None,
        };
        at += 1;
        let half = words.get(at..at + 2) == Some(&["a", "half"]);
        let amount = if half { amount + 0.5 } else { amount };
        at += if half { 2 } else { 0 };
        if parts.iter().any(|(_, seen)| *seen == step) {
            return None;
        }
        match step {
            Step::Seconds(worth) => seconds += amount * worth_of(worth)?,
            Step::Days(worth) => days += whole(amount)?.checked_mul(worth)?,
        }
        parts.push((amount.to_string(), step));
    }
    let seconds = whole(seconds)?;
    match (parts.as_slice(), days, seconds) {
        // One number and one unit stay as they are.
        ([(n, Step::Days(7))], ..) => Some(format!("{n}w")),
        ([(n, Step::Seconds(60))], ..) if !n.contains('.') => Some(format!("{n}m")),
        ([(n, Step::Seconds(1))], ..) if !n.contains('.') => Some(format!("{n}s")),
        (_, 0, seconds) => Some(compact(seconds)),
        (_, days, 0) => Some(format!("{days}d")),
        (_, days, seconds) => Some(compact(days.checked_mul(DAY)?.checked_add(seconds)?)),
    }
}

/// The unit of which a word is a misspelling.
fn misspelt(word: &str) -> Option<Step> {
    let mut near = UNITS.iter().filter(|(names, ..)| {
        let long = names.iter().filter(|name| name.len() >= 4);
        word.len() >= 4
            && long
                .into_iter()
                .any(|name| strsim::osa_distance(name, word) == 1)
    });
    let (_, step, _) = near.next()?;
    near.next().is_none().then_some(*step)
}

/// Separates numbers, letters and commas.
fn apart(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len() + 8);
    let mut last = ' ';
    for c in text.chars() {
        let is_figure = |c: char| c.is_ascii_digit() || c == '.';
        let between =
            (is_figure(last) && c.is_alphabetic()) || (last.is_alphabetic() && c.is_ascii_digit());
        if between || c == ',' || last == ',' {
            spaced.push(' ');
        }
        spaced.push(c);
        last = c;
    }
    spaced
}

/// The amount before a unit, and how many words it takes. `every hour` is one hour.
fn amount(words: &[&str], is_every: bool) -> Option<(f64, usize)> {
    let first = *words.first()?;
    let next = words.get(1).copied().unwrap_or_default();
    match (first, next) {
        ("half", "an" | "a") => return Some((0.5, 2)),
        ("half", _) => return Some((0.5, 1)),
        ("quarter", "of") if words.get(2) == Some(&"an") => return Some((0.25, 3)),
        ("quarter", _) => return Some((0.25, 1)),
        ("a" | "an", next) if unit(next).is_some() => return Some((1.0, 1)),
        ("other" | "second", next) if is_every && unit(next).is_some() => return Some((2.0, 1)),
        ("third", next) if is_every && unit(next).is_some() => return Some((3.0, 1)),
        (only, "") if is_every && unit(only).is_some() => return Some((1.0, 0)),
        _ => {}
    }
    if let Some(n) = number(first) {
        // `every 2nd day`.
        let is_ordinal = is_every && matches!(next, "st" | "nd" | "rd" | "th");
        return Some((worth_of(n)?, if is_ordinal { 2 } else { 1 }));
    }
    let (digits, fraction) = first.split_once('.')?;
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let fits = plain(digits) && plain(fraction);
    Some((first.parse().ok().filter(|_| fits)?, 1))
}

/// A number that can be multiplied by a fraction precisely enough.
fn worth_of(n: i64) -> Option<f64> {
    i32::try_from(n).ok().map(f64::from)
}

/// A number without its fraction, if that is zero.
fn whole(n: f64) -> Option<i64> {
    let fits = n.fract() == 0.0 && (0.0..1e12).contains(&n);
    // It was just checked that it fits.
    #[allow(clippy::cast_possible_truncation)]
    fits.then_some(n as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_in_words_is_the_one_that_they_say() {
        for (text, wanted) in [
            ("every 2 hours", "2h"),
            ("Every 90 minutes", "90m"),
            ("each 45 seconds", "45s"),
            ("@every 5m", "5m"),
            ("every hour", "1h"),
            ("every day", "1d"),
            ("every other day", "2d"),
            ("every second week", "2w"),
            ("once every 3 days", "3d"),
            ("hourly", "1h"),
            ("daily", "1d"),
            ("an hour", "1h"),
            ("half an hour", "30m"),
            ("every half hour", "30m"),
            ("an hour and a half", "1h30m"),
            ("1.5h", "1h30m"),
            ("0.5 hours", "30m"),
            ("2 hours and 30 minutes", "2h30m"),
            ("1 hour, 5 minutes", "1h5m"),
            ("1h30", "1h30m"),
            ("two hours", "2h"),
            ("twenty-four hours", "24h"),
            ("PT5M", "5m"),
            ("PT1H30M", "1h30m"),
            ("P1D", "1d"),
            ("P2W", "14d"),
            ("01:30:00", "1h30m"),
            ("\"30m\"", "30m"),
            ("`5m`", "5m"),
            ("5 mins.", "5m"),
            ("1 day and 12 hours", "36h"),
            ("once a day", "1d"),
            ("every 2nd day", "2d"),
            ("5 minuts", "5m"),
            ("2 huors", "2h"),
        ] {
            assert_eq!(interval(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_could_mean_two_things_or_has_an_unknown_word_means_nothing() {
        for text in [
            "",
            "soon",
            "every 30",
            "30",
            "1M",
            "5M",
            "M",
            "P1M",
            "P1Y",
            "1 month",
            "every month",
            "1y",
            "00:30",
            "-5m",
            "0",
            "0h",
            "every 0 minutes",
            "5x",
            "half",
            "every",
            "every 2 hours at 9am",
            "twice a day",
            "500ms",
            "1.0001h",
            "5m 5m",
            "biweekly",
            "every now and then",
            "second",
            "P1DT12H",
            "9999999999999 hours",
        ] {
            assert_eq!(interval(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_fault(text in "\\PC*", near in "[0-9smhdwP:., a-z]{0,24}") {
            let _ = interval(&text);
            let _ = interval(&near);
            let _ = interval(&format!("every {near}"));
        }
    }
}
