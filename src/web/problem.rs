//! Errors over HTTP: `application/problem+json` (RFC 9457) with our codes.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::problem::{MEDIA_TYPE, ProblemBody};
use crate::error::{Code, Error};

/// An error to be sent over HTTP.
#[derive(Debug)]
pub struct Problem {
    error: Arc<Error>,
    status: StatusCode,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = status(error.code());
        Problem::with_status(error, status)
    }
}

impl Problem {
    /// An error with a status other than the usual one of its code.
    pub fn with_status(error: Error, status: StatusCode) -> Self {
        let error = Arc::new(error);
        Problem { error, status }
    }

    /// The error in a response, with its status.
    pub fn of(response: &Response) -> Option<Problem> {
        let error = response.extensions().get::<Arc<Error>>()?.clone();
        let status = response.status();
        Some(Problem { error, status })
    }

    /// The error.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body, in the words of the command line.
    pub fn body(&self) -> ProblemBody {
        let title = self.status.canonical_reason().unwrap_or("Error");
        ProblemBody::new(&self.error, self.status.as_u16(), title)
    }

    /// The response with this body, which may be worded differently.
    pub fn with_body(self, body: &ProblemBody) -> Response {
        let kind = [(header::CONTENT_TYPE, MEDIA_TYPE)];
        // A struct of texts can't fail to become JSON.
        let body = serde_json::to_string(body).unwrap_or_default();
        let mut response = (self.status, kind, body).into_response();
        if self.error.code() == Code::TooMany {
            let soon = header::HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        response.extensions_mut().insert(self.error);
        response
    }
}

impl Problem {
    /// The error as JSON, with its HTTP status.
    pub fn to_json(error: &Error) -> (StatusCode, serde_json::Value) {
        let status = status(error.code());
        let title = status.canonical_reason().unwrap_or("Error");
        let body = ProblemBody::new(error, status.as_u16(), title);
        (status, serde_json::to_value(body).unwrap_or_default())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.body();
        self.with_body(&body)
    }
}

/// The HTTP status of a code.
fn status(code: Code) -> StatusCode {
    match code {
        Code::KeyInvalid => StatusCode::UNAUTHORIZED,
        Code::NotPermitted | Code::RefusedInPlugin | Code::UploadDisabled => StatusCode::FORBIDDEN,
        Code::ScheduleNotFound | Code::AgentUnknown => StatusCode::NOT_FOUND,
        Code::NameTaken | Code::ScheduleNotActive | Code::ScheduleBroken => StatusCode::CONFLICT,
        Code::IdempotencyConflict => StatusCode::UNPROCESSABLE_ENTITY,
        Code::BudgetExceeded | Code::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::LettaUnreachable
        | Code::LettaUnauthorized
        | Code::LettaWrongServer
        | Code::LettaError
        | Code::ServerUnreachable
        | Code::ServerWrong => StatusCode::BAD_GATEWAY,
        Code::DatabaseUnavailable | Code::DatabaseFull | Code::ClockInDoubt => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Code::DatabaseInvalid
        | Code::DatabaseNewer
        | Code::ConfigInvalid
        | Code::FileUnusable
        | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}
