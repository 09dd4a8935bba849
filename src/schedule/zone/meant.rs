//! Names of time zones that are no IANA names, and the zone that they stand for.

use icu_time::zone::WindowsParser;
use icu_time::zone::iana::IanaParserExtended;

use super::places::{ABBREVIATIONS, AMBIGUOUS, PLACES};
use super::{Zone, is_place};
use crate::schedule::meant::most_slips;

/// The longest name that is looked into, in characters: Windows' are the longest.
const LONGEST: usize = 80;

/// What is said of a name that is no zone's.
pub(super) struct Advice {
    /// The end of the sentence that the name is wrong.
    pub text: String,
    /// The zone that is meant, where there is no doubt.
    pub zone: Option<String>,
}

/// What is said of a name that is no zone's.
pub(super) fn advise(name: &str) -> Advice {
    let no_zone = |text: String| Advice { text, zone: None };
    if name.is_empty() {
        return no_zone("the time zone is empty: give an IANA name, Area/City".to_owned());
    }
    let shown = crate::schedule::shown(name);
    if let Some(seconds) = named_offset(name) {
        return match fixed(seconds) {
            Some(zone) if seconds == 0 => Advice {
                text: format!("{shown} is not an IANA time zone name: it is {zone}"),
                zone: Some(zone),
            },
            Some(zone) => Advice {
                text: format!(
                    "{shown} is an offset, not an IANA time zone name. The zone that keeps it all year \
                     is {zone}, whose sign is the other way round: IANA counts hours to the west \
                     of Greenwich. A place (Area/City) also changes its clocks as people there do"
                ),
                zone: Some(zone),
            },
            None => no_zone(format!(
                "{shown} is an offset, and no IANA time zone is named after it: give the place whose \
                 clocks are meant (Area/City). A single time may carry its offset itself, as in \
                 09:00+05:30"
            )),
        };
    }
    let lower = name.to_ascii_lowercase();
    if let Some((_, zones)) = AMBIGUOUS.iter().find(|(short, _)| *short == lower) {
        return no_zone(format!(
            "{shown} is not an IANA time zone name, and stands for several: {}",
            zones.join(", ")
        ));
    }
    if let Some(zone) = zone_of(name) {
        return Advice {
            text: format!(
                "there is no IANA time zone {shown}; did you mean {}?",
                zone.name()
            ),
            zone: Some(zone.name().to_owned()),
        };
    }
    if name.bytes().any(|b| b.is_ascii_digit()) {
        return no_zone(format!(
            "{shown} is not an IANA time zone name: an offset or a rule does not say how the zone \
             changes over the year, so give a place (Area/City), or UTC"
        ));
    }
    no_zone(format!(
        "there is no IANA time zone {shown}: give a name of the form Area/City, or UTC"
    ))
}

/// The IANA name of a zone under a name that is Windows' own or tells whole hours from UTC: of these
/// nobody means another one. `GMT+8` is not among them, since POSIX has its sign the other way round.
pub(super) fn understood(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("utc") {
        return fixed(named_offset(name)?);
    }
    match lower.ends_with(" standard time") && name.len() <= LONGEST {
        true => of_windows(name),
        false => None,
    }
}

/// The zone that another name stands for, where there is no doubt.
pub(in crate::schedule) fn zone_of(name: &str) -> Option<Zone> {
    let name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'));
    if name.is_empty() || name.chars().nth(LONGEST).is_some() {
        return None;
    }
    let found = in_brackets(name)
        .or_else(|| of_windows(name))
        .or_else(|| of_abbreviation(name))
        .or_else(|| of_place(name))
        .or_else(|| of_slip(name))?;
    Zone::parse(&found).ok()
}

/// An abbreviation's offset in seconds and its zone, in lower case.
pub(in crate::schedule) fn abbreviation(lower: &str) -> Option<(i32, &'static str)> {
    let found = ABBREVIATIONS.iter().find(|(short, ..)| *short == lower);
    found.map(|(_, seconds, zone)| (*seconds, *zone))
}

fn of_abbreviation(name: &str) -> Option<String> {
    let (_, zone) = abbreviation(&name.to_ascii_lowercase())?;
    Some(zone.to_owned())
}

/// `UTC+8`, `GMT-05:30`, `+0800` in seconds.
fn named_offset(name: &str) -> Option<i32> {
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
    let figures = &written[1..];
    let (hours, minutes) = match figures.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        None if figures.len() == 4 => figures.split_at_checked(2)?,
        None => (figures, "00"),
        Some(_) => return None,
    };
    let number = |text: &str, most: i32| {
        let fits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|n| fits && *n <= most)
    };
    Some(sign * (number(hours, 23)? * 3_600 + number(minutes, 59)? * 60))
}

/// The zone that keeps an offset all year, if there is one.
fn fixed(seconds: i32) -> Option<String> {
    let hours = seconds / 3_600;
    match seconds % 3_600 {
        0 if hours == 0 => Some("UTC".to_owned()),
        0 if (-12..=14).contains(&hours) => Some(format!("Etc/GMT{:+}", -hours)),
        _ => None,
    }
}

/// `Asia/Shanghai (GMT+8)`, `(UTC-05:00) Eastern Time (US & Canada)`.
fn in_brackets(name: &str) -> Option<String> {
    let (mut outside, mut depth) = (String::new(), 0_u32);
    for c in name.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            c if depth == 0 => outside.push(c),
            _ => {}
        }
    }
    let outside = outside.trim();
    if outside.is_empty() || outside.len() == name.len() {
        return None;
    }
    if let Some(seconds) = named_offset(outside) {
        return fixed(seconds);
    }
    match Zone::parse(outside) {
        Ok(zone) => Some(zone.name().to_owned()),
        Err(_) => zone_of(outside).map(|zone| zone.name().to_owned()),
    }
}

/// A zone of Windows, by CLDR's table: `Eastern Standard Time`, also with `Daylight` or neither.
fn of_windows(name: &str) -> Option<String> {
    let words: Vec<String> = name
        .split_whitespace()
        .map(|word| match word.chars().next() {
            Some(first) if word.bytes().all(|b| b.is_ascii_lowercase()) => {
                format!("{}{}", first.to_ascii_uppercase(), &word[1..])
            }
            _ => word.to_owned(),
        })
        .collect();
    let name = words.join(" ");
    let stem = name.strip_suffix(" Time")?;
    let stem = ["Standard", "Daylight", "Summer"]
        .iter()
        .find_map(|kind| stem.strip_suffix(kind))
        .unwrap_or(stem)
        .trim_end();
    // Windows' Central Europe and CLDR's are not the same, though their clocks are.
    if stem.ends_with("European") {
        return None;
    }
    let id = WindowsParser::new().parse(&format!("{stem} Standard Time"), None)?;
    let known = IanaParserExtended::new();
    let found = known.iter().find(|zone| zone.time_zone == id)?;
    Some(found.canonical.to_owned())
}

/// A place whose zone has another name, whatever area it was put in.
fn of_place(name: &str) -> Option<String> {
    let (area, city) = name.rsplit_once(['/', '\\', ',']).unwrap_or(("", name));
    let find = |text: &str| {
        let wanted = squeezed(text);
        PLACES.iter().find(|(place, _)| *place == wanted)
    };
    let (_, zone) = find(name).or_else(|| find(city))?;
    let fits = area.is_empty() || area == name || zone.starts_with(&format!("{}/", area.trim()));
    let fits = fits || area.eq_ignore_ascii_case(zone.split('/').next().unwrap_or_default());
    fits.then(|| (*zone).to_owned())
}

/// A name of the database without its area, with other separators, or with a slip of the keyboard.
fn of_slip(name: &str) -> Option<String> {
    if name.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let wanted = squeezed(name);
    let names: Vec<String> = jiff::tz::db()
        .available()
        .map(|zone| zone.to_string())
        .filter(|zone| is_place(zone) && !zone.contains(|c: char| c.is_ascii_digit()))
        .collect();
    let is_whole = |zone: &&String| squeezed(zone) == wanted;
    let cities = || {
        let areas = names.iter().filter(|zone| zone.contains('/'));
        areas.map(|zone| (squeezed(zone.rsplit('/').next().unwrap_or(zone)), zone))
    };
    // `Asia/Hong_Kong` before the old name `Hongkong`.
    let in_area = names.iter().filter(|zone| zone.contains('/'));
    if let Some(zone) = in_area.clone().find(is_whole) {
        return Some(zone.clone());
    }
    match name.split_once(['/', '\\']) {
        None => {
            let same: Vec<&String> = cities()
                .filter(|(city, _)| *city == wanted)
                .map(|(_, zone)| zone)
                .collect();
            match same.as_slice() {
                [] => match names.iter().find(is_whole) {
                    Some(zone) => Some(zone.clone()),
                    // Short words are one letter away from some place: none, from Nome.
                    None if wanted.chars().count() < 5 => None,
                    None => nearest_of("", &wanted, &names),
                },
                same => alike(same),
            }
        }
        Some((area, city)) => nearest_of(&squeezed(area), &squeezed(city), &names),
    }
}

/// The zone whose area and city are each but a slip away, if it is the only one; without an area
/// any will do.
fn nearest_of(area: &str, city: &str, names: &[String]) -> Option<String> {
    let away = |text: &str, name: &str| {
        let distance = strsim::osa_distance(text, &squeezed(name));
        (distance <= most_slips(text)).then_some(distance)
    };
    let mut near: Vec<(usize, &String)> = names
        .iter()
        .filter_map(|zone| {
            let (of, at) = zone.split_once('/')?;
            let before = if area.is_empty() { 0 } else { away(area, of)? };
            Some((before + away(city, at)?, zone))
        })
        .collect();
    near.sort_unstable();
    let (least, _) = near.first()?;
    let same: Vec<&String> = near
        .iter()
        .filter(|(d, _)| d == least)
        .map(|(_, z)| *z)
        .collect();
    alike(&same)
}

/// The first of several names, if all of them are names of one zone.
fn alike(names: &[&String]) -> Option<String> {
    let zones: Vec<Zone> = names
        .iter()
        .filter_map(|name| Zone::parse(name).ok())
        .collect();
    let first = zones.first()?;
    // Far enough apart to tell rules from each other, of now and of the past.
    let moments =
        (0..120).map(|n| jiff::Timestamp::from_second(n * 15_778_800).unwrap_or_default());
    let same = moments.into_iter().all(|at| {
        zones
            .iter()
            .all(|zone| zone.tz().to_offset(at) == first.tz().to_offset(at))
    });
    same.then(|| first.name().to_owned())
}

/// A name in lower case, letters alone.
fn squeezed(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leaves_no_doubt_is_answered_with_its_zone() {
        for (name, zone) in [
            ("GMT+8", "Etc/GMT-8"),
            ("UTC+8", "Etc/GMT-8"),
            ("utc -5", "Etc/GMT+5"),
            ("UTC−5", "Etc/GMT+5"),
            ("UTC+08:00", "Etc/GMT-8"),
            ("GMT+0800", "Etc/GMT-8"),
            ("+02:00", "Etc/GMT-2"),
            ("+8", "Etc/GMT-8"),
            ("UTC+14", "Etc/GMT-14"),
            ("UTC-12", "Etc/GMT+12"),
            ("Etc/UTC+8", "Etc/GMT-8"),
            ("UTC+0", "UTC"),
            ("+00:00", "UTC"),
            ("Z", "UTC"),
            ("Asia/Beijing", "Asia/Shanghai"),
            ("Beijing", "Asia/Shanghai"),
            ("Asia/Mumbai", "Asia/Kolkata"),
            ("America/San_Francisco", "America/Los_Angeles"),
            ("Europe/Munich", "Europe/Berlin"),
            ("Eastern Standard Time", "America/New_York"),
            ("eastern standard time", "America/New_York"),
            ("Eastern Daylight Time", "America/New_York"),
            ("Eastern Time", "America/New_York"),
            ("Pacific Standard Time", "America/Los_Angeles"),
            ("Central Standard Time", "America/Chicago"),
            ("China Standard Time", "Asia/Shanghai"),
            ("India Standard Time", "Asia/Kolkata"),
            ("Tokyo Standard Time", "Asia/Tokyo"),
            ("W. Europe Standard Time", "Europe/Berlin"),
            ("Romance Standard Time", "Europe/Paris"),
            ("GMT Standard Time", "Europe/London"),
            ("AUS Eastern Standard Time", "Australia/Sydney"),
            ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
            ("Asia/Shanghai (GMT+8)", "Asia/Shanghai"),
            ("PST", "America/Los_Angeles"),
            ("EDT", "America/New_York"),
            ("CEST", "CET"),
            ("JST", "Asia/Tokyo"),
            ("Berlin", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("america/new york", "America/New_York"),
            ("America/NewYork", "America/New_York"),
            ("Europe / Berlin", "Europe/Berlin"),
            ("US Eastern", "US/Eastern"),
            ("Europe/Berln", "Europe/Berlin"),
            ("Asia/Tokio", "Asia/Tokyo"),
            ("Amercia/New_York", "America/New_York"),
            ("America/Los_Angles", "America/Los_Angeles"),
            ("\"Europe/Berlin\"", "Europe/Berlin"),
            ("Hong Kong", "Asia/Hong_Kong"),
            ("UTC+8 (Beijing)", "Etc/GMT-8"),
            ("MEZ", "CET"),
        ] {
            let advice = advise(name);
            assert_eq!(
                advice.zone.as_deref(),
                Some(zone),
                "{name}: {}",
                advice.text
            );
            assert!(advice.text.contains(zone), "{name}: {}", advice.text);
            assert!(Zone::parse(zone).is_ok());
        }
    }

    #[test]
    fn a_name_that_leaves_a_doubt_is_answered_with_none() {
        for name in [
            "",
            "+05:30",
            "UTC+5:30",
            "GMT-3:30",
            "UTC+15",
            "CST",
            "IST",
            "BST",
            "AEST",
            "Mars/Olympus",
            "Europe",
            "Australia",
            "USA",
            "local",
            "my zone",
            "Etc/GMT+08",
            "Europe/Bari",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "America/London",
            "Springfield",
            "West",
            "UTC8",
            "None",
            "null",
            "../etc/passwd",
            "a\0b",
        ] {
            let advice = advise(name);
            assert_eq!(advice.zone, None, "{name}");
            assert!(advice.text.len() > 30, "{}", advice.text);
        }
    }
}
