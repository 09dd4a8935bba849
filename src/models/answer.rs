//! What a target answers about a prompt: when it is sent, and when it is searched for later.

use std::time::Duration;

use super::{Turn, words};

/// The result of sending a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is in the agent's history and the turn has ended.
    Delivered(Delivery),
    /// It is proved not to be in the agent's history, and no run of it is active.
    Refused(Refusal),
    /// It may or may not have arrived.
    Unknown(Doubt),
}

/// How a delivered prompt's turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Letta's run.
    pub run_id: Option<String>,
    /// Letta's stop reason.
    pub stop_reason: Option<String>,
    /// How the turn ended.
    pub turn: Turn,
    /// Tokens used by the turn.
    pub tokens: Option<i64>,
    /// The beginning of the agent's reply.
    pub reply: Option<String>,
    /// What went wrong in the turn: the class of the error and its text.
    pub error: Option<String>,
}

/// Why a prompt's outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The class of the error.
    pub class: ErrorClass,
    /// The error as text.
    pub text: String,
    /// Letta's run, if known.
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
    /// The error as text, without credentials.
    pub text: String,
    /// The run that is in the way (busy) or that failed (otherwise).
    pub run_id: Option<String>,
    /// How long the server asked us to wait.
    pub retry_after: Option<Duration>,
    /// Whether the server remembers the otid as failed, so that only a fresh one can succeed.
    pub otid_spent: bool,
}

impl Refusal {
    /// A refusal with a kind and a class, and nothing else.
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
}

/// What follows from a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The agent is in another turn: wait for it.
    Busy,
    /// It may pass: retry later.
    Later,
    /// A person has to do something.
    NeedsHuman,
    /// It will never succeed for this prompt or agent.
    Permanent,
    /// It is about the server, or something in front of it, rather than this prompt or agent.
    /// Whether every agent is affected has to be checked.
    TargetTrouble,
}

words! {
    /// The class of an error at or before a Letta server.
    ErrorClass {
        /// No connection could be made: refused, DNS, TLS.
        Unreachable => "unreachable",
        /// Our credentials were refused.
        Unauthorized => "unauthorized",
        /// Something between us and Letta refuses the request.
        Blocked => "blocked",
        /// What answers is not a Letta server.
        WrongServer => "wrong_server",
        /// The server redirects us.
        Redirected => "redirected",
        /// The server reports that it is not well.
        Unhealthy => "unhealthy",
        /// The agent is in another turn.
        Busy => "busy",
        /// Too many requests, ours or the model's.
        RateLimited => "rate_limited",
        /// An internal error of Letta.
        ServerError => "server_error",
        /// The model or its provider failed.
        LlmError => "llm_error",
        /// The model's provider rejects the agent's credentials.
        LlmAuthentication => "llm_authentication",
        /// The model's provider requires payment.
        PaymentRequired => "payment_required",
        /// The agent waits for a person to approve a tool call.
        PendingApproval => "pending_approval",
        /// There is no such agent.
        AgentUnknown => "agent_unknown",
        /// The agent has no such conversation.
        ConversationUnknown => "conversation_unknown",
        /// The request itself is invalid.
        InvalidRequest => "invalid_request",
        /// The connection ended before the answer was complete.
        Cut => "cut",
        /// No byte came for too long.
        Timeout => "timeout",
        /// A proxy between us and Letta answered in its place.
        Gateway => "gateway",
        /// The answer could not be understood.
        Garbled => "garbled",
        /// The answer is larger than the limit.
        TooLarge => "too_large",
        /// Letta answered without an error, but reports that nothing ran.
        NothingRan => "nothing_ran",
        /// This program was stopped or killed while the turn was running.
        Interrupted => "interrupted",
    }
}

/// The result of searching for a prompt whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It is in the agent's history, and its turn has ended.
    Found(Delivery),
    /// A run that may be its own is active.
    Running {
        /// The run, if the server names it.
        run_id: Option<String>,
    },
    /// No run that may be its own is active, and the agent's history since it was sent contains
    /// none of its otids.
    Absent {
        /// How its run ended, if that is proved; the otid can't be used again after such a run.
        failed: Option<Refusal>,
    },
    /// The search was refused; [`RefusalKind::Permanent`] means that the agent no longer exists.
    Refused(Refusal),
    /// No answer, or one that proves nothing.
    Unclear {
        /// What happened instead.
        text: String,
    },
}
