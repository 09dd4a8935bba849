//! What the answers of an App Server prove about a prompt: the table in docs/app-server.md. Pure.

use serde_json::Value;

use super::turns::{Ended, TurnWatch};
use crate::letta_client::v1::turn::{beginning, turn_of};
use crate::models::{AgentId, Answer, Delivery, ErrorClass, Refusal, RefusalKind, Turn};

/// The longest text that is kept from a server, in bytes.
const LONGEST_TEXT: usize = 500;

/// What the end of a turn means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// This is proven.
    Proved(Box<Answer>),
    /// The conversation is in another run: the prompt was not stored, and its id is used up.
    Blocked(String),
    /// It failed with an error that we don't know, before it had a run: only the conversation's
    /// messages show whether it was stored.
    Unproved(String),
}

/// Interprets how the turn of a prompt ended.
pub(super) fn meaning_of(ended: &Ended, watch: &TurnWatch) -> Meaning {
    let Some(error) = &ended.error else {
        return proved(Answer::Delivered(delivery(ended, watch)));
    };
    if error.contains("already has an active run") {
        return Meaning::Blocked(error.clone());
    }
    if let Some(refusal) = refusal_by_name(error) {
        return proved(Answer::Refused(refusal));
    }
    match ended.had_run {
        // A run stores its messages before it calls the model.
        true => proved(Answer::Delivered(delivery(ended, watch))),
        false => Meaning::Unproved(error.clone()),
    }
}

/// A prompt that was stored, and how its turn ended.
fn delivery(ended: &Ended, watch: &TurnWatch) -> Delivery {
    let turn = match (&ended.stop_reason, &ended.error) {
        (Some(reason), None) => turn_of(reason),
        (_, Some(_)) => Turn::Error,
        (None, None) => Turn::Interrupted,
    };
    Delivery {
        run_id: ended
            .run_id
            .clone()
            .or_else(|| watch.run().map(str::to_owned)),
        stop_reason: ended.stop_reason.clone(),
        turn,
        tokens: watch.tokens(),
        reply: watch.reply(),
        error: ended.error.as_deref().map(error_of_turn),
    }
}

/// What went wrong in a turn. The server tells a model's error as JSON in a text.
fn error_of_turn(error: &str) -> String {
    let told: Option<Value> = serde_json::from_str(error).ok();
    let inner = told.as_ref().and_then(|told| {
        let of = |pointer: &str| told.pointer(pointer).and_then(Value::as_str);
        of("/error/message").or_else(|| of("/message"))
    });
    let text = inner.unwrap_or(error);
    format!(
        "{}: {}",
        ErrorClass::LlmError,
        beginning(text, LONGEST_TEXT)
    )
}

/// A prompt whose turn waits for a person to approve a tool call.
pub(super) fn waiting_for_approval(watch: &TurnWatch) -> Delivery {
    Delivery {
        run_id: watch.run().map(str::to_owned),
        stop_reason: Some("requires_approval".to_owned()),
        turn: Turn::Approval,
        tokens: watch.tokens(),
        reply: watch.reply(),
        error: None,
    }
}

/// A prompt that was stored, and whose turn nobody saw end. The messages can't show that it ended
/// well: a cancelled turn leaves the same ones.
pub(super) fn found(reply: Option<String>, watch: &TurnWatch) -> Delivery {
    Delivery {
        run_id: watch.run().map(str::to_owned),
        stop_reason: None,
        turn: Turn::Interrupted,
        tokens: watch.tokens(),
        reply: watch.reply().or(reply),
        error: None,
    }
}

/// A prompt that the server accepted, but for which no turn is running and nothing is stored.
pub(super) fn nothing_ran(text: &str) -> Refusal {
    Refusal {
        otid_spent: true,
        ..Refusal::new(RefusalKind::Later, ErrorClass::NothingRan, text)
    }
}

/// What it means if the server does not start a conversation for us.
pub(super) fn refusal_to_start(error: &str) -> Refusal {
    refusal_by_name(error).unwrap_or_else(|| {
        let text = beginning(error, LONGEST_TEXT);
        Refusal::new(RefusalKind::TargetTrouble, ErrorClass::ServerError, text)
    })
}

/// What it means if the server does not accept a prompt. Nothing is stored then.
pub(super) fn refusal_of_input(error: &str) -> Refusal {
    let (kind, class) = match error {
        _ if error.contains("rejected by the queue") || error.contains("switching computers") => {
            (RefusalKind::Busy, ErrorClass::Busy)
        }
        _ if error.contains("payload kind") || error.contains("approval") => {
            (RefusalKind::Permanent, ErrorClass::InvalidRequest)
        }
        // "Stable input ledger is at capacity", and whatever later servers may say.
        _ => (RefusalKind::Later, ErrorClass::ServerError),
    };
    Refusal::new(kind, class, beginning(error, LONGEST_TEXT))
}

/// A refusal because a conversation does not belong to this agent.
pub(super) fn unknown_conversation(agent: &AgentId, id: &str) -> Refusal {
    let text = format!("{agent} has no conversation {id}");
    Refusal::new(
        RefusalKind::Permanent,
        ErrorClass::ConversationUnknown,
        text,
    )
}

/// A refusal because there is no such agent or conversation.
fn refusal_by_name(error: &str) -> Option<Refusal> {
    let class = match error {
        _ if error.starts_with("Agent ") && error.ends_with("not found") => {
            ErrorClass::AgentUnknown
        }
        _ if error.starts_with("Conversation ")
            && (error.ends_with("not found") || error.contains(" belongs to ")) =>
        {
            ErrorClass::ConversationUnknown
        }
        _ => return None,
    };
    let text = beginning(error, LONGEST_TEXT);
    Some(Refusal::new(RefusalKind::Permanent, class, text))
}

fn proved(answer: Answer) -> Meaning {
    Meaning::Proved(Box::new(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(stop_reason: &str, error: Option<&str>, had_run: bool) -> Meaning {
        let ended = Ended {
            stop_reason: Some(stop_reason.to_owned()),
            run_id: None,
            error: error.map(str::to_owned),
            had_run,
        };
        meaning_of(&ended, &TurnWatch::default())
    }

    fn answer(meaning: Meaning) -> Answer {
        match meaning {
            Meaning::Proved(answer) => *answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_turn_that_had_a_run_was_stored_however_it_ended() {
        for (reason, error, turn) in [
            ("end_turn", None, Turn::Ok),
            ("cancelled", None, Turn::Interrupted),
            ("error", Some("429: slow down"), Turn::Error),
            ("llm_api_error", Some("Connection error."), Turn::Error),
        ] {
            match answer(ended(reason, error, true)) {
                Answer::Delivered(delivery) => assert_eq!(delivery.turn, turn, "{reason}"),
                other => panic!("{reason}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_error_of_a_turn_is_told_without_the_json_around_it() {
        for (error, told) in [
            ("Connection error.", "llm_error: Connection error."),
            (
                r#"{"error":{"message":"429: slow down"}}"#,
                "llm_error: 429: slow down",
            ),
            (
                r#"{"message":"401: no key","type":"x"}"#,
                "llm_error: 401: no key",
            ),
            (r#"{"type":"x"}"#, r#"llm_error: {"type":"x"}"#),
        ] {
            match answer(ended("error", Some(error), true)) {
                Answer::Delivered(delivery) => assert_eq!(delivery.error.as_deref(), Some(told)),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_the_server_does_not_know_is_permanent() {
        for (error, class) in [
            ("Agent agent-local-1 not found", ErrorClass::AgentUnknown),
            (
                "Conversation local-conv-9 not found",
                ErrorClass::ConversationUnknown,
            ),
            (
                "Conversation local-conv-1 belongs to agent-local-1, not agent-local-2",
                ErrorClass::ConversationUnknown,
            ),
        ] {
            let of_start = refusal_to_start(error);
            assert_eq!(
                (of_start.kind, of_start.class),
                (RefusalKind::Permanent, class)
            );
            assert_eq!(
                answer(ended("error", Some(error), false)),
                Answer::Refused(of_start)
            );
        }
    }

    #[test]
    fn an_error_before_the_first_run_proves_nothing_unless_we_know_its_words() {
        let blocked = "Conversation default already has an active run (local-run-4)";
        assert_eq!(
            ended("error", Some(blocked), false),
            Meaning::Blocked(blocked.into())
        );
        assert_eq!(
            ended("error", Some("boom"), false),
            Meaning::Unproved("boom".into())
        );
    }

    #[test]
    fn an_input_that_was_not_taken_is_tried_again_unless_it_never_will_be() {
        for (error, kind) in [
            (
                "Input was rejected by the queue or durable ledger",
                RefusalKind::Busy,
            ),
            ("Conversation is switching computers", RefusalKind::Busy),
            ("Stable input ledger is at capacity", RefusalKind::Later),
            ("Unsupported input payload kind", RefusalKind::Permanent),
            ("whatever", RefusalKind::Later),
        ] {
            assert_eq!(refusal_of_input(error).kind, kind, "{error}");
        }
    }
}
