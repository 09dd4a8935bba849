//! The line put before a prompt.

use jiff::Timestamp;

use super::Zone;
use crate::models::{EnvelopeStyle, Trigger};

/// How many seconds late a prompt may be sent without the line saying so.
const ON_TIME_SECONDS: i64 = 60;

/// What the line is made of.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// How much the line says.
    pub style: EnvelopeStyle,
    /// The schedule's id, if it still exists.
    pub schedule_id: Option<i64>,
    /// Its name.
    pub name: Option<&'a str>,
    /// What made the occurrence.
    pub trigger: Trigger,
    /// Which run of the schedule it is, counted from 1.
    pub firing: Option<i64>,
    /// When the prompt was intended to be sent.
    pub intended_at: Timestamp,
    /// When it is sent.
    pub sent_at: Timestamp,
    /// How many runs it stands for, including itself.
    pub stands_for: i64,
    /// The oldest of them.
    pub stands_since: Timestamp,
    /// How many attempts were made before.
    pub failures: i64,
    /// The schedule's zone.
    pub zone: &'a Zone,
}

/// The line for these circumstances; `None` if the agent should receive exactly its prompt.
pub fn envelope(c: &Circumstances) -> Option<String> {
    let late = c.sent_at.duration_since(c.intended_at).as_secs();
    let ordinary = late <= ON_TIME_SECONDS && c.stands_for == 1 && c.failures == 0;
    let full = match c.style {
        EnvelopeStyle::None => return None,
        EnvelopeStyle::Auto if ordinary => return None,
        EnvelopeStyle::Auto => false,
        EnvelopeStyle::Full => true,
    };
    let mut parts = Vec::new();
    if full {
        parts.push(who(c));
    }
    let (intended_at, sent_at) = (show(c.intended_at, c.zone), show(c.sent_at, c.zone));
    let zone = match full {
        true => format!(" {}", c.zone.name()),
        false => String::new(),
    };
    parts.push(format!("scheduled for {intended_at}{zone}, sent {sent_at}"));
    if c.stands_for > 1 {
        let since = show(c.stands_since, c.zone);
        parts.push(format!("stands for {} runs since {since}", c.stands_for));
    }
    if c.failures > 0 {
        parts.push(format!("try {}", c.failures + 1));
    }
    if let (true, Some(id)) = (full, c.schedule_id) {
        parts.push(format!("to stop it: promptyoself cancel --id {id}"));
    }
    Some(format!("[promptyoself: {}]", parts.join("; ")))
}

/// The schedule and the run that the prompt belongs to.
fn who(c: &Circumstances) -> String {
    let mut who = match c.schedule_id {
        Some(id) => format!("schedule {id}"),
        None => "a deleted schedule".to_owned(),
    };
    if let Some(name) = c.name {
        who.push_str(&format!(" {name:?}"));
    }
    match (c.trigger, c.firing) {
        (Trigger::Manual, _) => who.push_str(", manual run"),
        (Trigger::Schedule, Some(n)) => who.push_str(&format!(", run {n}")),
        (Trigger::Schedule, None) => {}
    }
    who
}

fn show(time: Timestamp, zone: &Zone) -> String {
    time.to_zoned(zone.tz().clone())
        .strftime("%Y-%m-%d %H:%M:%S %:z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordinary(zone: &Zone) -> Circumstances<'_> {
        let intended_at: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
        Circumstances {
            style: EnvelopeStyle::Auto,
            schedule_id: Some(7),
            name: Some("tea"),
            trigger: Trigger::Schedule,
            firing: Some(12),
            intended_at,
            sent_at: intended_at,
            stands_for: 1,
            stands_since: intended_at,
            failures: 0,
            zone,
        }
    }

    fn odd(zone: &Zone) -> Circumstances<'_> {
        Circumstances {
            sent_at: "2026-03-01T12:00:00Z".parse().unwrap(),
            stands_since: "2026-03-01T08:00:00Z".parse().unwrap(),
            stands_for: 3,
            failures: 1,
            ..ordinary(zone)
        }
    }

    #[test]
    fn an_ordinary_prompt_arrives_exactly_as_written() {
        let utc = Zone::utc();
        let sent_at = "2026-03-01T09:01:00Z".parse().unwrap();
        assert_eq!(
            envelope(&Circumstances {
                sent_at,
                ..ordinary(&utc)
            }),
            None
        );
    }

    #[test]
    fn an_agent_is_told_what_is_out_of_the_ordinary() {
        assert_eq!(
            envelope(&odd(&Zone::utc())).as_deref(),
            Some(
                "[promptyoself: scheduled for 2026-03-01 09:00:00 +00:00, sent 2026-03-01 \
                 12:00:00 +00:00; stands for 3 runs since 2026-03-01 08:00:00 +00:00; try 2]"
            )
        );
    }

    #[test]
    fn a_full_line_names_the_schedule_the_run_the_zone_and_the_way_to_stop_it() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let full = Circumstances {
            style: EnvelopeStyle::Full,
            ..ordinary(&berlin)
        };
        assert_eq!(
            envelope(&full).as_deref(),
            Some(
                "[promptyoself: schedule 7 \"tea\", run 12; scheduled for 2026-03-01 10:00:00 \
                 +01:00 Europe/Berlin, sent 2026-03-01 10:00:00 +01:00; to stop it: promptyoself \
                 cancel --id 7]"
            )
        );
        let by_hand = Circumstances {
            trigger: Trigger::Manual,
            ..full
        };
        assert!(envelope(&by_hand).unwrap().contains("\"tea\", manual run;"));
    }

    #[test]
    fn without_an_envelope_an_agent_is_told_nothing_whatever_happened() {
        let utc = Zone::utc();
        let silent = Circumstances {
            style: EnvelopeStyle::None,
            ..odd(&utc)
        };
        assert_eq!(envelope(&silent), None);
    }
}
