//! The line put before a prompt when something about it is out of the ordinary.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How late a prompt may be sent without being told so, in seconds.
const ON_TIME_SECONDS: i64 = 60;

/// What the line is made of.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// When the prompt was meant to be sent.
    pub intended_at: Timestamp,
    /// When it is sent.
    pub sent_at: Timestamp,
    /// How many firings it stands for.
    pub count: i64,
    /// The oldest of them.
    pub first_at: Timestamp,
    /// How many tries were made before.
    pub failures: i64,
    /// The schedule's zone.
    pub zone: &'a TimeZone,
}

/// The line for these circumstances; `None` in ordinary ones, where the agent receives exactly
/// its prompt.
pub fn envelope(c: &Circumstances) -> Option<String> {
    let late = c.sent_at.duration_since(c.intended_at).as_secs();
    if late <= ON_TIME_SECONDS && c.count == 1 && c.failures == 0 {
        return None;
    }
    let mut line = format!(
        "[promptyoself: scheduled for {}, sent {}",
        show(c.intended_at, c.zone),
        show(c.sent_at, c.zone)
    );
    if c.count > 1 {
        line.push_str(&format!(
            "; stands for {} firings since {}",
            c.count,
            show(c.first_at, c.zone)
        ));
    }
    if c.failures > 0 {
        line.push_str(&format!("; try {}", c.failures + 1));
    }
    line.push(']');
    Some(line)
}

fn show(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S %:z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordinary() -> Circumstances<'static> {
        static UTC: TimeZone = TimeZone::UTC;
        let intended_at: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
        Circumstances {
            intended_at,
            sent_at: intended_at,
            count: 1,
            first_at: intended_at,
            failures: 0,
            zone: &UTC,
        }
    }

    #[test]
    fn an_ordinary_prompt_arrives_exactly_as_written() {
        let sent_at = "2026-03-01T09:01:00Z".parse().unwrap();
        assert_eq!(
            envelope(&Circumstances {
                sent_at,
                ..ordinary()
            }),
            None
        );
    }

    #[test]
    fn an_agent_is_told_what_is_out_of_the_ordinary() {
        let sent_at = "2026-03-01T12:00:00Z".parse().unwrap();
        let first_at = "2026-03-01T08:00:00Z".parse().unwrap();
        assert_eq!(
            envelope(&Circumstances {
                sent_at,
                first_at,
                count: 3,
                failures: 1,
                ..ordinary()
            })
            .as_deref(),
            Some(
                "[promptyoself: scheduled for 2026-03-01 09:00:00 +00:00, sent 2026-03-01 \
                 12:00:00 +00:00; stands for 3 firings since 2026-03-01 08:00:00 +00:00; try 2]"
            )
        );
    }
}
