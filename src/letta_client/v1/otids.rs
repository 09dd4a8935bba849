//! The ids under which the messages of a prompt are stored.

use serde_json::Value;
use uuid::Uuid;

/// Gives each message an otid: the prompt's own to the first user message (or to the first system
/// message if there is none), derived ones to the others. Letta makes up an otid for a message
/// without one, reports another one for an assistant message than it was given, and takes a request
/// for a repetition only if all its otids are the same.
pub(super) fn with_otids(messages: &[Value], otid: Uuid) -> Vec<Value> {
    let first = |wanted: fn(&str) -> bool| {
        let role = |m: &Value| m.get("role").and_then(Value::as_str).is_some_and(wanted);
        messages.iter().position(role)
    };
    let main = first(|role| role == "user")
        .or_else(|| first(|role| role != "assistant"))
        .unwrap_or(0);
    let mut messages = messages.to_vec();
    for (n, message) in messages.iter_mut().enumerate() {
        let own = match n == main {
            true => otid,
            false => Uuid::new_v5(&otid, n.to_string().as_bytes()),
        };
        if let Some(message) = message.as_object_mut() {
            message.insert("otid".into(), own.to_string().into());
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_otid_goes_on_the_first_user_message_and_every_other_has_one_that_never_changes() {
        let otid = Uuid::from_u128(7);
        let messages = [
            json!({"role": "system", "content": "a"}),
            json!({"role": "user", "content": "b", "otid": "mine"}),
            json!({"role": "user", "content": "c"}),
        ];
        let sent = with_otids(&messages, otid);
        assert_eq!(sent[1]["otid"], otid.to_string());
        assert!(sent.iter().all(|m| m["otid"].is_string()));
        assert_ne!(sent[0]["otid"], sent[2]["otid"]);
        assert_eq!(sent, with_otids(&messages, otid));
        let others = [json!({"role": "assistant"}), json!({"role": "system"})];
        let sent = with_otids(&others, otid);
        assert_ne!(sent[0]["otid"], otid.to_string());
        assert_eq!(sent[1]["otid"], otid.to_string());
    }
}
