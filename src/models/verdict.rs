//! What is decided about an occurrence after an attempt, or after looking for its traces.

use jiff::Timestamp;

use super::Turn;

/// The next state of an occurrence that was being sent or whose fate was unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the agent's history.
    Delivered {
        /// Letta's run.
        run_id: Option<String>,
        /// Letta's word for why the turn ended.
        stop_reason: Option<String>,
        /// The same in our words.
        turn: Turn,
        /// Tokens the turn used.
        tokens: Option<i64>,
        /// The beginning of the agent's reply.
        reply: Option<String>,
    },
    /// It is proved not to be there, and will be tried again.
    Waiting {
        /// When.
        not_before: Timestamp,
        /// Why.
        fault: Fault,
        /// Whether this try counts for the backoff.
        counts: bool,
        /// Whether the next try needs a fresh otid.
        fresh_otid: bool,
    },
    /// It may or may not be there.
    Unknown {
        /// When to look for it (again).
        not_before: Timestamp,
        /// When to give up looking.
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
    /// Letta's run, where it tells it.
    pub fn run_id(&self) -> Option<&str> {
        match self {
            Verdict::Delivered { run_id, .. } | Verdict::Unknown { run_id, .. } => {
                run_id.as_deref()
            }
            Verdict::Waiting { .. } | Verdict::Dead { .. } => None,
        }
    }
}

/// An error's class and text as an occurrence and its attempt keep them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A stable word for programs.
    pub code: String,
    /// The same for people.
    pub text: String,
    /// Whether it passes only when a person does something.
    pub needs_human: bool,
}

impl Fault {
    /// Whether it is the agent's, so that each of its schedules meets it: there is no such agent, a
    /// person must do something for it, or it took nothing for as long as prompts are retried.
    /// Otherwise it is the prompt's own.
    pub fn is_agents(&self) -> bool {
        self.needs_human || self.is_of_unknown_agent() || self.code == "expired"
    }

    /// Whether there is no such agent.
    pub fn is_of_unknown_agent(&self) -> bool {
        self.code == "agent_unknown"
    }

    /// A fault of a code and a text.
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Fault {
            code: code.into(),
            text: text.into(),
            needs_human: false,
        }
    }
}
