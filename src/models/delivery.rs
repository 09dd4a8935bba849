//! The delivery of a prompt: what is due, the claim that turns it into a job, what is open, and
//! what halts it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{AgentId, Conversation, Lane, State, TargetName, Trigger};

/// A schedule that is due, without its prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueSchedule {
    /// Its id.
    pub id: i64,
    /// Its uid.
    pub uid: Uuid,
    /// Its agent.
    pub agent_id: AgentId,
    /// The target that knows the agent; `None` is the default target.
    pub target: Option<TargetName>,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub conversation: Option<Conversation>,
    /// The oldest instant that has not been claimed.
    pub next_run: Timestamp,
}

/// Who claims, and how long a claim may be retried.
#[derive(Clone, Debug)]
pub struct ClaimTerms {
    /// The scheduler.
    pub owner: Uuid,
    /// The age at which an occurrence is given up.
    pub max_age: SignedDuration,
    /// How late a one-shot may be sent at all.
    pub once_max_lateness: SignedDuration,
}

/// What became of a claim.
#[derive(Clone, Debug)]
pub enum Claim {
    /// It is ours to send.
    Job(Box<Job>),
    /// Its instants were settled without sending.
    Settled(State),
    /// Another prompt is being sent in this lane.
    LaneBusy,
    /// It is no longer as it was seen: cancelled, changed, or claimed by another process.
    Gone,
    /// It can't be read, for this reason: the schedule was marked as broken, or the occurrence
    /// given up.
    Broken(String),
    /// The database refuses this one although it works, for this reason. Nothing has changed.
    Failed(String),
}

/// A prompt to be sent, and the right to settle it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The occurrence.
    pub occurrence_id: i64,
    /// The fence to settle with: void once another process has taken over.
    pub fence: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// The id of its schedule when it was claimed.
    pub schedule_id: Option<i64>,
    /// Its agent.
    pub agent_id: AgentId,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub conversation: Option<Conversation>,
    /// The lane it occupies.
    pub lane: Lane,
    /// When it was intended to be sent.
    pub intended_at: Timestamp,
    /// The otid of this attempt.
    pub otid: Uuid,
    /// Letta's messages, with the line before the prompt if there is one.
    pub messages: Vec<Value>,
    /// Other fields of the request to Letta.
    pub options: Map<String, Value>,
    /// How many attempts counted before this one.
    pub failures: i64,
    /// When this attempt began.
    pub sent_at: Timestamp,
    /// When its first attempt began.
    pub first_sent_at: Timestamp,
    /// When it was first sent under this otid without being found afterwards; `None` if it was
    /// never sent under it, as far as is known.
    pub not_found_since: Option<Timestamp>,
    /// When retries end.
    pub expires_at: Timestamp,
    /// The schedule's next instant after the claim.
    pub next_run: Option<Timestamp>,
}

/// An open occurrence, as the scheduler needs it.
#[derive(Clone, Debug)]
pub struct OpenOccurrence {
    /// Its id.
    pub id: i64,
    /// The fence to settle with.
    pub fence: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// Its agent.
    pub agent_id: AgentId,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub conversation: Option<Conversation>,
    /// What made it.
    pub trigger: Trigger,
    /// The lane it occupies or waits for.
    pub lane: Lane,
    /// Its state.
    pub state: State,
    /// The intended instant.
    pub intended_at: Timestamp,
    /// When to try or search for it next.
    pub not_before: Option<Timestamp>,
    /// The scheduler that is sending it.
    pub owner: Option<Uuid>,
    /// When it was first sent.
    pub first_sent_at: Option<Timestamp>,
    /// When it was last sent.
    pub sent_at: Option<Timestamp>,
    /// Since when its outcome has been unknown.
    pub doubted_at: Option<Timestamp>,
    /// Letta's run, if it is known.
    pub run_id: Option<String>,
    /// How many attempts counted.
    pub failures: i64,
    /// How many otids it has used up; otids 0 to this one may be in the agent's history.
    pub generation: i64,
    /// When retries end.
    pub expires_at: Option<Timestamp>,
    /// When to stop searching for it.
    pub reconcile_until: Option<Timestamp>,
    /// Whether it waits for its schedule to be resumed.
    pub paused: bool,
    /// Every otid under which it may have been sent, the newest last. If this database is a
    /// restored copy, that includes those that the original may have used since.
    pub otids: Vec<Uuid>,
}

/// An occurrence that can't be read.
#[derive(Clone, Debug)]
pub struct UnreadableOccurrence {
    /// Its id.
    pub id: i64,
    /// The column that can't be read, and its content.
    pub reason: String,
}

/// The result of settling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The state that was written; a different one than requested if the schedule has ended
    /// meanwhile.
    pub state: State,
    /// Its schedule's id, if that still exists.
    pub schedule_id: Option<i64>,
    /// Why the schedule was paused as well, if it was.
    pub paused: Option<String>,
}

/// The longest times that an open occurrence may wait.
#[derive(Clone, Copy, Debug)]
pub struct LongestWaits {
    /// For a retry.
    pub retry: SignedDuration,
    /// For its outcome to be found out.
    pub reconcile: SignedDuration,
}

/// A halt of delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// The only target to which nothing is sent; `None` for all.
    pub target: Option<TargetName>,
    /// Since when.
    pub since: Timestamp,
    /// A note on why.
    pub note: Option<String>,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Some(target) => write!(f, "delivery to {target} has been halted")?,
            None => f.write_str("all delivery has been halted")?,
        }
        write!(f, " since {}", self.since)?;
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}
