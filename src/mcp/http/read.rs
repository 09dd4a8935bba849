//! Reads the message of a request, and answers the ones that can't be understood.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rmcp::model::ErrorCode;

use crate::error::Code;
use crate::limits;
use crate::mcp::message::{self, Parsed, PendingRequest, Refusal};
use crate::web::{Problem, bodies};

/// A message that was understood.
pub(super) struct Message {
    /// Its JSON, in a form the library understands.
    pub(super) body: Bytes,
    /// What it request, if it expects an answer.
    pub(super) request: Option<PendingRequest>,
}

/// Reads the head of a request and its message.
///
/// # Errors
/// The answer to a message that can't be understood.
pub(super) async fn message(request: Request) -> Result<(Parts, Message), Response> {
    let (mut parts, body) = bodies::read(request, limits::BODY).await.map_err(unread)?;
    match message::read(&body) {
        Parsed::Message {
            rewritten, request, ..
        } => {
            let body = match rewritten {
                Some(rewritten) => {
                    parts
                        .headers
                        .insert(header::CONTENT_LENGTH, rewritten.len().into());
                    Bytes::from(rewritten)
                }
                None => body,
            };
            Ok((parts, Message { body, request }))
        }
        // Every POST expects an answer, even if only that nothing was received.
        Parsed::Nothing if body.trim_ascii().is_empty() => Err(refused(&Refusal::nothing())),
        Parsed::Nothing => Err(StatusCode::ACCEPTED.into_response()),
        Parsed::Refused(refusal) => Err(refused(&refusal)),
    }
}

/// The answer to a body that was not read.
fn unread(problem: Problem) -> Response {
    match problem.error().code() {
        // It may be repeated, and the answer says when.
        Code::TooMany => problem.into_response(),
        _ => with_status(
            problem.status(),
            &Refusal::unread(problem.error().to_string()),
        ),
    }
}

/// The answer to a message that can't be understood. Invalid params are an error of the request;
/// anything earlier means that there is no valid request at all.
pub(super) fn refused(refusal: &Refusal) -> Response {
    let status = match refusal.code() {
        ErrorCode::INVALID_PARAMS => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    };
    with_status(status, refusal)
}

/// A refusal with its own HTTP status.
pub(super) fn with_status(status: StatusCode, refusal: &Refusal) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, refusal.to_json()).into_response()
}
