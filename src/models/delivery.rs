//! The delivery of a prompt: what is due, the claim that turns it into a job, what is open, and what
//! stops it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{AgentId, Conversation, Lane, State, TargetName, Trigger};

/// A schedule whose time has come, without its prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueSchedule {
    /// Its number.
    pub id: i64,
    /// Its identity.
    pub uid: Uuid,
    /// Whom it is for.
    pub agent_id: AgentId,
    /// The target that knows the agent; `None` is the default target.
    pub target: Option<TargetName>,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub conversation: Option<Conversation>,
    /// The oldest instant that is not taken yet.
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
    /// Something else is on its way in this lane.
    LaneBusy,
    /// It is not there any more as it was seen: cancelled, changed, or claimed by another process.
    Gone,
    /// What it needs can't be read: the schedule was marked as broken, or the occurrence given up,
    /// as this says.
    Broken(String),
    /// The database refuses this one, although it works: why. Nothing has changed.
    Failed(String),
}

/// A prompt to be sent, and the right to settle it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The occurrence.
    pub occurrence_id: i64,
    /// The right to settle: void once another process has taken over.
    pub fence: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// Its schedule's number when it was claimed.
    pub schedule_id: Option<i64>,
    /// Whom it is for.
    pub agent_id: AgentId,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub conversation: Option<Conversation>,
    /// The lane it holds.
    pub lane: Lane,
    /// When it was meant to be sent.
    pub intended_at: Timestamp,
    /// The otid of this try.
    pub otid: Uuid,
    /// Letta's messages, with the line before the prompt if there is one.
    pub messages: Vec<Value>,
    /// What else Letta is asked, beside the messages.
    pub options: Map<String, Value>,
    /// How many tries counted before this one.
    pub failures: i64,
    /// When this try began.
    pub sent_at: Timestamp,
    /// When its first try began.
    pub first_sent_at: Timestamp,
    /// When retries end.
    pub expires_at: Timestamp,
    /// The schedule's next instant after the claim.
    pub next_run: Option<Timestamp>,
}

/// An open occurrence as the scheduler needs it.
#[derive(Clone, Debug)]
pub struct OpenOccurrence {
    /// Its number.
    pub id: i64,
    /// The right to settle it.
    pub fence: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// Whom it is for.
    pub agent_id: AgentId,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub conversation: Option<Conversation>,
    /// What made it.
    pub trigger: Trigger,
    /// The lane it holds or waits for.
    pub lane: Lane,
    /// Where it stands.
    pub state: State,
    /// The intended instant.
    pub intended_at: Timestamp,
    /// When it may be tried, or looked for, next.
    pub not_before: Option<Timestamp>,
    /// Who sends it.
    pub owner: Option<Uuid>,
    /// When it was first sent.
    pub first_sent_at: Option<Timestamp>,
    /// When it was last sent.
    pub sent_at: Option<Timestamp>,
    /// Since when its fate is unknown.
    pub doubted_at: Option<Timestamp>,
    /// Letta's run, if it is known.
    pub run_id: Option<String>,
    /// How many tries counted.
    pub failures: i64,
    /// How many otids it has used up; otids 0 to this one may be in the agent's history.
    pub generation: i64,
    /// When retries end.
    pub expires_at: Option<Timestamp>,
    /// When looking for it ends.
    pub reconcile_until: Option<Timestamp>,
    /// Whether it waits for its schedule to be resumed.
    pub paused: bool,
    /// Every otid under which it may have been sent, the newest last: here, or by the database of
    /// which this one is a restored copy, also after the copy was taken.
    pub otids: Vec<Uuid>,
}

/// An occurrence that can't be read.
#[derive(Clone, Debug)]
pub struct UnreadableOccurrence {
    /// Its number.
    pub id: i64,
    /// Which column it is, and what stands there.
    pub reason: String,
}

/// What a settlement came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The state that was written; not what was asked for where the schedule was ended meanwhile.
    pub state: State,
    /// Its schedule's number, if that still exists.
    pub schedule_id: Option<i64>,
    /// Why the schedule was paused with it, if it was.
    pub paused: Option<String>,
}

/// The longest that anything open may wait.
#[derive(Clone, Copy, Debug)]
pub struct LongestWaits {
    /// For its next try.
    pub retry: SignedDuration,
    /// For its fate to be found out.
    pub reconcile: SignedDuration,
}

/// Why nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// Since when.
    pub since: Timestamp,
    /// Why, in somebody's words.
    pub note: Option<String>,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all delivery has been halted since {}", self.since)?;
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}
