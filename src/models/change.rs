//! The record of changes: who changed what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, KnownTargets, NamedAgent, words};

words! {
    /// The face through which something was changed.
    Face {
        /// The command line.
        Cli => "cli",
        /// The SMCP plugin.
        Plugin => "plugin",
        /// MCP, over stdio or HTTP.
        Mcp => "mcp",
        /// The REST API, including the command line on another machine.
        Rest => "rest",
        /// Letta's schedule API.
        LettaApi => "letta-api",
        /// A scheduler, on its own.
        Scheduler => "scheduler",
        /// Another program, directly in the table.
        Table => "another program",
    }
}

words! {
    /// What was done.
    Operation {
        /// A schedule was created.
        Register => "register",
        /// A schedule was changed.
        Update => "update",
        /// A schedule was paused.
        Pause => "pause",
        /// A schedule was resumed.
        Resume => "resume",
        /// A schedule was cancelled.
        Cancel => "cancel",
        /// A manual run was queued.
        Run => "run",
        /// A schedule was deleted, which only other programs do.
        Delete => "delete",
        /// All delivery was halted, or that to a target.
        Halt => "halt",
        /// The halt was lifted.
        LiftHalt => "lift_halt",
        /// Settled history was reduced to totals.
        Prune => "prune",
        /// Texts were removed.
        Purge => "purge",
        /// A key was created.
        CreateKey => "create_key",
        /// A key was revoked.
        RevokeKey => "revoke_key",
        /// A backup replaced the database.
        Restore => "restore",
    }
}

/// Who changes something, and through which face.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who asks.
    pub caller: Caller,
    /// The name of the key that was used.
    pub key: Option<String>,
    /// The face.
    pub face: Face,
}

impl Default for By {
    fn default() -> Self {
        By {
            caller: Caller::Operator,
            key: None,
            face: Face::Cli,
        }
    }
}

impl By {
    /// A scheduler, on its own.
    pub fn scheduler() -> By {
        By {
            face: Face::Scheduler,
            ..By::default()
        }
    }

    /// Another program, directly in the table.
    pub fn another_program() -> By {
        By {
            face: Face::Table,
            ..By::default()
        }
    }

    /// A word for it: `operator`, `agent` for an unknown one, or the agent itself.
    pub fn who(&self, targets: &KnownTargets) -> String {
        match (self.face, &self.caller) {
            (Face::Scheduler | Face::Table, _) => self.face.to_string(),
            (_, Caller::Operator) => "operator".to_owned(),
            (_, Caller::SomeAgent) => "agent".to_owned(),
            (_, Caller::Agent(agent)) => targets.show(agent),
        }
    }
}

/// Which changes to list.
#[derive(Clone, Debug, Default)]
pub struct ChangeQuery {
    /// Only those of the schedule that had this id.
    pub schedule_id: Option<i64>,
    /// Only those of schedules that belonged to this agent at the time.
    pub agent: Option<NamedAgent>,
    /// Only those of this time or later.
    pub since: Option<Timestamp>,
    /// At most this many.
    pub limit: u32,
    /// Skip this many first.
    pub offset: u32,
}

/// A recorded change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Its id; later changes have larger ones.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who: `operator`, `agent` (an unknown one), an agent, `scheduler` or `another program`.
    pub caller: String,
    /// The name of the key that was used; only shown to the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The face: `cli`, `plugin`, `mcp`, `rest`, `letta-api`, `scheduler` or `another program`.
    pub face: String,
    /// What was done, such as `register` or `pause`.
    pub operation: String,
    /// The schedule's id at the time; `null` if the change was not about one schedule.
    pub schedule_id: Option<i64>,
    /// The schedule's uid, which unlike its id is never reused.
    pub uid: Option<String>,
    /// The agent of the schedule.
    pub agent_id: Option<String>,
    /// The target that knew the agent, or that was halted; left out if it was about neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The names of the changed parts.
    pub what: Option<String>,
}
