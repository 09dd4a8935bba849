//! What an answer of a Letta server means. Pure: no answer makes it panic.
//!
//! Letta uses one status for different things (a 401 may be about us or the model provider, a 404
//! about the agent or the route, a 409 about another turn, an approval or a database lock), so the
//! body decides if there is one. The cases cited were observed on Letta 0.16.8.

use std::time::Duration;

use serde_json::Value;

use crate::models::{Doubt, ErrorClass, Refusal, RefusalKind};

/// Why a request did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestFailure {
    /// The server refused it, in its own words, before doing anything.
    Refused(Refusal),
    /// The server failed, in its own words; how far it got is not known.
    Failed(Refusal),
    /// The server does not know the route, or not with this method.
    NoRoute(Refusal),
    /// No answer, or one that proves nothing.
    Doubt(Doubt),
}

impl RequestFailure {
    /// A doubt without a run.
    pub(super) fn doubt(class: ErrorClass, text: impl Into<String>) -> Self {
        RequestFailure::Doubt(Doubt {
            class,
            text: text.into(),
            run_id: None,
        })
    }

    /// What the failure of a read-only request means.
    pub(super) fn into_refusal(self) -> Refusal {
        match self {
            RequestFailure::Refused(refusal)
            | RequestFailure::Failed(refusal)
            | RequestFailure::NoRoute(refusal) => refusal,
            RequestFailure::Doubt(doubt) => {
                let class = match doubt.class {
                    ErrorClass::Garbled => ErrorClass::WrongServer,
                    class => class,
                };
                Refusal::new(RefusalKind::TargetTrouble, class, doubt.text)
            }
        }
    }
}

/// The longest text kept from a server.
const LONGEST_TEXT: usize = 500;

/// Classifies a response whose status is not a success.
pub(super) fn classify(
    status: u16,
    body: Option<&Value>,
    retry_after: Option<Duration>,
) -> RequestFailure {
    let said = ErrorBody::read(body);
    let text = match said.text.is_empty() {
        true => format!("HTTP {status}"),
        false => format!("HTTP {status}: {}", said.text),
    };
    let mut refusal = decide(status, &said, text.clone());
    refusal.retry_after = retry_after;
    if refusal.class == ErrorClass::Busy {
        refusal.run_id = said.run_id.clone();
    }
    match refusal.class {
        // `{"detail":"Not Found"}` is Letta's answer to an unknown route; a 404 without Letta's
        // wording isn't even from Letta.
        ErrorClass::WrongServer => RequestFailure::NoRoute(refusal),
        // Something else answered in Letta's place; nobody knows how far the request got.
        ErrorClass::Gateway => RequestFailure::doubt(ErrorClass::Gateway, text),
        // A 5xx may come after the turn has begun: Letta starts a background turn before its last
        // database access. The same goes for a database lock (409 without run).
        ErrorClass::ServerError | ErrorClass::LlmError if status >= 500 || status == 409 => {
            RequestFailure::Failed(refusal)
        }
        _ => RequestFailure::Refused(refusal),
    }
}

/// The table of docs/delivery.md. Unless Letta itself says that it is about this agent or this
/// request, it counts as the target's trouble, until it is known that only one agent is affected.
fn decide(status: u16, said: &ErrorBody, text: String) -> Refusal {
    use ErrorClass as C;
    use RefusalKind as K;
    // The model's errors have a type; without one, the text is about the request.
    let of_model = match said.error_type.is_empty() {
        true => None,
        false => of_model(&said.error_type, &said.text),
    };
    if let Some((kind, class)) = of_model {
        return Refusal::new(kind, class, text);
    }
    let (kind, class) = match status {
        300..=399 => (K::TargetTrouble, C::WrongServer),
        401 => (K::TargetTrouble, C::Unauthorized),
        403 if said.is_lettas => (K::TargetTrouble, C::Unauthorized),
        402 => (K::TargetTrouble, C::PaymentRequired),
        // Letta says both "Agent with ID agent-… not found" and "Agent not found".
        404 if said.text.starts_with("Agent ") && said.has_detail => {
            (K::Permanent, C::AgentUnknown)
        }
        // Letta names what it can't find in `detail`; other servers have other formats.
        404 if said.text == "Not Found" || !said.has_detail => (K::TargetTrouble, C::WrongServer),
        // The agent's model no longer exists, for example.
        404 => (K::NeedsHuman, C::ServerError),
        // The method, the host or the protocol is wrong for this address.
        405 | 421 | 426 => (K::TargetTrouble, C::WrongServer),
        // Somewhere on the way, waiting was given up.
        408 | 499 => (K::TargetTrouble, C::Gateway),
        409 if said.pending_approval => (K::NeedsHuman, C::PendingApproval),
        409 if said.is_lettas && (said.run_id.is_some() || said.text.starts_with("CONFLICT")) => {
            (K::Busy, C::Busy)
        }
        409 if said.is_lettas => (K::Later, C::ServerError),
        // The turn may have begun: a proxy's 409 says nothing about Letta.
        409 => (K::TargetTrouble, C::Gateway),
        // Whoever finds it too large will do so again.
        413 => (K::Permanent, C::InvalidRequest),
        429 => (K::TargetTrouble, C::RateLimited),
        // An id that no agent can have: 422 names the field, 400 (from a conversation) says
        // "INVALID_ARGUMENT: Invalid agent ID format".
        422 if said.has_detail && said.text.contains("'agent_id')") => {
            (K::Permanent, C::AgentUnknown)
        }
        400 if said.is_lettas && said.text.contains("Invalid agent ID") => {
            (K::Permanent, C::AgentUnknown)
        }
        // Letta uses these two to refuse requests, and no others.
        400 | 422 if said.is_lettas => (K::Permanent, C::InvalidRequest),
        400..=498 => (K::TargetTrouble, C::Blocked),
        _ if said.is_lettas => (K::TargetTrouble, C::ServerError),
        _ => (K::TargetTrouble, C::Gateway),
    };
    Refusal::new(kind, class, text)
}

/// What an error of the model or its provider means. `error_type` is Letta's name for it. If that
/// is only `llm_error` or missing (a stream says no more for 400 and 402, and an asynchronous run
/// keeps only the text), the text begins with the provider's.
pub(super) fn of_model(error_type: &str, text: &str) -> Option<(RefusalKind, ErrorClass)> {
    use ErrorClass as C;
    use RefusalKind as K;
    let says = |word: &str| text.contains(word);
    if is_pending_approval(text) {
        return Some((K::NeedsHuman, C::PendingApproval));
    }
    match error_type {
        "llm_authentication" | "bedrock_permission_denied" => {
            return Some((K::NeedsHuman, C::LlmAuthentication));
        }
        "llm_insufficient_credits" | "insufficient_credits" => {
            return Some((K::NeedsHuman, C::PaymentRequired));
        }
        "llm_rate_limit" => return Some((K::Later, C::RateLimited)),
        // The same request gets the same answer: it is too long for the model, or was rejected.
        "llm_bad_request" | "context_window_overflow_in_system_prompt" => {
            return Some((K::Permanent, C::LlmError));
        }
        "llm_timeout" | "llm_empty_response" => return Some((K::Later, C::LlmError)),
        _ => {}
    }
    let by_word = [
        ("UNAUTHENTICATED:", K::NeedsHuman, C::LlmAuthentication),
        ("PERMISSION_DENIED:", K::NeedsHuman, C::LlmAuthentication),
        ("PAYMENT_REQUIRED:", K::NeedsHuman, C::PaymentRequired),
        ("RATE_LIMIT_EXCEEDED:", K::Later, C::RateLimited),
        ("CONTEXT_WINDOW_EXCEEDED:", K::Permanent, C::LlmError),
        ("INVALID_ARGUMENT:", K::Permanent, C::LlmError),
        ("UNPROCESSABLE_ENTITY:", K::Permanent, C::LlmError),
        (
            "Message content is empty or invalid",
            K::Permanent,
            C::InvalidRequest,
        ),
    ];
    for (word, kind, class) in by_word {
        if says(word) {
            return Some((kind, class));
        }
    }
    let model = error_type == "llm_error" || says("INTERNAL_SERVER_ERROR:");
    model.then_some((K::Later, C::LlmError))
}

/// A status has a code for it, a stream and a run only the text: "CONFLICT: Cannot send a new
/// message: The agent is waiting for approval on a tool call."
fn is_pending_approval(text: &str) -> bool {
    text.contains("PENDING_APPROVAL") || text.contains("is waiting for approval")
}

/// The error that a run or a stream gives as its reason, as a refusal.
pub(super) fn of_run(error: &Value) -> Refusal {
    let said = ErrorBody::read(Some(error));
    let text = match said.text.is_empty() {
        true => "Letta gave no reason".to_owned(),
        false => said.text.clone(),
    };
    let (kind, class) = of_model(&said.error_type, &said.text)
        .unwrap_or((RefusalKind::Later, ErrorClass::ServerError));
    Refusal::new(kind, class, text)
}

/// The content of an error body, in any format.
#[derive(Debug, Default)]
struct ErrorBody {
    /// Whether it has one of Letta's own formats.
    is_lettas: bool,
    has_detail: bool,
    error_type: String,
    text: String,
    run_id: Option<String>,
    pending_approval: bool,
}

impl ErrorBody {
    fn read(body: Option<&Value>) -> Self {
        let Some(body) = body else {
            return ErrorBody::default();
        };
        let mut said = ErrorBody::default();
        // `{"detail": …}` with text, a list or an object; `{"error": {"type", …}}` for the model;
        // `{"error_type", "message", "detail"}` in a stream; plain text in a run.
        let error = body.get("error").unwrap_or(body);
        let detail = error.get("detail");
        said.has_detail = body.get("detail").is_some();
        said.is_lettas = said.has_detail || body.get("error").is_some_and(Value::is_object);
        said.error_type = ["type", "error_type"]
            .iter()
            .find_map(|key| error.get(key)?.as_str())
            .unwrap_or_default()
            .to_owned();
        let code = detail.and_then(|d| d.get("code")).and_then(Value::as_str);
        let mut parts: Vec<String> = Vec::new();
        parts.extend(code.map(str::to_owned));
        for value in [error.get("message"), detail, Some(error)] {
            let text = match value {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Object(object)) if code.is_some() => match object.get("message") {
                    Some(Value::String(text)) => text.clone(),
                    _ => continue,
                },
                Some(other @ (Value::Array(_) | Value::Object(_))) if parts.is_empty() => {
                    other.to_string()
                }
                _ => continue,
            };
            if !text.is_empty() && !parts.contains(&text) {
                parts.push(text);
            }
        }
        said.text = shorten(&parts.join(": "));
        said.run_id = body
            .get("run_id")
            .and_then(Value::as_str)
            .map(str::to_owned);
        said.pending_approval = is_pending_approval(&said.text);
        said
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,600}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("detail".to_owned()),
            Just("error".to_owned()),
            Just("type".to_owned()),
            Just("code".to_owned()),
            Just("message".to_owned()),
            Just("run_id".to_owned()),
            "[a-z]{1,4}",
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_body_is_understood_somehow_and_shortened(
            status in 300u16..1000,
            body in prop::option::of(any_json()),
        ) {
            let text = match classify(status, body.as_ref(), None) {
                RequestFailure::Refused(r) | RequestFailure::Failed(r) | RequestFailure::NoRoute(r) => r.text,
                RequestFailure::Doubt(d) => d.text,
            };
            let begins = format!("HTTP {status}");
            prop_assert!(text.starts_with(&begins));
            prop_assert!(text.chars().count() <= LONGEST_TEXT + 12);
            if let Some(body) = body {
                of_run(&body);
            }
        }

        #[test]
        fn a_server_error_without_lettas_own_shape_proves_nothing(
            status in 500u16..600,
            text in ".{0,40}",
        ) {
            for body in [None, Some(json!(text)), Some(json!({"message": text}))] {
                let failure = classify(status, body.as_ref(), None);
                prop_assert!(matches!(failure, RequestFailure::Doubt(_)), "{:?}", failure);
            }
        }
    }
}
