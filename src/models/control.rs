//! What became of a request to cancel, resume or run a schedule.

use jiff::Timestamp;

use super::Lifecycle;

/// What became of a wish to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// It is cancelled.
    Done,
    /// There was nothing left to cancel: it had ended like this.
    Ended(Lifecycle),
}

/// What became of a wish to resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// It runs again, next at this time.
    Active(Timestamp),
    /// No instant is left of it.
    Finished,
    /// Its only instant passed while it was paused; nothing was changed.
    OncePassed(Timestamp),
    /// It is not paused but this; nothing was changed.
    NotPaused(Lifecycle),
}

/// What became of a wish to run a schedule by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManualRun {
    /// It is to be sent as this occurrence.
    New(i64),
    /// A run by hand that was asked for before waits to be sent: it is this occurrence.
    Waiting(i64),
    /// A schedule that stands like this can't be run.
    NotRunnable(Lifecycle),
    /// Its prompt was purged, so there is nothing to send.
    NoPrompt,
}
