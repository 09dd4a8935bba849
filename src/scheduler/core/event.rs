//! What happens to a scheduler, and what it does about it.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::queue::Candidate;
use crate::clock::Doubt;
use crate::letta_client::{Answer, Evidence, Refusal};
use crate::models::{Claim, DueSchedule, Halt, Job, Lane, OpenOccurrence, State, Verdict};

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// The database has changed.
    Changed,
    /// The database was read.
    Looked(View),
    /// A claim was decided.
    Claimed(Candidate, Claim),
    /// A claim failed; nothing has changed.
    ClaimFailed(Candidate),
    /// The turn of a prompt, by its occurrence, has begun.
    Begun(i64),
    /// A prompt was answered.
    Answered(Box<Job>, Answer),
    /// An unknown fate was looked into.
    Found(Box<OpenOccurrence>, Evidence),
    /// A verdict was written, or the right to do so was lost.
    Settled(Settling, Option<State>),
    /// The target was asked whether it is well.
    Probed(Result<(), Refusal>),
    /// The database could not be read.
    LookFailed,
    /// More incidents wait to be reviewed.
    MoreToReview,
    /// The target was asked what time it is: why the clock at the start may be wrong.
    ClockJudged(Option<Doubt>),
    /// The scheduler is to stop.
    Stop,
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Read the database.
    Look,
    /// Read it, with twice as many due schedules: of those we know none can be sent.
    LookFurther,
    /// Claim this.
    Claim(Candidate),
    /// Send this.
    Send(Box<Job>),
    /// Write this verdict.
    Settle(Settling),
    /// Look for the fate of this.
    Find(Box<OpenOccurrence>),
    /// Ask whether the target is well.
    Probe,
    /// Note that the target is held.
    Hold {
        /// Why.
        refusal: Refusal,
        /// Whether it says that it is well, but refuses the prompts of several agents.
        by_lanes: bool,
    },
    /// Note that the target answers again.
    Release,
    /// The clock was set back: with the next look let nothing wait for a time that was counted from
    /// a later now.
    PullForward,
    /// Say that the scheduler lives, and why it delivers nothing at the moment.
    Beat(Option<String>),
    /// Keep that the clock is trusted as it stands.
    TrustClock,
    /// Break off this prompt: what becomes of it is unknown.
    Abandon(i64),
    /// Keep what was settled before this as sums only.
    Prune(Timestamp),
    /// Stop.
    Finish,
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

/// What the database shows.
#[derive(Debug, Default)]
pub struct View {
    /// Schedules whose time has come, with their lanes, the oldest first.
    pub due: Vec<(DueSchedule, Lane)>,
    /// Whether there may be more of them, due later.
    pub more_due: bool,
    /// Every open occurrence.
    pub open: Vec<OpenOccurrence>,
    /// When the next schedule becomes due.
    pub next_due: Option<Timestamp>,
    /// Whether any scheduler holds the target, and then whether it does so because it refuses the
    /// prompts of several agents.
    pub held_by_lanes: Option<bool>,
    /// Why all delivery is halted, if it is.
    pub halted: Option<Halt>,
    /// Whether there is more to be put in order than one look may do.
    pub more: bool,
}

/// How long a scheduler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Until it is stopped.
    Forever,
    /// Until what is due at the start has been tried once.
    Once,
}
