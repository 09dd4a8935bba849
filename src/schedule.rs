//! When a schedule fires: pure calculation over instants, zones and the three kinds of spec.
//!
//! Nothing here does I/O or reads the time; callers say what "now" is. Instants are UTC and cut to
//! whole microseconds, as the database stores them.
//!
//! # Daylight saving
//! One rule ([`Zone::instant_of`]) turns a wall time into an instant everywhere: a wall time that
//! happens twice means the first one, and a skipped one means the first instant after the gap. Cron
//! patterns that repeat within the day follow elapsed time instead; see [`CronSpec`].

mod asked;
mod backlog;
mod corrections;
mod cron;
mod duration;
mod envelope;
mod in_words;
mod interval;
mod iso;
mod left_out;
mod planned_instants;
mod spec;
mod stored;
mod surprises;
mod timetable;
mod unclear;
mod understood;
mod when;
pub mod words;
mod zone;

pub use asked::Asked;
pub use backlog::{Division, Range};
pub(crate) use corrections::cron::split_zone;
pub(crate) use corrections::interval::interval as corrected_interval;
pub(crate) use corrections::{count as corrected_count, nearest, word as corrected_word};
pub use cron::CronSpec;
pub use duration::read_duration;
pub(crate) use duration::seconds;
pub use envelope::{Circumstances, envelope};
pub use in_words::in_words;
pub use interval::IntervalSpec;
pub use iso::read_stored_time;
pub use left_out::LeftOut;
pub use planned_instants::{Fresh, Past, PlannedInstants, TooMany, count_distinct};
pub use spec::Spec;
pub(crate) use stored::schedule_type;
pub use stored::{remaining, timetable_of};
pub use timetable::{Passed, Timetable};
pub(crate) use timetable::{just_after, just_before};
pub use understood::{First, Understood, is_meant};
pub(crate) use when::corrected_time;
pub use when::{parse_time, parse_time_of};
pub use zone::Zone;

use jiff::Timestamp;

/// Cuts an instant to whole microseconds.
fn cut(t: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(t.as_microsecond()).unwrap_or(t)
}

/// The caller's text, quoted and short enough for an error.
fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{:?}", start + "…")
}
