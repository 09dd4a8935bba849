//! What can happen to a scheduler.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::action::Settling;
use super::availability::HoldKind;
use crate::clock::ClockDoubt;
use crate::models::{
    Answer, Claim, DueSchedule, Evidence, Halt, Job, Lane, OpenOccurrence, Refusal, State,
    TargetName,
};
use crate::scheduler::queue::Candidate;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// The database has changed.
    Changed,
    /// A snapshot was taken.
    SnapshotTaken(Snapshot),
    /// A claim was decided.
    Claimed(Candidate, Claim),
    /// A claim failed; nothing has changed.
    ClaimFailed(Candidate),
    /// The turn of a prompt (given by its occurrence) has begun.
    Begun(i64),
    /// A prompt was answered.
    Answered(Box<Job>, Answer),
    /// A prompt of unknown outcome was searched for.
    Found(Box<OpenOccurrence>, Evidence),
    /// A verdict was recorded, or the right to do so was lost.
    Settled(Settling, Option<State>),
    /// A target was checked.
    Probed(TargetName, Result<(), Refusal>),
    /// The database could not be read.
    SnapshotFailed,
    /// More incidents wait to be reviewed.
    MoreToReview,
    /// A target was asked for the time: the reason why the clock may be wrong at startup, if it
    /// may.
    ClockAssessed(Option<ClockDoubt>),
    /// The scheduler has to stop.
    Stop,
}

/// The state of the database.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Schedules that are due, with their lanes, the oldest first.
    pub due: Vec<(DueSchedule, Lane)>,
    /// Whether there may be more of them, due later.
    pub more_due: bool,
    /// Every open occurrence.
    pub open: Vec<OpenOccurrence>,
    /// When the next schedule becomes due.
    pub next_due: Option<Timestamp>,
    /// When the first pause ends that has an end; that may have passed.
    pub next_resume: Option<Timestamp>,
    /// The configured targets.
    pub targets: BTreeSet<TargetName>,
    /// Those of them that any scheduler holds.
    pub held: BTreeMap<TargetName, HoldKind>,
    /// The targets of due or open prompts that are not configured.
    pub missing_targets: BTreeSet<TargetName>,
    /// The targets that something is due for and whose lanes can't be named yet.
    pub preparing: BTreeSet<TargetName>,
    /// Why all delivery is halted, if it is.
    pub halted: Option<Halt>,
    /// The targets to which delivery is halted.
    pub halted_targets: BTreeMap<TargetName, Halt>,
    /// Whether there is more upkeep to do than one snapshot may.
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
