//! Durations that don't depend on a calendar: ages, waits, limits.

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// No age or wait is longer than this; a longer one is a typing error.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 3660);

/// Parses a duration: `30m`, `1h 30m`, `2d` or a number of seconds; a day has 24 hours.
///
/// # Errors
/// What is wrong with it, as the end of a sentence. Zero and more than ten years are errors too.
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

/// A number of seconds as a duration.
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
        Err(format!("{d:#} must be more than zero"))
    } else if d > LONGEST {
        Err(format!("{d:#} is longer than ten years"))
    } else {
        Ok(d)
    }
}
