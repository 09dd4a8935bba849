//! Filters for schedules and occurrences.

use jiff::Timestamp;
use uuid::Uuid;

use super::{NamedAgent, State};

/// Which schedules to list.
#[derive(Clone, Debug, Default)]
pub struct ScheduleFilter {
    /// Only this agent's.
    pub agent: Option<NamedAgent>,
    /// Include paused schedules.
    pub paused: bool,
    /// Include paused, finished, cancelled and broken schedules.
    pub all: bool,
    /// At most this many; `None` for all.
    pub limit: Option<u32>,
    /// Skip this many first.
    pub offset: u32,
}

/// Which occurrences to show.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    /// Only those of this schedule.
    pub uid: Option<Uuid>,
    /// Only this agent's.
    pub agent: Option<NamedAgent>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those intended for this time or later.
    pub since: Option<Timestamp>,
    /// Only those settled at this time or later; they then come in the order of settling.
    pub settled_since: Option<Timestamp>,
    /// At most this many.
    pub limit: u32,
    /// Skip this many first.
    pub offset: u32,
}
