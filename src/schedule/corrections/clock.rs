//! Times of day as people write them.

use jiff::civil::Time;

/// A time of day, and whether it is the end of the named day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clock {
    pub time: Time,
    /// `24:00`: the midnight after the named day.
    pub is_next_day: bool,
}

/// Whether bare digits are a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bare {
    /// Two digits are an hour (`T09`), four are `hhmm` and six `hhmmss`.
    Iso,
    /// One or two digits are an hour, as in "at 9".
    Hour,
    /// They are not.
    Nothing,
}

/// Lower-case words with digits and letters separated: `9am` as `9`, `am`.
pub(super) fn words(text: &str) -> Vec<String> {
    let text = text.replace("a.m.", "am").replace("p.m.", "pm");
    let mut words = Vec::new();
    for word in text.split([' ', ',']) {
        let half = ["am", "pm"].iter().find_map(|half| {
            let hour = word.strip_suffix(half)?;
            let plain = !hour.is_empty() && hour.bytes().all(|b| b.is_ascii_digit() || b == b':');
            plain.then(|| [hour.to_owned(), (*half).to_owned()])
        });
        match half {
            Some(both) => words.extend(both),
            None if word.is_empty() => {}
            None => words.push(word.to_owned()),
        }
    }
    words
}

/// The time of day at the beginning of some words, and how many of them it takes.
pub(super) fn read(words: &[String], bare: Bare) -> Option<(Clock, usize)> {
    let first = words.first()?.as_str();
    if first == "noon" {
        let time = Time::new(12, 0, 0, 0).ok()?;
        return Some((
            Clock {
                time,
                is_next_day: false,
            },
            1,
        ));
    }
    let (digits, fraction) = first.split_once('.').unwrap_or((first, ""));
    let parts: Vec<&str> = digits.split(':').collect();
    let half = words
        .get(1)
        .map(String::as_str)
        .filter(|w| matches!(*w, "am" | "pm"));
    let parts = match parts.as_slice() {
        [one] if half.is_some() && one.len() <= 2 => vec![*one],
        [one] => whole(one, bare)?,
        _ => parts,
    };
    if parts.len() > 3 || (!fraction.is_empty() && parts.len() != 3) {
        return None;
    }
    let mut numbers = [0_i8; 3];
    for (at, part) in parts.iter().enumerate() {
        let fits = (at == 0 || part.len() == 2) && part.bytes().all(|b| b.is_ascii_digit());
        numbers[at] = part.parse().ok().filter(|_| fits)?;
    }
    let [mut hour, minute, second] = numbers;
    hour = match (half, hour) {
        (None, hour) => hour,
        (Some("am"), 12) => 0,
        (Some("am"), 1..12) => hour,
        (Some("pm"), 1..12) => hour + 12,
        (Some("pm"), 12..24) => hour,
        _ => return None,
    };
    let nanos = match fraction {
        "" => 0,
        digits if digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{digits:0<9}").parse().ok()?
        }
        _ => return None,
    };
    let is_next_day = (hour, minute, second, nanos) == (24, 0, 0, 0);
    let time = match is_next_day {
        true => Time::midnight(),
        false => Time::new(hour, minute, second, nanos).ok()?,
    };
    let used = if half.is_some() { 2 } else { 1 };
    Some((Clock { time, is_next_day }, used))
}

/// Hours, minutes and seconds written without separators.
fn whole(figures: &str, bare: Bare) -> Option<Vec<&str>> {
    if !figures.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match (bare, figures.len()) {
        (Bare::Iso, 2) | (Bare::Hour, 1 | 2) => Some(vec![figures]),
        (Bare::Iso, 4) => Some(vec![&figures[..2], &figures[2..]]),
        (Bare::Iso, 6) => Some(vec![&figures[..2], &figures[2..4], &figures[4..]]),
        _ => None,
    }
}
