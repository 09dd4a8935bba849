//! What a scheduler does about what has happened.

use jiff::Timestamp;
use uuid::Uuid;

use super::availability::HoldKind;
use crate::models::{Job, Lane, OpenOccurrence, Refusal, TargetName, Verdict};
use crate::scheduler::queue::Candidate;

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Write this. It may share a commit with other writes.
    Write(Write),
    /// Read or change the database, after everything that was to be written before.
    Store(StoreAction),
    /// Speak to a target.
    Talk(TargetAction),
    /// Stop.
    Finish,
}

/// What may share a commit with others.
#[derive(Clone, Debug)]
pub enum Write {
    /// To claim this, by this time.
    Claim(Candidate, Timestamp),
    /// To write this verdict.
    Settle(Settling),
    /// To note Letta's run of a prompt that is on its way.
    Run {
        /// The occurrence.
        occurrence_id: i64,
        /// The right to settle it.
        fence: i64,
        /// The run.
        run_id: String,
    },
}

/// What is done with the database by itself.
#[derive(Debug)]
pub enum StoreAction {
    /// Read it.
    TakeSnapshot,
    /// Read it, with twice as many due schedules: of those we know none can be sent.
    TakeLargerSnapshot,
    /// Note that a target is held.
    Hold {
        /// The target.
        target: TargetName,
        /// What holds it.
        kind: HoldKind,
        /// Why.
        refusal: Refusal,
    },
    /// Note that a target answers again.
    Release(TargetName),
    /// The clock was set back: with the next snapshot let nothing wait for a time that was counted from
    /// a later now.
    PullForward,
    /// Say that the scheduler lives, and why it delivers nothing at the moment.
    Beat(Option<String>),
    /// Keep that the clock is trusted as it stands.
    TrustClock,
    /// Note that what becomes of this prompt is unknown: nobody waits for its answer any more.
    Abandon(i64),
    /// Keep what was settled before this as sums only.
    Prune(Timestamp),
}

/// What is said to a target, or is not waited for any longer.
#[derive(Debug)]
pub enum TargetAction {
    /// Send this.
    Send(Box<Job>),
    /// Look for the fate of this.
    Find(Box<OpenOccurrence>),
    /// Ask whether the target is well.
    Probe(TargetName),
    /// Stop waiting for the answer to this prompt.
    HangUp(i64),
}

/// A verdict to be written, with what is needed to go on after it.
#[derive(Clone, Debug)]
pub struct Settling {
    /// The occurrence.
    pub occurrence_id: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// The right to settle it.
    pub fence: i64,
    /// What was decided.
    pub verdict: Verdict,
    /// The lane that it frees unless it stays unknown.
    pub lane: Lane,
    /// The intended instant.
    pub intended_at: Timestamp,
    /// The job, where it was ours.
    pub job: Option<Box<Job>>,
}
