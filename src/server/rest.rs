//! `/api/v1`: all operations on schedules as JSON over HTTP, and the OpenAPI document that
//! describes them.

mod ask;
mod extract;
mod idempotency;
mod openapi;
mod running;
mod words;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;

use super::App;
use crate::api::problem::ProblemBody;
use crate::api::{FLAGS, WORDING_HEADER};
use crate::error::{Code, Error, call};
use crate::web::Problem;

pub use openapi::document;
pub use running::Running;
use words::Requests;

/// The routes, and the document that describes them.
pub(super) fn router(app: &App) -> Router<App> {
    // Rendered once: it is large, and needs no key to read.
    let document = Bytes::from(document(app.operations).to_string());
    ask::router(app.operations)
        .layer(middleware::from_fn_with_state(
            app.clone(),
            idempotency::answer_once,
        ))
        .layer(middleware::from_fn(in_its_words))
        .layer(middleware::from_fn(extract::watch_bodies))
        .route(
            "/api/openapi.json",
            get(async move || ([(header::CONTENT_TYPE, "application/json")], document)),
        )
}

/// Words errors in the terms of this API, unless the caller is another face of ours, which words
/// them itself.
async fn in_its_words(request: Request, next: Next) -> Response {
    let is_ours = request
        .headers()
        .get(WORDING_HEADER)
        .is_some_and(|v| v.as_bytes() == FLAGS.as_bytes());
    let method = request.method().clone();
    let response = next.run(request).await;
    let Some(problem) = Problem::of(&response) else {
        return response;
    };
    let (body, error) = (problem.body(), problem.error());
    let body = match is_ours {
        true => body.with_parts(error),
        false => ProblemBody {
            detail: error.chain_in(&Requests),
            example: error.correction().map(|e| words::example(e, &method)),
            ..body
        },
    };
    problem.with_body(&body)
}

/// The answer if there is no such route.
pub(super) async fn no_route(State(_): State<App>, uri: Uri) -> Problem {
    let error = Error::new(
        Code::RequestInvalid,
        format!(
            "no route {:?}: /api/openapi.json describes every route",
            shown(&uri)
        ),
    );
    let error = error.example(call("list"));
    Problem::with_status(error, StatusCode::NOT_FOUND)
}

/// The answer if a route does not support the method.
pub(super) async fn no_method(method: axum::http::Method, uri: Uri) -> Problem {
    let error = Error::new(
        Code::RequestInvalid,
        format!(
            "{:?} does not support {method}: the Allow header lists what it supports, and \
             /api/openapi.json describes it",
            shown(&uri)
        ),
    );
    let error = error.example(call("list"));
    Problem::with_status(error, StatusCode::METHOD_NOT_ALLOWED)
}

/// The beginning of a path; the query may hold anything.
fn shown(uri: &Uri) -> String {
    uri.path().chars().take(200).collect()
}
