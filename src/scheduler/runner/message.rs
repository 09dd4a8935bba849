//! What tasks tell the loop.

use super::super::core::{Event, Settling};

/// What tasks tell the loop.
pub(super) enum Message {
    /// Something happened.
    Event(Event),
    /// Letta told the run of a prompt that is on its way.
    Run(Run),
    /// A verdict could not be written a moment ago.
    RetrySettle(Settling),
}

/// The run of a prompt that is on its way.
pub(super) struct Run {
    /// The occurrence.
    pub(super) occurrence_id: i64,
    /// The right to settle it.
    pub(super) fence: i64,
    /// Letta's id of the run.
    pub(super) run_id: String,
}
