//! The results of cancelling, resuming or running a schedule.

use jiff::Timestamp;

use super::Lifecycle;

/// The result of cancelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// It is cancelled.
    Done,
    /// It had already ended, in this state.
    Ended(Lifecycle),
}

/// The result of pausing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pausing {
    /// It is paused.
    Done,
    /// It is in this state; nothing was changed.
    NotActive(Lifecycle),
    /// Its only instant would pass before it resumes; nothing was changed.
    OncePasses(Timestamp),
}

/// The result of resuming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// It is active again, and runs next at this time.
    Active(Timestamp),
    /// It has no instants left.
    Finished,
    /// Its only instant passed while it was paused; nothing was changed.
    OncePassed(Timestamp),
    /// It was not paused, but in this state; nothing was changed.
    NotPaused(Lifecycle),
}

/// The result of requesting a manual run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManualRun {
    /// It was queued as this occurrence.
    New(i64),
    /// An earlier manual run is still waiting, as this occurrence.
    Waiting(i64),
    /// A schedule in this state can't be run.
    NotRunnable(Lifecycle),
    /// Its prompt was purged, so there is nothing to send.
    NoPrompt,
}
