//! How deliveries are made.

use jiff::SignedDuration;

/// The times and numbers that govern delivery.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many prompts may be sent at once.
    pub concurrency: usize,
    /// The wait before the first retry; each further one doubles it.
    pub retry_first: SignedDuration,
    /// The longest wait between retries.
    pub retry_longest: SignedDuration,
    /// The age at which an occurrence is given up.
    pub max_age: SignedDuration,
    /// How late a one-shot may still be sent.
    pub once_max_lateness: SignedDuration,
    /// The age from which a run that never ends counts as orphaned.
    pub orphaned_run_age: SignedDuration,
    /// How long to search for a prompt of unknown outcome.
    pub reconcile_deadline: SignedDuration,
    /// How often to retry an agent that waits for a person.
    pub approval_poll: SignedDuration,
    /// How long prompts being sent may take to end when the scheduler is stopped.
    pub drain: SignedDuration,
    /// How often the database is read even if no change is reported.
    pub poll: SignedDuration,
    /// How long settled history is kept; `None` keeps it forever.
    pub retention: Option<SignedDuration>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            concurrency: 64,
            retry_first: SignedDuration::from_secs(5),
            retry_longest: SignedDuration::from_mins(10),
            max_age: SignedDuration::from_hours(24),
            once_max_lateness: SignedDuration::from_hours(7 * 24),
            orphaned_run_age: SignedDuration::from_hours(1),
            reconcile_deadline: SignedDuration::from_mins(30),
            approval_poll: SignedDuration::from_secs(60),
            drain: SignedDuration::from_secs(8),
            poll: SignedDuration::from_secs(60),
            retention: None,
        }
    }
}
