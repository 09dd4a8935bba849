//! Reads and checks the requests of callers.

use serde_json::{Map, Value};

use super::{LARGEST_REQUEST, Payload};
use crate::error::{Code, Error, Result};

/// The roles of Letta's messages.
const ROLES: [&str; 3] = ["user", "system", "assistant"];

/// The message types that Letta can be asked to return.
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

impl Payload {
    /// Reads and checks a caller's request; unknown fields are left out.
    ///
    /// # Errors
    /// [`Code::PromptMissing`] if it has no content, [`Code::RequestInvalid`] if Letta would refuse
    /// it.
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
            // Letta reports another otid for those than they were sent with, so they can't be found.
            return Err(invalid(
                "all messages have the role assistant: at least one must be from user or system, \
                 because that one shows whether the request arrived",
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
            payload
                .options
                .insert("max_steps".into(), step_count(steps)?);
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
                "the request has {bytes} bytes; a scheduled request may have at most {} MiB: Letta \
                 accepts 5 MB of content",
                LARGEST_REQUEST / (1024 * 1024)
            )));
        }
        Ok(payload)
    }
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
                format!("{at}.content is missing or empty"),
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
        // Letta keeps messages in PostgreSQL, whose text can't contain one.
        true => Err(invalid(format_args!(
            "{at} contains a NUL character, which Letta can't store"
        ))),
        false => Ok(read),
    }
}

/// A part of a message, with the optional types filled in, because Letta requires them.
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

/// A number of steps; programs without integers send 5 as 5.0.
fn step_count(steps: &Value) -> Result<Value> {
    let number = steps.as_f64().filter(|n| n.fract() == 0.0 && *n >= 1.0);
    match number {
        // No turn has more, and every float up to this is exact.
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
            "include_return_message_types is {}: it must be a list of these types: {}",
            shown(Some(types)),
            MESSAGE_TYPES.join(", ")
        ),
    ))
}

/// A caller's value, short enough for an error.
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
