//! `/api/v1`: everything that can be done with schedules, as JSON over HTTP, and the OpenAPI document
//! that describes it.

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

/// The routes, and the document of them.
pub(super) fn router(app: &App) -> Router<App> {
    // Once for all: it is large, and whoever asks for it needs no key.
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

/// Tells errors in the words of this API, unless the caller is another face of ours, which has words of
/// its own.
async fn in_its_words(request: Request, next: Next) -> Response {
    let is_ours = request
        .headers()
        .get(WORDING_HEADER)
        .is_some_and(|v| v.as_bytes() == FLAGS.as_bytes());
    let response = next.run(request).await;
    let Some(problem) = Problem::of(&response) else {
        return response;
    };
    let (body, error) = (problem.body(), problem.error());
    let body = match is_ours {
        true => body.with_parts(error),
        false => ProblemBody {
            detail: error.chain_in(&Requests),
            example: error.correction().map(words::example),
            ..body
        },
    };
    problem.told_as(&body)
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
    let error = error.example(call("list"));
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
    let error = error.example(call("list"));
    Problem::with_status(error, StatusCode::METHOD_NOT_ALLOWED)
}

/// The beginning of a path; its query may hold anything.
fn shown(uri: &Uri) -> String {
    uri.path().chars().take(200).collect()
}
