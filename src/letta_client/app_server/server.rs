//! One App Server: two connections, and what is remembered about its conversations.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::connection::{Connection, NoAnswer};
use super::following::PendingSearch;
use super::link::Link;
use super::observer::{Observer, ObserverProgram};
use super::outcome::refusal_to_start;
use super::protocol::{Outcome, Scope};
use super::upgrade::Connector;
use super::wedge::Blocked;
use crate::clock::Clock;
use crate::error::Error;
use crate::http::limits;
use crate::letta_client::target::ServerInfo;
use crate::letta_client::v1::RestSettings;
use crate::letta_client::v1::classify::RequestFailure;
use crate::letta_client::v1::http::Http;
use crate::models::{ErrorClass, Refusal, RefusalKind};

/// The path where a server says what it is, over plain HTTP.
const INFO: &str = "/app-server-info";

/// A server, and the connections to it.
pub(super) struct Server {
    pub(super) http: Http,
    /// What the server is told that we are.
    name: &'static str,
    /// For sending prompts. It follows conversations, so it must stay open as long as their turns
    /// last.
    pub(super) talking: Link,
    /// For other requests, whose answers may be too large. That ends the connection, but no turn.
    asking: Link,
    pub(super) blocked: Blocked,
    /// The process that stays with our turns if this one is killed.
    pub(super) observer: Observer,
    /// The conversations that we are sending to. The server locks them by their id alone, whichever
    /// agent they belong to.
    sending: Mutex<HashSet<String>>,
    /// The conversations in which a turn of ours may be running.
    turning: Mutex<HashSet<Scope>>,
    /// The searches for lost prompts, whose turns are followed meanwhile.
    pub(super) searches: Mutex<HashMap<Scope, PendingSearch>>,
}

impl Server {
    /// Prepares the client; nothing is sent yet. Without an observer, our turns are followed by this
    /// process alone.
    pub(super) fn new(
        settings: &RestSettings,
        clock: Clock,
        observer: Option<ObserverProgram>,
    ) -> Result<Self, Error> {
        let link = || {
            let connector = Connector::new(settings, clock.clone())?;
            Ok::<_, Error>(Link::new(connector, clock.clone()))
        };
        Ok(Server {
            talking: link()?,
            asking: link()?,
            observer: Observer::new(observer, settings, clock.clone()),
            name: "promptyoself",
            http: Http::new(settings, clock.clone())?,
            blocked: Blocked::default(),
            sending: Mutex::default(),
            turning: Mutex::default(),
            searches: Mutex::default(),
        })
    }

    /// The same, for a process that only follows turns.
    pub(super) fn of_observer(settings: &RestSettings, clock: Clock) -> Result<Self, Error> {
        Ok(Server {
            name: "promptyoself observer",
            ..Server::new(settings, clock, None)?
        })
    }

    /// Checks that the server is healthy and accepts our token.
    pub(super) async fn check(&self) -> Result<ServerInfo, Refusal> {
        let reply = self.http.get(INFO, &[]).await;
        let reply = reply.map_err(RequestFailure::into_refusal)?;
        if reply.body.get("type").and_then(Value::as_str) != Some("app_server_info_response") {
            let text = format!("{} answers, but is not an App Server", self.http.address());
            let class = ErrorClass::WrongServer;
            return Err(Refusal::new(RefusalKind::TargetTrouble, class, text));
        }
        // A server may report that it is healthy and yet open no WebSocket, or not answer on it.
        let body = json!({"query": {"limit": 1}});
        let answer = self.question("agent_list", body).await?;
        answer.map_err(|no_answer| self.trouble(no_answer))?;
        let version = reply.body.get("letta_code_version").and_then(Value::as_str);
        Ok(ServerInfo {
            version: version.map(str::to_owned),
            date: reply.date,
        })
    }

    /// The time by the server's own clock, if it tells.
    pub(super) async fn date(&self) -> Result<Option<Timestamp>, Refusal> {
        let reply = self.http.get(INFO, &[]).await;
        Ok(reply.map_err(RequestFailure::into_refusal)?.date)
    }

    /// Makes a request on the connection for requests, twice if the connection turns out to have
    /// ended. The outer error means that connecting failed.
    pub(super) async fn question(
        &self,
        kind: &str,
        body: Value,
    ) -> Result<Result<Utf8Bytes, NoAnswer>, Refusal> {
        let asking = self.asking.get().await?;
        let answer = match asking.ask_text(kind, body.clone()).await {
            Err(NoAnswer::Unsent(_) | NoAnswer::Unknown(ErrorClass::Cut, _)) => {
                self.asking.get().await?.ask_text(kind, body).await
            }
            answer => answer,
        };
        if let Err(NoAnswer::Unknown(ErrorClass::Timeout, _)) = &answer {
            // No turn depends on this connection.
            asking.give_up();
        }
        Ok(answer)
    }

    /// Starts a conversation on the server and follows it. This, and nothing else, makes a
    /// restarted server continue with the inputs that it had not finished.
    pub(super) async fn start(&self, talking: &Connection, scope: &Scope) -> Result<(), Refusal> {
        let mut body = scope.to_json();
        body["client_info"] = json!({"name": self.name});
        match talking.ask::<Outcome>("runtime_start", body).await {
            Ok(Outcome { success: true, .. }) => Ok(()),
            Ok(Outcome { error, .. }) => Err(refusal_to_start(&error.unwrap_or_default())),
            Err(no_answer) => {
                self.judge(talking, &no_answer).await;
                Err(self.trouble(no_answer))
            }
        }
    }

    /// Closes a connection on which an answer did not arrive, if the server answers elsewhere. A
    /// connection to a frozen server is kept, because closing it would cancel the turns that it
    /// follows.
    pub(super) async fn judge(&self, talking: &Connection, no_answer: &NoAnswer) {
        if !matches!(no_answer, NoAnswer::Unknown(ErrorClass::Timeout, _)) {
            return;
        }
        let sign = self.http.get(INFO, &[]);
        if let Some(Ok(_)) = self.http.clock().within(limits::SIGN, sign).await {
            talking.give_up();
        }
    }

    /// What it means if a request gets no answer.
    pub(super) fn trouble(&self, no_answer: NoAnswer) -> Refusal {
        let (class, text) = no_answer.into_parts();
        let text = format!("{}: {text}", self.http.address());
        Refusal::new(RefusalKind::TargetTrouble, class, text)
    }

    /// Reserves a conversation for one prompt; `None` while another has it.
    pub(super) fn reserve_conversation(&self, scope: &Scope) -> Option<ReservedConversation<'_>> {
        let id = scope.conversation_id.clone();
        let is_free = locked(&self.sending).insert(id.clone());
        is_free.then(|| ReservedConversation { server: self, id })
    }

    /// Records that a turn of ours may be running in a conversation.
    pub(super) fn note_turn(&self, scope: &Scope) {
        locked(&self.turning).insert(scope.clone());
    }

    /// Records that no turn of ours is running any more.
    pub(super) fn forget_turn(&self, scope: &Scope) {
        locked(&self.turning).remove(scope);
        self.observer.forget(scope);
    }

    /// Leaves our turns that are still running to the observer, and ends those that it doesn't
    /// follow: if their last follower simply disconnected, the server would never release their
    /// conversations.
    pub(super) async fn leave(&self) {
        let turning: Vec<Scope> = locked(&self.turning).drain().collect();
        let (observed, turning): (Vec<_>, Vec<_>) = turning
            .into_iter()
            .partition(|scope| self.observer.is_watching(scope));
        if !observed.is_empty() {
            tracing::info!(
                "{} turns go on at {}; a process of ours stays there until they end",
                observed.len(),
                self.http.address()
            );
        }
        if turning.is_empty() {
            return;
        }
        let Some(talking) = self.talking.opened().await else {
            return;
        };
        let ended = turning.iter().map(|scope| abort(talking.clone(), scope));
        let ended = futures_util::future::join_all(ended);
        if self
            .http
            .clock()
            .within(limits::LEAVING, ended)
            .await
            .is_none()
        {
            tracing::warn!(
                "{} did not confirm in time that it ended {} turns; it may refuse prompts in their \
                 conversations until it is restarted",
                self.http.address(),
                turning.len()
            );
        }
    }
}

/// A conversation that is reserved for one prompt, until this is dropped.
pub(super) struct ReservedConversation<'a> {
    server: &'a Server,
    id: String,
}

impl Drop for ReservedConversation<'_> {
    fn drop(&mut self) {
        locked(&self.server.sending).remove(&self.id);
    }
}

async fn abort(talking: Arc<Connection>, scope: &Scope) {
    let body = json!({"runtime": scope.to_json()});
    if let Err(no_answer) = talking.ask::<Outcome>("abort_message", body).await {
        let (_, text) = no_answer.into_parts();
        tracing::warn!("could not end a turn: {text}");
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
