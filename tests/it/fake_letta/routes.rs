//! The routes of a fake Letta, as observed on Letta 0.16.8.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::{mpsc::UnboundedReceiver, watch};

use super::conversations;
use super::net::Conn;
use super::spells::Spell;
use super::state;
use super::tools;
use super::turns::{scripted, send};
use super::{Inner, Script};

type Fake = State<Arc<Inner>>;

/// Every route.
pub fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/v1/health/", get(health))
        .route("/v1/agents/", get(list_agents))
        .merge(tools::routes())
        .route(
            "/v1/agents/{agent}/messages",
            get(list_messages).post(send_sync),
        )
        .route("/v1/agents/{agent}/messages/stream", post(send_stream))
        .route("/v1/agents/{agent}/messages/async", post(send_async))
        .merge(conversations::routes())
        .route("/v1/runs/", get(list_runs))
        .route("/v1/runs/{run}", get(get_run))
        .route(
            "/app-server-info",
            get(async || json_answer(StatusCode::OK, &json!({"type": "app_server_info_response"}))),
        )
        .fallback(async || detail(StatusCode::NOT_FOUND, "Not Found"))
        .layer(middleware::from_fn_with_state(inner.clone(), gate))
        .route("/__fake/script", post(set_script))
        .route("/__fake/hold/{agent}", post(hold))
        .route("/__fake/release/{agent}", post(release))
        .route("/__fake/received", get(received))
        .with_state(inner)
}

/// `{"detail": …}`, Letta's form of an error.
pub fn detail(status: StatusCode, text: impl Into<Value>) -> Response {
    json_answer(status, &json!({ "detail": text.into() }))
}

pub fn json_answer(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, body.to_string()).into_response()
}

/// Counts the request, refuses a wrong password, hides routes that this server is said not to
/// have, fails where a path is scripted to, and dates the answer by the fake's own clock.
async fn gate(State(inner): Fake, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let release = inner.state().releases.remove(&path);
    if let Some(agent) = release {
        inner.release(&agent);
        inner
            .wait(|s| s.active.get(&agent).is_none_or(|a| a.is_empty()))
            .await;
    }
    let (missing, allowed, script, spell, date) = {
        let mut state = inner.state();
        *state.asked.entry(path.clone()).or_default() += 1;
        let given = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|h| h.to_str().ok());
        let allowed = match &state.password {
            Some(password) => given == Some(&format!("Bearer {password}")),
            None => true,
        };
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&state.clock.now())
            .unwrap();
        let missing = state.missing.iter().any(|m| path.starts_with(m))
            || !state.streams && path.ends_with("/messages/stream")
            || !state.app_server && path == "/app-server-info";
        let script = state.script_of_path(&path);
        let spell = state.spells.meet(&path);
        (missing, allowed, script, spell, date)
    };
    inner.changed();
    let mut response = if let Some(answer) = spell.as_ref().and_then(Spell::answer) {
        answer
    } else if missing {
        detail(StatusCode::NOT_FOUND, "Not Found")
    } else if !allowed && path != "/v1/health/" {
        detail(StatusCode::UNAUTHORIZED, "Unauthorized")
    } else {
        match script {
            Some(Script::CutBefore) => {
                if let Some(ConnectInfo(conn)) = request.extensions().get::<ConnectInfo<Conn>>() {
                    conn.cut();
                }
                StatusCode::OK.into_response()
            }
            Some(Script::Answer {
                status,
                body,
                headers,
            }) => scripted(status, &body, &headers),
            Some(Script::Silence) => std::future::pending().await,
            Some(Script::Stall) => {
                let nothing = futures_util::stream::pending::<Result<Bytes, Infallible>>();
                let kind = [(header::CONTENT_TYPE, "application/json")];
                (kind, Body::from_stream(nothing)).into_response()
            }
            _ if spell == Some(Spell::Frozen) => when_it_goes_on(inner, request, next).await,
            _ => next.run(request).await,
        }
    };
    response
        .headers_mut()
        .insert(header::DATE, date.parse().unwrap());
    response
}

/// Does what was read, whether or not whoever asked still waits.
async fn when_it_goes_on(inner: Arc<Inner>, request: Request, next: Next) -> Response {
    let done = tokio::spawn(async move {
        inner.until_it_goes_on().await;
        next.run(request).await
    });
    match done.await {
        Ok(response) => response,
        // The server was stopped.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn health(State(inner): Fake) -> Response {
    match inner.state().healthy {
        true => json_answer(
            StatusCode::OK,
            &json!({"version": "0.16.8", "status": "ok"}),
        ),
        false => detail(
            StatusCode::SERVICE_UNAVAILABLE,
            "The database is temporarily unavailable.",
        ),
    }
}

fn agent_body(id: &str) -> Value {
    json!({"id": id, "name": format!("name of {id}"), "created_at": "2026-11-22T10:19:20.887495Z", "updated_at": "2026-11-23T08:00:00Z"})
}

/// The newest first; an unknown `after` gives the first page again.
async fn list_agents(State(inner): Fake, Query(query): Query<HashMap<String, String>>) -> Response {
    let state = inner.state();
    let all: Vec<&String> = state.agents.iter().rev().collect();
    let after = query
        .get("after")
        .filter(|_| state.cursors)
        .and_then(|id| all.iter().position(|a| *a == id));
    let limit = query
        .get("limit")
        .and_then(|l| l.parse().ok())
        .unwrap_or(50);
    let page: Vec<Value> = all[after.map_or(0, |at| at + 1)..]
        .iter()
        .take(limit)
        .map(|id| agent_body(id))
        .collect();
    json_answer(StatusCode::OK, &page.into())
}

pub async fn get_agent(State(inner): Fake, Path(agent): Path<String>) -> Response {
    let state = inner.state();
    match state.agents.contains(&agent) {
        true => {
            let mut body = agent_body(&agent);
            let secrets = state.tools.secrets.get(&agent).into_iter().flatten();
            body["secrets"] = secrets
                .map(|(k, v)| json!({"key": k, "value": v}))
                .collect();
            json_answer(StatusCode::OK, &body)
        }
        false => unknown_agent(&agent),
    }
}

pub fn unknown_agent(agent: &str) -> Response {
    detail(
        StatusCode::NOT_FOUND,
        format!("Agent with ID {agent} not found"),
    )
}

async fn list_messages(
    State(inner): Fake,
    Path(agent): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let state = inner.state();
    if !state.agents.contains(&agent) {
        return detail(StatusCode::NOT_FOUND, "Agent not found");
    }
    let none = Vec::new();
    let all = state.messages.get(&agent).unwrap_or(&none);
    let end = match query.get("before").filter(|_| state.cursors) {
        None => all.len(),
        Some(id) => match all.iter().position(|m| m["id"] == **id) {
            Some(at) => at,
            None => {
                let text = format!("No message found with id '{id}' for agent '{agent}'.");
                return detail(StatusCode::NOT_FOUND, text);
            }
        },
    };
    let limit: usize = query
        .get("limit")
        .and_then(|l| l.parse().ok())
        .unwrap_or(100);
    let page = all[end.saturating_sub(limit)..end].to_vec();
    json_answer(StatusCode::OK, &page.into())
}

fn run_body(id: &str, run: &state::Run, state: &state::State) -> Value {
    let mut body = json!({
        "id": id, "status": run.status, "agent_id": run.agent, "background": true,
        "created_at": run.created.to_string(), "stop_reason": run.stop_reason,
        "metadata": {"run_type": "send_message", "error": run.error},
    });
    let shown = state.oddities.shown_runs.get(&run.agent);
    if let (None, Some(shown)) = (&run.stop_reason, shown) {
        shown.show(&mut body);
    }
    state.spells.show(&mut body);
    body
}

async fn list_runs(State(inner): Fake, Query(query): Query<HashMap<String, String>>) -> Response {
    let state = inner.state();
    let active = query.get("active").is_some_and(|a| a == "true");
    let agent = query.get("agent_id").cloned().unwrap_or_default();
    let shown = state.oddities.shown_runs.get(&agent);
    if let Some((status, body)) = shown.and_then(|s| s.list.clone()) {
        return scripted(status, &body, &Default::default());
    }
    let mut page: Vec<Value> = match (active, state.active.get(&agent)) {
        (true, None) => Vec::new(),
        (true, Some(ids)) => {
            let shown = ids.iter().map(|id| run_body(id, &state.runs[id], &state));
            shown.collect()
        }
        (false, _) => {
            let of_agent = state.runs.iter().filter(|(_, r)| r.agent == agent);
            of_agent
                .map(|(id, run)| run_body(id, run, &state))
                .collect()
        }
    };
    page.sort_by_key(|run| std::cmp::Reverse(run["id"].as_str().map(str::to_owned)));
    json_answer(StatusCode::OK, &page.into())
}

async fn get_run(State(inner): Fake, Path(id): Path<String>) -> Response {
    let state = inner.state();
    let run = state.runs.get(&id);
    let shown = run.and_then(|r| state.oddities.shown_runs.get(&r.agent));
    if let Some((status, body)) = shown.and_then(|s| s.run.clone()) {
        return scripted(status, &body, &Default::default());
    }
    match run {
        Some(run) => json_answer(StatusCode::OK, &run_body(&id, run, &state)),
        None => detail(
            StatusCode::NOT_FOUND,
            format!("Run not found with id='{id}'"),
        ),
    }
}

async fn send_stream(
    State(inner): Fake,
    ConnectInfo(conn): ConnectInfo<Conn>,
    Path(agent): Path<String>,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    send(inner, conn, "stream", agent, &body).await
}

async fn send_async(
    State(inner): Fake,
    ConnectInfo(conn): ConnectInfo<Conn>,
    Path(agent): Path<String>,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    send(inner, conn, "async", agent, &body).await
}

async fn send_sync(
    State(inner): Fake,
    ConnectInfo(conn): ConnectInfo<Conn>,
    Path(agent): Path<String>,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    send(inner, conn, "sync", agent, &body).await
}

/// `{"agent": id or null for all, "script": {…}}`.
async fn set_script(State(inner): Fake, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let script = serde_json::from_value::<Option<Script>>(body["script"].clone());
    let Ok(script) = script else {
        return detail(StatusCode::BAD_REQUEST, "no such script");
    };
    let mut state = inner.state();
    match (body["agent"].as_str(), script) {
        (Some(agent), Some(script)) => {
            state
                .scripts
                .entry(agent.into())
                .or_default()
                .push_back(script);
        }
        (Some(agent), None) => drop(state.scripts.remove(agent)),
        (None, script) => state.script_for_all = script,
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn hold(State(inner): Fake, Path(agent): Path<String>) -> StatusCode {
    inner.hold(&agent);
    StatusCode::NO_CONTENT
}

async fn release(State(inner): Fake, Path(agent): Path<String>) -> StatusCode {
    inner.release(&agent);
    StatusCode::NO_CONTENT
}

async fn received(State(inner): Fake) -> Response {
    let received = serde_json::to_value(&inner.state().received).unwrap();
    json_answer(StatusCode::OK, &received)
}

/// A stream of events that goes on as long as its sender lives, and the number of them that the
/// connection has taken.
pub fn events(receiver: UnboundedReceiver<String>) -> (Response, watch::Receiver<usize>) {
    let (told, taken) = watch::channel(0);
    let start = (receiver, told, 0);
    let stream = futures_util::stream::unfold(start, |(mut receiver, told, n)| async move {
        // Whoever asks for the next one has taken the last one.
        told.send_replace(n);
        let text = receiver.recv().await?;
        Some((Ok::<_, Infallible>(text), (receiver, told, n + 1)))
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")];
    ((kind, Body::from_stream(stream)).into_response(), taken)
}
