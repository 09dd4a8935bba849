//! Points in time as a caller may write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::asked::{Asked, Given};
use super::iso::{self, Unread};
use super::unclear;
use super::words::{self, Once};
use super::{Zone, corrections, cut, shown, zone};
use crate::error::{Code, Error, Result, fields};
use crate::models::ScheduleType;

/// The result of a reader: `None` if the text is not in the reader's form, so that the next one may
/// try.
type Reading = Option<Result<Timestamp>>;

/// Parses a point in time, past or future. Without an offset it is in `zone`.
///
/// The forms are ISO 8601 with or without an offset, and `YYYY-MM-DD HH:MM[:SS[.f]]` optionally
/// followed by `UTC`, `Z`, an offset (`+01:00`, `UTC+8`) or an IANA zone (`Europe/Berlin`,
/// `[Europe/Berlin]`). A date alone is refused, because the hour is unknown. What is in none of
/// these forms may be in [words].
///
/// # Errors
/// [`Code::TimeInvalid`], with the time that was meant if it is clear and in the future, or the
/// readings of words that leave a doubt; [`Code::TimePast`] for words that mean a time in the past.
pub fn parse_time(text: &str, zone: &Zone, now: Timestamp) -> Result<Timestamp> {
    read_time(text, zone, now).map(|read| read.at)
}

/// Parses a point in time that is given in a field of its own, such as where a schedule ends.
///
/// # Errors
/// Those of [`parse_time`], about that field.
pub fn parse_time_of(
    field: &'static str,
    text: &str,
    zone: &Zone,
    now: Timestamp,
) -> Result<Timestamp> {
    let read = read(Some(field), text, zone, now);
    read.map(|read| read.at).map_err(|e| e.about(field))
}

/// A point in time, with what a person should know besides.
pub(super) fn read_time(text: &str, zone: &Zone, now: Timestamp) -> Result<Once> {
    read(None, text, zone, now)
}

fn read(
    other_field: Option<&'static str>,
    text: &str,
    zone: &Zone,
    now: Timestamp,
) -> Result<Once> {
    if let Some(read) = in_its_form(text, zone, now) {
        return read;
    }
    let refusal = match words::understand_time(text, now, zone) {
        Ok(once) => return Ok(once),
        Err(refusal) => refusal,
    };
    let wrong = match text.trim().is_empty() {
        true => "the time is empty".to_owned(),
        false => format!("{} is not a time in a known form", shown(text)),
    };
    let asked = Asked::As(ScheduleType::Once);
    let error = corrected(invalid(&wrong, zone, now), text, zone, now);
    let given = Given {
        asked,
        other_field,
        value: text,
        zone,
        now,
    };
    Err(unclear::explained(error, &refusal, given))
}

/// A time in figures, if a text is one.
pub(super) fn in_its_form(text: &str, zone: &Zone, now: Timestamp) -> Option<Result<Once>> {
    // Each reader handles one form; the first one that applies decides.
    let readers: [fn(&str, &Zone, Timestamp) -> Reading; 2] = [in_figures, with_its_place];
    let read = readers.iter().find_map(|read| read(text, zone, now))?;
    let read = read
        .map(cut)
        .map_err(|error| corrected(error, text, zone, now));
    Some(read.map(|at| Once {
        at,
        zone: None,
        phrase: String::new(),
        notes: notes(text, at, zone, now),
    }))
}

/// What words say of a time in figures: that daylight saving moves it.
fn notes(text: &str, at: Timestamp, zone: &Zone, now: Timestamp) -> Vec<String> {
    let same = words::understand_time(text, now, zone).ok();
    same.filter(|once| once.at == at)
        .map_or(Vec::new(), |once| once.notes)
}

/// The error with what was meant, if that is clear.
fn corrected(error: Error, text: &str, zone: &Zone, now: Timestamp) -> Error {
    let time = corrected_time(text, zone, now).filter(|(at, _)| *at > now);
    let example = time.map(|(_, written)| fields([("time", written)]));
    let example = example
        .or_else(|| corrections::cron::pattern(text))
        .or_else(|| {
            let every = text.trim_start().to_ascii_lowercase().starts_with("every ");
            let every = corrections::interval::interval(text).filter(|_| every);
            every.map(|every| fields([("every", every)]))
        });
    error.example_if(example)
}

/// A point in time, past or future, that a text in an unknown form means, and how to write it;
/// `None` if that is unclear.
pub(crate) fn corrected_time(
    text: &str,
    zone: &Zone,
    now: Timestamp,
) -> Option<(Timestamp, String)> {
    corrections::time::time(text, zone, now).map(|corrected| (corrected.at, corrected.text))
}

/// Reads numeric dates and times.
fn in_figures(text: &str, zone: &Zone, now: Timestamp) -> Reading {
    let text = text.trim();
    let wrong = match iso::read(text) {
        Ok(written) => return Some(instant(text, written.wall, written.offset, zone, now)),
        Err(Unread::NotIso) => return None,
        Err(Unread::DateOnly(_)) => {
            return Some(Err(Error::new(
                Code::TimeInvalid,
                format!(
                    "{} has no time of day: add one; it is now {}",
                    shown(text),
                    zone.both(now)
                ),
            )));
        }
        Err(Unread::NoSuchDate) => "check the month and the day",
        Err(Unread::NoSuchTime) => "hours go from 00 to 23, minutes and seconds from 00 to 59",
        Err(Unread::NoSuchOffset) => "an offset is at most ±23:59",
    };
    Some(Err(invalid(
        &format!("{} does not exist: {wrong}", shown(text)),
        zone,
        now,
    )))
}

/// Reads times followed by a zone name, or by an offset from UTC as people write it.
fn with_its_place(text: &str, zone: &Zone, now: Timestamp) -> Reading {
    let text = text.trim();
    // RFC 9557 puts the name in brackets, possibly after an offset.
    if let Some((time, name)) = text.strip_suffix(']').and_then(|t| t.split_once('[')) {
        let place = Zone::parse(name.trim_start_matches('!')).ok()?;
        let written = iso::read(time).ok()?;
        let read = instant(text, written.wall, written.offset, &place, now);
        let differs = read.as_ref().is_ok_and(|at| {
            let said = written.offset.filter(|_| !time.ends_with(['Z', 'z']));
            said.is_some_and(|said| said != place.tz().to_offset(*at))
        });
        return Some(match differs {
            true => Err(invalid(
                &format!(
                    "{} has an offset that its zone does not use at that time",
                    shown(text)
                ),
                zone,
                now,
            )),
            false => read,
        });
    }
    let (time, place) = text.rsplit_once(' ')?;
    let written = iso::read(time).ok().filter(|w| w.offset.is_none())?;
    if place.contains('/')
        && let Ok(place) = Zone::parse(place)
    {
        return Some(instant(text, written.wall, None, &place, now));
    }
    let lower = place.to_ascii_lowercase();
    let offset = ["utc", "gmt"]
        .iter()
        .find_map(|name| lower.strip_prefix(name))?;
    let offset = Offset::from_seconds(zone::offsets::offset_seconds(offset)?).ok();
    Some(instant(text, written.wall, offset, zone, now))
}

fn instant(
    text: &str,
    wall: DateTime,
    offset: Option<Offset>,
    zone: &Zone,
    now: Timestamp,
) -> Result<Timestamp> {
    let at = match offset {
        Some(offset) => offset.to_timestamp(wall).ok(),
        None => zone.instant_of(wall),
    };
    at.ok_or_else(|| {
        let wrong = format!("{} is out of range: years end at 9999", shown(text));
        invalid(&wrong, zone, now)
    })
}

/// The error for a text that is not a point in time.
fn invalid(wrong: &str, zone: &Zone, now: Timestamp) -> Error {
    Error::new(
        Code::TimeInvalid,
        format!(
            "{wrong}; write YYYY-MM-DD HH:MM (in {}), or add an offset such as +01:00 or Z; it is \
             now {}",
            zone.name(),
            zone.both(now)
        ),
    )
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
    fn a_zone_or_an_offset_after_a_time_is_where_it_is_meant() {
        for (text, at) in [
            ("2027-02-01T10:00 America/New_York", "2027-02-01T15:00:00Z"),
            ("2027-02-01 10:00 asia/tokyo", "2027-02-01T01:00:00Z"),
            ("2027-02-01T10:00[America/New_York]", "2027-02-01T15:00:00Z"),
            (
                "2027-02-01T10:00-05:00[America/New_York]",
                "2027-02-01T15:00:00Z",
            ),
            ("2027-02-01T10:00Z[Europe/Berlin]", "2027-02-01T10:00:00Z"),
            ("2027-02-01 10:00 UTC+8", "2027-02-01T02:00:00Z"),
            ("2027-02-01 10:00 GMT-5:30", "2027-02-01T15:30:00Z"),
            ("2027-02-01 10:00 utc+08:00", "2027-02-01T02:00:00Z"),
        ] {
            let read = parse_time(text, &berlin(), now()).unwrap();
            assert_eq!(read.to_string(), at, "{text:?}");
        }
        let both = parse_time("2027-02-01T10:00+01:00[America/New_York]", &berlin(), now());
        assert_eq!(both.unwrap_err().code(), Code::TimeInvalid);
    }

    #[test]
    fn what_is_in_no_form_may_be_in_words() {
        for (text, at) in [
            ("2026-12-01 9am", "2026-12-01T08:00:00Z"),
            ("tomorrow at 9am", "2026-11-21T08:00:00Z"),
            ("in 20 minutes", "2026-11-20T10:20:00Z"),
            ("1800000000", "2027-01-15T08:00:00Z"),
        ] {
            let read = parse_time(text, &berlin(), now()).unwrap();
            assert_eq!(read.to_string(), at, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_understood_wholly_is_refused_with_now_and_what_was_meant_or_nothing() {
        for (text, code, corrected) in [
            ("", Code::TimeInvalid, None),
            ("soon", Code::TimeInvalid, None),
            ("2026-12-01", Code::TimeInvalid, None),
            ("2026-12-01 09:00 tomorrow", Code::TimeInvalid, None),
            ("2026-02-30 09:00", Code::TimeInvalid, None),
            ("2026-12-01 25:00", Code::TimeInvalid, None),
            // A time in the past would itself be refused.
            ("2026-11-01 9am", Code::TimePast, None),
            ("9999-12-31 23:59:59.999999", Code::TimeInvalid, None),
            ("0 9 * * *", Code::TimeInvalid, Some("--cron \"0 9 * * *\"")),
            ("every 2 hours", Code::TimeInvalid, Some("--every 2h")),
            ("2 hours", Code::TimeInvalid, None),
        ] {
            let error = parse_time(text, &berlin(), now()).unwrap_err();
            assert_eq!(error.code(), code, "{text:?}: {error}");
            assert!(
                error.to_string().contains("2026-11-20T10:00:00Z"),
                "{error}"
            );
            assert_eq!(error.corrected().as_deref(), corrected, "{text:?}");
        }
    }

    #[test]
    fn an_error_about_another_field_speaks_of_that_field_only() {
        for (text, corrected) in [
            (
                "2 hours",
                Some("--until \"2026-11-20 13:00 Europe/Berlin\""),
            ),
            (
                "tomorow at 9am",
                Some("--until \"2026-11-21 09:00 Europe/Berlin\""),
            ),
            ("every monday at 9am", None),
            ("every 2 hours", None),
            ("0 9 * * *", None),
            ("soon", None),
            ("", None),
            ("friday", None),
            ("yesterday at 9am", None),
            ("2026-12-01", None),
            ("monday at 9am until friday", None),
            ("every day except 2026-12-25", None),
        ] {
            let error = parse_time_of("until", text, &berlin(), now()).unwrap_err();
            let said = error.to_string();
            assert!(said.starts_with("--until: "), "{said}");
            for other in ["--time", "--cron", "--every", "--end-at", "--except"] {
                assert!(!said.contains(other), "{text:?}: {said}");
            }
            assert_eq!(error.corrected().as_deref(), corrected, "{text:?}: {said}");
        }
    }

    #[test]
    fn a_time_in_figures_is_noted_if_daylight_saving_moves_it() {
        let read = read_time("2027-03-28 02:30", &berlin(), now()).unwrap();
        assert_eq!(read.at.to_string(), "2027-03-28T01:00:00Z");
        assert_eq!(
            read.notes,
            [
                "02:30 is skipped in Europe/Berlin on 2027-03-28: this is the first instant after it, \
              03:00"
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_fault(text in "\\PC*") {
            let _ = parse_time(&text, &berlin(), now());
        }
    }
}
