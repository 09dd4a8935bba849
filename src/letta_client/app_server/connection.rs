//! One WebSocket for many conversations. Answers are matched to requests by their ids, and the
//! events of a conversation go to everyone who follows it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{SinkExt, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::error::{Error as SocketError, ProtocolError};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::protocol::{Envelope, Event, Outcome, Scope, read};
use super::upgrade::Socket;
use crate::clock::Clock;
use crate::http::limits;
use crate::ids::new_id;
use crate::models::ErrorClass;

/// How many requests may be waiting to be written.
const MOST_UNWRITTEN: usize = 64;

/// How many events a follower may lag behind. One that lags further no longer gets events, and asks
/// the server what became of its turn.
const MOST_UNREAD: usize = 256;

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The connection had already ended, so nothing was sent.
    Unsent(String),
    /// It was sent, and whether it had an effect is unknown.
    Unknown(ErrorClass, String),
}

impl NoAnswer {
    /// What happened.
    pub(super) fn into_parts(self) -> (ErrorClass, String) {
        match self {
            NoAnswer::Unsent(text) => (ErrorClass::Cut, text),
            NoAnswer::Unknown(class, text) => (class, text),
        }
    }
}

/// A connection. Dropping it closes it.
pub(super) struct Connection {
    unwritten: mpsc::Sender<Message>,
    shared: Arc<Shared>,
    clock: Clock,
    task: AbortHandle,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    /// The requests that wait for an answer, by id.
    pending: HashMap<String, oneshot::Sender<Utf8Bytes>>,
    /// The followers of each conversation.
    followers: HashMap<Scope, Vec<mpsc::Sender<Event>>>,
    /// Why the connection has ended, once it has.
    ended: Option<(ErrorClass, String)>,
}

impl Connection {
    /// Starts serving an open WebSocket on the current runtime.
    pub(super) fn serve(socket: Socket, clock: Clock) -> Self {
        let (unwritten, requests) = mpsc::channel(MOST_UNWRITTEN);
        let shared = Arc::<Shared>::default();
        let task = tokio::spawn({
            let shared = shared.clone();
            async move {
                let (class, text) = carry(socket, requests, &shared).await;
                shared.end(class, text);
            }
        });
        Connection {
            unwritten,
            shared,
            clock,
            task: task.abort_handle(),
        }
    }

    /// Whether the connection has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.shared.state().ended.is_some()
    }

    /// Closes it for everyone, because a request got no answer although the server is alive.
    pub(super) fn give_up(&self) {
        self.task.abort();
        let text = "the connection was closed because answers no longer arrived";
        self.shared.end(ErrorClass::Timeout, text.to_owned());
    }

    /// Follows a conversation from now on.
    pub(super) fn follow(&self, scope: &Scope) -> mpsc::Receiver<Event> {
        let (told, events) = mpsc::channel(MOST_UNREAD);
        let mut state = self.shared.state();
        // On a connection that has ended, the sender is dropped, which tells the follower.
        if state.ended.is_none() {
            state.followers.entry(scope.clone()).or_default().push(told);
        }
        events
    }

    /// Makes a request and parses the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        kind: &str,
        body: Value,
    ) -> Result<T, NoAnswer> {
        let answer = self.ask_text(kind, body).await?;
        read(&answer).ok_or_else(|| {
            let text = format!("the answer to {kind} could not be read");
            NoAnswer::Unknown(ErrorClass::Garbled, text)
        })
    }

    /// Makes a request and waits for the answer. The server does not answer a request that it
    /// doesn't understand.
    pub(super) async fn ask_text(&self, kind: &str, body: Value) -> Result<Utf8Bytes, NoAnswer> {
        let id = new_id().to_string();
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.shared.state();
            if let Some((_, text)) = &state.ended {
                return Err(NoAnswer::Unsent(text.clone()));
            }
            state.pending.insert(id.clone(), answer);
        }
        let waiting = PendingRequest(&self.shared, &id);
        let mut message = body;
        message["type"] = kind.into();
        message["request_id"] = id.as_str().into();
        let exchange = async {
            // If this fails, no answer arrives.
            let _ = self
                .unwritten
                .send(Message::text(message.to_string()))
                .await;
            answered.await
        };
        let answer = self.clock.within(limits::QUESTION, exchange).await;
        drop(waiting);
        match answer {
            Some(Ok(text)) => Ok(text),
            Some(Err(_)) => {
                let ended = self.shared.state().ended.clone();
                let (class, text) = ended.unwrap_or_else(interrupted);
                Err(NoAnswer::Unknown(class, text))
            }
            None => {
                let text = format!(
                    "there was no answer to {kind} within {:?}",
                    limits::QUESTION
                );
                Err(NoAnswer::Unknown(ErrorClass::Timeout, text))
            }
        }
    }

    /// Asks for the current state of a conversation. Its followers have received it when this
    /// returns.
    pub(super) async fn sync(&self, scope: &Scope) -> Result<(), NoAnswer> {
        // Recovering approvals is left to whoever chats with the agent.
        let body = serde_json::json!({"runtime": scope.to_json(), "recover_approvals": false});
        let outcome: Outcome = self.ask("sync", body).await?;
        match outcome.success {
            true => Ok(()),
            false => Err(NoAnswer::Unknown(
                ErrorClass::ServerError,
                outcome
                    .error
                    .unwrap_or_else(|| "sync was refused".to_owned()),
            )),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the connection has ended; the first reason counts.
    fn end(&self, class: ErrorClass, text: String) {
        let mut state = self.state();
        state.ended.get_or_insert((class, text));
        state.pending.clear();
        state.followers.clear();
    }

    /// Passes a message to whoever waits for it.
    fn take(&self, text: Utf8Bytes) {
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(&text) else {
            return;
        };
        let mut state = self.state();
        let answered = envelope.request_id.as_deref();
        if let Some(answer) = answered.and_then(|id| state.pending.remove(id)) {
            // The caller may no longer be waiting.
            let _ = answer.send(text);
            return;
        }
        let Some(scope) = &envelope.runtime else {
            return;
        };
        let Some(followers) = state.followers.get_mut(scope) else {
            return;
        };
        if let Some(event) = Event::read(&envelope.kind, &text) {
            followers.retain(|follower| follower.try_send(event.clone()).is_ok());
        }
        if followers.iter().all(mpsc::Sender::is_closed) {
            state.followers.remove(scope);
        }
    }
}

/// A request that is forgotten when nobody waits for its answer any more.
struct PendingRequest<'a>(&'a Shared, &'a str);

impl Drop for PendingRequest<'_> {
    fn drop(&mut self) {
        self.0.state().pending.remove(self.1);
    }
}

/// Writes and reads until the connection ends, and returns the reason.
async fn carry(
    mut socket: Socket,
    mut requests: mpsc::Receiver<Message>,
    shared: &Shared,
) -> (ErrorClass, String) {
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                Some(request) => {
                    if let Err(e) = socket.send(request).await {
                        return broken(&e);
                    }
                }
                None => return interrupted(),
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => shared.take(text),
                // The library answers pings.
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => {
                    return (ErrorClass::Cut, "the server closed the connection".to_owned());
                }
                Some(Err(e)) => return broken(&e),
            },
        }
    }
}

/// Why a connection broke.
fn broken(error: &SocketError) -> (ErrorClass, String) {
    let class = match error {
        SocketError::Capacity(_) => ErrorClass::TooLarge,
        // A process that dies doesn't close its WebSocket properly.
        SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => ErrorClass::Cut,
        SocketError::Protocol(_) | SocketError::Utf8(_) => ErrorClass::Garbled,
        _ => ErrorClass::Cut,
    };
    (class, format!("the connection broke: {error}"))
}

/// The reason when we close it ourselves.
fn interrupted() -> (ErrorClass, String) {
    let text = "the connection was closed by promptyoself";
    (ErrorClass::Interrupted, text.to_owned())
}
