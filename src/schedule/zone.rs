//! Time zones, and the one rule that turns a wall time into an instant.

mod advice;
pub(super) mod offsets;
pub(super) mod other_names;
mod parse;
mod places;

pub(super) use places::{ABBREVIATIONS, AMBIGUOUS, NO_CITIES, PLACES, SPELLED_OUT};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneOffsetInfo};

use super::cut;

/// An IANA time zone with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    name: String,
    tz: TimeZone,
}

/// The year 2100, over sixty years after the last change that time zone files list individually.
const REPEATING: Timestamp = Timestamp::constant(4_102_444_800, 0);

impl Zone {
    /// The zone of an IANA name.
    pub(super) fn named(name: &str) -> Option<Zone> {
        if name.is_empty() || !is_place(name) {
            return None;
        }
        // For other names, the whole folder of zones is searched.
        if name.eq_ignore_ascii_case("UTC") {
            return Some(Zone::utc());
        }
        let tz = TimeZone::get(name).ok()?;
        // jiff's own "Etc/Unknown" means that it can't tell.
        if tz.is_unknown() {
            return None;
        }
        let name = tz.iana_name()?.to_owned();
        Some(Zone { name, tz })
    }

    /// UTC.
    pub fn utc() -> Zone {
        Zone {
            name: "UTC".to_owned(),
            tz: TimeZone::UTC,
        }
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The zone's rules.
    pub fn tz(&self) -> &TimeZone {
        &self.tz
    }

    /// Whether both names are the same zone: the same rules, past and future, with the same
    /// abbreviations, such as `Asia/Calcutta` and `Asia/Kolkata`.
    pub fn is_same_as(&self, other: &Zone) -> bool {
        self.name == other.name
            || (self.start() == other.start() && self.changes().eq(other.changes()))
    }

    /// Whether its clocks never change, so that elapsed time and wall time agree.
    pub(super) fn never_changes(&self) -> bool {
        self.changes().next().is_none()
    }

    /// The offset before the first change.
    fn start(&self) -> TimeZoneOffsetInfo<'_> {
        self.tz.to_offset_info(Timestamp::MIN)
    }

    /// Every change of its clocks, up to a time after which the rules only repeat.
    fn changes(&self) -> impl Iterator<Item = (Timestamp, TimeZoneOffsetInfo<'_>)> {
        self.tz
            .following(Timestamp::MIN)
            .map(|change| change.timestamp())
            .take_while(|at| *at < REPEATING)
            .map(|at| (at, self.tz.to_offset_info(at)))
    }

    /// The instant at which the wall clock shows `wall`: the first if it does so twice, and the
    /// first instant after the gap if it never does. `None` outside the years −9999 to 9999.
    ///
    /// Later wall times never give earlier instants.
    pub fn instant_of(&self, wall: DateTime) -> Option<Timestamp> {
        let instant = match self.tz.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok()?,
            AmbiguousOffset::Gap { before, after } => {
                // With the two offsets, a skipped wall time lies on either side of the jump.
                let low = after.to_timestamp(wall).ok()?;
                let high = before.to_timestamp(wall).ok()?;
                self.tz
                    .following(low)
                    .take_while(|t| t.timestamp() <= high)
                    .find(|t| t.offset() == after)
                    .map_or(high, |t| t.timestamp())
            }
        };
        Some(cut(instant))
    }

    /// What the wall clock shows at an instant.
    pub fn wall(&self, at: Timestamp) -> DateTime {
        self.tz.to_datetime(at)
    }

    /// An instant as RFC 3339 with this zone's offset, in seconds or finer if needed.
    pub(super) fn rfc3339(&self, at: Timestamp) -> String {
        let offset = self.tz.to_offset(at);
        // RFC 3339 has no seconds in offsets, which zones had until the middle of the 20th century:
        // only UTC shows those instants exactly.
        let offset = if offset.seconds() % 60 == 0 {
            offset
        } else {
            jiff::tz::Offset::UTC
        };
        at.display_with_offset(offset).to_string()
    }

    /// An instant for people, in UTC and in this zone.
    pub(super) fn both(&self, at: Timestamp) -> String {
        if self.tz == TimeZone::UTC {
            return at.to_string();
        }
        let wall = self.wall(at);
        format!("{at} ({} {wall} in {})", weekday(wall), self.name)
    }
}

/// The English name of a wall time's weekday, in three letters.
fn weekday(wall: DateTime) -> &'static str {
    const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let day = usize::try_from(wall.weekday().to_monday_zero_offset()).unwrap_or(0);
    NAMES.get(day).copied().unwrap_or("Mon")
}

/// Whether a name in the time zone database is a place on every machine. `right/` counts leap
/// seconds, so that its times are half a minute off, and `posix/` is a second name for everything;
/// the single names are this machine's own zone, old defaults and "not set".
fn is_place(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with("right/")
        && !name.starts_with("posix/")
        && !matches!(name.as_str(), "localtime" | "posixrules" | "factory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn instant(zone: &str, wall: &str) -> String {
        let zone = Zone::parse(zone).unwrap();
        let at = zone.instant_of(wall.parse().unwrap()).unwrap();
        at.to_string()
    }

    #[test]
    fn a_zone_keeps_its_proper_name_whatever_case_it_was_given_in() {
        for (given, name) in [
            ("europe/berlin", "Europe/Berlin"),
            (" AMERICA/NEW_YORK ", "America/New_York"),
            ("utc", "UTC"),
            ("Etc/UTC", "Etc/UTC"),
        ] {
            assert_eq!(Zone::parse(given).unwrap().name(), name);
        }
        assert_eq!(Zone::parse("UTC").unwrap(), Zone::utc());
    }

    #[test]
    fn two_names_of_one_zone_are_the_same_and_zones_that_agree_by_chance_are_not() {
        let same = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|name| Zone::parse(name).unwrap());
            a.is_same_as(&b)
        };
        for (a, b) in [
            ("Europe/Berlin", "europe/berlin"),
            ("UTC", "Etc/UTC"),
            ("UTC", "Zulu"),
            ("Asia/Calcutta", "Asia/Kolkata"),
            ("US/Eastern", "America/New_York"),
        ] {
            assert!(same(a, b) && same(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("Europe/Berlin", "Europe/Paris"),
            ("Europe/London", "UTC"),
            ("Etc/GMT", "UTC"),
            ("Etc/GMT+1", "Etc/GMT-1"),
            ("Asia/Dubai", "Etc/GMT-4"),
        ] {
            assert!(!same(a, b) && !same(b, a), "{a} {b}");
        }
    }

    #[test]
    fn offsets_posix_rules_and_made_up_names_are_refused() {
        for bad in [
            "",
            " ",
            "+02:00",
            "GMT+2",
            "UTC+5:30",
            "UTC+15",
            "Eastern Daylight Time",
            "Eastern Time",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "Mars/Olympus",
            "right/Europe/Berlin",
            "posix/UTC",
            "localtime",
            "Factory",
            "../etc/passwd",
            "Etc/Unknown",
            "a\0b",
        ] {
            let error = Zone::parse(bad).unwrap_err();
            assert_eq!(error.code(), Code::TimezoneUnknown, "{bad:?}");
            if let Some(example) = error.corrected() {
                let example = example.replace("--timezone ", "");
                assert!(Zone::parse(&example).is_ok(), "{bad:?}: {example}");
            }
        }
    }

    #[test]
    fn a_name_of_windows_and_whole_hours_from_utc_are_understood() {
        for (given, name) in [
            ("Eastern Standard Time", "America/New_York"),
            ("eastern standard time", "America/New_York"),
            ("China Standard Time", "Asia/Shanghai"),
            ("W. Europe Standard Time", "Europe/Berlin"),
            ("UTC+8", "Etc/GMT-8"),
            ("utc-05:00", "Etc/GMT+5"),
            ("UTC+0", "UTC"),
        ] {
            assert_eq!(Zone::parse(given).unwrap().name(), name, "{given}");
        }
    }

    #[test]
    fn a_near_miss_is_answered_with_the_zone_that_is_meant() {
        for (given, corrected) in [
            ("Berlin", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("Europe/Berln", "Europe/Berlin"),
            ("PST", "America/Los_Angeles"),
            ("Asia/Tokio", "Asia/Tokyo"),
        ] {
            let error = Zone::parse(given).unwrap_err();
            assert!(error.to_string().contains(corrected), "{error}");
        }
    }

    #[test]
    fn a_skipped_wall_time_is_the_first_instant_after_the_gap() {
        for wall in ["2026-03-29T02:00", "2026-03-29T02:30", "2026-03-29T03:00"] {
            assert_eq!(instant("Europe/Berlin", wall), "2026-03-29T01:00:00Z");
        }
        assert_eq!(
            instant("Australia/Lord_Howe", "2026-10-04T02:15"),
            "2026-10-03T15:30:00Z"
        );
    }

    #[test]
    fn a_wall_time_that_happens_twice_is_the_first_of_the_two() {
        assert_eq!(
            instant("America/New_York", "2026-11-01T01:30"),
            "2026-11-01T05:30:00Z"
        );
    }

    #[test]
    fn a_day_that_a_zone_left_out_is_the_first_instant_after_it() {
        for wall in ["2011-12-30T00:00", "2011-12-30T23:59", "2011-12-31T00:00"] {
            assert_eq!(instant("Pacific/Apia", wall), "2011-12-30T10:00:00Z");
        }
        for wall in ["1993-08-21T00:00", "1993-08-21T12:00"] {
            assert_eq!(instant("Pacific/Kwajalein", wall), "1993-08-21T12:00:00Z");
        }
    }
}
