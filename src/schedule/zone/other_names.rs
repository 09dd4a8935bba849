//! Other names of time zones, and the zones that they stand for.

use icu_time::zone::WindowsParser;
use icu_time::zone::iana::IanaParserExtended;

use super::offsets::{abbreviation, fixed, named_offset};
use super::places::PLACES;
use super::{Zone, is_place};
use crate::schedule::corrections::most_slips;

/// The longest name that is considered, in characters: Windows' are the longest.
const LONGEST: usize = 80;

/// The IANA name for a Windows name or for whole hours from UTC: these are unambiguous. `GMT+8` is
/// not among them, because POSIX reverses its sign.
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

/// The zone that another name stands for, if that is clear.
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

fn of_abbreviation(name: &str) -> Option<String> {
    let (_, zone) = abbreviation(&name.to_ascii_lowercase())?;
    Some(zone.to_owned())
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

/// The zone of a Windows name, by CLDR's table: `Eastern Standard Time`, also with `Daylight` or
/// neither.
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
    // Windows and CLDR mean different places by Central Europe, with the same clocks.
    if stem.ends_with("European") {
        return None;
    }
    let id = WindowsParser::new().parse(&format!("{stem} Standard Time"), None)?;
    let known = IanaParserExtended::new();
    let found = known.iter().find(|zone| zone.time_zone == id)?;
    Some(found.canonical.to_owned())
}

/// A place whose zone has another name, whatever area was given.
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

/// A name in the database without its area, with other separators, or misspelt.
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
                    // Short words differ from some place by one letter: "none" from Nome.
                    None if wanted.chars().count() < 5 => None,
                    None => nearest_of("", &wanted, &names),
                },
                same => alike(same),
            }
        }
        Some((area, city)) => nearest_of(&squeezed(area), &squeezed(city), &names),
    }
}

/// The zone of which area and city are misspellings, if there is only one; without an area, any
/// area matches.
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

/// The first of several names, if they are all names of one zone.
fn alike(names: &[&String]) -> Option<String> {
    let zones: Vec<Zone> = names
        .iter()
        .filter_map(|name| Zone::parse(name).ok())
        .collect();
    let first = zones.first()?;
    // Enough instants to tell rules apart, past and present.
    let moments =
        (0..120).map(|n| jiff::Timestamp::from_second(n * 15_778_800).unwrap_or_default());
    let same = moments.into_iter().all(|at| {
        zones
            .iter()
            .all(|zone| zone.tz().to_offset(at) == first.tz().to_offset(at))
    });
    same.then(|| first.name().to_owned())
}

/// Only the letters of a name, in lower case.
fn squeezed(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect()
}
