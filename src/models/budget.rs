//! How much an agent may schedule for itself. The operator has no such limit.

/// What an agent may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Schedules that are active or paused.
    pub schedules: i64,
    /// Firings of one schedule in 24 hours from its first one on.
    pub fires_per_day: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            schedules: 100,
            fires_per_day: 1_000,
        }
    }
}
