//! Conversations beside an agent's default one, as observed on Letta 0.16.8.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::Inner;
use super::net::Conn;
use super::routes::{detail, json_answer};
use super::turns::send;

type Fake = State<Arc<Inner>>;

/// The routes of conversations.
pub fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v1/conversations/", post(create))
        .route("/v1/conversations/{conversation}", get(retrieve))
        .route("/v1/conversations/{conversation}/messages", post(send_in))
}

async fn create(State(inner): Fake, Query(query): Query<HashMap<String, String>>) -> Response {
    let mut state = inner.state();
    let agent = query.get("agent_id").cloned().unwrap_or_default();
    if !state.agents.contains(&agent) {
        return detail(StatusCode::NOT_FOUND, "Agent not found");
    }
    let id = format!(
        "conv-00000000-0000-4000-8000-{:012}",
        state.conversations.len() + 1
    );
    state.conversations.insert(id.clone(), agent.clone());
    json_answer(StatusCode::OK, &json!({ "id": id, "agent_id": agent }))
}

async fn retrieve(State(inner): Fake, Path(id): Path<String>) -> Response {
    let agent = inner.state().conversations.get(&id).cloned();
    match agent {
        Some(agent) => json_answer(StatusCode::OK, &json!({ "id": id, "agent_id": agent })),
        None if id.starts_with("conv-") => unknown(&id),
        None => detail(
            StatusCode::UNPROCESSABLE_ENTITY,
            "[{'type': 'string_too_short', 'loc': ('path', 'conversation_id')}]",
        ),
    }
}

/// Whoever sends, and for whichever agent: the agent of the conversation gets it.
async fn send_in(
    State(inner): Fake,
    ConnectInfo(conn): ConnectInfo<Conn>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let mut body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let agent = match id.as_str() {
        "default" => body["agent_id"].as_str().map(str::to_owned),
        _ => inner.state().conversations.get(&id).cloned(),
    };
    let Some(agent) = agent else {
        return unknown(&id);
    };
    body["conversation_id"] = id.into();
    let way = match body["background"].as_bool() {
        Some(true) => "background",
        _ => "stream",
    };
    send(inner, conn, way, agent, &body).await
}

fn unknown(id: &str) -> Response {
    let text = format!("Conversation not found with id='['{id}']', access level in ['read']");
    detail(StatusCode::NOT_FOUND, text)
}
