//! A schedule: a lasting wish.

use jiff::Timestamp;
use uuid::Uuid;

use super::{AgentId, Allowance, EnvelopeStyle, Payload, PingUrl, Policy, RequestKey, words};

words! {
    /// What kind of time a schedule has.
    ScheduleType {
        /// One instant.
        Once => "once",
        /// A Vixie cron pattern.
        Cron => "cron",
        /// A fixed distance from an anchor.
        Interval => "interval",
    }
}

words! {
    /// Where a schedule stands in its life.
    Lifecycle {
        /// It will run at `next_run`.
        Active => "active",
        /// It keeps its place but does not run.
        Paused => "paused",
        /// Its last instant has been taken.
        Finished => "finished",
        /// Somebody ended it.
        Cancelled => "cancelled",
        /// It can't be read, and says why.
        Broken => "broken",
    }
}

/// A stored schedule. The fields down to `last_run` are the columns everybody may write.
#[derive(Clone, Debug)]
pub struct PromptSchedule {
    /// The number people use. SQLite may give it to another schedule after a delete.
    pub id: i64,
    /// The agent as stored; not checked, since other programs write it.
    pub agent_id: String,
    /// The prompt, exactly as it will be sent.
    pub prompt_text: String,
    /// `once`, `cron` or `interval`, as stored.
    pub schedule_type: String,
    /// The time, pattern or interval, as stored.
    pub schedule_value: String,
    /// The next intended instant; `None` only where the stored text can't be read.
    pub next_run: Option<Timestamp>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Whether it will run. True exactly when `lifecycle` is active.
    pub active: bool,
    /// When the last delivered prompt was sent.
    pub last_run: Option<Timestamp>,
    /// The identity that never changes; `None` until a foreign row is adopted.
    pub uid: Option<Uuid>,
    /// The name by which its agent knows it.
    pub name: Option<String>,
    /// The IANA zone in which its times are meant; `None` until a foreign row is adopted.
    pub timezone: Option<String>,
    /// Where its interval is counted from.
    pub anchor: Option<Timestamp>,
    /// The instant before which it does not run.
    pub start_at: Option<Timestamp>,
    /// The last instant at which it may run.
    pub end_at: Option<Timestamp>,
    /// How many instants it has in all; `None` for no limit.
    pub max_repetitions: Option<i64>,
    /// How many of its instants have been taken, whatever became of them.
    pub repetitions: i64,
    /// Where it stands.
    pub lifecycle: Lifecycle,
    /// Why it is broken.
    pub broken_reason: Option<String>,
    /// Since when it is paused, or was the last time.
    pub paused_at: Option<Timestamp>,
    /// Why it was paused.
    pub pause_note: Option<String>,
    /// How it is delivered.
    pub policy: Policy,
    /// The dead-man service that is told of it.
    pub ping_url: Option<PingUrl>,
    /// The stored request that it sends in place of its prompt, which is then only its rendering.
    pub payload: Option<String>,
}

impl Lifecycle {
    /// Whether nothing more comes of it, unless another program wakes it.
    pub fn is_ended(self) -> bool {
        matches!(self, Lifecycle::Finished | Lifecycle::Cancelled)
    }
}

impl PromptSchedule {
    /// What is told before the prompt.
    pub fn envelope(&self) -> EnvelopeStyle {
        let own = self.policy.envelope;
        own.unwrap_or_else(|| self.usual_envelope())
    }

    /// Whether it is delivered by this policy already, whatever of it is left to the defaults.
    pub fn is_delivered_by(&self, policy: &Policy) -> bool {
        (self.policy).means_the_same_as(policy, self.usual_envelope())
    }

    /// What is told before the prompt where the policy doesn't say. Whoever gives a whole request
    /// wants it sent as it is.
    fn usual_envelope(&self) -> EnvelopeStyle {
        match self.payload {
            Some(_) => EnvelopeStyle::None,
            None => Policy::default().envelope(),
        }
    }
}

/// When a schedule's instants are: checked, and in its stored form.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kind of time.
    pub schedule_type: ScheduleType,
    /// The time, pattern or interval in its stored form.
    pub schedule_value: String,
    /// The IANA zone its times are meant in.
    pub timezone: String,
    /// Where its interval is counted from.
    pub anchor: Timestamp,
    /// The first instant.
    pub next_run: Timestamp,
    /// The instant before which it does not run.
    pub start_at: Option<Timestamp>,
    /// The last instant at which it may run.
    pub end_at: Option<Timestamp>,
    /// How many instants it has in all.
    pub max_repetitions: Option<i64>,
}

/// A schedule to be stored, checked already.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    /// Whom it is for.
    pub agent_id: AgentId,
    /// What is sent.
    pub prompt_text: String,
    /// A name unique among the agent's live schedules.
    pub name: Option<String>,
    /// When.
    pub plan: Plan,
    /// How it is delivered.
    pub policy: Policy,
    /// What a caller with a budget may register; `None` for one without.
    pub allowance: Option<Allowance>,
    /// The dead-man service that is told of it.
    pub ping_url: Option<PingUrl>,
    /// The request that is sent in place of the prompt.
    pub payload: Option<Payload>,
    /// The request that asks for it, if it may come again.
    pub request: Option<RequestKey>,
}
