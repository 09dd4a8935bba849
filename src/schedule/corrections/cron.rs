//! Cron patterns in other dialects, with a zone next to them, and in words.

use super::clock::{self, Bare};
use super::{interval, plain};
use crate::error::{Example, fields};
use crate::schedule::cron::SEPARATOR;
use crate::schedule::words::number::WEEKDAYS;
use crate::schedule::{CronSpec, Zone};

/// What a text in place of a pattern means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::schedule) enum Correction {
    /// A pattern, possibly with its time zone.
    Cron(String, Option<String>),
    /// An interval.
    Every(String),
}

impl Correction {
    /// The fields that express it.
    pub(in crate::schedule) fn example(self) -> Example {
        match self {
            Correction::Cron(pattern, None) => fields([("cron", pattern)]),
            Correction::Cron(pattern, Some(zone)) => {
                fields([("cron", pattern), ("timezone", zone)])
            }
            Correction::Every(interval) => fields([("every", interval)]),
        }
    }
}

/// A pattern given where another kind of time is expected, either a valid one or in words.
pub(in crate::schedule) fn pattern(text: &str) -> Option<Example> {
    if CronSpec::parse(text).is_ok() {
        return Some(Correction::Cron(plain(text)?, None).example());
    }
    match cron(text)? {
        corrected @ Correction::Cron(..) => Some(corrected.example()),
        Correction::Every(_) => None,
    }
}

/// What a text that is not a pattern means.
pub(in crate::schedule) fn cron(text: &str) -> Option<Correction> {
    let text = plain(text)?.replace("\\*", "*");
    let text = text.split(" #").next().unwrap_or_default();
    let text = text.trim_end_matches(['.', ';', ',', ' ']);
    let (text, is_aws) = match text.strip_prefix("cron(").and_then(|t| t.strip_suffix(')')) {
        Some(inner) => (plain(inner)?, true),
        None => (text.to_owned(), false),
    };
    let (zone, text) = match split_zone(&text) {
        Some((zone, pattern)) => (Some(Zone::parse(&zone).ok()?.name().to_owned()), pattern),
        None => (None, text),
    };
    let (zone, text) = match text.rsplit_once(' ') {
        Some((words, name)) if zone.is_none() && name.contains('/') => match Zone::parse(name) {
            Ok(place) => (Some(place.name().to_owned()), words.to_owned()),
            Err(_) => (zone, text),
        },
        _ => (zone, text),
    };
    let lower = text.to_ascii_lowercase();
    if let "hourly" | "daily" | "weekly" | "monthly" | "yearly" | "annually" = lower.as_str() {
        return Some(Correction::Cron(format!("@{lower}"), zone));
    }
    let joined = text.replace(", ", ",").replace(" - ", "-");
    let fields: Vec<&str> = joined.split(' ').collect();
    let pattern = match fields.as_slice() {
        [step, rest @ ..] if rest == ["*"; 5] => return every_seconds(step),
        [_, _, _, _, _] => Some(with_names(&fields)),
        [_, _, _, _, _, _] => six(&fields, is_aws),
        ["0" | "00", five @ .., "*"] if five.len() == 5 => without_numbers(five),
        _ => None,
    };
    let read = pattern.filter(|p| CronSpec::parse(p).is_ok());
    if let Some(pattern) = read.or_else(|| in_words(&lower)) {
        return Some(Correction::Cron(pattern, zone));
    }
    match interval::interval(&text) {
        Some(every) => Some(Correction::Every(every)),
        None => rate(&lower),
    }
}

/// `CRON_TZ=Europe/Paris 0 9 * * *` and `0 9 * * * Europe/Paris`, as the zone and the pattern. Of
/// several patterns, the first may have a zone before it and the last one after it.
pub(crate) fn split_zone(text: &str) -> Option<(String, String)> {
    let text = text.trim().trim_matches(['"', '\'', '`']);
    if let Some((others, last)) = text.rsplit_once(SEPARATOR) {
        // With an equals sign, it stands before the last one.
        if let Some((zone, last)) = split_zone(last).filter(|_| !last.contains('=')) {
            return Some((zone, format!("{others}{SEPARATOR} {last}")));
        }
    }
    let (first, rest) = text.split_once(char::is_whitespace)?;
    let named = ["cron_tz=", "tz="].iter().find_map(|key| {
        let (name, zone) = first.split_at_checked(key.len())?;
        name.eq_ignore_ascii_case(key).then_some(zone)
    });
    if let Some(zone) = named {
        let zone = zone.trim_matches(['"', '\'', ';']);
        return Some((zone.to_owned(), rest.trim().to_owned()));
    }
    let (rest, last) = text.rsplit_once(char::is_whitespace)?;
    let last = last.trim_matches(['(', ')', '[', ']']);
    // A step has a slash too, but no zone begins with a digit or a star.
    let is_utc = ["utc", "gmt"]
        .iter()
        .any(|name| last.eq_ignore_ascii_case(name));
    let is_place =
        is_utc || last.contains('/') && last.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = is_place && resembles_pattern(rest) && Zone::parse(last).is_ok();
    fits.then(|| (last.to_owned(), rest.trim().to_owned()))
}

/// Whether a text is a nickname, or has the fields of a pattern, right or wrong: "sat 28 nov at 9am"
/// has as many words.
fn resembles_pattern(text: &str) -> bool {
    let fields: Vec<&str> = text.split_whitespace().collect();
    match fields.as_slice() {
        [name, ..] if let Some(name) = name.strip_prefix('@') => {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
        }
        [_, _, _, _, _] | [_, _, _, _, _, _] => text.contains('*') || begins_in_signs(&fields),
        _ => false,
    }
}

/// Whether the first two of some fields are in the signs of a pattern, as minutes and hours are.
pub(in crate::schedule) fn begins_in_signs(fields: &[&str]) -> bool {
    let is_sign = |c: char| c.is_ascii_digit() || "*,/-?#LWH".contains(c);
    fields.iter().take(2).all(|f| f.chars().all(is_sign))
}

/// `*/10` in the seconds field, with nothing else restricted.
fn every_seconds(step: &str) -> Option<Correction> {
    let seconds: u32 = match step {
        "0" | "00" => 60,
        _ => step.strip_prefix("*/")?.parse().ok()?,
    };
    match seconds {
        60 => Some(Correction::Cron("* * * * *".to_owned(), None)),
        n if n > 0 && 60 % n == 0 => Some(Correction::Every(format!("{n}s"))),
        _ => None,
    }
}

/// The five fields of a six-field pattern that begins with second 0, unless it could be an AWS
/// pattern or number its weekdays differently.
pub(in crate::schedule) fn without_seconds(text: &str) -> Option<String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let begins_at_zero = matches!(fields.as_slice(), ["0" | "00", _, _, _, _, _]);
    match begins_at_zero && !fields.contains(&"?") {
        true => six(&fields, false),
        false => None,
    }
}

/// Six fields: of Spring, Quartz and others, where the first is the second, or of AWS, where the
/// last is the year.
fn six(fields: &[&str], is_aws: bool) -> Option<String> {
    let has_question = fields.contains(&"?");
    let reads = |five: &[&str]| CronSpec::parse(&five.join(" ")).is_ok();
    let after_seconds = matches!(fields[0], "0" | "00") && reads(&fields[1..]);
    let before_year = fields[5] == "*" && reads(&fields[..5]);
    match (after_seconds, before_year) {
        (true, false) if !is_aws => without_numbers(&fields[1..]),
        (false, true) if has_question => without_numbers(&fields[..5]),
        (_, true) if is_aws => without_numbers(&fields[..5]),
        // Both are possible. Without a question mark it isn't an AWS pattern; but firing every
        // minute of an hour is doubtful next to a plain time of day.
        (true, true) if !has_question => {
            let is_hourly = fields[2] == "*" && fields[1].bytes().all(|b| b.is_ascii_digit());
            (!is_hourly).then(|| fields[1..].join(" "))
        }
        _ => None,
    }
}

/// Five fields without question marks. In dialects that have them, weekday numbers begin with
/// Sunday as 1, elsewhere as 0, so numbers get no correction.
fn without_numbers(five: &[&str]) -> Option<String> {
    let (weekday, has_question) = (five.last()?, five.contains(&"?"));
    if has_question && weekday.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let plain: Vec<&str> = five
        .iter()
        .map(|f| if *f == "?" { "*" } else { f })
        .collect();
    Some(plain.join(" "))
}

/// Five fields with weekday names replaced by standard ones.
fn with_names(fields: &[&str]) -> String {
    let mut fields: Vec<String> = fields.iter().map(|f| (*f).to_owned()).collect();
    if let Some(weekday) = fields.last_mut() {
        let lower = weekday.to_ascii_lowercase();
        *weekday = match lower.as_str() {
            "weekday" | "weekdays" => "1-5".to_owned(),
            "weekend" | "weekends" => "0,6".to_owned(),
            _ => {
                let items = lower.split(',').map(|item| {
                    let ends: Vec<String> = item
                        .split('-')
                        .map(|day| number_of(day).map_or(day.to_owned(), |n| NAMES[n].to_owned()))
                        .collect();
                    ends.join("-")
                });
                items.collect::<Vec<_>>().join(",")
            }
        };
    }
    fields.join(" ")
}

const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The number of a weekday, abbreviated to two letters or more; Sunday is 0.
fn number_of(day: &str) -> Option<usize> {
    let day = day.trim_end_matches('.');
    let singular = day
        .strip_suffix('s')
        .filter(|d| d.len() >= 6)
        .unwrap_or(day);
    let at = WEEKDAYS.iter().position(|name| name.starts_with(singular));
    at.filter(|_| singular.len() >= 2)
}

/// The days of the week of a field such as `1-5` or `0,6`.
fn numbers_of(field: &str) -> Vec<u8> {
    let number = |text: &str| text.parse::<u8>().ok();
    match field
        .split_once('-')
        .map(|(from, to)| (number(from), number(to)))
    {
        Some((Some(from), Some(to))) => (from..=to).collect(),
        _ => field.split(',').filter_map(number).collect(),
    }
}

/// `every day at 9am`, `weekdays at 17:30`, `every mon, wed and fri at noon`.
fn in_words(lower: &str) -> Option<String> {
    let mut words = clock::words(lower);
    words.retain(|w| !matches!(w.as_str(), "every" | "each" | "on" | "and" | "&" | "the"));
    let mut days: Vec<String> = Vec::new();
    let mut time = None;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let found = match word.as_str() {
            "day" | "daily" | "everyday" => Some("*".to_owned()),
            "weekday" | "weekdays" | "workday" | "workdays" => Some("1-5".to_owned()),
            "weekend" | "weekends" => Some("0,6".to_owned()),
            word => match word.split_once('-') {
                Some((from, to)) => match (number_of(from), number_of(to)) {
                    (Some(from), Some(to)) => Some(format!("{from}-{to}")),
                    _ => None,
                },
                None => number_of(word).map(|n| n.to_string()),
            },
        };
        if let Some(day) = found {
            days.push(day);
            at += 1;
            continue;
        }
        let is_at = word == "at";
        at += usize::from(is_at);
        let bare = if is_at { Bare::Hour } else { Bare::Nothing };
        let (clock, used) = match words.get(at).map(String::as_str) {
            Some("midnight") => (clock::read(&["00:00".to_owned()], bare)?.0, 1),
            _ => clock::read(words.get(at..)?, bare)?,
        };
        if time.replace(clock).is_some() || clock.is_next_day {
            return None;
        }
        at += used;
    }
    let time = time?.time;
    // "Every weekday on Monday" is one or the other.
    let mut each: Vec<u8> = days.iter().flat_map(|field| numbers_of(field)).collect();
    each.sort_unstable();
    let is_twice = each.windows(2).any(|pair| pair.first() == pair.last());
    let several = days.len() > 1 && days.iter().any(|d| d == "*") || is_twice;
    if days.is_empty() || several || time.second() != 0 || time.subsec_nanosecond() != 0 {
        return None;
    }
    Some(format!(
        "{} {} * * {}",
        time.minute(),
        time.hour(),
        days.join(",")
    ))
}

/// AWS's `rate(5 minutes)`.
fn rate(lower: &str) -> Option<Correction> {
    let inner = lower.strip_prefix("rate(")?.strip_suffix(')')?;
    interval::interval(inner).map(Correction::Every)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CommandLine;

    #[test]
    fn patterns_of_other_dialects_are_those_five_fields() {
        for (text, wanted) in [
            ("0 30 6 * * 1-5", "--cron \"30 6 * * 1-5\""),
            ("0 0 9 * * *", "--cron \"0 9 * * *\""),
            ("0 */5 * * * *", "--cron \"*/5 * * * *\""),
            ("0 15 10 ? * MON-FRI", "--cron \"15 10 * * MON-FRI\""),
            ("0 0 12 * * ?", "--cron \"0 12 * * *\""),
            ("0 0 12 ? * WED *", "--cron \"0 12 * * WED\""),
            ("0 0 9 * * * *", "--cron \"0 9 * * *\""),
            ("cron(0 9 ? * MON-FRI *)", "--cron \"0 9 * * MON-FRI\""),
            ("cron(15 10 * * ? *)", "--cron \"15 10 * * *\""),
            ("cron(0 9 * * 1-5)", "--cron \"0 9 * * 1-5\""),
            ("0 9 ? * MON-FRI *", "--cron \"0 9 * * MON-FRI\""),
            ("*/10 * * * * *", "--every 10s"),
            ("0 * * * * *", "--cron \"* * * * *\""),
            ("rate(5 minutes)", "--every 5m"),
            ("\"0 9 * * *\"", "--cron \"0 9 * * *\""),
            ("0 9 \\* \\* \\*", "--cron \"0 9 * * *\""),
            ("0 9 * * 1–5", "--cron \"0 9 * * 1-5\""),
            ("0 9 * * *  # every day", "--cron \"0 9 * * *\""),
            ("0 9 * * Mo-Fr", "--cron \"0 9 * * mon-fri\""),
            ("0 9 * * Tues,Thurs", "--cron \"0 9 * * tue,thu\""),
            ("0 9 * * weekdays", "--cron \"0 9 * * 1-5\""),
            (
                "0 9 * * * Europe/Berlin",
                "--cron \"0 9 * * *\" --timezone Europe/Berlin",
            ),
            ("daily", "--cron \"@daily\""),
            ("0 9 * * 1, 3, 5", "--cron \"0 9 * * 1,3,5\""),
            ("0 9 * * 1 - 5;", "--cron \"0 9 * * 1-5\""),
            (
                "every weekday at 9am Europe/Berlin",
                "--cron \"0 9 * * 1-5\" --timezone Europe/Berlin",
            ),
            ("every day at 9am", "--cron \"0 9 * * *\""),
            ("daily at 9", "--cron \"0 9 * * *\""),
            ("at 17:30 on weekdays", "--cron \"30 17 * * 1-5\""),
            ("every monday at 9:00", "--cron \"0 9 * * 1\""),
            ("mondays and fridays at noon", "--cron \"0 12 * * 1,5\""),
            ("every day at midnight", "--cron \"0 0 * * *\""),
            ("Mon-Fri 8:15am", "--cron \"15 8 * * 1-5\""),
            ("every 2 hours", "--every 2h"),
            ("2h", "--every 2h"),
        ] {
            let corrected = cron(text).map(|m| CommandLine.example(&m.example()));
            assert_eq!(corrected.as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn a_pattern_of_two_possible_dialects_or_of_none_gets_no_correction() {
        for text in [
            "0 9 * * * *",
            "0 0 9 ? * 2-6",
            "cron(0 9 ? * 2-6 *)",
            "*/7 * * * * *",
            "* * * * * *",
            "*/5 0 9 * * *",
            "15 0 9 * * *",
            "0 0 9 * * * 2027",
            "0 9 * *",
            "61 * * * *",
            "0 25 * * *",
            "0 9 * * monday-fry",
            "9:00",
            "every day",
            "monday",
            "every day at 9am and 5pm",
            "CRON_TZ=Mars/Olympus 0 9 * * *",
            "",
        ] {
            let corrected = cron(text);
            let is_interval = matches!(corrected, Some(Correction::Every(_)));
            assert!(
                corrected.is_none() || (text == "every day" && is_interval),
                "{text}: {corrected:?}"
            );
        }
    }

    #[test]
    fn a_zone_before_or_after_a_pattern_is_its_zone() {
        for (text, wanted) in [
            (
                "CRON_TZ=Europe/Paris 0 9 * * *",
                Some(("Europe/Paris", "0 9 * * *")),
            ),
            ("TZ=Asia/Tokyo  @daily", Some(("Asia/Tokyo", "@daily"))),
            ("cron_tz=\"UTC\" 0 9 * * *", Some(("UTC", "0 9 * * *"))),
            (
                "0 9 * * * America/New_York",
                Some(("America/New_York", "0 9 * * *")),
            ),
            ("0 9 * * * UTC", Some(("UTC", "0 9 * * *"))),
            ("0 9 1 1 mon UTC", Some(("UTC", "0 9 1 1 mon"))),
            ("0 9am * * mon UTC", Some(("UTC", "0 9am * * mon"))),
            ("@daily UTC", Some(("UTC", "@daily"))),
            ("@ 9am Europe/Paris", None),
            ("sat 28 nov at 9am UTC", None),
            ("28 november 2026 at 9am Europe/Paris", None),
            ("0 9 * * 1-5/2", None),
            ("0 9 * * * Mars/Olympus", None),
            ("0 9 * * *", None),
        ] {
            let found = split_zone(text);
            let found = found.as_ref().map(|(z, p)| (z.as_str(), p.as_str()));
            assert_eq!(found, wanted, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_fault(text in "\\PC*", near in "[-0-9*/,#?() a-zA-Z=]{0,30}") {
            let _ = cron(&text);
            let _ = cron(&near);
            let _ = cron(&format!("0 {near} * * *"));
        }
    }
}
