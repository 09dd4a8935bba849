//! Reads a client's message before the library does: an invalid one gets an answer that says why,
//! where the library would be silent or report an unknown method.

mod id;

use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ErrorCode, JsonRpcMessage};
use serde_json::{Map, Value, json};

pub(super) use id::id_in;

/// The result of reading a message.
#[derive(Debug)]
pub(super) enum Parsed {
    /// It is valid.
    Message {
        /// The message.
        message: Box<ClientJsonRpcMessage>,
        /// The message in a form the library understands, if it was written differently.
        rewritten: Option<Vec<u8>>,
        /// The request, if it expects an answer.
        request: Option<PendingRequest>,
    },
    /// There is nothing to do: a blank line, or an unknown notification.
    Nothing,
    /// It is invalid.
    Refused(Refusal),
}

/// A request that expects an answer.
#[derive(Debug)]
pub(super) struct PendingRequest {
    /// The id of the request.
    pub(super) id: Value,
    /// The method.
    pub(super) method: String,
}

/// A JSON-RPC error for an invalid message.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The id of the request; null if it can't be read.
    id: Value,
    code: ErrorCode,
    text: String,
}

impl Refusal {
    fn new(id: &Value, code: ErrorCode, text: impl Into<String>) -> Self {
        Refusal {
            id: id.clone(),
            code,
            text: text.into(),
        }
    }

    /// The message is too large; its id is known if it could be read.
    pub(super) fn too_large(id: &Value, largest: usize) -> Self {
        Refusal::new(
            id,
            ErrorCode::INVALID_REQUEST,
            format!("the message is larger than {largest} bytes, so nothing was done"),
        )
    }

    /// The message is empty.
    pub(super) fn nothing() -> Self {
        let text = "the message is empty or was cut off: it must be a JSON object";
        Refusal::new(&Value::Null, ErrorCode::PARSE_ERROR, text)
    }

    /// The message did not arrive completely, for this reason.
    pub(super) fn unread(why: String) -> Self {
        Refusal::new(&Value::Null, ErrorCode::INVALID_REQUEST, why)
    }

    /// Another request of the session has the same id.
    pub(super) fn taken(id: &Value) -> Self {
        let text = "another request with this id is in progress in this session: give each request \
                    its own id";
        Refusal::new(id, ErrorCode::INVALID_REQUEST, text)
    }

    /// The code.
    pub(super) fn code(&self) -> ErrorCode {
        self.code
    }

    /// The answer, as JSON.
    pub(super) fn to_json(&self) -> String {
        let error = json!({ "code": self.code.0, "message": self.text });
        json!({ "jsonrpc": "2.0", "id": self.id, "error": error }).to_string()
    }
}

/// Reads a message.
pub(super) fn read(bytes: &[u8]) -> Parsed {
    // RFC 8259, section 8.1: a byte order mark may be ignored.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Parsed::Nothing;
    }
    let mut message = match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(message)) => message,
        Ok(_) => {
            let wrong = "a message must be one JSON object; batches are not supported";
            return refused(&Value::Null, ErrorCode::INVALID_REQUEST, wrong);
        }
        Err(e) => {
            let wrong = format!("the message is not JSON: {e}");
            return refused(&id_in(bytes), ErrorCode::PARSE_ERROR, wrong);
        }
    };
    let id = message.get("id").cloned();
    let is_answer = message.contains_key("result") || message.contains_key("error");
    let answer_id = id.clone().unwrap_or(Value::Null);
    let rewritten = match message.contains_key("method") {
        true => match check_request(&mut message) {
            Ok(rewritten) => rewritten,
            // Nobody waits for the answer to a notification.
            Err((code, wrong)) if id.is_some() || code == ErrorCode::INVALID_REQUEST => {
                return refused(&answer_id, code, wrong);
            }
            Err(_) => return Parsed::Nothing,
        },
        false if is_answer => false,
        false => {
            let wrong = "the message has no method and is not a response";
            return refused(&answer_id, ErrorCode::INVALID_REQUEST, wrong);
        }
    };
    let method = message.get("method").and_then(Value::as_str);
    let request = method.zip(id).map(|(method, id)| PendingRequest {
        id,
        method: method.to_owned(),
    });
    let rewritten = rewritten.then(|| Value::Object(message.clone()).to_string().into_bytes());
    match serde_json::from_value::<ClientJsonRpcMessage>(Value::Object(message)) {
        Ok(message) => match misread_method(&message) {
            Some(method) => refused(
                &answer_id,
                ErrorCode::INVALID_PARAMS,
                format!("the params of {method} are missing or invalid"),
            ),
            None => Parsed::Message {
                message: Box::new(message),
                rewritten,
                request,
            },
        },
        Err(_) if request.is_some() => {
            let wrong = "the message is not a request of JSON-RPC 2.0 whose id is text or a whole \
                         number";
            refused(&answer_id, ErrorCode::INVALID_REQUEST, wrong)
        }
        Err(_) => Parsed::Nothing,
    }
}

fn refused(id: &Value, code: ErrorCode, text: impl Into<String>) -> Parsed {
    // JSON-RPC 2.0, section 5: an id is text, a number or null.
    let id = match id {
        Value::String(_) | Value::Number(_) => id,
        _ => &Value::Null,
    };
    Parsed::Refused(Refusal::new(id, code, text))
}

/// Checks a request or notification, and normalises what models and clients write differently.
/// Returns whether anything was changed.
fn check_request(message: &mut Map<String, Value>) -> Result<bool, (ErrorCode, String)> {
    let Some(method) = message
        .get("method")
        .and_then(Value::as_str)
        .map(str::to_owned)
    else {
        let wrong = "the method must be text".to_owned();
        return Err((ErrorCode::INVALID_REQUEST, wrong));
    };
    let is_call = method == "tools/call";
    let invalid = |wrong: String| (ErrorCode::INVALID_PARAMS, wrong);
    let params = match message.get_mut("params") {
        Some(Value::Object(params)) => params,
        None if !is_call => return Ok(false),
        Some(Value::Null) if !is_call => {
            message.remove("params");
            return Ok(true);
        }
        None | Some(Value::Null) => {
            return Err(invalid("tools/call needs params with a name".to_owned()));
        }
        Some(_) => return Err(invalid(format!("the params of {method} must be an object"))),
    };
    if !is_call {
        return Ok(false);
    }
    match params.get("name") {
        Some(Value::String(name)) if !name.trim().is_empty() => {}
        _ => {
            let wrong = "params.name must be the name of a tool; tools/list lists them";
            return Err(invalid(wrong.to_owned()));
        }
    }
    let arguments = match params.get("arguments") {
        None | Some(Value::Object(_)) => return Ok(false),
        Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Object(arguments)) => Some(arguments),
            _ => {
                let wrong = "params.arguments is text, but not a JSON object: give an object";
                return Err(invalid(wrong.to_owned()));
            }
        },
        Some(_) => {
            let wrong = "params.arguments must be an object, with the tool's arguments by name";
            return Err(invalid(wrong.to_owned()));
        }
    };
    match arguments {
        Some(arguments) => params.insert("arguments".to_owned(), arguments.into()),
        None => params.remove("arguments"),
    };
    Ok(true)
}

/// The method of a request that the library knows, but treated as unknown because it could not
/// read the params.
fn misread_method(message: &ClientJsonRpcMessage) -> Option<&str> {
    /// Methods that require params, or whose params may be of the wrong kind.
    const KNOWN: &[&str] = &[
        "initialize",
        "ping",
        "server/discover",
        "completion/complete",
        "logging/setLevel",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "subscriptions/listen",
        "tools/call",
        "tools/list",
    ];
    match message {
        JsonRpcMessage::Request(request) => match &request.request {
            ClientRequest::CustomRequest(custom) if KNOWN.contains(&custom.method.as_str()) => {
                Some(&custom.method)
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code and id of what is answered at once; `None` if the message is read.
    fn answer(message: &str) -> Option<(i32, Value)> {
        match read(message.as_bytes()) {
            Parsed::Refused(refusal) => {
                let told: Value = serde_json::from_str(&refusal.to_json()).unwrap();
                assert_eq!(told["jsonrpc"], "2.0");
                assert!(
                    told["error"]["message"].as_str().unwrap().len() > 20,
                    "{told}"
                );
                Some((refusal.code().0, told["id"].clone()))
            }
            _ => None,
        }
    }

    #[test]
    fn what_is_no_json_is_answered_with_the_id_as_far_as_it_can_be_read() {
        for (message, id) in [
            ("hello", json!(null)),
            ("{", json!(null)),
            (r#"{"jsonrpc":"2.0","id":7,"method":"tools/list""#, json!(7)),
            (
                r#"{"jsonrpc":"2.0","id":"a","method":"tools/li"#,
                json!("a"),
            ),
            (
                r#"{"id":7,"method":"tools/call","params":{"name":"\ud83e"}}"#,
                json!(7),
            ),
            (
                r#"{"method":"tools/call","params":{"name":"\ud83e","id":3},"id":7}"#,
                json!(7),
            ),
            (r#"{"params":{"id":3},"x":nul"#, json!(null)),
            (r#"{"id":{"a":1},"x":nul"#, json!(null)),
            ("{'id': 5}", json!(null)),
        ] {
            assert_eq!(answer(message), Some((-32700, id)), "{message}");
        }
        assert!(matches!(read(b"{\"id\":9,\"method\":\"\xff\"}"), Parsed::Refused(r) if r.id == 9));
    }

    #[test]
    fn what_is_no_request_is_answered_as_an_invalid_one() {
        for (message, id) in [
            ("[]", json!(null)),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, json!(null)),
            ("5", json!(null)),
            (r#"{"jsonrpc":"2.0","id":1}"#, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":5}"#, json!(1)),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, json!(1)),
            (r#"{"id":1,"method":"ping"}"#, json!(1)),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, json!(null)),
        ] {
            assert_eq!(answer(message), Some((-32600, id)), "{message}");
        }
    }

    #[test]
    fn invalid_params_of_a_known_method_are_reported_as_such() {
        for message in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":5}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":"[]"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":7}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[1]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{}}"#,
        ] {
            assert_eq!(answer(message), Some((-32602, json!(1))), "{message}");
        }
    }

    #[test]
    fn arguments_as_json_text_are_the_object_that_they_hold() {
        for (arguments, wanted) in [
            (json!("{\"id\": 5}"), json!({ "id": 5 })),
            (json!({ "id": 5 }), json!({ "id": 5 })),
            (json!(" "), Value::Null),
            (json!(null), Value::Null),
        ] {
            let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": { "name": "health", "arguments": arguments } });
            let Parsed::Message {
                message, rewritten, ..
            } = read(call.to_string().as_bytes())
            else {
                panic!("{call}");
            };
            let told = serde_json::to_value(message).unwrap();
            assert_eq!(told["params"]["arguments"], wanted);
            assert_eq!(rewritten.is_some(), !arguments.is_object());
        }
    }

    #[test]
    fn nobody_is_answered_who_waits_for_nothing() {
        for message in [
            "",
            " \t",
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[]}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":3,"result":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        ] {
            assert_eq!(answer(message), None, "{message}");
        }
    }
}
