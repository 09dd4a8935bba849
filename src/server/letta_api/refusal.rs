//! Refusals at `/v1`: Letta's shape with our text, so that its SDKs show it, and our code beside.

use axum::Json;
use axum::http::header::ALLOW;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{Code, Error};
use crate::web::Problem;

/// What the SDKs go by when an answer is an error: whether to ask once more.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Why a request is not answered.
pub(super) enum Refused {
    /// For a reason of ours.
    Ours(Error),
    /// Letta said no.
    Letta(Box<Response>),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Ours(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let error = match self {
            Refused::Letta(response) => return *response,
            Refused::Ours(error) => error,
        };
        let (status, json) = Problem::to_json(&error);
        let mut response = (status, Json(json)).into_response();
        // The same would come out again; and what may have been done already is not to be repeated.
        if !matches!(
            error.code(),
            Code::LettaUnreachable | Code::DatabaseUnavailable | Code::DatabaseFull
        ) {
            let no = HeaderValue::from_static("false");
            response.headers_mut().insert(SHOULD_RETRY, no);
        }
        response
    }
}

/// The answer to a method that a schedule route does not have.
pub(super) fn not_allowed(methods: &'static str) -> Response {
    let body = json!({ "detail": format!("Method Not Allowed: this route takes {methods}") });
    (
        StatusCode::METHOD_NOT_ALLOWED,
        [(ALLOW, methods)],
        Json(body),
    )
        .into_response()
}
