//! The App Server of Letta Code, over its WebSocket.

mod agents;
mod connection;
mod crons;
mod find;
mod following;
mod history;
mod link;
mod observer;
mod observing;
mod orders;
mod outcome;
mod protocol;
mod send;
mod server;
mod turns;
mod upgrade;
mod wedge;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::observer::ObserverProgram;
pub use self::observing::observe;
use self::protocol::conversation;
use self::server::Server;
use super::directory::{Agent, Letta, NewTool, ServerTask, Tool};
use super::target::{Lookup, OnRun, Outgoing, ServerInfo, Target};
use super::v1::RestSettings;
use crate::clock::Clock;
use crate::error::Error;
use crate::models::{
    AgentId, Answer, Conversation, ErrorClass, Evidence, Lane, Recipient, Refusal, RefusalKind,
    TargetName,
};

/// An App Server.
pub struct AppServer {
    settings: RestSettings,
    observer: Option<ObserverProgram>,
    server: Server,
    /// What to add to the error if the server refuses our token.
    key_note: Option<String>,
}

impl AppServer {
    /// Prepares the client; nothing is sent yet. The address may begin with `ws://` or `wss://`,
    /// and the key is the server's token.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`](crate::error::Code::ConfigInvalid) if the address or the token can't
    /// be used.
    pub fn new(settings: RestSettings, clock: Clock) -> Result<Self, Error> {
        Self::observed(settings, clock, None)
    }

    /// Prepares a client whose turns are also followed by another process, which stays until they
    /// have ended even if this process is killed.
    ///
    /// # Errors
    /// As for [`new`](AppServer::new).
    pub fn observed(
        settings: RestSettings,
        clock: Clock,
        observer: Option<ObserverProgram>,
    ) -> Result<Self, Error> {
        Ok(AppServer {
            server: Server::new(&settings, clock, observer.clone())?,
            settings,
            observer,
            key_note: None,
        })
    }

    /// Adds this to the error if the server refuses our token.
    #[must_use]
    pub fn with_key_note(self, key_note: Option<String>) -> Self {
        AppServer { key_note, ..self }
    }

    /// Adds what we know about our token to a refusal.
    fn explain(&self, mut refusal: Refusal) -> Refusal {
        if refusal.class == ErrorClass::Unauthorized
            && let Some(note) = &self.key_note
        {
            refusal.text = format!("{}; {note}", refusal.text);
        }
        refusal
    }
}

impl fmt::Debug for AppServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppServer")
            .field("target", &self.settings.target)
            .field("address", &self.server.http.address())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Target for AppServer {
    fn name(&self) -> TargetName {
        self.settings.target()
    }

    fn address(&self) -> String {
        self.server.http.address()
    }

    fn is_local(&self) -> bool {
        self.server.http.is_local()
    }

    /// Letta Code's own schedules do the same: a turn in a new conversation waits for nobody, while
    /// the default conversations of all agents share one lock.
    fn usual_conversation(&self) -> Conversation {
        Conversation::New
    }

    /// The server locks conversations by their id alone, so the default conversations of all its
    /// agents are one lane.
    fn lane(&self, recipient: &Recipient, schedule: Uuid) -> Lane {
        match &recipient.conversation {
            Conversation::New => Lane::of(&self.name(), format_args!("new/{schedule}")),
            _ => Lane::of(&self.name(), conversation(recipient)),
        }
    }

    async fn create_conversation(&self, agent: &AgentId) -> Result<String, Refusal> {
        let created = self.server.create_conversation(agent).await;
        created.map_err(|r| self.explain(r))
    }

    async fn check_conversation(&self, agent: &AgentId, id: &str) -> Result<(), Refusal> {
        let checked = self.server.check_conversation(agent, id).await;
        checked.map_err(|r| self.explain(r))
    }

    async fn check(&self) -> Result<ServerInfo, Refusal> {
        self.server.check().await.map_err(|r| self.explain(r))
    }

    async fn send(&self, outgoing: &Outgoing, on_run: OnRun<'_>) -> Answer {
        match self.server.deliver(outgoing, on_run).await {
            Answer::Refused(refusal) => Answer::Refused(self.explain(refusal)),
            answer => answer,
        }
    }

    async fn find(&self, lookup: &Lookup) -> Evidence {
        match self.server.find(lookup).await {
            Evidence::Refused(refusal) => Evidence::Refused(self.explain(refusal)),
            evidence => evidence,
        }
    }

    async fn leave(&self) {
        self.server.leave().await;
    }
}

#[async_trait]
impl Letta for AppServer {
    fn apart(&self) -> Result<Option<Arc<dyn Letta>>, Error> {
        let clock = self.server.http.clock().clone();
        let own = AppServer::observed(self.settings.clone(), clock, self.observer.clone())?;
        Ok(Some(Arc::new(own.with_key_note(self.key_note.clone()))))
    }

    async fn list_agents(&self) -> Result<Vec<Agent>, Refusal> {
        self.server.list_agents().await.map_err(|r| self.explain(r))
    }

    async fn get_agent(&self, agent: &AgentId) -> Result<Agent, Refusal> {
        let got = self.server.get_agent(agent).await;
        got.map_err(|r| self.explain(r))
    }

    async fn list_tasks(&self) -> Result<Option<Vec<ServerTask>>, Refusal> {
        let listed = self.server.list_tasks().await;
        listed.map(Some).map_err(|r| self.explain(r))
    }

    async fn pause_task(&self, id: &str) -> Result<(), Refusal> {
        let paused = self.server.pause_task(id).await;
        paused.map_err(|r| self.explain(r))
    }

    async fn create_tool(&self, _: &NewTool) -> Result<Tool, Refusal> {
        Err(Refusal::new(
            RefusalKind::Permanent,
            ErrorClass::InvalidRequest,
            "an App Server does not accept tools; its agents run commands and MCP servers instead",
        ))
    }
}
