//! How faces show schedules and occurrences. The keys down to `last_run` are the user's own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::models::{
    Attempt, CatchUp, EnvelopeStyle, Lifecycle, Occurrence, Policy, PromptSchedule,
};
use crate::schedule::{Timetable, Zone};

use crate::limits::LISTED_PROMPT as PROMPT_EXCERPT;

/// A schedule as shown. Times are UTC unless they are called local.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ScheduleView {
    /// Its id.
    pub id: i64,
    /// Its agent.
    pub agent_id: String,
    /// Its prompt; shortened in lists.
    pub prompt_text: String,
    /// `once`, `cron` or `interval`.
    pub schedule_type: String,
    /// The time, pattern or interval.
    pub schedule_value: String,
    /// Its next run in UTC; the last one if it has finished; `null` if it passed while the schedule
    /// is paused.
    pub next_run: Option<Timestamp>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// Whether it will run.
    pub active: bool,
    /// When the last delivered prompt was sent.
    pub last_run: Option<Timestamp>,
    /// The next run in its time zone.
    pub next_run_local: Option<String>,
    /// Its time zone.
    pub timezone: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it runs, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describes: Option<String>,
    /// Its lifecycle.
    pub lifecycle: Lifecycle,
    /// Why it is due but not being sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// Why it is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_reason: Option<String>,
    /// Since when it has been paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// A note on why it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_note: Option<String>,
    /// When it resumes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Timestamp>,
    /// The time before which it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// The last time at which it may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Timestamp>,
    /// The dates on which it does not run, with commas between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<String>,
    /// How many instants it has in total.
    pub max_repetitions: Option<i64>,
    /// How many of them have been used.
    pub repetition_count: i64,
    /// The target that knows the agent; where it is missing, the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The conversation of the agent; where it is missing, the usual one of the agent's server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// Its policy.
    pub policy: PolicyView,
    /// Its dead-man service, without the part that makes the address usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_url: Option<String>,
}

/// The policy of a schedule, with defaults filled in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// What to do with instants that could not be sent in time.
    pub catch_up: CatchUp,
    /// With `skip`: how late an instant may still be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<i64>,
    /// After how many failed prompts in a row it is paused; 0 for never.
    pub pause_on_failure: i64,
    /// The line added before the prompt.
    pub envelope: EnvelopeStyle,
    /// How long an occurrence is retried; if missing, the setting `max_age` applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<i64>,
}

impl From<Policy> for PolicyView {
    fn from(policy: Policy) -> Self {
        let catch_up = policy.catch_up();
        PolicyView {
            catch_up,
            grace_seconds: (catch_up == CatchUp::Skip).then(|| policy.grace().as_secs()),
            pause_on_failure: policy.pause_on_failure().unwrap_or(0),
            envelope: policy.envelope(),
            max_age_seconds: policy.max_age.map(|d| d.as_secs()),
        }
    }
}

impl ScheduleView {
    /// A schedule, with its prompt whole or shortened.
    pub(super) fn new(
        s: PromptSchedule,
        zone: &Zone,
        timetable: Option<&Timetable>,
        full: bool,
        now: Timestamp,
    ) -> Self {
        let zone = timetable.map_or(zone, |t| &t.zone);
        let paused = s.lifecycle == Lifecycle::Paused;
        // Runs that passed during a pause don't run by themselves.
        let next_run = s.next_run.filter(|at| !paused || *at > now);
        let envelope = s.envelope();
        ScheduleView {
            id: s.id,
            agent_id: s.agent_id,
            prompt_text: if full {
                s.prompt_text
            } else {
                shorten(&s.prompt_text)
            },
            schedule_type: s.schedule_type,
            schedule_value: s.schedule_value,
            next_run,
            created_at: s.created_at,
            active: s.active,
            last_run: s.last_run,
            next_run_local: next_run.map(|t| show_local(t, zone)),
            timezone: s.timezone.unwrap_or_else(|| zone.name().to_owned()),
            name: s.name,
            describes: timetable.map(|t| t.describe()),
            lifecycle: s.lifecycle,
            waiting_for: None,
            broken_reason: s.broken_reason,
            paused_at: s.paused_at.filter(|_| paused),
            pause_note: s.pause_note.filter(|_| paused),
            resume_at: s.resume_at.filter(|_| paused),
            start_at: s.start_at,
            end_at: s.end_at,
            except: s.except,
            max_repetitions: s.max_repetitions,
            repetition_count: s.repetitions,
            target: s.target.map(|t| t.to_string()),
            conversation: s.conversation.map(|c| c.to_string()),
            policy: PolicyView {
                envelope,
                ..s.policy.into()
            },
            ping_url: s.ping_url.map(|url| url.redacted()),
        }
    }
}

/// An occurrence as shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OccurrenceView {
    /// Its own id; `schedule_id` is that of its schedule.
    pub occurrence_id: i64,
    /// The id of its schedule, if that still exists.
    pub schedule_id: Option<i64>,
    /// Its agent.
    pub agent_id: String,
    /// The target that knows the agent; where it is missing, the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Its trigger.
    pub trigger: String,
    /// The intended instant; the newest one if it stands for several.
    pub intended_at: Timestamp,
    /// The oldest instant it stands for.
    pub first_at: Timestamp,
    /// How many instants it stands for.
    pub count: i64,
    /// Which run of its schedule it is, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing: Option<i64>,
    /// Its state.
    pub state: String,
    /// Why it is in this state.
    pub reason: Option<String>,
    /// When its latest attempt was sent.
    pub sent_at: Option<Timestamp>,
    /// When it was settled.
    pub finished_at: Option<Timestamp>,
    /// When it will be tried or searched for next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The conversation in which it is sent; where it is missing, the usual one of the agent's
    /// server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// Letta's run.
    pub run_id: Option<String>,
    /// Letta's stop reason.
    pub stop_reason: Option<String>,
    /// How the turn ended.
    pub turn: Option<String>,
    /// Tokens the turn used.
    pub tokens: Option<i64>,
    /// The beginning of the agent's reply.
    pub reply: Option<String>,
    /// The last error.
    pub error: Option<String>,
    /// All attempts, oldest first.
    pub attempts: Vec<AttemptView>,
}

/// An attempt as shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// 1 for the first.
    pub n: i64,
    /// The otid it was sent under.
    pub otid: String,
    /// When it was sent.
    pub started_at: Timestamp,
    /// When its answer was known; the last one if it was repeated.
    pub finished_at: Option<Timestamp>,
    /// How many more attempts followed that did not count and got the same answer, for example from
    /// an agent that was busy all the time.
    #[serde(default)]
    pub repeats: i64,
    /// The class of its error.
    pub error_code: Option<String>,
    /// Its error as text.
    pub error: Option<String>,
    /// Letta's run.
    pub run_id: Option<String>,
}

impl OccurrenceView {
    /// An occurrence with its attempts.
    pub(super) fn new(o: Occurrence, schedule_id: Option<i64>, attempts: Vec<Attempt>) -> Self {
        OccurrenceView {
            occurrence_id: o.id,
            schedule_id,
            agent_id: o.agent_id,
            target: o.target.map(|target| target.to_string()),
            trigger: o.trigger.to_string(),
            intended_at: o.intended_at,
            first_at: o.first_at,
            count: o.count,
            firing: o.firing,
            state: o.state.to_string(),
            reason: o.reason,
            sent_at: o.sent_at,
            finished_at: o.finished_at,
            not_before: o.not_before,
            conversation: o.conversation.map(|c| c.to_string()),
            run_id: o.run_id,
            stop_reason: o.stop_reason,
            turn: o.turn.map(|t| t.to_string()),
            tokens: o.tokens,
            reply: o.reply,
            error: o.error,
            attempts: attempts
                .into_iter()
                .map(|a| AttemptView {
                    n: a.n,
                    otid: a.otid.to_string(),
                    started_at: a.started_at,
                    finished_at: a.finished_at,
                    repeats: a.repeats,
                    error_code: a.error_code,
                    error: a.error,
                    run_id: a.run_id,
                })
                .collect(),
        }
    }
}

/// A time in a zone, with its offset and name.
pub(crate) fn show_local(time: Timestamp, zone: &Zone) -> String {
    time.to_zoned(zone.tz().clone())
        .strftime("%Y-%m-%d %H:%M:%S %:z %Q")
        .to_string()
}

/// The first hundred characters, and whether there is more.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(PROMPT_EXCERPT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_shortened_by_characters_not_bytes() {
        let hundred = "é".repeat(100);
        assert_eq!(shorten(&hundred), hundred);
        assert_eq!(shorten(&format!("{hundred}x")), format!("{hundred}..."));
    }
}
