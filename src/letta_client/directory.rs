//! What a Letta server offers besides delivery: its agents and their tools.

use std::sync::Arc;

use async_trait::async_trait;

use super::target::Target;
use crate::error::Error;
use crate::models::{AgentId, ErrorClass, Refusal, RefusalKind};

/// A Letta server as a directory of agents and tools.
#[async_trait]
pub trait Letta: Target {
    /// The same server over connections of its own, for a thread that shares none; `None` where there
    /// is nothing to share.
    ///
    /// # Errors
    /// If the client of these connections can't be prepared.
    fn apart(&self) -> Result<Option<Arc<dyn Letta>>, Error> {
        Ok(None)
    }

    /// Every agent of the server.
    async fn list_agents(&self) -> Result<Vec<Agent>, Refusal>;

    /// One agent.
    async fn get_agent(&self, agent: &AgentId) -> Result<Agent, Refusal>;

    /// The schedules that the server keeps itself, also those that have ended; `None` if it keeps
    /// none, or none that we know of.
    async fn list_tasks(&self) -> Result<Option<Vec<ServerTask>>, Refusal> {
        Ok(None)
    }

    /// Pauses one of these schedules; one that is paused stays so.
    async fn pause_task(&self, _: &str) -> Result<(), Refusal> {
        Err(Refusal::new(
            RefusalKind::Permanent,
            ErrorClass::InvalidRequest,
            "this server keeps no schedules itself",
        ))
    }

    /// Creates a tool on the server, or replaces the one with the same name.
    async fn create_tool(&self, tool: &NewTool) -> Result<Tool, Refusal>;
}

/// An agent, as a server describes it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Agent {
    /// Its id, as the server gives it.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its target, by its name in the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// When it was created, as the server gives it.
    pub created_at: Option<String>,
    /// When it was last changed, as the server gives it.
    #[serde(default)]
    pub last_updated: Option<String>,
}

/// A schedule that a server keeps itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTask {
    /// Its id, as the server gives it.
    pub id: String,
    /// The agent that is prompted.
    pub agent_id: String,
    /// The conversation in which it is prompted: `default`, `new` or an id.
    pub conversation: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Whether it is going to run.
    pub is_active: bool,
    /// Its state, as the server gives it.
    pub status: String,
    /// When it runs, if it runs once.
    pub at: Option<String>,
    /// The pattern on which it runs, if it runs repeatedly.
    pub cron: Option<String>,
    /// The time zone of the pattern.
    pub timezone: Option<String>,
    /// The prompt.
    pub prompt: String,
}

/// A tool for agents, as Python source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTool {
    /// A function with its docstring and type hints; the server names the tool after it.
    pub source: String,
    /// What the tool does, if the docstring should not be used.
    pub description: Option<String>,
}

/// A tool, as a server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its id, as the server gives it.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
}
