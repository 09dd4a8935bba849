//! The record of a turn, event by event, and what its end means.

use serde_json::Value;

use super::classify::of_run;

use crate::models::{Delivery, ErrorClass, Refusal, RefusalKind, Turn};

/// How many bytes of an agent's text in one turn are kept.
const MOST_SAID: usize = 128 * 1024;

/// The longest id or reason that is kept, in bytes.
const LONGEST_WORD: usize = 255;

/// What was heard of a turn so far.
#[derive(Debug, Default)]
pub(super) struct TurnRecord {
    /// Letta's run.
    pub run_id: Option<String>,
    /// Why the turn ended.
    pub stop_reason: Option<String>,
    /// Whether the stream said that it is complete.
    pub done: bool,
    /// The error that ended the turn.
    pub error: Option<Refusal>,
    tokens: Option<i64>,
    steps: Option<i64>,
    /// What the agent said: the id of each message and its text, up to a limit.
    said: Vec<(String, String)>,
    /// How many bytes those take.
    said_bytes: usize,
}

impl TurnRecord {
    /// A record of only the run.
    pub(super) fn of_run(run: &str) -> Self {
        TurnRecord {
            run_id: Some(run.to_owned()),
            ..TurnRecord::default()
        }
    }

    /// Adds an event of a stream, or a message of a complete answer.
    pub(super) fn take(&mut self, event: &Value) {
        if let Some(run) = word(event, "run_id") {
            self.run_id = Some(run.to_owned());
        }
        let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("message_type") {
            "stop_reason" => self.stop_reason = word(event, "stop_reason").map(str::to_owned),
            "usage_statistics" => self.take_usage(event),
            "assistant_message" => self.say(text("id"), &content(event)),
            "error_message" => self.error = Some(of_run(event)),
            "" if event.get("error").is_some() => self.error = Some(of_run(event)),
            _ => {}
        }
    }

    /// Adds the complete answer of a server that does not stream.
    pub(super) fn take_response(&mut self, body: &Value) {
        for message in body
            .get("messages")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.take(message);
        }
        if let Some(reason) = body.get("stop_reason") {
            self.take(reason);
        }
        if let Some(usage) = body.get("usage") {
            self.take_usage(usage);
        }
        self.done = true;
    }

    /// Adds a run as the server describes it.
    pub(super) fn take_run(&mut self, run: &Value) {
        let text = |key: &str| run.get(key).and_then(Value::as_str);
        if let Some(id) = word(run, "id") {
            self.run_id = Some(id.to_owned());
        }
        if let Some(reason) = word(run, "stop_reason") {
            self.stop_reason = Some(reason.to_owned());
        }
        let error = run.get("metadata").and_then(|m| m.get("error"));
        if let Some(error) = error.filter(|e| !e.is_null()) {
            self.error = Some(of_run(error));
        } else if text("status") == Some("failed") && self.error.is_none() {
            self.error = Some(of_run(&Value::Null));
        }
    }

    fn take_usage(&mut self, usage: &Value) {
        let number = |key: &str| usage.get(key).and_then(Value::as_i64);
        self.tokens = number("total_tokens").or(self.tokens);
        self.steps = number("step_count").or(self.steps);
    }

    /// Adds what the agent said. Pieces of one message have the same id.
    fn say(&mut self, id: &str, text: &str) {
        let room = MOST_SAID.saturating_sub(self.said_bytes);
        if room == 0 {
            return;
        }
        let text = beginning(text, room);
        self.said_bytes += text.len();
        match self.said.last_mut() {
            Some((last, so_far)) if last == id && !id.is_empty() => so_far.push_str(text),
            _ => {
                // A message takes up space even if it is empty.
                self.said_bytes += id.len() + 1;
                self.said.push((id.to_owned(), text.to_owned()));
            }
        }
    }

    /// Whether this alone proves that the prompt is in the agent's history: the turn ended well
    /// after at least one step. Letta stores a step together with the prompt before reporting it.
    pub(super) fn proves_delivery(&self) -> bool {
        let ended_well = match self.stop_reason.as_deref() {
            Some(reason) => {
                matches!(turn_of(reason), Turn::Ok | Turn::Approval) || reason == "max_steps"
            }
            None => false,
        };
        let stepped = match self.steps {
            Some(steps) => steps > 0,
            None => !self.said.is_empty(),
        };
        ended_well && self.error.is_none() && stepped
    }

    /// Whether its run seems to have died with its server.
    pub(super) fn is_orphaned(&self) -> bool {
        let error = self.error.as_ref();
        error.is_some_and(|e| e.class == ErrorClass::Interrupted)
    }

    /// Whether no text of the agent was heard.
    pub(super) fn said_nothing(&self) -> bool {
        self.said.is_empty()
    }

    /// The turn as a delivery.
    pub(super) fn delivery(self) -> Delivery {
        let turn = match (&self.stop_reason, &self.error) {
            (Some(reason), None) => turn_of(reason),
            (Some(reason), Some(_)) => match turn_of(reason) {
                Turn::Ok | Turn::Approval => Turn::Error,
                turn => turn,
            },
            (None, Some(e)) if e.class == ErrorClass::Interrupted => Turn::Interrupted,
            (None, Some(_)) => Turn::Error,
            (None, None) => Turn::Interrupted,
        };
        let said: Vec<String> = self.said.into_iter().map(|(_, text)| text).collect();
        let error = self.error.map(|e| format!("{}: {}", e.class, e.text));
        Delivery {
            run_id: self.run_id,
            stop_reason: self.stop_reason,
            turn,
            tokens: self.tokens,
            reply: (!said.is_empty()).then(|| said.join("\n")),
            error,
        }
    }

    /// Why nothing of the turn was kept, if that is proved.
    pub(super) fn refusal(self) -> Refusal {
        use ErrorClass as C;
        use RefusalKind as K;
        let reason = self.stop_reason.unwrap_or_default();
        let mut refusal = self.error.unwrap_or_else(|| match reason.as_str() {
            "insufficient_credits" => Refusal::new(
                K::NeedsHuman,
                C::PaymentRequired,
                "the account has no credits left (insufficient_credits)",
            ),
            "cancelled" => Refusal::new(
                K::Later,
                C::Interrupted,
                "the run was cancelled before its first step was kept",
            ),
            "" | "end_turn" => Refusal::new(
                K::Later,
                C::NothingRan,
                "Letta accepted the prompt, but nothing ran and the prompt was not kept",
            ),
            other => Refusal::new(
                K::Later,
                C::LlmError,
                format!("the turn ended with {other} before its first step was kept"),
            ),
        });
        refusal.run_id = self.run_id;
        refusal
    }
}

/// An id or a reason from Letta.
fn word<'a>(of: &'a Value, key: &str) -> Option<&'a str> {
    let word = of.get(key)?.as_str()?;
    let is_one = (1..=LONGEST_WORD).contains(&word.len()) && !word.contains(char::is_control);
    is_one.then_some(word)
}

/// The beginning of a text, up to this many bytes.
pub(in crate::letta_client) fn beginning(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The end of a turn, by Letta's stop reason.
pub(in crate::letta_client) fn turn_of(stop_reason: &str) -> Turn {
    match stop_reason {
        "requires_approval" => Turn::Approval,
        "cancelled" | "max_steps" | "max_tokens_exceeded" => Turn::Interrupted,
        "error"
        | "llm_api_error"
        | "invalid_llm_response"
        | "invalid_tool_call"
        | "no_tool_call"
        | "insufficient_credits"
        | "context_window_overflow_in_system_prompt" => Turn::Error,
        // end_turn, tool_rule, and whatever later servers may add: failures have names of their
        // own.
        _ => Turn::Ok,
    }
}

/// The text of a message's content: a string, or a list of parts.
pub(super) fn content(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|part| part.get("text")?.as_str())
            .collect(),
        _ => String::new(),
    }
}
