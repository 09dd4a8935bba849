//! One call of a tool, and what all of them share.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arguments::{Arguments, Takes};
use super::session::Session;
use crate::clock::Clock;
use crate::config::McpSettings;
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
    /// With a server on another machine, which knows from our key who we are.
    Elsewhere(Arc<dyn Ask>),
}

/// Delivers what is due, once.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Tries everything that is due once, and says what became of each.
    ///
    /// # Errors
    /// If the database fails, or Letta can't be reached.
    async fn execute(&self, stop: CancellationToken) -> Result<Value>;
}

/// What the tools of every session share.
#[derive(Clone)]
pub struct Shared {
    /// Where the schedules are.
    pub backend: Backend,
    /// Delivers by hand; `None` where somebody else delivers.
    pub executor: Option<Arc<dyn Executor>>,
    /// The time.
    pub clock: Clock,
    /// The zone of schedules that name none.
    pub zone: Zone,
    /// The agent meant where none is named, as it was set.
    pub default_agent: Option<String>,
    /// Settings of this face alone.
    pub settings: McpSettings,
    /// Letta's address.
    pub letta_url: String,
    /// Whether there is a password or key for Letta.
    pub has_letta_key: bool,
    /// Ends what goes on in the background.
    pub stop: CancellationToken,
    /// The calls that go on.
    pub calls: TaskTracker,
}

/// One call of a tool.
pub struct Call {
    /// What its tool takes.
    pub tool: Takes<'static>,
    /// What it was given.
    pub arguments: Arguments,
    /// What it is asked of, as the caller sees it.
    pub operations: Arc<dyn Ask>,
    /// Who calls.
    pub caller: Caller,
    /// The request's own metadata.
    pub metadata: serde_json::Map<String, Value>,
    /// The version of the protocol that is spoken.
    pub protocol: Option<String>,
    /// What the session remembers.
    pub session: Arc<Session>,
    /// What every session shares.
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
