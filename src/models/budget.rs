//! How much an agent may schedule for itself. The operator has no such limit.

/// What an agent may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Schedules that are active or paused.
    pub schedules: i64,
    /// Firings of one schedule in 24 hours from its first one on.
    pub fires_per_day: u64,
    /// Schedules registered in 24 hours, those that were cancelled too.
    pub registrations_per_day: i64,
    /// What all agents together may have, where whoever asks chooses the agent.
    pub all: AllAgents,
}

/// What all agents together may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllAgents {
    /// Schedules that are active or paused.
    pub schedules: i64,
    /// Schedules registered in 24 hours.
    pub registrations: i64,
}

/// What is left of a budget for one registration to be checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Live schedules of its agent.
    pub schedules: i64,
    /// Registrations of its agent in 24 hours.
    pub registrations: i64,
    /// The same for all agents together; `None` for a caller who can't choose another agent.
    pub all: Option<AllAgents>,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            schedules: 100,
            fires_per_day: 1_000,
            registrations_per_day: 200,
            all: AllAgents {
                schedules: 1_000,
                registrations: 2_000,
            },
        }
    }
}
