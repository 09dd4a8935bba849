//! What the core tells the loop to do.

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
    /// Read or change the database, after all earlier writes.
    Store(StoreAction),
    /// Contact a target.
    Talk(TargetAction),
    /// Stop.
    Finish,
}

/// A write that may share a commit with others.
#[derive(Clone, Debug)]
pub enum Write {
    /// Claim this candidate, at this time.
    Claim(Candidate, Timestamp),
    /// Record this verdict.
    Settle(Settling),
    /// Record Letta's run of a prompt that is being sent.
    Run {
        /// The occurrence.
        occurrence_id: i64,
        /// The fence to write with.
        fence: i64,
        /// The run.
        run_id: String,
    },
}

/// A database action of its own.
#[derive(Debug)]
pub enum StoreAction {
    /// Take a snapshot.
    TakeSnapshot,
    /// Take a snapshot with twice as many due schedules: none of those we know can be sent.
    TakeLargerSnapshot,
    /// Record that a target is held.
    Hold {
        /// The target.
        target: TargetName,
        /// What holds it.
        kind: HoldKind,
        /// Why.
        refusal: Refusal,
    },
    /// Record that a target accepts prompts again.
    Release(TargetName),
    /// The clock was set back: with the next snapshot, shorten waits that were computed from a
    /// later time.
    PullForward,
    /// Write a heartbeat, with the reason why nothing is being delivered, if there is one.
    Beat(Option<String>),
    /// Record that the clock is trusted.
    TrustClock,
    /// Record this prompt's outcome as unknown: nobody waits for its answer any more.
    Abandon(i64),
    /// Resume the schedules whose pause is over.
    EndPauses,
    /// Prune what was settled before this.
    Prune(Timestamp),
}

/// A request to a target, or the end of waiting for one.
#[derive(Debug)]
pub enum TargetAction {
    /// Send this prompt.
    Send(Box<Job>),
    /// Find out what happened to this prompt.
    Find(Box<OpenOccurrence>),
    /// Check whether the target is well.
    Probe(TargetName),
    /// Stop waiting for the answer to this prompt.
    HangUp(i64),
}

/// A verdict to be recorded, with what is needed to continue after it.
#[derive(Clone, Debug)]
pub struct Settling {
    /// The occurrence.
    pub occurrence_id: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// The fence to write with.
    pub fence: i64,
    /// What was decided.
    pub verdict: Verdict,
    /// The lane that becomes free unless the outcome stays unknown.
    pub lane: Lane,
    /// The intended instant.
    pub intended_at: Timestamp,
    /// The job, if it was sent by this scheduler.
    pub job: Option<Box<Job>>,
}
