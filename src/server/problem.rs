//! Errors as HTTP tells them: `application/problem+json` (RFC 9457) with our codes.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{Code, Error};

/// An error on its way to a caller over HTTP.
#[derive(Debug)]
pub struct Problem(Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Problem(error)
    }
}

impl Problem {
    /// The error as JSON, with the status it has over HTTP.
    pub fn to_json(error: &Error) -> (StatusCode, serde_json::Value) {
        let status = status(error.code());
        let mut json = json!({
            "type": format!("about:blank#{}", error.code()),
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "detail": error.chain(),
            "code": error.code().as_str(),
        });
        if let Some(example) = error.corrected() {
            json["example"] = example.into();
        }
        (status, json)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, json) = Problem::to_json(&self.0);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, kind, json.to_string()).into_response()
    }
}

/// The status of a code.
fn status(code: Code) -> StatusCode {
    match code {
        Code::KeyInvalid => StatusCode::UNAUTHORIZED,
        Code::NotPermitted | Code::RefusedInPlugin | Code::UploadDisabled => StatusCode::FORBIDDEN,
        Code::ScheduleNotFound | Code::AgentUnknown => StatusCode::NOT_FOUND,
        Code::NameTaken | Code::ScheduleNotActive | Code::ScheduleBroken => StatusCode::CONFLICT,
        Code::BudgetExceeded => StatusCode::TOO_MANY_REQUESTS,
        Code::LettaUnreachable
        | Code::LettaUnauthorized
        | Code::LettaWrongServer
        | Code::LettaError => StatusCode::BAD_GATEWAY,
        Code::DatabaseUnavailable | Code::DatabaseFull => StatusCode::SERVICE_UNAVAILABLE,
        Code::DatabaseInvalid
        | Code::DatabaseNewer
        | Code::ConfigInvalid
        | Code::FileUnusable
        | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}
