//! What a schedule sends where a prompt is not enough: a whole request, as Letta takes it.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Code, Error, Result};

/// The largest request that is stored, in bytes.
pub(crate) const LARGEST_REQUEST: usize = crate::limits::SCHEDULED_REQUEST;

/// The roles of Letta's messages.
const ROLES: [&str; 3] = ["user", "system", "assistant"];

/// What Letta may be asked to tell of a turn.
const MESSAGE_TYPES: [&str; 11] = [
    "system_message",
    "user_message",
    "assistant_message",
    "reasoning_message",
    "hidden_reasoning_message",
    "tool_call_message",
    "tool_return_message",
    "approval_request_message",
    "approval_response_message",
    "summary_message",
    "event_message",
];

/// A request to Letta: several messages, their roles and parts, and how the turn is to go.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// Each an object with `role` and `content`.
    messages: Vec<Value>,
    /// What else Letta is asked: `max_steps`, `include_return_message_types`.
    options: Map<String, Value>,
    /// What its maker said it is for; Letta is not told.
    description: Option<String>,
}

impl Payload {
    /// A prompt as the one user message that it becomes.
    pub fn of_prompt(prompt: &str) -> Self {
        Payload {
            messages: vec![json!({ "role": "user", "content": prompt })],
            options: Map::new(),
            description: None,
        }
    }

    /// Reads and checks a request as a caller sends it; what is no part of it is left out.
    ///
    /// # Errors
    /// [`Code::PromptMissing`] if nothing would be said, [`Code::RequestInvalid`] if Letta would
    /// refuse it.
    pub fn read(request: &Map<String, Value>) -> Result<Self> {
        let given = |key: &str| request.get(key).filter(|v| !v.is_null());
        let Some(Value::Array(messages)) = given("messages") else {
            return Err(invalid("messages must be a list of messages"));
        };
        if messages.is_empty() {
            return Err(Error::new(
                Code::PromptMissing,
                "messages is empty: there is nothing to send",
            ));
        }
        if messages.iter().all(|m| m["role"] == "assistant") {
            // Letta tells another otid for those than they were sent with, so they can't be found.
            return Err(invalid(
                "messages are all the assistant's own: one of them must be the user's or the \
                 system's, since whether it arrived is told by that one",
            ));
        }
        let messages = messages.iter().enumerate();
        let mut payload = Payload {
            messages: messages
                .map(|(n, message)| read_message(message, &format!("messages[{n}]")))
                .collect::<Result<_>>()?,
            options: Map::new(),
            description: None,
        };
        if let Some(steps) = given("max_steps") {
            payload.options.insert("max_steps".into(), whole(steps)?);
        }
        if let Some(types) = given("include_return_message_types") {
            check_types(types)?;
            payload
                .options
                .insert("include_return_message_types".into(), types.clone());
        }
        if let Some(description) = given("description") {
            let text = description
                .as_str()
                .ok_or_else(|| invalid("description must be text"))?;
            payload.description = Some(text.to_owned());
        }
        let bytes = payload.to_stored().len();
        if bytes > LARGEST_REQUEST {
            return Err(invalid(format_args!(
                "the request has {bytes} bytes, and one that is scheduled may have at most {} MiB: \
                 Letta takes 5 MB of content",
                LARGEST_REQUEST / (1024 * 1024)
            )));
        }
        Ok(payload)
    }

    /// Reads a stored request.
    ///
    /// # Errors
    /// [`Code::DatabaseInvalid`] if it is none.
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

    /// The stored form: JSON, the same for the same request.
    pub fn to_stored(&self) -> String {
        let mut whole = self.options.clone();
        whole.insert("messages".into(), Value::Array(self.messages.clone()));
        if let Some(description) = &self.description {
            whole.insert("description".into(), description.as_str().into());
        }
        let mut entries: Vec<_> = whole.into_iter().collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Value::Object(entries.into_iter().collect()).to_string()
    }

    /// The name of its stored form: the SHA-256 in hexadecimal digits.
    pub fn hash(&self) -> String {
        hash_of(&self.to_stored())
    }

    /// Letta's messages, in order.
    pub fn messages(&self) -> &[Value] {
        &self.messages
    }

    /// What else Letta is asked, beside the messages.
    pub fn options(&self) -> &Map<String, Value> {
        &self.options
    }

    /// What its maker said it is for.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The messages as people read them. A single message of the user is its text as it stands.
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

    /// Its messages and options as they are sent, with a line before what the user says first.
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

/// The name of a stored request.
pub(crate) fn hash_of(stored: &str) -> String {
    let digest = Sha256::digest(stored);
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

fn invalid(what: impl std::fmt::Display) -> Error {
    Error::new(Code::RequestInvalid, what.to_string())
}

fn read_message(message: &Value, at: &str) -> Result<Value> {
    let Value::Object(message) = message else {
        return Err(invalid(format_args!(
            "{at} must be an object with role and content"
        )));
    };
    let role = message.get("role").and_then(Value::as_str);
    if !role.is_some_and(|r| ROLES.contains(&r)) {
        return Err(invalid(format_args!(
            "{at}.role is {}: it must be user, system or assistant",
            shown(message.get("role"))
        )));
    }
    let kind = message.get("type").filter(|t| !t.is_null());
    if kind.is_some_and(|t| t != "message") {
        return Err(invalid(format_args!(
            "{at}.type is {}: only a \"message\" can be scheduled",
            shown(kind)
        )));
    }
    for key in ["name", "otid", "sender_id"] {
        let value = message.get(key).filter(|v| !v.is_null());
        if value.is_some_and(|v| !v.is_string()) {
            return Err(invalid(format_args!("{at}.{key} must be text")));
        }
    }
    let content = match message.get("content") {
        Some(Value::String(text)) if !text.trim().is_empty() => Value::from(text.as_str()),
        Some(Value::Array(parts)) if !parts.is_empty() => {
            let parts = parts.iter().enumerate();
            parts
                .map(|(n, part)| read_part(part, &format!("{at}.content[{n}]")))
                .collect::<Result<_>>()?
        }
        Some(Value::String(_) | Value::Array(_) | Value::Null) | None => {
            return Err(Error::new(
                Code::PromptMissing,
                format!("{at}.content is missing or empty: there is nothing to say"),
            ));
        }
        other => {
            return Err(invalid(format_args!(
                "{at}.content is {}: it must be text or a list of parts",
                shown(other)
            )));
        }
    };
    let mut read = message.clone();
    read.retain(|_, value| !value.is_null());
    read.insert("content".into(), content);
    let read = Value::Object(read);
    match has_nul(&read) {
        // Letta keeps messages in PostgreSQL, whose text can't hold one.
        true => Err(invalid(format_args!(
            "{at} holds a NUL character, which Letta can't store"
        ))),
        false => Ok(read),
    }
}

/// A part of a message, with the types that may be left out filled in: Letta asks for them.
fn read_part(part: &Value, at: &str) -> Result<Value> {
    let Value::Object(part) = part else {
        return Err(invalid(format_args!("{at} must be an object with a type")));
    };
    let mut part = part.clone();
    let kind = match part.get("type") {
        None | Some(Value::Null) => "text".to_owned(),
        Some(kind) => kind.as_str().unwrap_or_default().to_owned(),
    };
    part.insert("type".into(), kind.as_str().into());
    match kind.as_str() {
        "text" if part.get("text").is_some_and(Value::is_string) => {}
        "text" => return Err(invalid(format_args!("{at}.text must be text"))),
        "image" => {
            let Some(Value::Object(source)) = part.get_mut("source") else {
                return Err(invalid(format_args!(
                    "{at}.source must be an object with media_type and data"
                )));
            };
            source.entry("type").or_insert_with(|| "base64".into());
            let has = |key: &str| source.get(key).is_some_and(Value::is_string);
            if source["type"] == "base64" && !(has("data") && has("media_type")) {
                return Err(invalid(format_args!(
                    "{at}.source must have media_type, such as \"image/png\", and data in base64"
                )));
            }
        }
        _ => {
            return Err(invalid(format_args!(
                "{at}.type is {}: it must be \"text\" or \"image\"",
                shown(part.get("type"))
            )));
        }
    }
    Ok(Value::Object(part))
}

/// A number of steps; programs without whole numbers send 5 as 5.0.
fn whole(steps: &Value) -> Result<Value> {
    let number = steps.as_f64().filter(|n| n.fract() == 0.0 && *n >= 1.0);
    match number {
        // More than that no turn has, and every float up to it is exact.
        #[allow(clippy::cast_possible_truncation)]
        Some(n) if n <= 1e9 => Ok((n as i64).into()),
        _ => Err(Error::new(
            Code::RequestInvalid,
            format!(
                "max_steps is {}: it must be a whole number of at least 1",
                shown(Some(steps))
            ),
        )),
    }
}

fn check_types(types: &Value) -> Result<()> {
    let list = types.as_array();
    let known = |t: &Value| t.as_str().is_some_and(|t| MESSAGE_TYPES.contains(&t));
    if list.is_some_and(|list| list.iter().all(known)) {
        return Ok(());
    }
    Err(Error::new(
        Code::RequestInvalid,
        format!(
            "include_return_message_types is {}: it must be a list of types out of {}",
            shown(Some(types)),
            MESSAGE_TYPES.join(", ")
        ),
    ))
}

/// What somebody sent, short enough for a sentence.
pub(crate) fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "missing".to_owned(), Value::to_string);
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(has_nul),
        Value::Object(map) => map.values().any(has_nul),
        _ => false,
    }
}

/// What a message says, as text.
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
        _ => "(a part that is no text)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: Value) -> Result<Payload> {
        Payload::read(request.as_object().unwrap())
    }

    #[test]
    fn a_request_is_kept_whole_and_comes_back_from_its_stored_form() {
        let image = json!({"type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}});
        let messages = json!([
            {"role": "system", "content": "Be brief.", "name": "boss"},
            {"role": "user", "content": [{"type": "text", "text": "Look:"}, image], "otid": "x"},
        ]);
        let payload = read(json!({
            "messages": messages, "max_steps": 5.0, "description": "a look", "unknown": 1,
            "include_return_message_types": ["assistant_message"],
        }))
        .unwrap();
        assert_eq!(Value::from(payload.messages().to_vec()), messages);
        assert_eq!(payload.options()["max_steps"], 5);
        assert!(!payload.options().contains_key("unknown"));
        assert_eq!(payload.description(), Some("a look"));
        let stored = payload.to_stored();
        assert_eq!(Payload::from_stored(&stored).unwrap(), payload);
        assert_eq!(hash_of(&stored), payload.hash());
        assert_eq!(
            payload.render(),
            "[system] Be brief.\n\n[user] Look:\n(image/png)"
        );
    }

    #[test]
    fn a_prompt_is_stored_as_it_always_was_and_reads_as_it_was_written() {
        let payload = Payload::of_prompt("hello \"you\"");
        assert_eq!(
            payload.to_stored(),
            r#"{"messages":[{"content":"hello \"you\"","role":"user"}]}"#
        );
        assert_eq!(payload.render(), "hello \"you\"");
    }

    #[test]
    fn what_programs_may_leave_out_of_a_part_is_filled_in_since_letta_asks_for_it() {
        let payload = read(json!({"messages": [{"role": "user", "name": null, "content": [
            {"text": "a"}, {"type": "image", "source": {"media_type": "image/png", "data": "aGk="}},
        ]}]}))
        .unwrap();
        let message = &payload.messages()[0];
        assert_eq!(message["content"][0]["type"], "text");
        assert_eq!(message["content"][1]["source"]["type"], "base64");
        assert!(message.get("name").is_none());
    }

    #[test]
    fn a_line_is_put_before_what_the_user_says_first() {
        let payload = read(json!({"messages": [
            {"role": "system", "content": "s"}, {"role": "user", "content": [{"text": "a"}]},
        ]}))
        .unwrap();
        let (messages, _) = payload.sent_with(Some("late"));
        assert_eq!(messages[0]["content"], "s");
        assert_eq!(messages[1]["content"][0]["text"], "late");
        assert_eq!(messages[1]["content"][1]["text"], "a");
        let (messages, _) = Payload::of_prompt("a").sent_with(Some("late"));
        assert_eq!(messages[0]["content"], "late\n\na");
    }

    #[test]
    fn a_request_that_letta_would_never_take_is_not_stored() {
        let of = |bytes: usize| {
            let content = "x".repeat(bytes);
            read(json!({"messages": [{"role": "user", "content": content}]}))
        };
        assert!(of(LARGEST_REQUEST - 100).is_ok());
        let error = of(LARGEST_REQUEST).unwrap_err();
        assert_eq!(error.code(), Code::RequestInvalid);
        assert!(error.to_string().contains("8 MiB"), "{error}");
    }

    #[test]
    fn what_letta_would_refuse_is_refused_with_its_place() {
        let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
        for (request, place) in [
            (json!({}), "messages must be a list"),
            (json!({"messages": "hello"}), "messages must be a list"),
            (json!({"messages": []}), "nothing to send"),
            (
                json!({"messages": ["hello"]}),
                "messages[0] must be an object",
            ),
            (
                json!({"messages": [{"role": "tool", "content": "x"}]}),
                "messages[0].role is \"tool\"",
            ),
            (
                json!({"messages": [{"content": "x"}]}),
                "messages[0].role is missing",
            ),
            (
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "user"}]}),
                "messages[1].content",
            ),
            (
                json!({"messages": [{"role": "user", "content": "x", "type": "approval"}]}),
                "messages[0].type",
            ),
            (
                json!({"messages": [{"role": "user", "content": "x", "otid": 1}]}),
                "messages[0].otid",
            ),
            (
                json!({"messages": [{"role": "assistant", "content": "x"}]}),
                "the assistant's own",
            ),
            (user(json!("  ")), "messages[0].content"),
            (user(json!([])), "messages[0].content"),
            (user(json!(7)), "messages[0].content is 7"),
            (user(json!("a\0b")), "NUL"),
            (user(json!([{"type": "text", "text": "a\0b"}])), "NUL"),
            (
                user(json!([{"type": "text"}])),
                "messages[0].content[0].text",
            ),
            (
                user(json!([{"type": "audio"}])),
                "messages[0].content[0].type is \"audio\"",
            ),
            (
                user(json!([{"type": "image"}])),
                "messages[0].content[0].source",
            ),
            (
                user(json!([{"type": "image", "source": {"data": "x"}}])),
                "media_type",
            ),
            (
                json!({"messages": [{"role": "user", "content": "x"}], "max_steps": 0}),
                "max_steps is 0",
            ),
            (
                json!({"messages": [{"role": "user", "content": "x"}], "max_steps": 1.5}),
                "max_steps",
            ),
            (
                json!({"messages": [{"role": "user", "content": "x"}],
                    "include_return_message_types": ["assistant"]}),
                "assistant_message",
            ),
        ] {
            let error = read(request.clone()).unwrap_err();
            assert!(error.to_string().contains(place), "{request}: {error}");
        }
    }
}
