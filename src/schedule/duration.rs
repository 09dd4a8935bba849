//! Lengths of time that have nothing to do with a calendar: ages, waits, limits.

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// No age or wait is longer than this; a longer one is a slip of the keyboard.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 3660);

/// Reads a length of time: `30m`, `1h 30m`, `2d` or a number of seconds; a day has 24 hours.
///
/// # Errors
/// What is wrong with it, as the end of a sentence: also if it is not over nothing, or over ten
/// years.
pub fn read_duration(text: &str) -> std::result::Result<SignedDuration, String> {
    if let Ok(n) = text.parse::<f64>() {
        return seconds(n);
    }
    let span: Span = text
        .parse()
        .map_err(|_| format!("{text:?} is not a duration"))?;
    span.to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| {
            format!("{text:?} has no fixed length: use weeks, days, hours, minutes, seconds")
        })
        .and_then(within)
}

/// A number of seconds as a length of time.
///
/// # Errors
/// Those of [`read_duration`].
pub(crate) fn seconds(n: f64) -> std::result::Result<SignedDuration, String> {
    SignedDuration::try_from_secs_f64(n)
        .map_err(|_| format!("{n} is not a number of seconds"))
        .and_then(within)
}

fn within(d: SignedDuration) -> std::result::Result<SignedDuration, String> {
    if d <= SignedDuration::ZERO {
        Err(format!("{d:#} is not longer than nothing"))
    } else if d > LONGEST {
        Err(format!("{d:#} is longer than ten years"))
    } else {
        Ok(d)
    }
}
