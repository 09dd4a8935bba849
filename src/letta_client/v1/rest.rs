//! The client for Letta's V1 REST API, on self-hosted servers and Letta Cloud.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use secrecy::SecretString;

use super::http::Http;
use super::route::KnownRoute;
use super::send::Sender;
use crate::clock::Clock;
use crate::error::Error;
use crate::letta_client::directory::{Agent, Letta, NewTool, Tool};
use crate::letta_client::target::{Lookup, OnRun, Outgoing, ServerInfo, Target};
use crate::models::{AgentId, Answer, ErrorClass, Evidence, Lane, Recipient, Refusal, TargetName};

/// How to reach a server.
#[derive(Clone)]
pub struct RestSettings {
    /// The name under which it is stored and shown.
    pub target: String,
    /// Its address, such as `http://localhost:8283`; a trailing `/` or `/v1` does no harm.
    pub base_url: String,
    /// The password of a self-hosted server, or the API key of Letta Cloud.
    pub api_key: Option<SecretString>,
    /// How long a turn may be silent. Letta sends a keep-alive every 20 seconds if it can;
    /// otherwise the silence lasts as long as the model thinks.
    pub idle_timeout: Duration,
    /// The age from which a run that never ends counts as orphaned by a crash of the server.
    pub orphan_age: SignedDuration,
}

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
        let key = settings.api_key.as_ref();
        Ok(Rest {
            http: Http::new(&settings.base_url, key, settings.idle_timeout, clock)?,
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

impl fmt::Debug for RestSettings {
    /// Without the address, which may contain a password until it has been checked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestSettings")
            .field("target", &self.target)
            .field("idle_timeout", &self.idle_timeout)
            .field("orphan_age", &self.orphan_age)
            .finish_non_exhaustive()
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
    fn apart(&self) -> Result<Option<Arc<dyn Target>>, Error> {
        let own = Rest::new(self.settings.clone(), self.http.clock().clone())?;
        Ok(Some(Arc::new(own.with_key_note(self.key_note.clone()))))
    }

    fn name(&self) -> TargetName {
        TargetName::new(&self.settings.target)
    }

    fn address(&self) -> String {
        self.http.address()
    }

    fn is_local(&self) -> bool {
        self.http.is_local()
    }

    fn lane(&self, recipient: &Recipient) -> Lane {
        Lane::of(&self.name(), &recipient.agent)
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
