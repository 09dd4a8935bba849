//! The answers that all faces give, with the same keys: the command line and the plugin print them,
//! MCP and HTTP send them, and a client on another machine reads them back. The keys of the Python
//! original keep their names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::views::{OccurrenceView, ScheduleView};
use crate::letta_client::Agent;
use crate::models::{Account, Backlog, Change, Incident, OutboxStatus, Sums};

/// The status of a successful answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Success {
    /// The operation succeeded.
    #[default]
    #[serde(rename = "success")]
    Success,
}

/// A schedule that was created or changed, and when it runs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Planned {
    /// `success`.
    pub status: Success,
    /// The schedule's id, for later calls.
    pub id: i64,
    /// The next run, in UTC.
    pub next_run: Timestamp,
    /// A message for people.
    pub message: String,
    /// The next run in its time zone.
    pub next_run_local: String,
    /// Its time zone.
    pub timezone: String,
    /// When it runs, for people.
    pub describes: String,
    /// The words that mean the same, which may be given back as any time; missing if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub understood: Option<String>,
    /// What to know about its times: what was taken for granted, and the surprises of the next year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The next runs in UTC.
    pub next_runs: Vec<Timestamp>,
    /// Whether it already existed under this name; only when registering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub existed: Option<bool>,
    /// Whether anything changed; only when updating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub changed: Option<bool>,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A page of schedules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Listed {
    /// `success`.
    pub status: Success,
    /// Number of schedules on this page.
    pub count: usize,
    /// Total number.
    pub total: i64,
    /// Number of broken schedules, which don't run.
    pub broken: i64,
    /// Number of open incidents.
    pub incidents: usize,
    /// The schedules, the next to run first.
    pub schedules: Vec<ScheduleView>,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// One schedule in full.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// `success`.
    pub status: Success,
    /// The schedule.
    pub schedule: ScheduleView,
    /// The next runs in UTC.
    pub next_runs: Vec<Timestamp>,
    /// The words that mean the same, which may be given back as any time; missing if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub understood: Option<String>,
    /// What to know about its times: what was taken for granted, and the surprises of the next year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The last runs, newest first.
    pub last_runs: Vec<OccurrenceView>,
    /// The account of all runs so far; `null` for a row that no scheduler has seen yet.
    pub account: Option<Account>,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A cancelled schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CancelledSchedule {
    /// `success`.
    pub status: Success,
    /// The schedule's id.
    pub cancelled_id: i64,
    /// A message for people.
    pub message: String,
}

/// A paused schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PausedSchedule {
    /// `success`.
    pub status: Success,
    /// The schedule's id.
    pub paused_id: i64,
    /// When it resumes by itself, if that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resume_at: Option<Timestamp>,
    /// A message for people.
    pub message: String,
}

/// A page of changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeLog {
    /// `success`.
    pub status: Success,
    /// Number of changes on this page.
    pub count: usize,
    /// The changes, newest first.
    pub changes: Vec<Change>,
}

/// A resumed schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ResumedSchedule {
    /// `success`.
    pub status: Success,
    /// The schedule's id.
    pub resumed_id: i64,
    /// Its next run in UTC; `null` if it has finished.
    pub next_run: Option<Timestamp>,
    /// A message for people.
    pub message: String,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A manual run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueuedRun {
    /// `success`.
    pub status: Success,
    /// The schedule's id.
    pub schedule_id: i64,
    /// The occurrence id, as shown in the history.
    pub occurrence_id: i64,
    /// Whether such a run was already waiting.
    pub existed: bool,
    /// A message for people.
    pub message: String,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// When something would run, if it were scheduled now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Previewed {
    /// `success`.
    pub status: Success,
    /// When it would run, for people.
    pub describes: String,
    /// The words that mean the same, which may be given back as any time; missing if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub understood: Option<String>,
    /// What to know about its times: what was taken for granted, and the surprises of the next year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The time zone it was read in.
    pub timezone: String,
    /// The runs, in UTC and in local time.
    pub runs: Vec<PreviewedRun>,
    /// The current time.
    pub now: Timestamp,
}

/// One run of a preview.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PreviewedRun {
    /// In UTC.
    pub utc: Timestamp,
    /// In the time zone.
    pub local: String,
}

/// Deliveries, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// `success`.
    pub status: Success,
    /// Number of deliveries shown.
    pub count: usize,
    /// The deliveries.
    pub occurrences: Vec<OccurrenceView>,
}

/// The agents of the Letta server.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AgentsListed {
    /// `success`.
    pub status: Success,
    /// The agents, each with its id and name.
    pub agents: Vec<Agent>,
    /// Number of agents.
    pub count: usize,
    /// Which servers did not answer, if others did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// Whether Letta answers and prompts are being delivered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tested {
    /// `success`.
    pub status: Success,
    /// A message for people.
    pub message: String,
    /// Letta's address.
    pub letta_url: String,
    /// Letta's version, if it reports one.
    pub letta_version: Option<String>,
    /// Number of agents; `null` for an agent, or if they could not be counted.
    #[serde(default)]
    pub agent_count: Option<usize>,
    /// The other targets of the settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_targets: Vec<TargetTested>,
    /// The database; `null` for an agent.
    pub database: Option<String>,
    /// The running schedulers.
    pub schedulers: Vec<SchedulerView>,
    /// Open incidents; an agent sees only its own.
    pub incidents: Vec<Incident>,
    /// The state of notices to the operator; `null` for an agent.
    pub notices: Option<OutboxStatus>,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A target beside the default one, and whether it answers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TargetTested {
    /// Its name in the settings.
    pub target: String,
    /// Its address.
    pub letta_url: String,
    /// Its version, if it tells.
    pub letta_version: Option<String>,
    /// Why it doesn't answer; `null` if it does.
    pub error: Option<String>,
}

/// A running scheduler.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SchedulerView {
    /// Its owner id; operator only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub owner: Option<String>,
    /// Its process id; operator only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pid: Option<i64>,
    /// When it started.
    pub started_at: Timestamp,
    /// Its last heartbeat.
    pub heartbeat_at: Timestamp,
    /// Why it is not delivering; an agent sees only this.
    pub holding: Option<String>,
}

/// What is in the way of delivery to a target.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    /// The target.
    pub target: String,
    /// Since when it is held because it takes no prompts.
    pub held_since: Option<Timestamp>,
    /// Why; only shown to the operator.
    pub held_reason: Option<String>,
    /// Since when the operator has halted delivery to it.
    pub halted_since: Option<Timestamp>,
    /// A note on why; only shown to the operator.
    pub halt_note: Option<String>,
}

/// The state of the halt.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Halted {
    /// `success`.
    pub status: Success,
    /// Whether delivery is halted.
    pub halted: bool,
    /// The only target it is about; left out if it is all delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub target: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// A note on why.
    pub note: Option<String>,
    /// A message for people.
    pub message: String,
    /// The current time.
    pub now: Timestamp,
}

/// The accounts of schedules, and their total.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Accounts {
    /// `success`.
    pub status: Success,
    /// Number of accounts on this page.
    pub count: usize,
    /// Total number.
    pub total: usize,
    /// One per schedule; the operator also sees deleted ones.
    pub accounts: Vec<ScheduleAccount>,
    /// The total of all accounts, including those on other pages.
    pub sum: AccountSum,
    /// The current time.
    pub now: Timestamp,
}

/// The account of one schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ScheduleAccount {
    /// The schedule's id; `null` if it was deleted.
    pub schedule_id: Option<i64>,
    /// What happened to its instants.
    #[serde(flatten)]
    pub account: Account,
}

/// The total of accounts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountSum {
    /// How many instants were planned; `null` if one account can't be computed.
    pub expected: Option<i64>,
    /// States of deliveries that are still stored.
    #[schema(inline)]
    pub states: Sums,
    /// States of pruned ones.
    #[schema(inline)]
    pub pruned: Sums,
    /// States of manual runs.
    #[schema(inline)]
    pub manual: Sums,
    /// Whether every account is correct.
    pub balanced: bool,
}

/// Who is delivering, and what is in the way. Does not contact Letta.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// `success`.
    pub status: Success,
    /// Whether all delivery is halted.
    pub halted: bool,
    /// Since when.
    pub halted_since: Option<Timestamp>,
    /// A note on why.
    pub halt_note: Option<String>,
    /// Each target, and what is in the way there; an agent sees only its own.
    #[serde(default)]
    pub targets: Vec<TargetView>,
    /// The running schedulers.
    pub schedulers: Vec<SchedulerView>,
    /// Open incidents; an agent sees only its own.
    pub incidents: Vec<Incident>,
    /// How much is waiting; `null` for an agent.
    pub backlog: Option<Backlog>,
    /// The state of notices to the operator; `null` for an agent.
    pub notices: Option<OutboxStatus>,
    /// The current time.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// An uploaded tool.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UploadedTool {
    /// `success`.
    pub status: Success,
    /// Its id in Letta.
    pub tool_id: String,
    /// Its name in Letta: that of its function.
    pub name: Option<String>,
    /// A message for people.
    pub message: String,
}
