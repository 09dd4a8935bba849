//! Offsets and abbreviations in place of time zone names.

use super::places::ABBREVIATIONS;

/// `UTC+8`, `GMT-05:30`, `+0800` in seconds.
pub(super) fn named_offset(name: &str) -> Option<i32> {
    let lower: String = name
        .to_ascii_lowercase()
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| {
            if matches!(c, '\u{2212}' | '\u{2013}') {
                '-'
            } else {
                c
            }
        })
        .collect();
    let written = ["utc", "gmt", "etc/utc"]
        .iter()
        .find_map(|before| lower.strip_prefix(before));
    offset_seconds(written.unwrap_or(&lower))
}

/// `+8`, `-0530`, `+05:30` in seconds.
pub(in crate::schedule) fn offset_seconds(written: &str) -> Option<i32> {
    let sign = match written.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits = &written[1..];
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "00"),
        Some(_) => return None,
    };
    let number = |text: &str, most: i32| {
        let fits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|n| fits && *n <= most)
    };
    Some(sign * (number(hours, 23)? * 3_600 + number(minutes, 59)? * 60))
}

/// The zone that has an offset all year, if there is one.
pub(super) fn fixed(seconds: i32) -> Option<String> {
    let hours = seconds / 3_600;
    match seconds % 3_600 {
        0 if hours == 0 => Some("UTC".to_owned()),
        0 if (-12..=14).contains(&hours) => Some(format!("Etc/GMT{:+}", -hours)),
        _ => None,
    }
}

/// The offset in seconds and the zone of an abbreviation in lower case.
pub(in crate::schedule) fn abbreviation(lower: &str) -> Option<(i32, &'static str)> {
    let found = ABBREVIATIONS.iter().find(|(short, ..)| *short == lower);
    found.map(|(_, seconds, zone)| (*seconds, *zone))
}
