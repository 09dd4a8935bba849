//! `Idempotency-Key`: a repeated request gets the answer of the first one, without being carried
//! out again.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::extract;
use crate::api::problem::ProblemBody;
use crate::api::{BASE, IDEMPOTENCY_KEY};
use crate::error::{Code, Error, Result, shell};
use crate::models::{Caller, RequestKey, RequestStatus, StoredAnswer};
use crate::operations::Offer;
use crate::operations::definition::Effect;
use crate::server::App;
use crate::service::Service;
use crate::web::Problem;
use crate::web::credentials::identify;
use crate::web::too_many;

/// The longest key.
const LONGEST_KEY: usize = crate::limits::IDEMPOTENCY_KEY;

/// The largest answer that is kept, in bytes.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Carries a request out, or repeats the answer it got before.
pub(super) async fn answer_once(State(app): State<App>, request: Request, next: Next) -> Response {
    let makes = request.method() == Method::POST && !is_only_read(app.operations, &request);
    if !makes || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    // A client that disconnects will ask again, and must find the result.
    let task = tokio::spawn(async move { carry_out(&app, request, next).await });
    match task.await {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => problem.into_response(),
        Err(e) => {
            let error = Error::new(Code::Internal, "the request was not completed");
            Problem::from(error.caused_by(e)).into_response()
        }
    }
}

/// Whether a request changes nothing, so that it may be repeated freely.
fn is_only_read(offer: Offer, request: &Request) -> bool {
    let matched = request.extensions().get::<MatchedPath>();
    let path = matched.and_then(|path| path.as_str().strip_prefix(BASE));
    let mut at_path = offer.iter().filter(|o| Some(o.route.path) == path);
    at_path.any(|o| o.route.method == "POST" && o.effect == Effect::Reads)
}

async fn carry_out(
    app: &App,
    request: Request,
    next: Next,
) -> std::result::Result<Response, Problem> {
    let caller = identify(&app.service, request.headers()).await?;
    let key = RequestKey {
        caller: name_of(&caller),
        key: key_of(&request)?,
    };
    let (mut parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body);
    let (_, body) = extract::read(whole).await?;
    let mut hash = Sha256::new();
    for part in [
        parts.uri.path().as_bytes(),
        parts.uri.query().unwrap_or_default().as_bytes(),
        &body,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();

    let turn = app.running.turn(&key);
    let _turn = turn.lock().await;
    let service = &app.service;
    match service.begin_request(&key, &hash).await? {
        RequestStatus::Unanswered => {}
        RequestStatus::Answered(answer) => return Ok(answered_before(answer)),
        RequestStatus::TooMany => {
            let what = "this caller has used as many Idempotency-Keys as it may within a day";
            return Err(too_many(what).into());
        }
        RequestStatus::Other => {
            return Err(Error::new(
                Code::IdempotencyConflict,
                format!(
                    "the Idempotency-Key {:?} was used for a different request in the last day: \
                     give each request its own key, and reuse a key only to repeat a request",
                    key.key
                ),
            )
            .example(shell(
                "Idempotency-Key: 0b6c1f0e-7d1c-4c1b-9b5e-2f6f0f0a4c11",
            ))
            .into());
        }
    }
    parts.extensions.insert(Arc::new(key.clone()));
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    keep(service, &key, response).await
}

/// The caller, to tell apart the keys of different callers.
fn name_of(caller: &Caller) -> String {
    match caller {
        Caller::Operator => "operator".to_owned(),
        Caller::SomeAgent => "agent".to_owned(),
        Caller::Agent(agent) => format!("agent {agent}"),
    }
}

fn key_of(request: &Request) -> Result<String> {
    let mut given = request.headers().get_all(IDEMPOTENCY_KEY).iter();
    let key = match (given.next().map(|v| v.to_str()), given.next()) {
        (Some(Ok(key)), None) => key.trim(),
        _ => "",
    };
    if !key.is_empty() && key.len() <= LONGEST_KEY {
        return Ok(key.to_owned());
    }
    Err(Error::new(
        Code::RequestInvalid,
        format!(
            "Idempotency-Key must be sent once, with 1 to {LONGEST_KEY} visible ASCII characters"
        ),
    )
    .example(shell(
        "Idempotency-Key: 0b6c1f0e-7d1c-4c1b-9b5e-2f6f0f0a4c11",
    )))
}

/// Keeps an answer. Errors of ours or of Letta are not kept, nor are temporary ones (no such agent
/// yet, too many schedules): the same request may succeed later.
async fn keep(
    service: &Service,
    key: &RequestKey,
    response: Response,
) -> std::result::Result<Response, Problem> {
    let status = response.status();
    let passes = matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_server_error() || passes {
        service.forget_request(key).await?;
        return Ok(response);
    }
    let body = match Problem::of(&response) {
        Some(problem) => return keep_problem(service, key, problem).await,
        None => response,
    };
    let (parts, body) = body.into_parts();
    let bytes = to_bytes(body, LARGEST_ANSWER)
        .await
        .map_err(|e| Error::new(Code::Internal, "could not keep the answer").caused_by(e))?;
    let answer = StoredAnswer {
        status: parts.status.as_u16(),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    service.answer_request(key, &answer).await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

async fn keep_problem(
    service: &Service,
    key: &RequestKey,
    problem: Problem,
) -> std::result::Result<Response, Problem> {
    // A repeated request may come from a face with other words, so the parts are kept instead of
    // the texts.
    let body = ProblemBody {
        detail: String::new(),
        example: None,
        ..problem.body().with_parts(problem.error())
    };
    let body = serde_json::to_string(&body)
        .map_err(|e| Error::new(Code::Internal, "could not keep the answer").caused_by(e))?;
    let answer = StoredAnswer {
        status: problem.status().as_u16(),
        body,
    };
    service.answer_request(key, &answer).await?;
    Ok(problem.into_response())
}

fn answered_before(answer: StoredAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    if status.is_success() {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        return (status, kind, answer.body).into_response();
    }
    let error = serde_json::from_str::<ProblemBody>(&answer.body)
        .ok()
        .and_then(ProblemBody::into_error);
    let error = error
        .unwrap_or_else(|| Error::new(Code::Internal, "the earlier answer can't be read any more"));
    Problem::with_status(error, status).into_response()
}
