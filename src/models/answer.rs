//! What a target says of a prompt: when it was sent, and when it is looked for afterwards.

use std::time::Duration;

use super::{Turn, words};

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
        /// The agent has no such conversation.
        ConversationUnknown => "conversation_unknown",
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
