//! Which schedules and occurrences somebody asks for.

use jiff::Timestamp;
use uuid::Uuid;

use super::{AgentId, State};

/// Which schedules to list.
#[derive(Clone, Debug, Default)]
pub struct ScheduleFilter {
    /// Only this agent's.
    pub agent_id: Option<AgentId>,
    /// Also those that are paused, and not only the active ones.
    pub paused: bool,
    /// Also those that are over or can't be read, and the paused ones.
    pub all: bool,
    /// At most so many; `None` for all.
    pub limit: Option<u32>,
    /// Leaving out so many at the beginning.
    pub offset: u32,
}

/// Which occurrences to show.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    /// Only those of this schedule.
    pub uid: Option<Uuid>,
    /// Only this agent's.
    pub agent_id: Option<AgentId>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those meant for this time or later.
    pub since: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
    /// Leaving out so many at the beginning.
    pub offset: u32,
}
