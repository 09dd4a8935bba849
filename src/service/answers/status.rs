//! What is answered about Letta servers and the state of delivery.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::success::Success;
use crate::letta_client::Agent;
use crate::models::{Backlog, Incident, OutboxStatus};

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
