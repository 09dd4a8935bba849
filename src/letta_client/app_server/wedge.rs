//! Conversations that claim to be in a turn although none is running.
//!
//! If the last client that follows a conversation disconnects while the model is being called, the
//! server never releases the conversation: every later prompt is refused until the server restarts.
//! The lock is by the conversation's id alone, so for `default`, which every agent has, a turn of
//! another agent looks the same at first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

use super::protocol::Scope;
use crate::models::{ErrorClass, Refusal, RefusalKind};

/// How long one run may block `default` until it counts as one that never ends.
const LONGEST_TURN: SignedDuration = SignedDuration::from_mins(30);

/// The most conversations that are remembered.
const MOST: usize = 10_000;

/// Which run blocks each conversation, and since when by the clock that never jumps.
#[derive(Default)]
pub(super) struct Blocked(Mutex<HashMap<String, (String, SignedDuration)>>);

impl Blocked {
    /// What it means if a conversation that was in no turn a moment ago refuses a prompt with this
    /// error.
    pub(super) fn refusal(&self, scope: &Scope, error: &str, uptime: SignedDuration) -> Refusal {
        let conversation = &scope.conversation_id;
        let since = self.note(conversation, error, uptime);
        let is_shared = conversation == "default";
        let refusal = match is_shared && uptime - since < LONGEST_TURN {
            true => Refusal::new(
                RefusalKind::Busy,
                ErrorClass::Busy,
                format!("another agent may be in its default conversation: {error}"),
            ),
            false => Refusal::new(
                RefusalKind::NeedsHuman,
                ErrorClass::Busy,
                format!(
                    "the App Server accepts nothing in conversation {conversation} until it is \
                     restarted: a client disconnected from it during a turn ({error})"
                ),
            ),
        };
        Refusal {
            otid_spent: true,
            ..refusal
        }
    }

    /// Forgets a conversation that accepted a prompt.
    pub(super) fn clear(&self, scope: &Scope) {
        self.blocked().remove(&scope.conversation_id);
    }

    fn note(&self, conversation: &str, error: &str, uptime: SignedDuration) -> SignedDuration {
        let mut blocked = self.blocked();
        if blocked.len() >= MOST && !blocked.contains_key(conversation) {
            blocked.clear();
        }
        let entry = blocked
            .entry(conversation.to_owned())
            .or_insert_with(|| (error.to_owned(), uptime));
        // The error names the run.
        if entry.0 != error {
            *entry = (error.to_owned(), uptime);
        }
        entry.1
    }

    fn blocked(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, SignedDuration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(conversation: &str) -> Scope {
        Scope {
            agent_id: "agent-local-1".to_owned(),
            conversation_id: conversation.to_owned(),
        }
    }

    const ERROR: &str = "Conversation x already has an active run (local-run-4)";

    #[test]
    fn a_named_conversation_that_is_blocked_without_a_turn_needs_a_restart() {
        let blocked = Blocked::default();
        let refusal = blocked.refusal(&scope("local-conv-1"), ERROR, SignedDuration::ZERO);
        assert_eq!(refusal.kind, RefusalKind::NeedsHuman);
        assert!(refusal.otid_spent && refusal.text.contains("restarted"));
    }

    #[test]
    fn the_default_conversation_is_anothers_until_one_run_has_held_it_for_too_long() {
        let blocked = Blocked::default();
        let kind = |error: &str, minutes: i64| {
            let at = SignedDuration::from_mins(minutes);
            blocked.refusal(&scope("default"), error, at).kind
        };
        assert_eq!(kind(ERROR, 0), RefusalKind::Busy);
        assert_eq!(kind(ERROR, 29), RefusalKind::Busy);
        assert_eq!(kind(ERROR, 30), RefusalKind::NeedsHuman);
        assert_eq!(kind("another run", 31), RefusalKind::Busy);
        blocked.clear(&scope("default"));
        assert_eq!(kind("another run", 90), RefusalKind::Busy);
    }
}
