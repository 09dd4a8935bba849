//! Numeric dates and times: ISO 8601, RFC 3339, and what databases and Python write.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::cut;

/// A date and time as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Written {
    /// The date and time before the offset.
    pub wall: DateTime,
    /// The offset, if one was written.
    pub offset: Option<Offset>,
}

/// Why a text is not a numeric date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It does not begin with `YYYY-MM-DD`, or continues with something other than a time.
    NotIso,
    /// A date without a time of day.
    DateOnly(Date),
    /// The date doesn't exist.
    NoSuchDate,
    /// The time of day doesn't exist.
    NoSuchTime,
    /// The offset is not a valid one.
    NoSuchOffset,
}

/// Parses `YYYY-MM-DD`, `T` or spaces, `HH:MM[:SS[.f]]`, and then optionally `Z`, `UTC`, `GMT` or
/// an offset `±hh[[:]mm]`. Digits beyond the microsecond are cut off.
pub(super) fn read(text: &str) -> Result<Written, Unread> {
    let mut rest = Rest(text.trim().as_bytes());
    let date = rest.date()?;
    if rest.0.is_empty() {
        return Err(Unread::DateOnly(date));
    }
    let spaces = rest.spaces();
    if spaces == 0 && !(rest.take(b'T') || rest.take(b't')) {
        return Err(Unread::NotIso);
    }
    let time = rest.time()?;
    rest.spaces();
    let offset = rest.offset()?;
    Ok(Written {
        wall: date.to_datetime(time),
        offset,
    })
}

/// Parses a time from a column that another program wrote. Without an offset it is UTC, as
/// SQLAlchemy writes it; a date alone means midnight, as in Python's `fromisoformat`.
pub fn read_stored_time(text: &str) -> Option<Timestamp> {
    let (wall, offset) = match read(text) {
        Ok(written) => (written.wall, written.offset),
        Err(Unread::DateOnly(date)) => (date.to_datetime(Time::midnight()), None),
        Err(_) => return None,
    };
    let at = offset.unwrap_or(Offset::UTC).to_timestamp(wall).ok()?;
    Some(cut(at))
}

/// The text still to be parsed.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take(&mut self, wanted: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == wanted => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn spaces(&mut self) -> usize {
        let n = self.0.iter().take_while(|b| **b == b' ').count();
        self.0 = self.0.get(n..).unwrap_or_default();
        n
    }

    /// Exactly `n` digits.
    fn digits(&mut self, n: usize) -> Option<i16> {
        let (digits, rest) = self.0.split_at_checked(n)?;
        let mut value = 0_i16;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            value = value
                .checked_mul(10)?
                .checked_add(i16::from(digit - b'0'))?;
        }
        self.0 = rest;
        Some(value)
    }

    fn two(&mut self) -> Option<i8> {
        self.digits(2).and_then(|n| i8::try_from(n).ok())
    }

    fn date(&mut self) -> Result<Date, Unread> {
        let year = self.digits(4).ok_or(Unread::NotIso)?;
        let dash = self.take(b'-');
        let month = self.two().ok_or(Unread::NotIso)?;
        let dash = dash && self.take(b'-');
        let day = self.two().ok_or(Unread::NotIso)?;
        if !dash || self.0.first().is_some_and(u8::is_ascii_digit) {
            return Err(Unread::NotIso);
        }
        Date::new(year, month, day).map_err(|_| Unread::NoSuchDate)
    }

    fn time(&mut self) -> Result<Time, Unread> {
        let hour = self.two().ok_or(Unread::NotIso)?;
        if !self.take(b':') {
            return Err(Unread::NotIso);
        }
        let minute = self.two().ok_or(Unread::NotIso)?;
        let mut second = 0;
        let mut fraction = 0;
        if self.take(b':') {
            second = self.two().ok_or(Unread::NotIso)?;
            if self.take(b'.') || self.take(b',') {
                fraction = self.fraction().ok_or(Unread::NotIso)?;
            }
        }
        if self.0.first().is_some_and(u8::is_ascii_digit) {
            return Err(Unread::NotIso);
        }
        Time::new(hour, minute, second, fraction).map_err(|_| Unread::NoSuchTime)
    }

    /// Digits after the point, in nanoseconds; those finer than a microsecond are dropped.
    fn fraction(&mut self) -> Option<i32> {
        let n = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(n)?;
        if digits.is_empty() {
            return None;
        }
        self.0 = rest;
        let micros = (0..6).fold(0, |sum, i| {
            let digit = digits.get(i).map_or(0, |d| i32::from(d - b'0'));
            sum * 10 + digit
        });
        Some(micros * 1_000)
    }

    /// The rest of the text, which must be an offset or empty.
    fn offset(&mut self) -> Result<Option<Offset>, Unread> {
        if self.0.is_empty() {
            return Ok(None);
        }
        if ["z", "utc", "gmt"]
            .iter()
            .any(|name| self.0.eq_ignore_ascii_case(name.as_bytes()))
        {
            return Ok(Some(Offset::UTC));
        }
        let sign = if self.take(b'+') {
            1
        } else if self.take(b'-') {
            -1
        } else {
            return Err(Unread::NotIso);
        };
        let hours = self.two().ok_or(Unread::NotIso)?;
        let mut minutes = 0;
        if !self.0.is_empty() {
            self.take(b':');
            minutes = self.two().ok_or(Unread::NotIso)?;
        }
        if !self.0.is_empty() {
            return Err(Unread::NotIso);
        }
        // RFC 3339, section 5.6: an offset is a time of day.
        if hours > 23 || minutes > 59 {
            return Err(Unread::NoSuchOffset);
        }
        let seconds = sign * (i32::from(hours) * 3_600 + i32::from(minutes) * 60);
        let offset = Offset::from_seconds(seconds).map_err(|_| Unread::NoSuchOffset)?;
        Ok(Some(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_time_is_utc_unless_it_says_otherwise() {
        for (text, at) in [
            ("2026-12-01 09:00:00.123456", "2026-12-01T09:00:00.123456Z"),
            ("2026-12-01 09:00:00", "2026-12-01T09:00:00Z"),
            ("2026-12-01T09:00:00", "2026-12-01T09:00:00Z"),
            ("2026-12-01 09:00", "2026-12-01T09:00:00Z"),
            ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
            ("2026-12-01 09:00:00+01:00", "2026-12-01T08:00:00Z"),
            ("2026-12-01 09:00:00.5-0330", "2026-12-01T12:30:00.5Z"),
            ("2026-12-01 09:00:00 +01", "2026-12-01T08:00:00Z"),
            ("2026-12-01 09:00:00 UTC", "2026-12-01T09:00:00Z"),
            (
                "2026-12-01 09:00:00.123456789",
                "2026-12-01T09:00:00.123456Z",
            ),
            ("2026-12-01", "2026-12-01T00:00:00Z"),
            (" 2026-12-01  09:00 ", "2026-12-01T09:00:00Z"),
        ] {
            let read = read_stored_time(text).map(|t| t.to_string());
            assert_eq!(read.as_deref(), Some(at), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_not_read_as_one() {
        for text in [
            "",
            "now",
            "2026-12-01T",
            "2026-12-01 9:00",
            "2026-12-01 09",
            "2026-12-01 09:00:",
            "2026-12-01 09:00:00.",
            "2026-12-01 24:00",
            "2026-12-01 09:60",
            "2026-02-30 09:00",
            "2026-12-01 09:00 CET",
            "2026-12-01 09:00+25:00",
            "2026-12-01 09:00+1",
            "2026-12-01 09:00+01:00:00x",
            "20261201T090000",
            "2026-12-011 09:00",
            "9999-12-31 23:59:59",
            "２０２６-12-01 09:00",
        ] {
            assert_eq!(read_stored_time(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_unread_text_is_told_apart_by_what_is_wrong_with_it() {
        let date = Date::new(2026, 12, 1).unwrap();
        for (text, why) in [
            ("tomorrow", Unread::NotIso),
            ("2026-12-01", Unread::DateOnly(date)),
            ("2026-13-01 09:00", Unread::NoSuchDate),
            ("2026-12-01 25:00", Unread::NoSuchTime),
            ("2026-12-01 09:00 +24:00", Unread::NoSuchOffset),
        ] {
            assert_eq!(read(text), Err(why), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_fault(text in "\\PC*", figures in "[0-9TZ:+. -]{0,32}") {
            let _ = read_stored_time(&text);
            let _ = read_stored_time(&figures);
        }

        #[test]
        fn every_instant_is_read_back_from_what_we_write(
            micros in -2_000_000_000_000_000_i64..=200_000_000_000_000_000
        ) {
            let at = Timestamp::from_microsecond(micros).unwrap();
            proptest::prop_assert_eq!(read_stored_time(&at.to_string()), Some(at));
            let wall = Offset::UTC.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string();
            proptest::prop_assert_eq!(read_stored_time(&wall), Some(at));
        }
    }
}
