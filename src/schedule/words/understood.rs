//! What was understood.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;

use super::here::{Here, shown};
use crate::schedule::Zone;

/// What a text means.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// A point in time.
    Once(Once),
    /// A repetition.
    Recurring(Recurrence),
}

impl Meaning {
    /// The phrase for it that means the same when it is read again.
    pub fn phrase(&self) -> &str {
        match self {
            Meaning::Once(once) => &once.phrase,
            Meaning::Recurring(recurrence) => &recurrence.phrase,
        }
    }

    /// What a person should know besides.
    pub fn notes(&self) -> &[String] {
        match self {
            Meaning::Once(once) => &once.notes,
            Meaning::Recurring(recurrence) => &recurrence.notes,
        }
    }

    pub(super) fn with_notes(mut self, mut more: Vec<String>) -> Meaning {
        let notes = match &mut self {
            Meaning::Once(once) => &mut once.notes,
            Meaning::Recurring(recurrence) => &mut recurrence.notes,
        };
        more.append(notes);
        *notes = more;
        self
    }
}

/// A point in time that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Once {
    /// When that is.
    pub at: Timestamp,
    /// The zone that was said, if one was. An abbreviation or an offset is not a zone.
    pub zone: Option<Zone>,
    /// The phrase for it that means the same when it is read again, at any time before it:
    /// `2027-01-05 09:00 Europe/Berlin`.
    pub phrase: String,
    /// What a person should know besides, as sentences without their stops: what was taken for
    /// granted, and that the time is skipped when clocks change or happens twice.
    pub notes: Vec<String>,
}

impl Once {
    /// The instant `at`; `wall` is what the clock was said to show, `here` where that was said, and
    /// `zone` the schedule's.
    pub(super) fn new(
        at: Timestamp,
        wall: Option<DateTime>,
        here: Option<Here>,
        zone: &Zone,
    ) -> Once {
        let own = || Here::Zone(zone.clone());
        let shown_in = here.clone().unwrap_or_else(own);
        let said = match here {
            Some(Here::Zone(zone)) => Some(zone),
            _ => None,
        };
        let change = match (&shown_in, wall) {
            (Here::Zone(zone), Some(wall)) => change(wall, at, zone),
            _ => None,
        };
        Once {
            at,
            zone: said,
            phrase: shown(at, &shown_in),
            notes: change.into_iter().collect(),
        }
    }
}

/// What daylight saving makes of a wall time.
fn change(wall: DateTime, at: Timestamp, zone: &Zone) -> Option<String> {
    let name = zone.name();
    let time = wall.strftime("%H:%M");
    match zone.tz().to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => Some(format!(
            "{time} is skipped in {name} on {}: this is the first instant after it, {}",
            wall.date(),
            zone.wall(at).strftime("%H:%M")
        )),
        AmbiguousOffset::Fold { .. } => Some(format!(
            "{time} happens twice in {name} on {}: this is the first of the two",
            wall.date()
        )),
    }
}

/// A repetition that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    /// When it happens.
    pub rule: Rule,
    /// The zone that was said, if one was.
    pub zone: Option<Zone>,
    /// The phrase for it that means the same when it is read again.
    pub phrase: String,
    /// What was taken for granted, as sentences without their stops.
    pub notes: Vec<String>,
}

/// When a repetition happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// By cron patterns of five fields: one, or several where hours have different minutes.
    Cron(Vec<String>),
    /// At a distance.
    Interval {
        /// The distance: `90m`, `2d`. Days and weeks are those of the calendar.
        every: String,
        /// The first instant, if it was said or follows from the time of day.
        first: Option<Timestamp>,
        /// Whether the first instant was said. Otherwise it is the first to come that has the time
        /// of day and the day of the week.
        is_first_said: bool,
    },
}

impl Recurrence {
    pub(super) fn new(rule: Rule, zone: Option<Zone>, phrase: String) -> Recurrence {
        Recurrence {
            rule,
            zone,
            phrase,
            notes: Vec::new(),
        }
    }
}
