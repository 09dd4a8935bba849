//! Agents of a real Letta that call our tools over MCP.
//!
//! Letta accepts no MCP server at a loopback address, so it reaches us by a public one that leads
//! back here (`scripts/letta/public_address.py`), as with a user's proxy.

use std::time::Duration;

use promptyoself::clock::Clock;
use promptyoself::models::AgentId;
use serde_json::{Value, json};

use super::RealLetta;
use crate::daemon::{Daemon, Program};

/// The address of `scripts/letta/public_address.py`.
const PUBLIC: &str = "192.31.196.1";

/// A turn of a tool that goes on for longer hangs: Letta gives its client half of that.
const HANGS: Duration = Duration::from_secs(60);

/// A daemon that Letta reaches by its public address, and asks for keys.
async fn serve(real: &RealLetta, folder: &tempfile::TempDir) -> (Program, Daemon, String) {
    let database = folder.path().join("promptyoself.db");
    let program = Program::new(&database, &real.url, &real.password)
        .with("PROMPTYOSELF_HOSTS", PUBLIC)
        .with("PROMPTYOSELF_ALLOW_UPLOAD", "1");
    program.json(&["key", "create", "--name", "operator"]);
    let daemon = program.start(&["serve", "--listen", "127.0.0.1:0"], "serve");
    let url = format!("http://{PUBLIC}:{}/mcp", daemon.address().await.port());
    (program, daemon, url)
}

fn connect(program: &Program, agent: &AgentId, url: &str) -> Value {
    program.json(&["connect", "--agent-id", agent.as_str(), "--url", url])
}

/// Says something to an agent that makes its model call a tool, and gives what the tool returned.
///
/// Now and then Letta's client opens a connection and sends nothing on it for 30 seconds: seen at the
/// proxy between us, and with no other client. Then the model tries again, as models do. Rarer still
/// that turn never ends, and keeps its agent: `None`.
async fn call_tool(real: &RealLetta, agent: &AgentId, tool: &str, wish: Value) -> Option<Value> {
    let content = format!("[[call {tool} {wish}]]");
    let body = json!({ "messages": [{ "role": "user", "content": content }] });
    let path = format!("/v1/agents/{agent}/messages");
    let clock = Clock::system();
    let mut returned = Value::Null;
    for _ in 0..5 {
        let turn = tokio::select! {
            turn = real.call("POST", &path, Some(body.clone())) => turn,
            () = clock.sleep(HANGS) => return None,
        };
        let messages = turn["messages"].as_array().unwrap();
        let message = messages
            .iter()
            .find(|m| m["message_type"] == "tool_return_message");
        returned = message
            .unwrap_or_else(|| panic!("no tool was called: {turn:#}"))
            .clone();
        let said = returned["tool_return"].as_str().unwrap();
        let is_lettas = said.is_empty() || said.contains("Timed out while waiting");
        if returned["status"] == "success" || !is_lettas {
            break;
        }
    }
    Some(returned)
}

/// Does something with a new agent that is connected, with another one where a turn of it hangs.
async fn with_agent<T>(
    real: &RealLetta,
    program: &Program,
    url: &str,
    work: impl AsyncFn(&AgentId) -> Option<T>,
) -> (AgentId, T) {
    for _ in 0..4 {
        let agent = real.new_agent().await;
        assert!(connect(program, &agent, url)["key_id"].is_i64());
        if let Some(done) = work(&agent).await {
            return (agent, done);
        }
    }
    panic!("every turn hangs");
}

#[tokio::test]
async fn an_agent_schedules_for_itself_by_its_own_call_and_is_prompted() {
    let real = RealLetta::get().await;
    let first = real.new_agent().await;
    let folder = tempfile::tempdir().unwrap();
    let (program, daemon, url) = serve(&real, &folder).await;

    // All share one MCP server in Letta, and what is connected twice is connected once.
    let connected = connect(&program, &first, &url);
    let tools = connected["tools"].as_array().unwrap();
    assert!(
        tools.contains(&json!("promptyoself_schedule_every")),
        "{connected:#}"
    );
    assert!(!tools.contains(&json!("promptyoself_agents")));
    assert!(connect(&program, &first, &url)["key_id"].is_null());

    let prompt = "drink some water";
    // With a name, the same call twice is one schedule.
    let wish = json!({
        "name": "water", "prompt": prompt, "every": "2s", "max_repetitions": 1,
    });
    let schedules = async |agent: &AgentId| {
        call_tool(&real, agent, "promptyoself_schedule_every", wish.clone()).await
    };
    let (agent, returned) = with_agent(&real, &program, &url, schedules).await;
    assert_eq!(returned["status"], "success", "{returned:#}");
    let history = program
        .until(|h| h.iter().any(|o| o["state"] == "delivered"))
        .await;
    assert!(history.iter().all(|o| o["agent_id"] == agent.as_str()));
    let messages = real.messages(&agent).await;
    let prompted = |m: &&Value| m["message_type"] == "user_message" && m["content"] == prompt;
    assert_eq!(messages.iter().filter(prompted).count(), history.len());

    // Whatever an agent's model writes, nothing of another agent is there for it.
    let (not_its_own, not_there) = ("this key belongs to agent", "there is no schedule 1");
    let pries = async |other: &AgentId| {
        for (tool, arguments, told) in [
            (
                "promptyoself_list",
                json!({ "agent_id": agent }),
                not_its_own,
            ),
            ("promptyoself_get", json!({ "schedule_id": 1 }), not_there),
            (
                "promptyoself_cancel",
                json!({ "schedule_id": 1 }),
                not_there,
            ),
            (
                "promptyoself_schedule_every",
                json!({ "prompt": "x", "every": "1h", "agent_id": agent }),
                not_its_own,
            ),
        ] {
            let returned = call_tool(&real, other, tool, arguments).await?;
            assert_eq!(returned["status"], "error", "{tool}: {returned:#}");
            assert!(returned.to_string().contains(told), "{tool}: {returned:#}");
            assert!(!returned.to_string().contains(prompt), "{returned:#}");
        }
        let wish = json!({ "name": "mine", "prompt": "mine", "every": "1h" });
        call_tool(&real, other, "promptyoself_schedule_every", wish).await
    };
    let (other, returned) = with_agent(&real, &program, &url, pries).await;
    assert_eq!(returned["status"], "success", "{returned:#}");
    let listed = program.json(&["list", "--agent-id", other.as_str()]);
    assert_eq!(listed["schedules"][0]["prompt_text"], "mine");
    assert!(!daemon.stop().contains("pys_"));
}

#[tokio::test]
async fn letta_refuses_an_mcp_server_on_loopback_and_takes_a_tool() {
    let real = RealLetta::get().await;
    let agent = real.new_agent().await;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("promptyoself.db");
    let program =
        Program::new(&database, &real.url, &real.password).with("PROMPTYOSELF_ALLOW_UPLOAD", "1");
    let refused = program.run(&["connect", "--agent-id", agent.as_str()]);
    let answer: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(answer["connected"], false, "{answer:#}");
    assert!(answer["reason"].as_str().unwrap().contains("0.16.7"));

    let source = "def greet(name: str) -> str:\n    \"\"\"Greets.\n\n    Args:\n        name: who is \
                  greeted\n    \"\"\"\n    return name\n";
    std::fs::write(folder.path().join("greet.py"), source).unwrap();
    let tool = program.json(&["upload", "--source-code", "greet.py"]);
    assert_eq!(tool["name"], "greet");
    let path = format!("/v1/tools/{}", tool["tool_id"].as_str().unwrap());
    assert_eq!(real.call("GET", &path, None).await["name"], "greet");
}
