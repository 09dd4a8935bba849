//! Places: zones by their names and abbreviations, offsets from UTC.

use std::sync::LazyLock;

use jiff::tz::Offset;

use super::super::said::Place;
use super::super::token::Kind;
use super::{Reader, Tried};
use crate::schedule::Zone;
use crate::schedule::zone::{ABBREVIATIONS, AMBIGUOUS, NO_CITIES, PLACES, SPELLED_OUT};

/// The zones of North America by the names that hold in summer and winter.
const REGIONS: [(&str, &str, &str); 4] = [
    ("eastern", "et", "America/New_York"),
    ("central", "ct", "America/Chicago"),
    ("mountain", "mt", "America/Denver"),
    ("pacific", "pt", "America/Los_Angeles"),
];

impl Reader<'_> {
    /// Where a time is meant. An offset needs a time of day before it.
    pub(super) fn place(&mut self, has_clock: bool) -> Tried<Place> {
        self.attempt(|r| {
            let close = match r.peek() {
                "(" => Some(")"),
                "[" => Some("]"),
                _ => None,
            };
            if close.is_some() {
                r.at += 1;
            }
            if close == Some("]") {
                return Ok(r.in_brackets().map(Place::In));
            }
            let is_in = close.is_none() && r.eat("in");
            let Some(place) = r.named(is_in, has_clock)? else {
                return Ok(None);
            };
            let closes = close.is_none_or(|close| r.eat(close));
            Ok(closes.then_some(place))
        })
    }

    /// The zone whose whole name stands in brackets.
    fn in_brackets(&mut self) -> Option<Zone> {
        let rest = self.tokens.get(self.at..)?;
        let end = rest.iter().position(|token| token.text == "]")?;
        let name: String = rest.get(..end)?.iter().map(|t| t.text.as_str()).collect();
        let is_one = rest.get(1..=end)?.iter().all(|token| token.is_joined);
        let zone = Zone::named(&name).filter(|_| is_one)?;
        self.at += end + 1;
        Some(zone)
    }

    fn named(&mut self, is_in: bool, has_clock: bool) -> Tried<Place> {
        let word = self.peek();
        if self.kind() == Some(Kind::Zone) {
            let zone = Zone::named(word).ok_or_else(|| self.unknown())?;
            self.at += 1;
            return Ok(Some(Place::In(zone)));
        }
        if matches!(word, "z" | "zulu") {
            self.at += 1;
            return Ok(Some(Place::In(Zone::utc())));
        }
        if matches!(word, "utc" | "gmt") {
            self.at += 1;
            self.eat("time");
            return Ok(Some(match self.offset() {
                Some(offset) => Place::At(offset),
                None => Place::In(Zone::utc()),
            }));
        }
        let is_offset = has_clock && !is_in && matches!(word, "+" | "-");
        // `9:00-17:00` is no time at an offset, unless a date in figures is before it.
        let is_range = word == "-" && self.is_joined() && !self.has_iso_date;
        if is_offset && !is_range {
            // "+5" alone may be five of anything.
            let is_joined = self.has_iso_date && self.is_joined();
            let is_short = !is_joined
                && self
                    .tokens
                    .get(self.at + 1)
                    .is_some_and(|t| t.text.len() == 1)
                && self.peek_at(2) != ":";
            return Ok(self.offset().filter(|_| !is_short).map(Place::At));
        }
        if let Some(spelled_out) = self.spelled_out() {
            return Ok(Some(spelled_out));
        }
        if let Some(region) = self.region() {
            return Ok(Some(region));
        }
        if let Some((_, seconds, zone)) = ABBREVIATIONS.iter().find(|(short, ..)| *short == word) {
            let (Ok(offset), Some(zone)) = (Offset::from_seconds(*seconds), Zone::named(zone))
            else {
                return Ok(None);
            };
            self.at += 1;
            self.eat("time");
            return Ok(Some(Place::Short(offset, zone)));
        }
        if let Some((_, zones)) = AMBIGUOUS.iter().find(|(short, _)| *short == word) {
            self.at += 1;
            self.eat("time");
            let zones = zones.iter().filter_map(|name| Zone::named(name));
            return Ok(Some(Place::Several(zones.collect())));
        }
        Ok(self.city(is_in).map(Place::In))
    }

    /// `+02:00`, `-5`, `+0530`.
    fn offset(&mut self) -> Option<Offset> {
        let before = self.at;
        let offset = self.signed_hours();
        if offset.is_none() {
            self.at = before;
        }
        offset
    }

    fn signed_hours(&mut self) -> Option<Offset> {
        let sign = match self.eat("+") {
            true => 1,
            false if self.eat("-") => -1,
            false => return None,
        };
        let is_joined = self.is_joined();
        let figures = self.figures().filter(|_| is_joined)?;
        let (hours, minutes) = match figures.len() {
            4 => figures.split_at_checked(2)?,
            1 | 2 if self.is_joined_by(":") => {
                self.at += 1;
                (figures, self.figures().filter(|m| m.len() == 2)?)
            }
            1 | 2 => (figures, "0"),
            _ => return None,
        };
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        // No place is farther from UTC.
        let fits = hours <= 14 && minutes <= 59;
        let goes_on = self.is_joined() && !matches!(self.peek(), ")" | "]" | "[" | ",");
        let seconds = sign * (hours * 3_600 + minutes * 60);
        Offset::from_seconds(seconds)
            .ok()
            .filter(|_| fits && !goes_on)
    }

    /// "Central European Summer Time", which is one offset as `CEST` is.
    fn spelled_out(&mut self) -> Option<Place> {
        SPELLED_OUT.iter().find_map(|(name, seconds, zone)| {
            let words: Vec<&str> = name.split(' ').collect();
            let place = Place::Short(Offset::from_seconds(*seconds).ok()?, Zone::named(zone)?);
            self.eat_all(&words).then_some(place)
        })
    }

    /// "Eastern time", "Pacific Standard Time", `ET`.
    fn region(&mut self) -> Option<Place> {
        let word = self.peek();
        let (name, short, zone) = REGIONS
            .iter()
            .find(|(name, short, _)| [*name, *short].contains(&word))?;
        let zone = Zone::named(zone)?;
        if word == *short {
            self.at += 1;
            return Some(Place::In(zone));
        }
        let kind = self.peek_at(1);
        let letter = match kind {
            "time" => {
                self.at += 2;
                return Some(Place::In(zone));
            }
            "standard" => "st",
            "daylight" => "dt",
            // "Central European Time".
            "european" | "africa" | "america" => return None,
            _ => {
                self.at += 1;
                return Some(Place::In(zone));
            }
        };
        if self.peek_at(2) != "time" {
            return None;
        }
        let short = format!("{}{letter}", name.get(..1)?);
        self.at += 3;
        let Some((_, seconds, _)) = ABBREVIATIONS.iter().find(|(name, ..)| *name == short) else {
            // Standard time of the central zone has the abbreviation of China.
            let offset = Offset::constant(if letter == "st" { -6 } else { -5 });
            return Some(Place::Short(offset, zone));
        };
        let offset = Offset::from_seconds(*seconds).ok()?;
        Some(Place::Short(offset, zone))
    }

    /// "In New York", "London time".
    fn city(&mut self, is_in: bool) -> Option<Zone> {
        for words in (1..=4).rev() {
            let named: String = (0..words).map(|i| self.peek_at(i)).collect();
            let last = self.peek_at(words - 1);
            if last.is_empty() || named.contains(|c: char| !c.is_ascii_alphabetic()) {
                continue;
            }
            let has_time = last == "time";
            let city = match has_time {
                true => named.strip_suffix("time")?,
                false => &named,
            };
            if !(is_in || has_time) || city.len() < 2 {
                continue;
            }
            if let Some(zone) = zone_of(&named).or_else(|| zone_of(city)) {
                self.at += words;
                return Some(zone);
            }
        }
        None
    }
}

/// The cities that zones are named after, in lower case and without spaces, and the names of their
/// zones.
static CITIES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let names = jiff::tz::db().available().map(|name| name.to_string());
    let cities = names.filter(|name| !name.contains(|c: char| c.is_ascii_digit()));
    let squeezed = |city: &str| {
        let letters = city.chars().filter(char::is_ascii_alphabetic);
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    cities
        .filter_map(|name| {
            let city = squeezed(name.rsplit_once('/')?.1);
            Some((city, name))
        })
        .filter(|(city, _): &(String, String)| !NO_CITIES.contains(&city.as_str()))
        .collect()
});

/// The zone of a place, in lower case and without spaces.
fn zone_of(city: &str) -> Option<Zone> {
    if let Some((_, zone)) = PLACES.iter().find(|(name, _)| *name == city) {
        return Zone::named(zone);
    }
    let mut zones = CITIES
        .iter()
        .filter(|(name, _)| name == city)
        .filter_map(|(_, zone)| Zone::named(zone));
    let first = zones.next()?;
    // `America/Buenos_Aires` and `America/Argentina/Buenos_Aires` are one place.
    zones.all(|zone| zone.is_same_as(&first)).then_some(first)
}
