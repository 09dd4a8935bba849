//! Every kind of request made to a Letta server.

use std::pin::Pin;

use jiff::SignedDuration;
use promptyoself::letta_client::{Answer, Evidence, Letta, Lookup, NewTool, Rest, Target};
use promptyoself::models::AgentId;
use serde_json::{Value, json};

use super::raw::{Act, Asked, answer, stream, well};
use super::{lookup, prompt, send};

/// What came of a talk.
#[derive(Debug)]
pub enum Came {
    Answer(Answer),
    Evidence(Evidence),
    /// Whether a question was answered, and what was said of it.
    Question(Result<(), String>),
}

impl Came {
    fn of<T, E: std::fmt::Debug>(result: Result<T, E>) -> Came {
        Came::Question(result.map(drop).map_err(|e| format!("{e:?}")))
    }

    /// Whether it is what comes of a server that answers well.
    pub fn is_well(&self) -> bool {
        matches!(
            self,
            Came::Answer(Answer::Delivered(_))
                | Came::Question(Ok(()))
                | Came::Evidence(Evidence::Found(_) | Evidence::Absent { .. })
        )
    }
}

type Talking<'a> = Pin<Box<dyn Future<Output = Came> + 'a>>;

/// A talk, and the server that it is about where that has something of its own.
pub struct Talk {
    pub name: &'static str,
    pub talk: fn(&Rest) -> Talking<'_>,
    pub server: fn(&Asked) -> Act,
}

/// The agent of all talks.
pub fn agent() -> AgentId {
    AgentId::parse("agent-a").unwrap()
}

async fn sent(letta: &Rest) -> Came {
    Came::Answer(send(letta, &prompt(&agent(), 1, "hi")).await.0)
}

async fn found(letta: &Rest, run: Option<&str>) -> Came {
    let sent_at = "2026-03-01T12:00:00Z".parse().unwrap();
    let question = Lookup {
        run_id: run.map(str::to_owned),
        ..lookup(&agent(), 1, sent_at, SignedDuration::from_mins(2))
    };
    Came::Evidence(letta.find(&question).await)
}

fn no_background(asked: &Asked) -> Act {
    match asked.path().starts_with("/v1/conversations/") {
        true => answer(404, &json!({"detail": "Not Found"})),
        false => well(asked),
    }
}

fn no_stream(asked: &Asked) -> Act {
    match asked.path().ends_with("/stream") {
        true => answer(404, &json!({"detail": "Not Found"})),
        false if asked.method == "GET" => has_prompt(asked),
        false => no_background(asked),
    }
}

fn whole_turn(asked: &Asked) -> Act {
    let body = json!({
        "messages": [{"message_type": "assistant_message", "id": "m1", "content": "well"}],
        "stop_reason": {"message_type": "stop_reason", "stop_reason": "end_turn"},
        "usage": {"step_count": 1},
    });
    match asked.method == "POST" {
        true => answer(200, &body),
        false => well(asked),
    }
}

/// A turn that failed, but had kept its prompt.
fn failed(asked: &Asked) -> Act {
    match (asked.method.as_str(), asked.path()) {
        ("POST", _) => answer(500, &json!({"detail": "An unknown error occurred"})),
        ("GET", "/v1/agents/agent-a/messages") => answer(200, &kept()),
        _ => well(asked),
    }
}

/// A turn whose stream has only signs of life, until it is asked after.
fn pings(asked: &Asked) -> Act {
    let ping = "data: {\"message_type\":\"ping\",\"run_id\":\"run-1\"}\n\n";
    match asked.method == "POST" {
        true => {
            let step = "data: {\"message_type\":\"usage_statistics\",\"step_count\":1}\n\n";
            stream(format!("{step}{}", ping.repeat(15)).as_bytes())
        }
        false => well(asked),
    }
}

fn kept() -> Value {
    json!([{
        "id": "m1", "message_type": "user_message", "run_id": "run-1",
        "otid": uuid::Uuid::from_u128(1).to_string(), "date": "2026-03-01T12:00:00Z",
    }])
}

fn has_prompt(asked: &Asked) -> Act {
    match asked.path().ends_with("/messages") && asked.method == "GET" {
        true => answer(200, &kept()),
        false => well(asked),
    }
}

/// A macro only to spare a line of boxes for each.
macro_rules! talks {
    ($($name:literal, $server:ident: |$letta:ident| $talk:expr;)+) => {
        /// Every talk.
        pub const TALKS: &[Talk] = &[$(Talk {
            name: $name,
            talk: |$letta| Box::pin(async move { $talk }),
            server: $server,
        },)+];
    };
}

talks! {
    "check", well: |letta| Came::of(letta.check().await);
    "list agents", well: |letta| Came::of(letta.list_agents().await);
    "get agent", well: |letta| Came::of(letta.get_agent(&agent()).await);
    "create tool", well: |letta| {
        let tool = NewTool { source: "def a(): pass".into(), description: None };
        Came::of(letta.create_tool(&tool).await)
    };
    "send in the background", well: |letta| sent(letta).await;
    "send as a stream", no_background: |letta| sent(letta).await;
    "send and ask after it", no_stream: |letta| sent(letta).await;
    "send to a server that does not stream", whole_turn: |letta| sent(letta).await;
    "send into a failure", failed: |letta| sent(letta).await;
    "send and hear pings", pings: |letta| sent(letta).await;
    "find by run", well: |letta| found(letta, Some("run-1")).await;
    "find without run", well: |letta| found(letta, None).await;
    "find what was kept", has_prompt: |letta| found(letta, None).await;
    "app server", well: |letta| Came::Question(match letta.is_app_server().await {
        true => Ok(()),
        false => Err("is none".into()),
    });
    "find MCP server", well: |letta| Came::of(letta.find_mcp_server("x").await);
    "make MCP server", well: |letta| {
        Came::of(letta.put_mcp_server(None, "x", "http://127.0.0.1:9/mcp", None).await)
    };
    "change MCP server", well: |letta| {
        let id = Some("mcp-1");
        Came::of(letta.put_mcp_server(id, "x", "http://127.0.0.1:9/mcp", None).await)
    };
    "refresh MCP tools", well: |letta| Came::of(letta.refresh_mcp_tools("mcp-1").await);
    "list MCP tools", well: |letta| Came::of(letta.list_mcp_tools("mcp-1").await);
    "attach tool", well: |letta| Came::of(letta.attach_tool(&agent(), "tool-1").await);
    "read secrets", well: |letta| Came::of(letta.agent_secrets(&agent()).await);
    "write secrets", well: |letta| {
        Came::of(letta.set_agent_secrets(&agent(), &Default::default()).await)
    };
}

/// The paths in the source, with a star for each part that is filled in.
fn paths_in_source() -> std::collections::BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/letta_client/v1");
    let mut paths = std::collections::BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let text = text.replace("{SERVERS}", "/v1/mcp-servers/");
        let text = text.split("#[cfg(test)]").next().unwrap();
        for literal in text
            .split('"')
            .filter(|l| l.starts_with("/v1/") || *l == "/app-server-info")
        {
            let parts = literal.split('/').map(|part| match part.starts_with('{') {
                true => "*",
                false => part,
            });
            paths.insert(parts.collect::<Vec<_>>().join("/"));
        }
    }
    paths
}

#[tokio::test]
async fn the_talks_ask_for_every_path_that_the_client_knows() {
    let mut asked = std::collections::BTreeSet::new();
    for Talk { name, talk, server } in TALKS {
        let (raw, letta) = super::waits::scene(*server).await;
        let came = talk(&letta).await;
        assert!(came.is_well(), "{name}: {came:?}");
        for request in raw.asked() {
            let parts = request.path().split('/').map(|part| match part {
                "agent-a" | "run-1" | "mcp-1" | "tool-1" => "*",
                part => part,
            });
            asked.insert(parts.collect::<Vec<_>>().join("/"));
        }
    }
    let missing: Vec<_> = paths_in_source().difference(&asked).cloned().collect();
    assert!(missing.is_empty(), "{missing:?} is asked in no talk");
    assert!(asked.len() >= 15, "{asked:?}");
}
