//! How much an agent may schedule. The operator has no such limit.

/// What an agent may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Schedules that are active or paused.
    pub schedules: i64,
    /// Runs of one schedule in the 24 hours from its first one.
    pub fires_per_day: u64,
    /// Schedules registered in 24 hours, including cancelled ones.
    pub registrations_per_day: i64,
    /// What all agents together may have, for callers who choose the agent themselves.
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

/// The budget that a registration is checked against.
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
