//! One call of a tool, and the state that all calls share.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arguments::{Arguments, Takes};
use super::session::Session;
use crate::clock::Clock;
use crate::config::{AgentShell, McpSettings};
use crate::error::Result;
use crate::models::{Caller, Face};
use crate::operations::Ask;
use crate::schedule::Zone;
use crate::service::Service;

/// Where the schedules are.
#[derive(Clone)]
pub enum Backend {
    /// In a database that this process has opened.
    Here(Box<Service>),
    /// On a server on another machine, which knows us by our key.
    Elsewhere(Arc<dyn Ask>),
}

/// Delivers what is due, once.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Tries everything that is due once, and returns the outcome of each.
    ///
    /// # Errors
    /// If the database fails, or Letta can't be reached.
    async fn execute(&self, stop: CancellationToken) -> Result<Value>;
}

/// The state that all sessions share.
#[derive(Clone)]
pub struct Shared {
    /// Where the schedules are.
    pub backend: Backend,
    /// Delivers on request; `None` if somebody else delivers.
    pub executor: Option<Arc<dyn Executor>>,
    /// The time.
    pub clock: Clock,
    /// The zone of schedules that name none.
    pub zone: Zone,
    /// The default agent, as configured.
    pub default_agent: Option<String>,
    /// The agent in whose shell this process runs, if it does.
    pub agent_shell: Option<AgentShell>,
    /// Settings of this face.
    pub settings: McpSettings,
    /// Letta's address.
    pub letta_url: String,
    /// Whether there is a password or key for Letta.
    pub has_letta_key: bool,
    /// Cancelled to end background work.
    pub stop: CancellationToken,
    /// The running calls.
    pub calls: TaskTracker,
}

/// One call of a tool.
pub struct Call {
    /// The tool's parameters.
    pub tool: Takes<'static>,
    /// Its arguments.
    pub arguments: Arguments,
    /// The operations, as the caller sees them.
    pub operations: Arc<dyn Ask>,
    /// The caller.
    pub caller: Caller,
    /// The conversation that the calling agent is in, if its client says so.
    pub conversation: Option<String>,
    /// The request's own metadata.
    pub metadata: serde_json::Map<String, Value>,
    /// The protocol version in use.
    pub protocol: Option<String>,
    /// The session's memory.
    pub session: Arc<Session>,
    /// The state that all sessions share.
    pub shared: Arc<Shared>,
}

impl Shared {
    /// The operations as a caller sees them.
    pub(super) fn operations(&self, caller: &Caller, key: Option<String>) -> Arc<dyn Ask> {
        match &self.backend {
            Backend::Here(service) => {
                let service = service.for_caller(caller.clone());
                Arc::new(service.through(Face::Mcp, key))
            }
            Backend::Elsewhere(operations) => operations.clone(),
        }
    }
}
