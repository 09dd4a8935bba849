//! Tools and MCP servers of a fake Letta, as observed on Letta 0.16.8.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, patch, post};
use promptyoself::models::AgentId;
use serde_json::{Value, json};

use super::routes::{detail, get_agent, json_answer, unknown_agent};
use super::{FakeLetta, Inner};

type Fake = State<Arc<Inner>>;

/// What it knows of tools and MCP servers.
#[derive(Default)]
pub struct Tools {
    servers: Vec<Value>,
    /// How often it asked an MCP server which tools that has.
    synced: usize,
    unreachable: bool,
    attached: BTreeMap<String, BTreeSet<String>>,
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
}

/// The tools of every MCP server.
const NAMES: [&str; 4] = [
    "promptyoself_agents",
    "promptyoself_list",
    "promptyoself_schedule_every",
    "promptyoself_upload",
];

pub fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v1/agents/{agent}", get(get_agent).patch(update_agent))
        .route("/v1/agents/{agent}/tools/attach/{tool}", patch(attach))
        .route("/v1/tools/", post(create_tool))
        .route("/v1/mcp-servers/", get(list_servers).post(create_server))
        .route("/v1/mcp-servers/{id}", patch(update_server))
        .route("/v1/mcp-servers/{id}/refresh", patch(refresh))
        .route("/v1/mcp-servers/{id}/tools", get(list_tools))
}

/// Names the tool after its function, and takes the same one again.
async fn create_tool(body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let source = body["source_code"].as_str().unwrap_or_default();
    let name = source
        .split_once("def ")
        .and_then(|(_, rest)| rest.split_once('('));
    match name {
        Some((name, _)) => json_answer(
            StatusCode::OK,
            &json!({"id": format!("tool-{name}"), "name": name, "description": body["description"]}),
        ),
        None => detail(
            StatusCode::BAD_REQUEST,
            "Failed to derive the schema of the tool: no functions found in source code",
        ),
    }
}

async fn update_agent(State(inner): Fake, Path(agent): Path<String>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if !inner.state().agents.contains(&agent) {
        return unknown_agent(&agent);
    }
    if let Ok(secrets) = serde_json::from_value(body["secrets"].clone()) {
        inner.state().tools.secrets.insert(agent.clone(), secrets);
    }
    get_agent(State(inner), Path(agent)).await
}

async fn attach(State(inner): Fake, Path((agent, tool)): Path<(String, String)>) -> Response {
    let mut state = inner.state();
    state.tools.attached.entry(agent).or_default().insert(tool);
    json_answer(StatusCode::OK, &Value::Null)
}

async fn list_servers(State(inner): Fake) -> Response {
    let servers = inner.state().tools.servers.clone();
    json_answer(StatusCode::OK, &servers.into())
}

/// 0.16.7 and later refuse addresses that are not public.
fn refused(config: &Value) -> Option<Response> {
    let url = config["server_url"].as_str().unwrap_or_default();
    let problem = if url.contains("127.0.0.1") || url.contains("//10.") {
        "Non-public IP not allowed"
    } else if url.contains("localhost") {
        "Blocked internal hostname"
    } else {
        return None;
    };
    let text = format!("[{{'msg': 'Value error, {problem}', 'input': {config}}}]");
    Some(detail(StatusCode::UNPROCESSABLE_ENTITY, text))
}

fn server(id: &str, name: &Value, config: &Value) -> Value {
    let mut server = config.clone();
    server["id"] = id.into();
    server["server_name"] = name.clone();
    server
}

async fn create_server(State(inner): Fake, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(refused) = refused(&body["config"]) {
        return refused;
    }
    let mut state = inner.state();
    let id = format!("mcp_server-{}", state.tools.servers.len() + 1);
    let made = server(&id, &body["server_name"], &body["config"]);
    state.tools.servers.push(made.clone());
    state.tools.synced += usize::from(!state.tools.unreachable);
    json_answer(StatusCode::OK, &made)
}

async fn update_server(State(inner): Fake, Path(id): Path<String>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(refused) = refused(&body["config"]) {
        return refused;
    }
    let mut state = inner.state();
    let changed = server(&id, &body["server_name"], &body["config"]);
    let found = state.tools.servers.iter_mut().find(|s| s["id"] == id);
    match found {
        Some(server) => {
            *server = changed.clone();
            json_answer(StatusCode::OK, &changed)
        }
        None => detail(StatusCode::NOT_FOUND, "MCP server not found"),
    }
}

async fn refresh(State(inner): Fake) -> Response {
    let mut state = inner.state();
    if state.tools.unreachable {
        let why =
            json!({"code": "MCPServerUnavailable", "message": "Could not connect to MCP server"});
        return detail(StatusCode::NOT_FOUND, why);
    }
    state.tools.synced += 1;
    json_answer(
        StatusCode::OK,
        &json!({"deleted": [], "updated": [], "added": NAMES}),
    )
}

async fn list_tools(State(inner): Fake) -> Response {
    let tools: Vec<Value> = match inner.state().tools.synced {
        0 => Vec::new(),
        _ => NAMES
            .iter()
            .map(|name| json!({"id": format!("tool-{name}"), "name": name}))
            .collect(),
    };
    json_answer(StatusCode::OK, &tools.into())
}

impl FakeLetta {
    /// The MCP servers that it knows.
    pub fn mcp_servers(&self) -> Vec<Value> {
        self.inner.state().tools.servers.clone()
    }

    /// The tools that an agent may use.
    pub fn attached(&self, agent: &AgentId) -> Vec<String> {
        let state = self.inner.state();
        let attached = state.tools.attached.get(agent.as_str());
        attached.into_iter().flatten().cloned().collect()
    }

    /// The secrets of an agent.
    pub fn secrets(&self, agent: &AgentId) -> BTreeMap<String, String> {
        let state = self.inner.state();
        state
            .tools
            .secrets
            .get(agent.as_str())
            .cloned()
            .unwrap_or_default()
    }

    /// Gives an agent a secret.
    pub fn set_secret(&self, agent: &AgentId, name: &str, value: &str) {
        let mut state = self.inner.state();
        let secrets = state.tools.secrets.entry(agent.to_string()).or_default();
        secrets.insert(name.into(), value.into());
    }

    /// Whether it can reach MCP servers.
    pub fn reaches_mcp_servers(&self, reaches: bool) {
        self.inner.state().tools.unreachable = !reaches;
    }
}
