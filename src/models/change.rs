//! Who changed what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AgentId, Caller, words};

words! {
    /// How whoever changed something reached us.
    Face {
        /// The command line.
        Cli => "cli",
        /// The SMCP plugin.
        Plugin => "plugin",
        /// MCP, over stdio or HTTP.
        Mcp => "mcp",
        /// The REST API, also the command line of another machine.
        Rest => "rest",
        /// Letta's schedule API.
        LettaApi => "letta-api",
        /// A scheduler, by itself.
        Scheduler => "scheduler",
        /// The table itself, past us.
        Table => "another program",
    }
}

words! {
    /// What was done.
    Operation {
        /// A schedule was made.
        Register => "register",
        /// A schedule was changed.
        Update => "update",
        /// A schedule was paused.
        Pause => "pause",
        /// A schedule was resumed.
        Resume => "resume",
        /// A schedule was cancelled.
        Cancel => "cancel",
        /// A run by hand was queued.
        Run => "run",
        /// A schedule was deleted, which only other programs do.
        Delete => "delete",
        /// All delivery was halted.
        Halt => "halt",
        /// The halt was lifted.
        LiftHalt => "lift_halt",
        /// Settled history became sums.
        Prune => "prune",
        /// Texts were removed.
        Purge => "purge",
        /// A key was made.
        CreateKey => "create_key",
        /// A key was revoked.
        RevokeKey => "revoke_key",
        /// A backup was put into the place of the database.
        Restore => "restore",
    }
}

/// Who changes something, and how they reach us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who asks.
    pub caller: Caller,
    /// What the key is called that was shown.
    pub key: Option<String>,
    /// How they reach us.
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
    /// A scheduler, which nobody asked.
    pub fn scheduler() -> By {
        By {
            face: Face::Scheduler,
            ..By::default()
        }
    }

    /// Another program, in the table itself.
    pub fn another_program() -> By {
        By {
            face: Face::Table,
            ..By::default()
        }
    }

    /// Who it was, in a word: `operator`, `agent` for one that nobody knows, or an agent's id.
    pub fn who(&self) -> &str {
        match (self.face, &self.caller) {
            (Face::Scheduler | Face::Table, _) => self.face.as_str(),
            (_, Caller::Operator) => "operator",
            (_, Caller::SomeAgent) => "agent",
            (_, Caller::Agent(agent)) => agent.as_str(),
        }
    }
}

/// Which changes are asked for.
#[derive(Clone, Debug, Default)]
pub struct ChangeQuery {
    /// Only those of a schedule that had this number.
    pub schedule_id: Option<i64>,
    /// Only those of schedules that were this agent's at the time.
    pub agent_id: Option<AgentId>,
    /// Only those of this time or later.
    pub since: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
    /// Leaving out so many at the beginning.
    pub offset: u32,
}

/// Something that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Its number; later changes have larger ones.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who: `operator`, `agent` (some agent, of which nobody tells which), an agent's id, `scheduler`
    /// or `another program`.
    pub caller: String,
    /// What the key is called that was shown; only told to the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How they reached us: `cli`, `plugin`, `mcp`, `rest`, `letta-api`, `scheduler` or `another
    /// program`.
    pub face: String,
    /// What was done, such as `register` or `pause`.
    pub operation: String,
    /// The schedule's number, as it was then; none where it was about no schedule.
    pub schedule_id: Option<i64>,
    /// The schedule; unlike its number it is never given again.
    pub uid: Option<String>,
    /// Whose the schedule was.
    pub agent_id: Option<String>,
    /// What of it was changed, by name.
    pub what: Option<String>,
}
