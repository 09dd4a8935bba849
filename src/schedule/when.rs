//! Points in time as a caller may write them.

use jiff::{SignedDuration, Timestamp};

use super::iso::{self, Unread};
use super::{Zone, cut, shown};
use crate::error::{Code, Error, Result};

/// What a reader makes of a text: `None` if it is not in the reader's form at all, so that the
/// next may try.
type Reading = Option<Result<Timestamp>>;

/// Reads a point in time, past or future. Without an offset it is meant in `zone`.
///
/// The forms are ISO 8601 with or without offset, and `YYYY-MM-DD HH:MM[:SS[.f]]` with perhaps
/// `UTC`, `Z` or an offset after it. A date alone is refused: nobody can tell which hour is meant.
///
/// # Errors
/// [`Code::TimeInvalid`].
pub fn parse_time(text: &str, zone: &Zone, now: Timestamp) -> Result<Timestamp> {
    // Each reader knows one form and answers for it; the first that does wins.
    let readers: [fn(&str, &Zone, Timestamp) -> Reading; 1] = [in_figures];
    readers
        .iter()
        .find_map(|read| read(text, zone, now))
        .unwrap_or_else(|| {
            let wrong = if text.trim().is_empty() {
                "the time is empty".to_owned()
            } else {
                format!("{} is not a time in a known form", shown(text))
            };
            Err(invalid(&wrong, zone, now))
        })
        .map(cut)
}

/// The reader of dates and times in figures.
fn in_figures(text: &str, zone: &Zone, now: Timestamp) -> Reading {
    let text = text.trim();
    let wrong = match iso::read(text) {
        Ok(written) => {
            let at = match written.offset {
                Some(offset) => offset.to_timestamp(written.wall).ok(),
                None => zone.instant_of(written.wall),
            };
            return Some(at.ok_or_else(|| {
                invalid(
                    &format!("{} is out of range: years end at 9999", shown(text)),
                    zone,
                    now,
                )
            }));
        }
        Err(Unread::NotIso) => return None,
        Err(Unread::DateOnly(date)) => {
            let wrong = format!(
                "{} is a date without a time of day: say at which hour",
                shown(text)
            );
            let error = Error::new(
                Code::TimeInvalid,
                format!("{wrong}; it is now {}", zone.both(now)),
            );
            let morning = zone.instant_of(date.at(9, 0, 0, 0));
            return Some(Err(match morning {
                Some(at) if at > now => error.example(format!("--time \"{date} 09:00\"")),
                _ => with_example(error, zone, now),
            }));
        }
        Err(Unread::NoSuchDate) => "no calendar has this date",
        Err(Unread::NoSuchTime) => "hours go from 00 to 23, minutes and seconds from 00 to 59",
        Err(Unread::NoSuchOffset) => "an offset is at most ±23:59",
    };
    Some(Err(invalid(
        &format!("{} does not exist: {wrong}", shown(text)),
        zone,
        now,
    )))
}

/// The error for a text that is no point in time.
fn invalid(wrong: &str, zone: &Zone, now: Timestamp) -> Error {
    let error = Error::new(
        Code::TimeInvalid,
        format!(
            "{wrong}; write YYYY-MM-DD HH:MM, read in {}, or with an offset such as +01:00 or Z; \
             it is now {}",
            zone.name(),
            zone.both(now)
        ),
    );
    with_example(error, zone, now)
}

/// Adds an example of a time that lies in the future.
pub(super) fn with_example(error: Error, zone: &Zone, now: Timestamp) -> Error {
    match zone.example_after(now, SignedDuration::from_hours(1)) {
        Some(example) => error.example(format!("--time \"{example}\"")),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T10:00:00Z".parse().unwrap()
    }

    fn berlin() -> Zone {
        Zone::parse("Europe/Berlin").unwrap()
    }

    #[test]
    fn a_time_without_offset_is_meant_in_the_zone_and_an_offset_is_exact() {
        for (text, at) in [
            ("2026-12-01 09:00", "2026-12-01T08:00:00Z"),
            ("2026-12-01T09:00:00", "2026-12-01T08:00:00Z"),
            ("2026-07-01 09:00:30.25", "2026-07-01T07:00:30.25Z"),
            ("2026-12-01 09:00 UTC", "2026-12-01T09:00:00Z"),
            ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
            ("2026-12-01t09:00z", "2026-12-01T09:00:00Z"),
            ("2026-12-01T09:00:00-08:00", "2026-12-01T17:00:00Z"),
            ("2026-12-01 09:00 +05:30", "2026-12-01T03:30:00Z"),
            (
                "2026-12-01T09:00:00.1234567Z",
                "2026-12-01T09:00:00.123456Z",
            ),
            // 02:30 is skipped on this day, and happens twice on the other.
            ("2026-03-29 02:30", "2026-03-29T01:00:00Z"),
            ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
        ] {
            let read = parse_time(text, &berlin(), now()).unwrap();
            assert_eq!(read.to_string(), at, "{text:?}");
        }
    }

    #[test]
    fn a_date_without_a_time_of_day_is_refused_with_one_that_has_it() {
        let error = parse_time("2026-12-01", &berlin(), now()).unwrap_err();
        assert_eq!(error.code(), Code::TimeInvalid);
        assert_eq!(error.corrected(), Some("--time \"2026-12-01 09:00\""));
        // Nine o'clock on this day has passed.
        let error = parse_time("2026-11-20", &berlin(), now()).unwrap_err();
        assert_eq!(
            error.corrected(),
            Some("--time \"2026-11-20T12:01:00+01:00\"")
        );
    }

    #[test]
    fn what_is_not_understood_wholly_is_refused_with_now_and_a_time_that_works() {
        for text in [
            "",
            "soon",
            "2026-12-01 09:00 tomorrow",
            "2026-02-30 09:00",
            "2026-12-01 25:00",
            "2026-12-01 9am",
            "9999-12-31 23:59:59.999999",
        ] {
            let error = parse_time(text, &berlin(), now()).unwrap_err();
            assert_eq!(error.code(), Code::TimeInvalid, "{text:?}");
            assert!(
                error.to_string().contains("2026-11-20T10:00:00Z"),
                "{error}"
            );
            let example = error.corrected().unwrap();
            assert_eq!(example, "--time \"2026-11-20T12:01:00+01:00\"");
        }
        let example = "2026-11-20T12:01:00+01:00";
        assert!(parse_time(example, &berlin(), now()).unwrap() > now());
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_fault(text in "\\PC*") {
            let _ = parse_time(&text, &berlin(), now());
        }
    }
}
