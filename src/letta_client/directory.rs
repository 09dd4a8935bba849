//! What a Letta server offers besides delivery: its agents and their tools.

use async_trait::async_trait;

use super::target::Target;
use crate::models::{AgentId, Refusal};

/// A Letta server as a directory of agents and tools.
#[async_trait]
pub trait Letta: Target {
    /// Every agent of the server.
    async fn list_agents(&self) -> Result<Vec<Agent>, Refusal>;

    /// One agent.
    async fn get_agent(&self, agent: &AgentId) -> Result<Agent, Refusal>;

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
    /// When it was created, as the server gives it.
    pub created_at: Option<String>,
    /// When it was last changed, as the server gives it.
    #[serde(default)]
    pub last_updated: Option<String>,
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
