//! Points in time as people, programs and language models write them.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{SignedDuration, Span, Timestamp};

use super::clock::{self, Bare};
use super::place::{self, Place};
use super::{interval, plain};
use crate::schedule::interval::{IntervalSpec, Step};
use crate::schedule::words::number::{MONTHS, WEEKDAYS};
use crate::schedule::{Zone, cut, iso};

/// The point in time that a text means.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::schedule) struct CorrectedTime {
    /// The point in time.
    pub at: Timestamp,
    /// How to write it in a valid form.
    pub text: String,
}

/// The point in time that a text means; without a place it is in `zone`.
pub(in crate::schedule) fn time(text: &str, zone: &Zone, now: Timestamp) -> Option<CorrectedTime> {
    let text = plain(text)?;
    epoch(&text)
        .or_else(|| from_now(&text, zone, now))
        .or_else(|| on_a_day(&text, zone, now))
}

/// Seconds or milliseconds since 1970, from 2001 to 2286.
fn epoch(text: &str) -> Option<CorrectedTime> {
    let digits = text.strip_suffix(".0").unwrap_or(text);
    let number: i64 = digits
        .parse()
        .ok()
        .filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let at = match digits.len() {
        10 => Timestamp::from_second(number).ok()?,
        13 => Timestamp::from_millisecond(number).ok()?,
        _ => return None,
    };
    let text = at.to_string();
    Some(CorrectedTime { at, text })
}

/// `in 2 hours`, `2 hours from now`, `now + 90m`.
fn from_now(text: &str, zone: &Zone, now: Timestamp) -> Option<CorrectedTime> {
    let lower = text.to_ascii_lowercase();
    let length = ["in ", "after ", "now +", "now+", "+"]
        .iter()
        .find_map(|before| lower.strip_prefix(before))
        .or_else(|| lower.strip_suffix(" from now"))
        .filter(|length| !interval::repeats(length))?;
    let length = interval::interval(length.trim())?;
    let at = match IntervalSpec::parse(&length).ok()?.step() {
        Step::Seconds(seconds) => now.checked_add(SignedDuration::from_secs(seconds)).ok()?,
        Step::Days(days) => {
            let days = Span::new().try_days(days).ok()?;
            zone.instant_of(zone.wall(now).checked_add(days).ok()?)?
        }
    };
    // Whoever follows an example takes a while.
    if at < now.checked_add(SignedDuration::from_mins(1)).ok()? {
        return None;
    }
    let at = Timestamp::from_second(at.as_second()).ok()?;
    let text = zone.rfc3339(at);
    Some(CorrectedTime { at, text })
}

/// A date with a time of day, and optionally a place.
fn on_a_day(text: &str, zone: &Zone, now: Timestamp) -> Option<CorrectedTime> {
    let (rest, place) = place::split(text);
    let here = match &place {
        Place::In(zone) | Place::Short(_, zone) => zone,
        Place::Unsaid | Place::At(_) => zone,
    };
    let wall = civil(&rest, here.wall(now).date())?;
    let at_offset = |at: Timestamp, shown: String| {
        Some(CorrectedTime {
            at: cut(at),
            text: shown,
        })
    };
    match place.certain(wall)? {
        Place::Unsaid => {
            let seconds = match wall.second() == 0 && wall.subsec_nanosecond() == 0 {
                true => wall.strftime("%Y-%m-%d %H:%M").to_string(),
                false => wall.strftime("%Y-%m-%d %H:%M:%S%.f").to_string(),
            };
            at_offset(zone.instant_of(wall)?, seconds)
        }
        Place::In(zone) => {
            let at = zone.instant_of(wall)?;
            let shown = zone.rfc3339(at);
            at_offset(at, shown)
        }
        Place::At(offset) | Place::Short(offset, _) => {
            let at = offset.to_timestamp(wall).ok()?;
            let shown = at.display_with_offset(offset).to_string();
            at_offset(at, shown)
        }
    }
}

/// A date and a time of day, in either order.
fn civil(text: &str, today: Date) -> Option<DateTime> {
    if let Ok(written) = iso::read(text) {
        return written.offset.is_none().then_some(written.wall);
    }
    let lower = text.to_ascii_lowercase();
    let bytes = lower.as_bytes();
    let figure = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    // `2027-02-01T10:00`, and with `_` instead of `T`.
    let spaced: String = lower
        .char_indices()
        .map(|(at, c)| match c {
            't' | '_' if at > 0 && figure(at - 1) && figure(at + 1) => ' ',
            c => c,
        })
        .collect();
    let is_joined = spaced != lower;
    let mut words = clock::words(&spaced);
    words.retain(|w| !matches!(w.as_str(), "at" | "on" | "the" | "of" | "um"));
    let bare = match is_joined || words.len() == 2 {
        true => Bare::Iso,
        false => Bare::Nothing,
    };
    let date_first = date(&words, today).and_then(|(date, used)| {
        let (clock, rest) = clock::read(words.get(used..)?, bare)?;
        (used + rest == words.len()).then_some((date, clock))
    });
    // `Feb 1 10:00:00 2027`, as C writes it.
    let year_last = || {
        let year = words
            .last()
            .filter(|w| w.len() == 4 && w.bytes().all(|b| b.is_ascii_digit()))?;
        let at = words.len().checked_sub(2)?;
        let mut words = words.clone();
        words.pop();
        words.insert(at, year.clone());
        let (date, used) = date(&words, today)?;
        let (clock, rest) = clock::read(words.get(used..)?, Bare::Nothing)?;
        (used + rest == words.len()).then_some((date, clock))
    };
    let (date, clock) = date_first.or_else(year_last).or_else(|| {
        let (clock, used) = clock::read(&words, Bare::Nothing)?;
        let (date, rest) = date(words.get(used..)?, today)?;
        (used + rest == words.len()).then_some((date, clock))
    })?;
    let date = match clock.is_next_day {
        true => date.tomorrow().ok()?,
        false => date,
    };
    Some(date.to_datetime(clock.time))
}

/// The date at the beginning of some words, and how many of them it takes.
fn date(words: &[String], today: Date) -> Option<(Date, usize)> {
    let first = words.first()?.as_str();
    match first {
        "today" => return Some((today, 1)),
        "tomorrow" => return Some((today.tomorrow().ok()?, 1)),
        _ => {}
    }
    let Some(weekday) = weekday(first) else {
        return calendar(words);
    };
    if let Some((date, used)) = calendar(&words[1..]) {
        // A date with the wrong weekday gets no correction.
        return (date.weekday() == weekday).then_some((date, used + 1));
    }
    // On that weekday itself, both today and next week are possible.
    let ahead = weekday.since(today.weekday());
    let date = today.checked_add(Span::new().days(ahead)).ok()?;
    (ahead > 0).then_some((date, 1))
}

/// A date in numbers, or with the name of its month.
fn calendar(words: &[String]) -> Option<(Date, usize)> {
    let first = words.first()?.as_str();
    if first.len() == 8 && first.bytes().all(|b| b.is_ascii_digit()) {
        return Some((of(&first[..4], &first[4..6], &first[6..])?, 1));
    }
    for separator in ['-', '/', '.'] {
        let parts: Vec<&str> = first.trim_end_matches('.').split(separator).collect();
        let [a, b, c] = parts.as_slice() else {
            continue;
        };
        if a.len() == 4 {
            return Some((of(a, b, c)?, 1));
        }
        // Day and month, or month and day: distinguishable only if one of them can't be a month.
        let (x, y): (u8, u8) = (a.parse().ok()?, b.parse().ok()?);
        let (day, month) = match (x > 12, y > 12) {
            (true, false) => (a, b),
            (false, true) => (b, a),
            (false, false) if x == y => (a, b),
            _ => return None,
        };
        return Some((of(c, month, day)?, 1));
    }
    let word = |at: usize| words.get(at).map(String::as_str);
    let [a, b, c] = [word(0)?, word(1)?, word(2)?];
    let (year, month, day) = match (month(a), month(b)) {
        (Some(month), None) => (c, month, b),
        (None, Some(month)) if a.len() == 4 => (a, month, c),
        (None, Some(month)) => (c, month, a),
        _ => return None,
    };
    let day = ["st", "nd", "rd", "th", "."]
        .iter()
        .find_map(|end| day.strip_suffix(end))
        .unwrap_or(day);
    Some((of(year, &month.to_string(), day)?, 3))
}

fn of(year: &str, month: &str, day: &str) -> Option<Date> {
    let figures = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if year.len() != 4 || ![year, month, day].iter().all(|t| figures(t)) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// A month by its name, or at least the first three letters.
fn month(word: &str) -> Option<usize> {
    let word = word.trim_end_matches('.');
    let at = MONTHS.iter().position(|name| name.starts_with(word));
    at.filter(|_| word.len() >= 3).map(|at| at + 1)
}

fn weekday(word: &str) -> Option<Weekday> {
    let word = word.trim_end_matches('.');
    let at = WEEKDAYS.iter().position(|name| name.starts_with(word));
    let at = at.filter(|_| word.len() >= 3)?;
    Weekday::from_sunday_zero_offset(i8::try_from(at).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Friday, 11:00 in Berlin.
    fn corrected(text: &str) -> Option<String> {
        let now = "2026-11-20T10:00:00.5Z".parse().unwrap();
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let corrected = time(text, &berlin, now)?;
        let read = crate::schedule::parse_time(&corrected.text, &berlin, now).unwrap();
        assert_eq!(read, corrected.at, "{text}: {}", corrected.text);
        Some(corrected.text)
    }

    #[test]
    fn a_clear_time_is_corrected() {
        for (text, wanted) in [
            ("2027/02/01 10:00", "2027-02-01 10:00"),
            ("2027-2-1 9:05", "2027-02-01 09:05"),
            ("2027-02-01 9:00", "2027-02-01 09:00"),
            ("2027-02-01T10", "2027-02-01 10:00"),
            ("2027-02-01_10:00", "2027-02-01 10:00"),
            ("2027-02-01, 10:00", "2027-02-01 10:00"),
            ("2027-02-01 at 10am", "2027-02-01 10:00"),
            ("2027-02-01 10:30 PM", "2027-02-01 22:30"),
            ("2027-02-01 12:00 am", "2027-02-01 00:00"),
            ("2027-02-01 10:00 a.m.", "2027-02-01 10:00"),
            ("2027-02-01 24:00", "2027-02-02 00:00"),
            ("2027‑02‑01 10:00", "2027-02-01 10:00"),
            ("\"2027-02-01 10:00\"", "2027-02-01 10:00"),
            ("20270201T1000", "2027-02-01 10:00"),
            ("20270201T100000Z", "2027-02-01T10:00:00+00:00"),
            ("13/02/2027 10:00", "2027-02-13 10:00"),
            ("02/13/2027 10:00", "2027-02-13 10:00"),
            ("31.12.2026 18:00", "2026-12-31 18:00"),
            ("Feb 1, 2027 10:00", "2027-02-01 10:00"),
            ("1 February 2027 at 10:00", "2027-02-01 10:00"),
            ("February 1st 2027 10pm", "2027-02-01 22:00"),
            ("10:00 on 1 Feb 2027", "2027-02-01 10:00"),
            (
                "Mon, 01 Feb 2027 10:00:00 +0000",
                "2027-02-01T10:00:00+00:00",
            ),
            (
                "Mon Feb 01 2027 10:00:00 GMT+0800 (China Standard Time)",
                "2027-02-01T10:00:00+08:00",
            ),
            ("2027-02-01T10:00+8", "2027-02-01T10:00:00+08:00"),
            ("2027-02-01 10:00 +5:30", "2027-02-01T10:00:00+05:30"),
            ("2027-02-01 9:00 UTC+8", "2027-02-01T09:00:00+08:00"),
            (
                "2027-02-01 10am America/New_York",
                "2027-02-01T10:00:00-05:00",
            ),
            (
                "2027-02-01 10:00 Eastern Standard Time",
                "2027-02-01T10:00:00-05:00",
            ),
            ("2027-02-01 10:00 EST", "2027-02-01T10:00:00-05:00"),
            ("2027-07-01 10:00 PDT", "2027-07-01T10:00:00-07:00"),
            ("2027-02-01 10:00 JST", "2027-02-01T10:00:00+09:00"),
            ("1800000000", "2027-01-15T08:00:00Z"),
            ("1800000000000", "2027-01-15T08:00:00Z"),
            ("in 2 hours", "2026-11-20T13:00:00+01:00"),
            ("in half an hour", "2026-11-20T11:30:00+01:00"),
            ("2 hours from now", "2026-11-20T13:00:00+01:00"),
            ("now + 90m", "2026-11-20T12:30:00+01:00"),
            ("+2h", "2026-11-20T13:00:00+01:00"),
            ("in 3 days", "2026-11-23T11:00:00+01:00"),
            ("tomorrow at 9am", "2026-11-21 09:00"),
            (
                "tomorrow 9:00 America/New_York",
                "2026-11-21T09:00:00-05:00",
            ),
            ("today at 17:30", "2026-11-20 17:30"),
            ("monday at 9:00", "2026-11-23 09:00"),
            ("noon tomorrow", "2026-11-21 12:00"),
            ("10:00 2027-02-01", "2027-02-01 10:00"),
            ("Mon Feb  1 10:00:00 2027", "2027-02-01 10:00"),
            ("2027-02-01 9:00 (UTC+8)", "2027-02-01T09:00:00+08:00"),
        ] {
            assert_eq!(corrected(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn a_repetition_is_not_corrected_to_a_single_time() {
        for before in ["in ", "after ", "now + ", "+", ""] {
            let after = if before.is_empty() { " from now" } else { "" };
            for text in [
                "every 2 hours",
                "each 2 hours",
                "once every 2 hours",
                "once a day",
                "once per hour",
                "@every 2h",
                "hourly",
                "fortnightly",
            ] {
                let text = format!("{before}{text}{after}");
                assert_eq!(corrected(&text), None, "{text}");
            }
        }
    }

    #[test]
    fn an_ambiguous_time_gets_no_correction() {
        for text in [
            "",
            "soon",
            "tomorrow",
            "9am",
            "10:00",
            "2027-02-01",
            "01/02/2027 10:00",
            "01.02.2027 10:00",
            "1/2/27 10:00",
            "2027-02-30 10:00",
            "2027-02-01 25:00",
            "2027-02-01 13:00 am",
            "friday at 9:00",
            "next monday at 9:00",
            "tonight",
            "Tue, 01 Feb 2027 10:00",
            "2027-07-01 10:00 EST",
            "2027-02-01 10:00 CST",
            "2027-02-01 10:00 IST",
            "2027-02-01 10:00 sharp",
            "2027-02-01 10:00 tomorrow",
            "in 1 month",
            "in 10 seconds",
            "2 hours",
            "Feb 1 10:00",
            "123456",
            "2027-02-01 at",
            "2027-02-01 10:00 11:00",
            "2027-02-01 midnight",
            "2027-02-01T10:00Z+08:00",
        ] {
            assert_eq!(corrected(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_fault(text in "\\PC*", near in "[-0-9:+/.TZ a-z]{0,32}") {
            let _ = corrected(&text);
            let _ = corrected(&near);
            let _ = corrected(&format!("2027-02-01 {near}"));
        }
    }
}
