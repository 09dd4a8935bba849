//! A schedule.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    AgentId, Allowance, Conversation, EnvelopeStyle, Payload, PingUrl, Policy, RequestKey,
    TargetName, words,
};

words! {
    /// The kind of a schedule's time.
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
    /// The lifecycle of a schedule.
    Lifecycle {
        /// It will run at `next_run`.
        Active => "active",
        /// It does not run until it is resumed.
        Paused => "paused",
        /// Its last instant has been claimed.
        Finished => "finished",
        /// Somebody cancelled it.
        Cancelled => "cancelled",
        /// It can't be read, for the stored reason.
        Broken => "broken",
    }
}

/// A stored schedule. The fields down to `last_run` are columns that any program may write.
#[derive(Clone, Debug)]
pub struct PromptSchedule {
    /// Its id. SQLite may reuse it after a delete.
    pub id: i64,
    /// The agent as stored; not checked, because other programs write it.
    pub agent_id: String,
    /// The prompt, exactly as it will be sent.
    pub prompt_text: String,
    /// `once`, `cron` or `interval`, as stored.
    pub schedule_type: String,
    /// The time, pattern or interval, as stored.
    pub schedule_value: String,
    /// The next intended instant; `None` only if the stored text can't be read.
    pub next_run: Option<Timestamp>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// Whether it will run. True exactly when `lifecycle` is active.
    pub active: bool,
    /// When the last delivered prompt was sent.
    pub last_run: Option<Timestamp>,
    /// Its permanent identity; `None` until a foreign row is adopted.
    pub uid: Option<Uuid>,
    /// The name its agent gave it.
    pub name: Option<String>,
    /// The IANA zone of its times; `None` until a foreign row is adopted.
    pub timezone: Option<String>,
    /// Where its interval is counted from.
    pub anchor: Option<Timestamp>,
    /// The instant before which it does not run.
    pub start_at: Option<Timestamp>,
    /// The last instant at which it may run.
    pub end_at: Option<Timestamp>,
    /// The dates on which it does not run, as stored.
    pub except: Option<String>,
    /// How many instants it has in total; `None` for no limit.
    pub max_repetitions: Option<i64>,
    /// How many of its instants have been used, whatever their outcome.
    pub repetitions: i64,
    /// Its lifecycle.
    pub lifecycle: Lifecycle,
    /// Why it is broken.
    pub broken_reason: Option<String>,
    /// Since when it has been paused, or was last.
    pub paused_at: Option<Timestamp>,
    /// A note on why it was paused.
    pub pause_note: Option<String>,
    /// When a paused schedule resumes by itself.
    pub resume_at: Option<Timestamp>,
    /// Its policy.
    pub policy: Policy,
    /// The target that knows its agent; `None` is the default target.
    pub target: Option<TargetName>,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub conversation: Option<Conversation>,
    /// Its dead-man service.
    pub ping_url: Option<PingUrl>,
    /// The hash of the stored request that it sends instead of its prompt, which is then only a
    /// rendering.
    pub payload: Option<String>,
}

impl Lifecycle {
    /// Whether it sends nothing more, unless another program reactivates it.
    pub fn is_ended(self) -> bool {
        matches!(self, Lifecycle::Finished | Lifecycle::Cancelled)
    }
}

impl PromptSchedule {
    /// The line before the prompt.
    pub fn envelope(&self) -> EnvelopeStyle {
        let own = self.policy.envelope;
        own.unwrap_or_else(|| self.usual_envelope())
    }

    /// Whether it already has this policy, with defaults filled in.
    pub fn is_delivered_by(&self, policy: &Policy) -> bool {
        (self.policy).means_the_same_as(policy, self.usual_envelope())
    }

    /// The default for the line before the prompt. Whoever gives a whole request wants it sent as
    /// it is.
    fn usual_envelope(&self) -> EnvelopeStyle {
        match self.payload {
            Some(_) => EnvelopeStyle::None,
            None => Policy::default().envelope(),
        }
    }
}

/// A checked plan of a schedule's instants, in its stored form.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kind of time.
    pub schedule_type: ScheduleType,
    /// The time, pattern or interval in its stored form.
    pub schedule_value: String,
    /// The IANA zone of its times.
    pub timezone: String,
    /// Where its interval is counted from.
    pub anchor: Timestamp,
    /// The first instant.
    pub next_run: Timestamp,
    /// The instant before which it does not run.
    pub start_at: Option<Timestamp>,
    /// The last instant at which it may run.
    pub end_at: Option<Timestamp>,
    /// The dates on which it does not run, in their stored form.
    pub except: Option<String>,
    /// How many instants it has in total.
    pub max_repetitions: Option<i64>,
}

/// A checked schedule to be stored.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    /// Its agent.
    pub agent_id: AgentId,
    /// The target that knows the agent; `None` is the default target.
    pub target: Option<TargetName>,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub conversation: Option<Conversation>,
    /// Its prompt.
    pub prompt_text: String,
    /// A name unique among the agent's live schedules.
    pub name: Option<String>,
    /// Its plan.
    pub plan: Plan,
    /// Its policy.
    pub policy: Policy,
    /// What a caller with a budget may register; `None` for one without.
    pub allowance: Option<Allowance>,
    /// Its dead-man service.
    pub ping_url: Option<PingUrl>,
    /// The request to send instead of the prompt.
    pub payload: Option<Payload>,
    /// The request that creates it, if it may be repeated.
    pub request: Option<RequestKey>,
}

/// A schedule that has, or had, a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSchedule {
    /// Its id.
    pub id: i64,
    /// Its agent.
    pub agent_id: String,
    /// The target that knows the agent.
    pub target: String,
    /// Whether it is active or paused.
    pub is_live: bool,
}
