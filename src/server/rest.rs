//! `/api/v1`: everything that can be done with schedules, as JSON over HTTP, and the OpenAPI document
//! that describes it.

mod ask;
mod extract;
mod idempotency;
mod openapi;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;

use super::App;
use super::problem::Problem;
use crate::api::{FLAGS, WORDING_HEADER, wording};
use crate::error::{Code, Error};

pub use idempotency::Running;

/// The routes, and the document of them.
pub(super) fn router(app: &App) -> Router<App> {
    // Once for all: it is large, and whoever asks for it needs no key.
    let document = Bytes::from(document().to_string());
    ask::router()
        .layer(middleware::from_fn_with_state(
            app.clone(),
            idempotency::answer_once,
        ))
        .layer(middleware::from_fn(in_fields))
        .layer(middleware::from_fn(extract::watch_bodies))
        .route(
            "/api/openapi.json",
            get(async move || ([(header::CONTENT_TYPE, "application/json")], document)),
        )
}

/// The OpenAPI document.
pub fn document() -> Value {
    openapi::document()
}

/// Puts errors into the words of this API, unless the caller wants those of the command line.
async fn in_fields(request: Request, next: Next) -> Response {
    let wants_flags = request
        .headers()
        .get(WORDING_HEADER)
        .is_some_and(|v| v.as_bytes() == FLAGS.as_bytes());
    let response = next.run(request).await;
    match Problem::of(&response) {
        Some(problem) if !wants_flags => {
            let error = wording::in_fields(problem.error());
            Problem::with_status(error, problem.status()).into_response()
        }
        _ => response,
    }
}

/// What is answered where there is no route.
pub(super) async fn no_route(State(_): State<App>, uri: Uri) -> Problem {
    let error = Error::new(
        Code::RequestInvalid,
        format!(
            "there is nothing at {:?}: /api/openapi.json describes every route",
            shown(&uri)
        ),
    );
    let error = error.example("GET /api/v1/schedules");
    Problem::with_status(error, StatusCode::NOT_FOUND)
}

/// What is answered where a route has no such method.
pub(super) async fn no_method(method: axum::http::Method, uri: Uri) -> Problem {
    let error = Error::new(
        Code::RequestInvalid,
        format!(
            "{method} is not a method of {:?}: the header Allow names those that are, and \
             /api/openapi.json describes them",
            shown(&uri)
        ),
    );
    let error = error.example("GET /api/v1/schedules");
    Problem::with_status(error, StatusCode::METHOD_NOT_ALLOWED)
}

/// The beginning of a path; its query may hold anything.
fn shown(uri: &Uri) -> String {
    uri.path().chars().take(200).collect()
}
