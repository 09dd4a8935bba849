//! What every face answers, with the same keys everywhere: the command line and the plugin print
//! it, MCP and HTTP send it, and a client of another machine reads it back. The keys of the
//! Python original keep their names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::views::{OccurrenceView, ScheduleView};
use crate::letta_client::Agent;
use crate::models::{Account, Backlog, Change, Incident, OutboxStatus, Sums};

/// The word that an answer begins with; an error has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Success {
    /// It was done.
    #[default]
    #[serde(rename = "success")]
    Success,
}

/// A schedule that was made or changed, and when it runs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Planned {
    /// `success` if it was done.
    pub status: Success,
    /// The schedule's number, for all later calls.
    pub id: i64,
    /// The next run, in UTC.
    pub next_run: Timestamp,
    /// What was done, in words.
    pub message: String,
    /// The next run on the clocks of its zone.
    pub next_run_local: String,
    /// Its zone.
    pub timezone: String,
    /// When it runs, in words.
    pub describes: String,
    /// The runs that come next, in UTC.
    pub next_runs: Vec<Timestamp>,
    /// Whether it was there before, under the same name; only said of a new schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub existed: Option<bool>,
    /// Whether anything was changed; only said of an update. What was like this already stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub changed: Option<bool>,
    /// The time of the answer.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A page of schedules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Listed {
    /// `success` if it was done.
    pub status: Success,
    /// How many are on this page.
    pub count: usize,
    /// How many there are in all.
    pub total: i64,
    /// How many can't be read and therefore don't run.
    pub broken: i64,
    /// How many things need somebody's attention.
    pub incidents: usize,
    /// The schedules, the next to run first.
    pub schedules: Vec<ScheduleView>,
    /// The time of the answer.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// One schedule, whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// `success` if it was done.
    pub status: Success,
    /// The schedule.
    pub schedule: ScheduleView,
    /// The runs that come next, in UTC.
    pub next_runs: Vec<Timestamp>,
    /// What became of the last runs, the newest first.
    pub last_runs: Vec<OccurrenceView>,
    /// What became of every run so far; `null` for a row that no scheduler has seen yet.
    pub account: Option<Account>,
    /// The time of the answer.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A schedule that was ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CancelledSchedule {
    /// `success` if it was done.
    pub status: Success,
    /// The schedule's number.
    pub cancelled_id: i64,
    /// What was done, in words.
    pub message: String,
}

/// A schedule that was paused.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PausedSchedule {
    /// `success` if it was done.
    pub status: Success,
    /// The schedule's number.
    pub paused_id: i64,
    /// What was done, in words.
    pub message: String,
}

/// A page of what was changed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeLog {
    /// `success` if it was done.
    pub status: Success,
    /// How many are on this page.
    pub count: usize,
    /// The changes, the newest first.
    pub changes: Vec<Change>,
}

/// A schedule that runs again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ResumedSchedule {
    /// `success` if it was done.
    pub status: Success,
    /// The schedule's number.
    pub resumed_id: i64,
    /// The next run, in UTC; `null` if nothing is left of the schedule.
    pub next_run: Option<Timestamp>,
    /// What was done, in words.
    pub message: String,
    /// The time of the answer.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// One run by hand.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueuedRun {
    /// `success` if it was done.
    pub status: Success,
    /// The schedule's number.
    pub schedule_id: i64,
    /// The run's own number, under which the history shows it.
    pub occurrence_id: i64,
    /// Whether it waited already, since it was asked for before.
    pub existed: bool,
    /// What was done, in words.
    pub message: String,
    /// The time of the answer.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// When something would run, if it were scheduled now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Previewed {
    /// `success` if it was done.
    pub status: Success,
    /// When it would run, in words.
    pub describes: String,
    /// The zone it was read in.
    pub timezone: String,
    /// The runs, each in UTC and in local time.
    pub runs: Vec<PreviewedRun>,
    /// The time of the answer.
    pub now: Timestamp,
}

/// One run of a preview.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PreviewedRun {
    /// In UTC.
    pub utc: Timestamp,
    /// On the clocks of the zone.
    pub local: String,
}

/// What became of occurrences, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// `success` if it was done.
    pub status: Success,
    /// How many are shown.
    pub count: usize,
    /// The deliveries.
    pub occurrences: Vec<OccurrenceView>,
}

/// Every agent of the Letta server.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AgentsListed {
    /// `success` if it was done.
    pub status: Success,
    /// The agents, each with its id and name.
    pub agents: Vec<Agent>,
    /// How many there are.
    pub count: usize,
}

/// Whether Letta answers and somebody delivers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tested {
    /// `success` if it was done.
    pub status: Success,
    /// What was found, in words.
    pub message: String,
    /// Where Letta is.
    pub letta_url: String,
    /// Letta's version, where it tells.
    pub letta_version: Option<String>,
    /// How many agents there are; `null` for an agent, or if they could not be counted.
    #[serde(default)]
    pub agent_count: Option<usize>,
    /// The database; `null` for an agent.
    pub database: Option<String>,
    /// The schedulers that deliver.
    pub schedulers: Vec<SchedulerView>,
    /// What needs somebody's attention; of its own schedules only, for an agent.
    pub incidents: Vec<Incident>,
    /// How it stands with the notices to the operator; `null` for an agent.
    pub notices: Option<OutboxStatus>,
    /// The time of the answer.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A scheduler that lives on the database.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SchedulerView {
    /// Its owner id; only for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub owner: Option<String>,
    /// Its process; only for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pid: Option<i64>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it works.
    pub heartbeat_at: Timestamp,
    /// Why it delivers nothing at the moment; an agent is told only that.
    pub holding: Option<String>,
}

/// Whether all delivery is halted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Halted {
    /// `success` if it was done.
    pub status: Success,
    /// Whether it is.
    pub halted: bool,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why, in somebody's words.
    pub note: Option<String>,
    /// What was done, in words.
    pub message: String,
    /// The time of the answer.
    pub now: Timestamp,
}

/// The accounts of schedules, and their sum.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Accounts {
    /// `success` if it was done.
    pub status: Success,
    /// How many are on this page.
    pub count: usize,
    /// How many there are in all.
    pub total: usize,
    /// One for each schedule; for the operator also of those that are deleted.
    pub accounts: Vec<ScheduleAccount>,
    /// All of them together, those of other pages included.
    pub sum: AccountSum,
    /// The time of the answer.
    pub now: Timestamp,
}

/// The account of one schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ScheduleAccount {
    /// Its number; `null` if it is deleted.
    pub schedule_id: Option<i64>,
    /// What became of its instants.
    #[serde(flatten)]
    pub account: Account,
}

/// Many accounts together.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountSum {
    /// How many instants were to be accounted for; `null` where one of them can't be calculated.
    pub expected: Option<i64>,
    /// What became of those that are kept one by one.
    #[schema(inline)]
    pub states: Sums,
    /// What became of those that are kept as sums.
    #[schema(inline)]
    pub pruned: Sums,
    /// What became of the runs by hand.
    #[schema(inline)]
    pub manual: Sums,
    /// Whether nothing is wrong with any of them.
    pub balanced: bool,
}

/// Who delivers, and what stands in the way. Letta is not asked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// `success` if it was done.
    pub status: Success,
    /// Whether all delivery is halted.
    pub halted: bool,
    /// Since when.
    pub halted_since: Option<Timestamp>,
    /// Why, in somebody's words.
    pub halt_note: Option<String>,
    /// The schedulers that live on the database.
    pub schedulers: Vec<SchedulerView>,
    /// What needs somebody's attention; of its own schedules only, for an agent.
    pub incidents: Vec<Incident>,
    /// How much is waiting; `null` for an agent.
    pub backlog: Option<Backlog>,
    /// How it stands with the notices to the operator; `null` for an agent.
    pub notices: Option<OutboxStatus>,
    /// The time of the answer.
    pub now: Timestamp,
    /// What keeps prompts from being delivered: show it to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<String>,
}

/// A tool that Letta took.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UploadedTool {
    /// `success` if it was done.
    pub status: Success,
    /// Its id in Letta.
    pub tool_id: String,
    /// Its name in Letta: that of its function.
    pub name: Option<String>,
    /// What was done, in words.
    pub message: String,
}
