//! What the scheduler needs of a Letta server, whatever kind it is.
//!
//! A [`Letta`] sends one prompt and says truthfully what became of it: delivered, refused with
//! proof that nothing arrived, or unknown. Deciding what follows is the scheduler's.

mod address;
mod agents;
mod classify;
mod find;
mod history;
mod http;
mod mcp_servers;
mod pages;
mod promptness;
mod rest;
mod runs;
mod send;
mod sse;
mod stream;
mod tools;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::{Code, Error, call};
use crate::models::{AgentId, Lane, Turn, words};

pub use mcp_servers::McpServer;
pub use rest::{Rest, RestSettings};

/// Told Letta's run id as soon as it is known. (The lifetime is spelt out because `async_trait`
/// would otherwise make it one of the call's own.)
pub type OnRun<'a> = &'a (dyn for<'r> Fn(&'r str) + Send + Sync + 'a);

/// A Letta server.
#[async_trait]
pub trait Letta: Send + Sync {
    /// The same server over connections of its own, for a thread that shares none; `None` where there
    /// is nothing to share.
    ///
    /// # Errors
    /// If the client of these connections can't be prepared.
    fn apart(&self) -> Result<Option<Arc<dyn Letta>>, Error> {
        Ok(None)
    }

    /// The name under which this server is stored and shown.
    fn target(&self) -> &str;

    /// Where it is, for people; never with credentials.
    fn address(&self) -> String;

    /// Whether it runs on this machine, so that its clock is ours.
    fn is_local(&self) -> bool {
        false
    }

    /// The lane in which an agent is spoken to.
    fn lane(&self, agent: &AgentId) -> Lane;

    /// Asks whether the server is well and takes our credentials.
    async fn check(&self) -> Result<ServerInfo, Refusal>;

    /// Every agent of the server.
    async fn list_agents(&self) -> Result<Vec<Agent>, Refusal>;

    /// One agent.
    async fn get_agent(&self, agent: &AgentId) -> Result<Agent, Refusal>;

    /// Gives the server a tool, or another version of one that it has.
    async fn create_tool(&self, tool: &NewTool) -> Result<Tool, Refusal>;

    /// Sends a prompt and waits for the agent's turn to end. `on_run` is told Letta's run id as
    /// soon as it is known, while the turn still goes on.
    async fn send(&self, outgoing: &Outgoing, on_run: OnRun<'_>) -> Answer;

    /// Looks for a prompt whose fate is unknown.
    async fn find(&self, lookup: &Lookup) -> Evidence;
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its version, where it tells.
    pub version: Option<String>,
    /// What time it is by its clock, where it tells.
    pub date: Option<Timestamp>,
}

/// What a server says of an agent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Agent {
    /// Its id, as the server gives it.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// When it was made, as the server gives it.
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
    /// What the tool does, instead of what the docstring says.
    pub description: Option<String>,
}

/// What a server says of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its id, as the server gives it.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
}

/// One prompt on its way.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Whom it is for.
    pub agent: AgentId,
    /// The name under which the server stores it.
    pub otid: Uuid,
    /// Letta's `messages`: each an object with `role` and `content`.
    pub messages: Vec<Value>,
    /// What else Letta is asked, beside the messages: `max_steps` and the like.
    pub options: Map<String, Value>,
}

/// What became of a prompt that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is in the agent's history and the turn has ended.
    Delivered(Delivery),
    /// It is proved not to be in the agent's history, and no run of ours goes on.
    Refused(Refusal),
    /// It may or may not have arrived.
    Unknown(Doubt),
}

/// How a delivered prompt's turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Letta's run.
    pub run_id: Option<String>,
    /// Letta's own word for why the turn ended.
    pub stop_reason: Option<String>,
    /// The same in our words.
    pub turn: Turn,
    /// Tokens used by the turn.
    pub tokens: Option<i64>,
    /// What the agent said; of a very long reply the beginning.
    pub reply: Option<String>,
}

/// Why a prompt's fate is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The class of what happened.
    pub class: ErrorClass,
    /// What happened, in words.
    pub text: String,
    /// Letta's run, if it was told before.
    pub run_id: Option<String>,
}

/// A request that is proved to have had no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// What follows from it.
    pub kind: RefusalKind,
    /// The class of the error.
    pub class: ErrorClass,
    /// The error in words, without credentials.
    pub text: String,
    /// The run that stands in the way (busy), or that failed (anything else).
    pub run_id: Option<String>,
    /// How long the server asked us to wait.
    pub retry_after: Option<Duration>,
    /// Whether the server remembers the otid as failed, so that only a fresh one can succeed.
    pub otid_spent: bool,
}

/// What follows from a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The agent is in another turn: wait for it.
    Busy,
    /// It may pass: try again later.
    Later,
    /// It passes when a person does something.
    NeedsHuman,
    /// It never passes for this prompt or agent.
    Permanent,
    /// It is about the server, or what stands before it, and not about this prompt or its agent.
    /// Whether it hits every agent has to be asked.
    TargetTrouble,
}

words! {
    /// The class of an error of or before a Letta server.
    ErrorClass {
        /// No connection could be made: refused, DNS, TLS.
        Unreachable => "unreachable",
        /// Our credentials were refused.
        Unauthorized => "unauthorized",
        /// Something between us and Letta refuses the request.
        Blocked => "blocked",
        /// What answers is not a Letta server.
        WrongServer => "wrong_server",
        /// The server sends us elsewhere.
        Redirected => "redirected",
        /// The server says of itself that it is not well.
        Unhealthy => "unhealthy",
        /// The agent is in another turn.
        Busy => "busy",
        /// Too many requests, ours or the model's.
        RateLimited => "rate_limited",
        /// Letta's own error for something that failed inside it.
        ServerError => "server_error",
        /// The model or its provider failed.
        LlmError => "llm_error",
        /// The model's provider refuses the agent's credentials.
        LlmAuthentication => "llm_authentication",
        /// The model's provider wants money.
        PaymentRequired => "payment_required",
        /// The agent waits for a person to approve a tool call.
        PendingApproval => "pending_approval",
        /// There is no such agent.
        AgentUnknown => "agent_unknown",
        /// The request itself is not acceptable.
        InvalidRequest => "invalid_request",
        /// The connection ended before the answer did.
        Cut => "cut",
        /// No byte came for too long.
        Timeout => "timeout",
        /// A proxy between us and Letta answered in its place.
        Gateway => "gateway",
        /// The answer could not be understood.
        Garbled => "garbled",
        /// The answer is larger than we take in.
        TooLarge => "too_large",
        /// Letta answered well but says that nothing ran.
        NothingRan => "nothing_ran",
        /// We were stopped or killed while the turn went on.
        Interrupted => "interrupted",
    }
}

/// A question about a prompt whose fate is unknown.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Whom it was for.
    pub agent: AgentId,
    /// Every otid under which it was sent, the newest last.
    pub otids: Vec<Uuid>,
    /// Letta's run, if it was told.
    pub run_id: Option<String>,
    /// When it was first sent.
    pub sent_at: Timestamp,
    /// When its turn was last listened to: until then its run cannot have been orphaned.
    pub heard_at: Option<Timestamp>,
    /// The time of the question.
    pub now: Timestamp,
    /// The age from which a run that never ends counts as orphaned by a crash of the server.
    pub orphan_age: SignedDuration,
}

/// What a server knows of such a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It is in the agent's history, and its turn has ended.
    Found(Delivery),
    /// A run that may be its own goes on.
    Running {
        /// The run, if the server names it.
        run_id: Option<String>,
    },
    /// No run of the agent goes on that may be its own, and the agent's history since it was sent
    /// holds none of its otids.
    Absent {
        /// How its run ended, where that is proved; such a run holds its otid for ever.
        failed: Option<Refusal>,
    },
    /// The question itself was refused; [`RefusalKind::Permanent`] means that the agent is gone.
    Refused(Refusal),
    /// No answer, or one that proves nothing.
    Unclear {
        /// What came instead.
        text: String,
    },
}

impl Refusal {
    /// A refusal of a kind and class, with nothing more known about it.
    pub fn new(kind: RefusalKind, class: ErrorClass, text: impl Into<String>) -> Self {
        let text = text.into();
        Refusal {
            kind,
            class,
            text,
            run_id: None,
            retry_after: None,
            otid_spent: false,
        }
    }

    /// The error that a face shows when a question to Letta was refused; `doing` says what we
    /// were doing, as in "list the agents of http://…".
    pub fn into_error(self, doing: &str) -> Error {
        let code = match self.class {
            ErrorClass::Unreachable => Code::LettaUnreachable,
            ErrorClass::Unauthorized => Code::LettaUnauthorized,
            ErrorClass::WrongServer | ErrorClass::Redirected => Code::LettaWrongServer,
            ErrorClass::AgentUnknown => Code::AgentUnknown,
            _ => Code::LettaError,
        };
        let hint = match code {
            // Its text says what to set.
            _ if self.class == ErrorClass::Redirected => "",
            Code::LettaUnreachable => {
                ". Is Letta running, and is LETTA_BASE_URL its address? Check with the example"
            }
            Code::LettaUnauthorized => {
                ". Set LETTA_API_KEY (or LETTA_SERVER_PASSWORD) to the server's password"
            }
            Code::LettaWrongServer => {
                ". LETTA_BASE_URL must be the address of a Letta server, such as \
                 http://localhost:8283"
            }
            Code::AgentUnknown => ". List the agents that exist with the example",
            _ => "",
        };
        let example = match code {
            Code::AgentUnknown => call("agents"),
            _ => call("test"),
        };
        Error::new(code, format!("could not {doing}: {}{hint}", self.text)).example(example)
    }
}
