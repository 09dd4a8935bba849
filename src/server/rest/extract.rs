//! Reads requests strictly, with errors that teach.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{Code, Error, Example, shell};
use crate::limits;
use crate::web::{Problem, bodies};

/// A body that is accepted, as an example.
fn example() -> Example {
    Example::Json(json!({ "prompt": "Check the backup", "every": "1h" }))
}

/// Limits the bodies of requests, and refuses those that announce themselves as too large.
pub(in crate::server) async fn watch_bodies(request: Request, next: Next) -> Response {
    match bodies::bounded(request, limits::BODY) {
        Ok(request) => next.run(request).await,
        Err(unread) => unread.to_problem(Some(example())).into_response(),
    }
}

/// The whole body, unless it is too large.
pub(super) async fn read(request: Request) -> Result<(HeaderMap, Bytes), Problem> {
    let headers = request.headers().clone();
    let bytes = Bytes::from_request(request, &()).await;
    bytes
        .map(|bytes| (headers, bytes))
        .map_err(too_large_or_cut)
}

fn too_large_or_cut(rejection: BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => bodies::too_large(limits::BODY).to_problem(None),
        _ => bodies::refused(&rejection, None),
    }
}

/// Refuses a body that isn't declared as JSON.
pub(super) fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let kind = given.as_deref().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let what = match given {
        Some(kind) => format!(
            "the body's Content-Type is {:?}",
            kind.chars().take(80).collect::<String>()
        ),
        None => "the body has no Content-Type".to_owned(),
    };
    let error = Error::new(
        Code::RequestInvalid,
        format!("{what}, but only JSON is accepted: send it with the right Content-Type"),
    )
    .example(shell("Content-Type: application/json"));
    Err(Problem::with_status(
        error,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
    ))
}
