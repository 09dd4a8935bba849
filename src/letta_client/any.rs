//! A Letta server of either kind. The server itself is asked which kind it is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::app_server::{AppServer, ObserverProgram};
use super::directory::{Agent, Letta, NewTool, ServerTask, Tool};
use super::target::{Lookup, OnRun, Outgoing, ServerInfo, Target};
use super::v1::{Rest, RestSettings};
use crate::clock::Clock;
use crate::error::Error;
use crate::http::limits;
use crate::models::{
    AgentId, Answer, Conversation, ErrorClass, Evidence, Lane, Recipient, Refusal, RefusalKind,
    TargetName,
};

/// The kinds of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    V1,
    AppServer,
}

/// A server whose kind is known from its address (`ws://`, `wss://`), or is found out before the
/// first request.
pub struct AnyLetta {
    settings: RestSettings,
    clock: Clock,
    key_note: Option<String>,
    observer: Option<ObserverProgram>,
    v1: Arc<Rest>,
    app_server: Arc<AppServer>,
    kind: Mutex<Option<Kind>>,
    /// Whether the server was asked for it.
    asked: OnceCell<()>,
}

impl AnyLetta {
    /// Prepares the client; nothing is sent yet. `key_note` is added to the error if the server
    /// refuses our key.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`](crate::error::Code::ConfigInvalid) if the address or the key can't
    /// be used.
    pub fn new(
        settings: RestSettings,
        key_note: Option<String>,
        clock: Clock,
    ) -> Result<Self, Error> {
        Self::observed(settings, key_note, clock, None)
    }

    /// Prepares a client whose turns on an App Server are also followed by another process, which
    /// stays until they have ended even if this process is killed.
    ///
    /// # Errors
    /// As for [`new`](AnyLetta::new).
    pub fn observed(
        settings: RestSettings,
        key_note: Option<String>,
        clock: Clock,
        observer: Option<ObserverProgram>,
    ) -> Result<Self, Error> {
        Self::of_kind(settings, key_note, clock, observer, None)
    }

    fn of_kind(
        settings: RestSettings,
        key_note: Option<String>,
        clock: Clock,
        observer: Option<ObserverProgram>,
        kind: Option<Kind>,
    ) -> Result<Self, Error> {
        let app_server = AppServer::observed(settings.clone(), clock.clone(), observer.clone())?;
        let kind = match is_websocket(&settings.base_url) {
            true => Some(Kind::AppServer),
            false => kind,
        };
        let v1 = Rest::new(settings.clone(), clock.clone())?;
        Ok(AnyLetta {
            v1: Arc::new(v1.with_key_note(key_note.clone())),
            app_server: Arc::new(app_server.with_key_note(key_note.clone())),
            kind: Mutex::new(kind),
            asked: OnceCell::new(),
            settings,
            clock,
            key_note,
            observer,
        })
    }

    /// The client for the server, once its kind is known. Until then it is treated as a V1 server,
    /// whose client reports what is wrong, and it is asked again next time.
    async fn letta(&self) -> Arc<dyn Letta> {
        match self.kind() {
            Some(Kind::V1) => self.v1.clone(),
            Some(Kind::AppServer) => self.app_server.clone(),
            None if self.v1.is_app_server().await => {
                self.set(Some(Kind::AppServer));
                self.app_server.clone()
            }
            None => self.v1.clone(),
        }
    }

    /// Learns the kind of the server from how a request went.
    fn learn(&self, refusal: Option<&Refusal>) {
        match (self.kind(), refusal) {
            (None, None) => self.set(Some(Kind::V1)),
            // Only a V1 server refuses an agent or a request in this way.
            (None, Some(r)) if r.kind != RefusalKind::TargetTrouble => self.set(Some(Kind::V1)),
            // Another server stands at this address now.
            (Some(_), Some(r)) if r.class == ErrorClass::WrongServer => {
                self.set(None);
            }
            _ => {}
        }
    }

    fn kind(&self) -> Option<Kind> {
        *self.kind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, kind: Option<Kind>) {
        let kind = match is_websocket(&self.settings.base_url) {
            true => Some(Kind::AppServer),
            false => kind,
        };
        *self.kind.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }

    fn learned<T>(&self, answer: Result<T, Refusal>) -> Result<T, Refusal> {
        self.learn(answer.as_ref().err());
        answer
    }
}

/// Whether an address can only be that of an App Server.
fn is_websocket(url: &str) -> bool {
    let scheme = url.trim().split("://").next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("ws") || scheme.eq_ignore_ascii_case("wss")
}

impl fmt::Debug for AnyLetta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyLetta")
            .field("v1", &self.v1)
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Target for AnyLetta {
    fn name(&self) -> TargetName {
        self.v1.name()
    }

    fn address(&self) -> String {
        self.v1.address()
    }

    fn is_local(&self) -> bool {
        self.v1.is_local()
    }

    async fn prepare(&self) {
        let ask = async || _ = self.clock.within(limits::SIGN, self.letta()).await;
        self.asked.get_or_init(ask).await;
    }

    fn is_prepared(&self) -> bool {
        self.kind().is_some() || self.asked.initialized()
    }

    fn usual_conversation(&self) -> Conversation {
        match self.kind() {
            Some(Kind::AppServer) => self.app_server.usual_conversation(),
            Some(Kind::V1) | None => self.v1.usual_conversation(),
        }
    }

    fn lane(&self, recipient: &Recipient, schedule: Uuid) -> Lane {
        match self.kind() {
            Some(Kind::AppServer) => self.app_server.lane(recipient, schedule),
            Some(Kind::V1) | None => self.v1.lane(recipient, schedule),
        }
    }

    async fn create_conversation(&self, agent: &AgentId) -> Result<String, Refusal> {
        self.learned(self.letta().await.create_conversation(agent).await)
    }

    async fn check_conversation(&self, agent: &AgentId, id: &str) -> Result<(), Refusal> {
        self.learned(self.letta().await.check_conversation(agent, id).await)
    }

    async fn check(&self) -> Result<ServerInfo, Refusal> {
        self.learned(self.letta().await.check().await)
    }

    async fn send(&self, outgoing: &Outgoing, on_run: OnRun<'_>) -> Answer {
        let answer = self.letta().await.send(outgoing, on_run).await;
        match &answer {
            Answer::Delivered(_) => self.learn(None),
            Answer::Refused(refusal) => self.learn(Some(refusal)),
            Answer::Unknown(_) => {}
        }
        answer
    }

    async fn find(&self, lookup: &Lookup) -> Evidence {
        let evidence = self.letta().await.find(lookup).await;
        if let Evidence::Refused(refusal) = &evidence {
            self.learn(Some(refusal));
        }
        evidence
    }

    async fn leave(&self) {
        if self.kind() == Some(Kind::AppServer) {
            self.app_server.leave().await;
        }
    }
}

#[async_trait]
impl Letta for AnyLetta {
    fn apart(&self) -> Result<Option<Arc<dyn Letta>>, Error> {
        let (settings, note) = (self.settings.clone(), self.key_note.clone());
        let (clock, observer) = (self.clock.clone(), self.observer.clone());
        let own = AnyLetta::of_kind(settings, note, clock, observer, self.kind())?;
        Ok(Some(Arc::new(own)))
    }

    async fn list_agents(&self) -> Result<Vec<Agent>, Refusal> {
        self.learned(self.letta().await.list_agents().await)
    }

    async fn get_agent(&self, agent: &AgentId) -> Result<Agent, Refusal> {
        self.learned(self.letta().await.get_agent(agent).await)
    }

    async fn list_tasks(&self) -> Result<Option<Vec<ServerTask>>, Refusal> {
        self.letta().await.list_tasks().await
    }

    async fn pause_task(&self, id: &str) -> Result<(), Refusal> {
        self.letta().await.pause_task(id).await
    }

    async fn create_tool(&self, tool: &NewTool) -> Result<Tool, Refusal> {
        self.learned(self.letta().await.create_tool(tool).await)
    }
}
