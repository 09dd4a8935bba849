//! Messages from tasks to the loop.

use super::super::core::{Event, Settling};

/// A message from a task to the loop.
pub(super) enum Message {
    /// Something happened.
    Event(Event),
    /// Letta named the run of a prompt that is being sent.
    Run(Run),
    /// A verdict could not be recorded a moment ago.
    RetrySettle(Settling),
}

/// The run of a prompt that is being sent.
pub(super) struct Run {
    /// The occurrence.
    pub(super) occurrence_id: i64,
    /// The fence to write with.
    pub(super) fence: i64,
    /// Letta's id of the run.
    pub(super) run_id: String,
}
