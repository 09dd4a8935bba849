//! A whole request to Letta, for schedules that send more than a prompt.

mod request;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Code, Error, Result};

pub(crate) use request::shown;

/// The largest request that is stored, in bytes.
pub(crate) const LARGEST_REQUEST: usize = crate::limits::SCHEDULED_REQUEST;

/// A request to Letta: messages with their roles and parts, and options for the turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// Each an object with `role` and `content`.
    messages: Vec<Value>,
    /// Other fields of the request: `max_steps`, `include_return_message_types`.
    options: Map<String, Value>,
    /// A description by whoever created it, which is not sent to Letta.
    description: Option<String>,
}

impl Payload {
    /// A prompt, as a single user message.
    pub fn of_prompt(prompt: &str) -> Self {
        Payload {
            messages: vec![json!({ "role": "user", "content": prompt })],
            options: Map::new(),
            description: None,
        }
    }

    /// Reads a stored request.
    ///
    /// # Errors
    /// [`Code::DatabaseInvalid`] if it is not one.
    pub fn from_stored(text: &str) -> Result<Self> {
        let unreadable = || {
            Error::new(
                Code::DatabaseInvalid,
                "a stored request is not a Letta request",
            )
        };
        let stored = serde_json::from_str(text).map_err(|e| unreadable().caused_by(e))?;
        let Value::Object(mut options) = stored else {
            return Err(unreadable());
        };
        let Some(Value::Array(messages)) = options.remove("messages") else {
            return Err(unreadable());
        };
        let description = options.remove("description");
        Ok(Payload {
            messages,
            options,
            description: description.and_then(|d| d.as_str().map(str::to_owned)),
        })
    }

    /// The stored form: JSON that is always the same for the same request.
    pub fn to_stored(&self) -> String {
        let mut request = self.options.clone();
        request.insert("messages".into(), Value::Array(self.messages.clone()));
        if let Some(description) = &self.description {
            request.insert("description".into(), description.as_str().into());
        }
        let mut entries: Vec<_> = request.into_iter().collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Value::Object(entries.into_iter().collect()).to_string()
    }

    /// The hash that it is stored under: SHA-256 in hexadecimal digits.
    pub fn hash(&self) -> String {
        hash_of(&self.to_stored())
    }

    /// Letta's messages, in order.
    pub fn messages(&self) -> &[Value] {
        &self.messages
    }

    /// Other fields of the request.
    pub fn options(&self) -> &Map<String, Value> {
        &self.options
    }

    /// The description by whoever created it.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The messages for people. A single user message is shown as its text.
    pub fn render(&self) -> String {
        if let [only] = self.messages.as_slice()
            && only["role"] == "user"
        {
            return text_of(only);
        }
        let line = |m: &Value| {
            let role = m["role"].as_str().unwrap_or("user");
            format!("[{role}] {}", text_of(m))
        };
        let lines: Vec<String> = self.messages.iter().map(line).collect();
        lines.join("\n\n")
    }

    /// The messages and options to send, with a line before the first user message.
    pub fn sent_with(self, line: Option<&str>) -> (Vec<Value>, Map<String, Value>) {
        let mut messages = self.messages;
        if let Some(line) = line {
            let first = messages.iter().position(|m| m["role"] == "user");
            match messages
                .get_mut(first.unwrap_or(0))
                .and_then(|m| m.get_mut("content"))
            {
                Some(Value::String(text)) => text.insert_str(0, &format!("{line}\n\n")),
                Some(Value::Array(parts)) => {
                    parts.insert(0, json!({ "type": "text", "text": line }));
                }
                _ => {}
            }
        }
        (messages, self.options)
    }
}

/// The hash that a request is stored under.
pub(crate) fn hash_of(stored: &str) -> String {
    let digest = Sha256::digest(stored);
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// The content of a message as text.
fn text_of(message: &Value) -> String {
    let text = match &message["content"] {
        Value::String(text) => return text.clone(),
        Value::Array(parts) => parts
            .iter()
            .map(text_of_part)
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    };
    match text.trim().is_empty() {
        true => "(no text)".to_owned(),
        false => text,
    }
}

fn text_of_part(part: &Value) -> String {
    match (part["type"].as_str(), part["text"].as_str()) {
        (_, Some(text)) => text.to_owned(),
        (Some("image"), None) => {
            let kind = part["source"]["media_type"].as_str();
            format!("({})", kind.unwrap_or("image"))
        }
        _ => "(a part that is not text)".to_owned(),
    }
}

#[cfg(test)]
mod tests;
