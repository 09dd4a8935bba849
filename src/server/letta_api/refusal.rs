//! Errors at `/v1`: in Letta's format, so that its SDKs show our text, with our code added.

use axum::Json;
use axum::http::header::ALLOW;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{Code, Error};
use crate::web::Problem;

/// The header that tells the SDKs whether to retry.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Why a request is not answered.
pub(super) enum Refused {
    /// An error of ours.
    Ours(Error),
    /// Letta refused it.
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
        // The same request would fail again, and what may already have been done must not be
        // repeated.
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

/// The answer to a method that a schedule route doesn't support.
pub(super) fn not_allowed(methods: &'static str) -> Response {
    let body = json!({ "detail": format!("Method Not Allowed: this route takes {methods}") });
    (
        StatusCode::METHOD_NOT_ALLOWED,
        [(ALLOW, methods)],
        Json(body),
    )
        .into_response()
}
