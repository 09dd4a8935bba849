//! What to tell a caller about a name that is not a time zone's.

use super::offsets::{fixed, named_offset};
use super::other_names::zone_of;
use super::places::AMBIGUOUS;

/// What to tell a caller about an unknown zone name.
pub(super) struct Advice {
    /// What is wrong with the name.
    pub text: String,
    /// The zone that was meant, if that is clear.
    pub zone: Option<String>,
}

/// What to tell a caller about an unknown zone name.
pub(super) fn advise(name: &str) -> Advice {
    let no_zone = |text: String| Advice { text, zone: None };
    if name.is_empty() {
        return no_zone("the time zone is empty: give an IANA name, Area/City".to_owned());
    }
    let shown = crate::schedule::shown(name);
    if let Some(seconds) = named_offset(name) {
        return match fixed(seconds) {
            Some(zone) if seconds == 0 => Advice {
                text: format!("{shown} is not an IANA time zone name: use {zone}"),
                zone: Some(zone),
            },
            Some(zone) => Advice {
                text: format!(
                    "{shown} is an offset, not an IANA time zone. {zone} has that offset all year \
                     (IANA counts hours west of Greenwich, so the sign is reversed). A place \
                     (Area/City) also follows daylight saving time there"
                ),
                zone: Some(zone),
            },
            None => no_zone(format!(
                "{shown} is an offset, and no IANA time zone has its name: give a place (Area/City). A \
                 single time can carry its own offset, as in 09:00+05:30"
            )),
        };
    }
    let lower = name.to_ascii_lowercase();
    if let Some((_, zones)) = AMBIGUOUS.iter().find(|(short, _)| *short == lower) {
        return no_zone(format!(
            "{shown} is not an IANA time zone name, and could be any of these: {}",
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
             changes over the year: give a place (Area/City) or UTC"
        ));
    }
    no_zone(format!(
        "there is no IANA time zone {shown}: give a name such as Area/City, or UTC"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Zone;

    #[test]
    fn a_clear_zone_name_is_corrected() {
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
    fn an_ambiguous_zone_name_gets_no_correction() {
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
