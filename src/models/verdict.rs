//! The decision about an occurrence after an attempt, or after searching for it.

use jiff::Timestamp;

use super::Turn;

/// The code of the fault of an attempt that may have been sent, but was not found afterwards. Its
/// otid is used again.
pub const NOT_RECEIVED: &str = "not_received";

/// The next state of an occurrence that was being sent or whose outcome was unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the agent's history.
    Delivered {
        /// Letta's run.
        run_id: Option<String>,
        /// Letta's stop reason.
        stop_reason: Option<String>,
        /// How the turn ended.
        turn: Turn,
        /// Tokens the turn used.
        tokens: Option<i64>,
        /// The beginning of the agent's reply.
        reply: Option<String>,
        /// What went wrong in the turn.
        error: Option<String>,
    },
    /// It is proved not to be there, and will be retried.
    Waiting {
        /// When.
        not_before: Timestamp,
        /// Why.
        fault: Fault,
        /// Whether this attempt counts for the backoff.
        counts: bool,
        /// Whether the next attempt needs a new otid.
        fresh_otid: bool,
    },
    /// It may or may not be there.
    Unknown {
        /// When to search for it (again).
        not_before: Timestamp,
        /// When to stop searching.
        reconcile_until: Timestamp,
        /// Why.
        fault: Fault,
        /// Letta's run, if it is known.
        run_id: Option<String>,
    },
    /// It is given up.
    Dead {
        /// Why.
        fault: Fault,
    },
}

impl Verdict {
    /// Letta's run, if it contains one.
    pub fn run_id(&self) -> Option<&str> {
        match self {
            Verdict::Delivered { run_id, .. } | Verdict::Unknown { run_id, .. } => {
                run_id.as_deref()
            }
            Verdict::Waiting { .. } | Verdict::Dead { .. } => None,
        }
    }
}

/// An error's class and text, as stored with an occurrence and its attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A stable code for programs.
    pub code: String,
    /// The text for people.
    pub text: String,
    /// Whether a person has to do something.
    pub needs_human: bool,
}

impl Fault {
    /// Whether the fault is the agent's, so that all of its schedules meet it: it doesn't exist, a
    /// person must do something for it, or it has accepted nothing for as long as prompts are
    /// retried. Otherwise the fault is the prompt's own.
    pub fn is_agents(&self) -> bool {
        self.needs_human || self.is_of_unknown_agent() || self.code == "expired"
    }

    /// Whether the agent doesn't exist.
    pub fn is_of_unknown_agent(&self) -> bool {
        self.code == "agent_unknown"
    }

    /// A fault with a code and a text.
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Fault {
            code: code.into(),
            text: text.into(),
            needs_human: false,
        }
    }
}
