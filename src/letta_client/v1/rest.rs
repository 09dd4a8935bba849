//! The client for Letta's V1 REST API, on self-hosted servers and Letta Cloud.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::http::Http;
use super::route::KnownRoute;
use super::send::Sender;
use super::settings::RestSettings;
use crate::clock::Clock;
use crate::error::Error;
use crate::letta_client::directory::{Agent, Letta, NewTool, Tool};
use crate::letta_client::target::{Lookup, OnRun, Outgoing, ServerInfo, Target};
use crate::models::{AgentId, Answer, ErrorClass, Evidence, Lane, Recipient, Refusal, TargetName};

/// A Letta server, accessed by its V1 REST API.
pub struct Rest {
    settings: RestSettings,
    pub(super) http: Http,
    /// A note about our key, for when it is refused.
    key_note: Option<String>,
    routes: KnownRoute,
}

impl Rest {
    /// Prepares a client for a server; nothing is sent yet.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`](crate::error::Code::ConfigInvalid) if the address or the key can't
    /// be used.
    pub fn new(settings: RestSettings, clock: Clock) -> Result<Self, Error> {
        Ok(Rest {
            http: Http::new(&settings, clock)?,
            settings,
            key_note: None,
            routes: KnownRoute::default(),
        })
    }

    /// Adds a note for when the server refuses our key.
    #[must_use]
    pub fn with_key_note(self, key_note: Option<String>) -> Self {
        Rest { key_note, ..self }
    }

    /// Adds the note about our key to a refusal.
    fn explain(&self, mut refusal: Refusal) -> Refusal {
        if refusal.class == ErrorClass::Unauthorized
            && let Some(note) = &self.key_note
        {
            refusal.text = format!("{}; {note}", refusal.text);
        }
        refusal
    }

    /// Whether the server is a Letta Code App Server, whose settings are files on its machine.
    pub async fn is_app_server(&self) -> bool {
        self.http.is_app_server().await
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest")
            .field("target", &self.settings.target)
            .field("address", &self.http.address())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Target for Rest {
    fn name(&self) -> TargetName {
        self.settings.target()
    }

    fn address(&self) -> String {
        self.http.address()
    }

    fn is_local(&self) -> bool {
        self.http.is_local()
    }

    /// One at a time for each agent, whatever the conversation: of two turns that overlap, the
    /// messages of the one that ends first drop out of the agent's context.
    fn lane(&self, recipient: &Recipient, _: Uuid) -> Lane {
        Lane::of(&self.name(), &recipient.agent)
    }

    async fn create_conversation(&self, agent: &AgentId) -> Result<String, Refusal> {
        let made = self.http.create_conversation(agent).await;
        made.map_err(|r| self.explain(r))
    }

    async fn check_conversation(&self, agent: &AgentId, id: &str) -> Result<(), Refusal> {
        let checked = self.http.check_conversation(agent, id).await;
        checked.map_err(|failure| self.explain(failure.into_refusal()))
    }

    async fn check(&self) -> Result<ServerInfo, Refusal> {
        self.http.check().await.map_err(|r| self.explain(r))
    }

    async fn send(&self, outgoing: &Outgoing, on_run: OnRun<'_>) -> Answer {
        let sender = Sender {
            http: &self.http,
            routes: &self.routes,
            orphan_age: self.settings.orphan_age,
        };
        match sender.deliver(outgoing, on_run).await {
            Answer::Refused(refusal) => Answer::Refused(self.explain(refusal)),
            answer => answer,
        }
    }

    async fn find(&self, lookup: &Lookup) -> Evidence {
        self.http.find(lookup).await
    }
}

#[async_trait]
impl Letta for Rest {
    fn apart(&self) -> Result<Option<Arc<dyn Letta>>, Error> {
        let own = Rest::new(self.settings.clone(), self.http.clock().clone())?;
        Ok(Some(Arc::new(own.with_key_note(self.key_note.clone()))))
    }

    async fn list_agents(&self) -> Result<Vec<Agent>, Refusal> {
        self.http.list_agents().await.map_err(|r| self.explain(r))
    }

    async fn get_agent(&self, agent: &AgentId) -> Result<Agent, Refusal> {
        let got = self.http.get_agent(agent).await;
        got.map_err(|r| self.explain(r))
    }

    async fn create_tool(&self, tool: &NewTool) -> Result<Tool, Refusal> {
        let made = self.http.create_tool(tool).await;
        made.map_err(|r| self.explain(r))
    }
}
