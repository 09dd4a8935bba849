//! Times by how far away they are: `in 2 h 5 min`, `3 min ago`.

use jiff::Timestamp;
use serde_json::Value;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How far a time in an answer is from now; empty if it is not a time.
pub(super) fn relative(time: &Value, now: Timestamp) -> String {
    match time
        .as_str()
        .and_then(|text| text.parse::<Timestamp>().ok())
    {
        Some(time) => away(time, now),
        None => String::new(),
    }
}

/// A time followed by how far it is from now; empty if it is not a time.
pub(super) fn with_relative(time: &Value, now: Timestamp) -> String {
    let away = relative(time, now);
    match (time.as_str(), away.is_empty()) {
        (Some(text), false) => format!("{text} ({away})"),
        _ => String::new(),
    }
}

fn away(time: Timestamp, now: Timestamp) -> String {
    let millis = time.duration_since(now).as_millis();
    // To the nearest second: a reader would not notice less.
    let seconds = i64::try_from((millis.abs() + 500) / 1_000).unwrap_or(i64::MAX);
    match (seconds, millis > 0) {
        (0, _) => "now".to_owned(),
        (_, true) => format!("in {}", length(seconds)),
        (_, false) => format!("{} ago", length(seconds)),
    }
}

/// A length in one unit or two, not rounded up.
fn length(seconds: i64) -> String {
    let two = |n: i64, unit: &str, rest: i64, smaller: &str| match rest {
        0 => format!("{n} {unit}"),
        rest => format!("{n} {unit} {rest} {smaller}"),
    };
    match seconds {
        s if s < MINUTE => format!("{s} s"),
        s if s < HOUR => format!("{} min", s / MINUTE),
        s if s < DAY => two(s / HOUR, "h", s % HOUR / MINUTE, "min"),
        s if s < 10 * DAY => two(s / DAY, "d", s % DAY / HOUR, "h"),
        s => format!("{} d", s / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_time_is_told_by_how_far_away_it_is() {
        let now: Timestamp = "2026-02-01T12:00:00Z".parse().unwrap();
        for (time, wanted) in [
            ("2026-02-01T12:00:00.2Z", "now"),
            ("2026-02-01T12:00:59Z", "in 59 s"),
            ("2026-02-01T12:01:59Z", "in 1 min"),
            ("2026-02-01T14:05:59Z", "in 2 h 5 min"),
            ("2026-02-01T14:00:59Z", "in 2 h"),
            ("2026-02-04T15:30:00Z", "in 3 d 3 h"),
            ("2027-02-01T12:00:00Z", "in 365 d"),
            ("2026-02-01T11:59:58Z", "2 s ago"),
            ("2026-02-01T11:57:00Z", "3 min ago"),
            ("2026-01-31T12:00:00Z", "1 d ago"),
        ] {
            assert_eq!(relative(&json!(time), now), wanted, "{time}");
        }
        assert_eq!(relative(&json!(null), now), "");
        assert_eq!(relative(&json!("soon"), now), "");
        assert_eq!(
            with_relative(&json!("2026-02-01T12:05:00Z"), now),
            "2026-02-01T12:05:00Z (in 5 min)"
        );
        assert_eq!(with_relative(&json!(null), now), "");
    }
}
