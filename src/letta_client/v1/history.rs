//! What is kept of an agent's messages while they are searched: there may be many.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::runs::time;
use super::turn::{beginning, content};

/// The longest id of a run or a message, in bytes.
pub(super) const LONGEST_ID: usize = 255;

/// How many bytes of one message are kept; more than what is kept of a reply in the end.
const MOST_OF_ONE: usize = 8 * 1024;

/// How many bytes of all messages together are kept.
const MOST: usize = 4 << 20;

/// What a message costs in addition to its text, in bytes, roughly.
const OVERHEAD: usize = 512;

/// The types of messages that show how a turn went.
const TELLING: &[&str] = &[
    "assistant_message",
    "error_message",
    "stop_reason",
    "usage_statistics",
];

/// The keys of those that matter, besides the text.
const KEYS: &[&str] = &[
    "message_type",
    "id",
    "run_id",
    "stop_reason",
    "total_tokens",
    "step_count",
    "error_type",
    "message",
    "detail",
];

/// Messages, oldest first, shortened. If there are too many, the newest are left out: an agent's
/// reply to a prompt comes right after it.
#[derive(Debug, Default)]
pub(super) struct LaterMessages {
    kept: VecDeque<(usize, Value)>,
    bytes: usize,
    /// The time of each run's newest message.
    newest: HashMap<String, Timestamp>,
}

impl LaterMessages {
    /// Adds a page (oldest first) that is older than everything added before.
    pub(super) fn add_older(&mut self, page: &[Value]) {
        for message in page.iter().rev() {
            self.note_date(message);
            let Some((bytes, message)) = shortened(message) else {
                continue;
            };
            self.bytes += bytes;
            self.kept.push_front((bytes, message));
            while self.bytes > MOST
                && let Some((bytes, _)) = self.kept.pop_back()
            {
                self.bytes -= bytes;
            }
        }
    }

    fn note_date(&mut self, message: &Value) {
        let text = |key: &str| message.get(key).and_then(Value::as_str);
        if let Some(run) = text("run_id").filter(|run| run.len() <= LONGEST_ID)
            && let Some(date) = text("date").and_then(time)
        {
            let newest = self.newest.entry(run.to_owned()).or_insert(date);
            *newest = date.max(*newest);
        }
    }

    /// The time of a run's newest message.
    pub(super) fn newest_of(&self, run: &str) -> Option<Timestamp> {
        self.newest.get(run).copied()
    }

    /// The messages of one run.
    pub(super) fn of_run(self, run: Option<&str>) -> Vec<Value> {
        let messages = self.kept.into_iter().map(|(_, message)| message);
        messages
            .filter(|m| run.is_some() && m.get("run_id").and_then(Value::as_str) == run)
            .collect()
    }
}

/// A message with only what matters, and its approximate size in bytes.
fn shortened(message: &Value) -> Option<(usize, Value)> {
    let kind = message.get("message_type")?.as_str()?;
    if !TELLING.contains(&kind) {
        return None;
    }
    let mut bytes = OVERHEAD;
    let mut kept = Map::new();
    let said = content(message);
    let texts = KEYS.iter().filter_map(|key| {
        let value = match message.get(*key)? {
            Value::String(text) => Value::from(beginning(text, MOST_OF_ONE)),
            number @ Value::Number(_) => number.clone(),
            _ => return None,
        };
        Some((*key, value))
    });
    for (key, value) in texts.chain([("content", beginning(&said, MOST_OF_ONE).into())]) {
        bytes += value.as_str().map_or(0, str::len);
        kept.insert(key.to_owned(), value);
    }
    Some((bytes, kept.into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(id: usize, text: &str) -> Value {
        json!({
            "id": format!("m{id}"), "message_type": "assistant_message", "run_id": "run-1",
            "content": text, "date": "2026-03-01T12:00:00Z",
        })
    }

    #[test]
    fn of_what_was_said_later_the_oldest_is_kept_and_in_order() {
        let mut later = LaterMessages::default();
        let long = "x".repeat(50_000);
        for page in (0..100).rev() {
            let page: Vec<Value> = (0..100).map(|n| said(page * 100 + n, &long)).collect();
            later.add_older(&page);
            assert!(later.bytes <= MOST);
        }
        let kept = later.of_run(Some("run-1"));
        assert!(kept.len() > 400, "{}", kept.len());
        let ids: Vec<_> = kept.iter().map(|m| m["id"].clone()).collect();
        let first: Vec<_> = (0..kept.len()).map(|n| json!(format!("m{n}"))).collect();
        assert_eq!(ids, first);
    }

    #[test]
    fn only_what_tells_how_a_turn_went_is_kept() {
        let tool = json!({"message_type": "tool_return_message", "tool_return": "x".repeat(9_000)});
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let mut of_parts = said(1, "");
        of_parts["content"] = parts;
        let mut later = LaterMessages::default();
        later.add_older(&[tool, of_parts, said(2, "c")]);
        let kept = later.of_run(Some("run-1"));
        let texts: Vec<_> = kept.iter().map(|m| m["content"].clone()).collect();
        assert_eq!(texts, [json!("ab"), json!("c")]);
    }
}
