//! The place or offset after a time.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::schedule::Zone;
use crate::schedule::zone::{offsets, other_names};

/// Where a time applies.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// Nothing is given.
    Unsaid,
    /// At an offset.
    At(Offset),
    /// In a zone.
    In(Zone),
    /// By an abbreviation, which is an offset that a zone uses for part of the year.
    Short(Offset, Zone),
}

impl Place {
    /// The place of an abbreviation, provided that the zone uses that offset at that time: "EST" in
    /// July may be either.
    pub(super) fn certain(self, wall: DateTime) -> Option<Place> {
        match self {
            Place::Short(offset, zone) => {
                let at = zone.instant_of(wall)?;
                (zone.tz().to_offset(at) == offset).then_some(Place::At(offset))
            }
            other => Some(other),
        }
    }
}

/// A time and the place after it; `None` if that can't be understood.
pub(super) fn split(text: &str) -> (String, Place) {
    let text = without_remark(text);
    if let Some((before, name)) = text.strip_suffix(']').and_then(|t| t.rsplit_once('['))
        && let Ok(zone) = Zone::parse(name)
    {
        return (before.trim().to_owned(), Place::In(zone));
    }
    if let Some((before, offset)) = offset(&text) {
        return (before, Place::At(offset));
    }
    // A name has up to five words: "W. Central Africa Standard Time".
    let spaces: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).collect();
    for at in spaces.iter().rev().take(5).rev() {
        let (before, name) = (text[..*at].trim(), text[*at..].trim());
        if before.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        if let Some(place) = named(name) {
            return (before.to_owned(), place);
        }
    }
    (text, Place::Unsaid)
}

/// A text with brackets around its end removed; what JavaScript adds after an offset, `(China
/// Standard Time)`, is dropped.
fn without_remark(text: &str) -> String {
    match text.strip_suffix(')').and_then(|t| t.rsplit_once(" (")) {
        Some((before, _)) if offset(before).is_some() => before.to_owned(),
        Some((before, inside)) => format!("{before} {inside}"),
        None => text.to_owned(),
    }
}

fn named(name: &str) -> Option<Place> {
    let lower = name.to_ascii_lowercase();
    if let Some((seconds, zone)) = offsets::abbreviation(&lower) {
        let offset = Offset::from_seconds(seconds).ok()?;
        return Some(Place::Short(offset, Zone::parse(zone).ok()?));
    }
    // A single word may be anything: "2027-02-01 10:00 sharp".
    if name.contains('/')
        && let Ok(zone) = Zone::parse(name)
    {
        return Some(Place::In(zone));
    }
    other_names::zone_of(name).map(Place::In)
}

/// `Z`, `UTC`, `UTC+8`, `GMT-0330`, `+8`, `+05:30` at the end of a time of day.
fn offset(text: &str) -> Option<(String, Offset)> {
    let text = text.trim();
    let ends_with_time = |before: &str| {
        let last = before.trim_end().rsplit(' ').next().unwrap_or_default();
        let lower = last.to_ascii_lowercase();
        let is_half = lower.ends_with("am") || lower.ends_with("pm");
        is_half
            || is_basic(last)
            || (last.contains(':') && last.ends_with(|c: char| c.is_ascii_digit()))
    };
    if let Some(sign) = text.rfind(['+', '-']) {
        let (mut before, written) = text.split_at(sign);
        let lower = before.to_ascii_lowercase();
        let named = ["utc", "gmt"]
            .iter()
            .find(|name| lower.trim_end().ends_with(*name));
        if let Some(name) = named {
            before = &before[..before.trim_end().len() - name.len()];
        }
        if ends_with_time(before)
            && let Some(seconds) = offsets::offset_seconds(written)
        {
            let offset = Offset::from_seconds(seconds).ok()?;
            return Some((before.trim().to_owned(), offset));
        }
    }
    let lower = text.to_ascii_lowercase();
    ["utc", "gmt", "zulu", "z"].iter().find_map(|name| {
        lower.strip_suffix(name)?;
        let before = text.get(..text.len() - name.len())?;
        ends_with_time(before).then(|| (before.trim().to_owned(), Offset::UTC))
    })
}

/// `20270201T1000`.
fn is_basic(text: &str) -> bool {
    let mut parts = text.split(['T', 't']);
    let figures = |part: Option<&str>, length: &[usize]| {
        part.is_some_and(|p| length.contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
    };
    figures(parts.next(), &[8]) && figures(parts.next(), &[4, 6]) && parts.next().is_none()
}
