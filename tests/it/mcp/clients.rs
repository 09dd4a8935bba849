//! What unmodified clients see: every tool, over every transport, in two generations.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::peer::{NEWEST, OLDER, Peer, WITH_SESSIONS, program, serve};
use crate::program::World;

/// What lets tools be uploaded.
const ALLOWED: (&str, &str) = ("PROMPTYOSELF_ALLOW_UPLOAD", "1");

/// Every answer says what time it is.
fn assert_dated(tool: &str, answer: &Value) {
    for key in ["now", "now_local", "timezone"] {
        assert!(answer[key].is_string(), "{tool} has no {key}: {answer}");
    }
    assert!(answer["now"].as_str().unwrap().ends_with('Z'), "{tool}");
}

/// Calls tools, and notes which.
struct Walk<'a> {
    peer: &'a mut Peer,
    called: BTreeSet<String>,
}

impl Walk<'_> {
    /// Calls a tool that succeeds, whose answer has these keys.
    fn call(&mut self, tool: &str, arguments: Value, keys: &[&str]) -> Value {
        let answer = self.peer.succeed(tool, arguments);
        assert_dated(tool, &answer);
        for key in keys {
            assert!(answer.get(key).is_some(), "{tool} has no {key}: {answer}");
        }
        self.called.insert(tool.to_owned());
        answer
    }
}

const PLANNED: &[&str] = &[
    "status",
    "id",
    "next_run",
    "message",
    "next_run_local",
    "timezone",
    "next_runs",
    "describes",
];

/// Calls every tool with what works, and checks the keys of the Python original and our own.
fn walk(peer: &mut Peer, world: &World, has_session: bool) {
    let listed: BTreeSet<String> = peer
        .tools()
        .iter()
        .map(|t| t["name"].as_str().unwrap().to_owned())
        .collect();
    let agent = world.agent.as_str();
    let mut walk = Walk {
        peer,
        called: BTreeSet::new(),
    };
    let once = json!({ "prompt": "once", "time": "2100-01-01 09:00", "agent_id": agent });
    let once = walk.call("promptyoself_schedule_time", once, PLANNED);
    let cron = json!({ "prompt": "daily", "cron": "0 9 * * *", "agentId": agent,
        "timezone": "Europe/Berlin", "request_heartbeat": true });
    let cron = walk.call("promptyoself_schedule_cron", cron, PLANNED);
    assert_eq!(cron["timezone"], "Europe/Berlin");
    let every = json!({ "prompt": "hourly", "every": "1h", "agent_id": agent,
        "max_repetitions": "10", "start_at": "None", "name": "hourly" });
    let every = walk.call("promptyoself_schedule_every", every, PLANNED);
    let words = json!({ "prompt": "words", "when": "every weekday at 18:30", "agent_id": agent });
    let words = walk.call("promptyoself_schedule", words, PLANNED);
    assert_eq!(words["understood"], "every weekday at 18:30 UTC");
    let ended = json!({ "schedule_id": words["id"] });
    walk.call("promptyoself_cancel", ended, &["cancelled_id"]);
    let id = &every["id"];

    let runs = json!({ "cron": "0 9 * * mon-fri", "count": 3.0 });
    let runs = walk.call("promptyoself_preview", runs, &["describes", "runs"]);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 3);
    let list = walk.call("promptyoself_list", json!({}), &["status", "count"]);
    assert_eq!(
        (&list["count"], list["schedules"].as_array().unwrap().len()),
        (&json!(3), 3)
    );
    let shown = walk.call(
        "promptyoself_get",
        json!({ "schedule_id": id }),
        &["next_runs"],
    );
    assert_eq!(shown["schedule"]["prompt_text"], "hourly");

    let change = json!({ "schedule_id": id, "every": "2h", "prompt": "two-hourly" });
    walk.call("promptyoself_update", change, PLANNED);
    walk.call(
        "promptyoself_pause",
        json!({ "id": id, "note": "a while" }),
        &["paused_id"],
    );
    let resumed = json!({ "scheduleId": id });
    let resumed = walk.call("promptyoself_resume", resumed, &["resumed_id", "next_runs"]);
    assert!(resumed["next_run_local"].is_string());
    let run = json!({ "schedule_id": id });
    walk.call("promptyoself_run_now", run, &["occurrence_id", "existed"]);
    let one = json!({ "schedule_id": id, "limit": 1 });
    let history = walk.call("promptyoself_history", one, &["occurrences", "count"]);
    assert!(history["occurrences"][0]["intended_at_local"].is_string());
    let cancel = json!({ "schedule_id": once["id"] });
    walk.call("promptyoself_cancel", cancel, &["status", "cancelled_id"]);

    walk.call(
        "promptyoself_test",
        json!({}),
        &["status", "message", "letta_url"],
    );
    let agents = walk.call("promptyoself_agents", json!({}), &["status", "count"]);
    assert_eq!(agents["agents"][0]["id"], agent);
    let upload = json!({ "source_code": "def greet(name: str) -> str:\n    return name\n" });
    let uploaded = walk.call("promptyoself_upload", upload, &["status", "tool_id"]);
    assert_eq!(uploaded["name"], "greet");
    let execute = json!({ "loop": true, "interval": 60 });
    walk.call(
        "promptyoself_execute",
        execute,
        &["status", "executed", "note"],
    );
    let status = json!({});
    let status = walk.call(
        "promptyoself_executor_status",
        status,
        &["running", "interval"],
    );
    assert_eq!(status["running"], true);
    let health = walk.call("health", json!({}), &["letta_base_url", "db", "auth_set"]);
    assert_eq!(health["status"], "healthy");

    for tool in [
        "promptyoself_set_default_agent",
        "promptyoself_set_scoped_default_agent",
    ] {
        let named = json!({ "agent_id": agent });
        if has_session {
            walk.call(tool, named, &["status", "message", "agent_id"]);
        } else {
            assert_eq!(walk.peer.fail(tool, named)["code"], "usage");
            walk.called.insert(tool.to_owned());
        }
    }
    let get = "promptyoself_get_scoped_default_agent";
    let set = walk.call(get, json!({}), &["scope", "agent_id"]);
    assert_eq!(set["agent_id"].is_string(), has_session);
    let diagnose = "promptyoself_inference_diagnostics";
    let known = walk.call(
        diagnose,
        json!({}),
        &["env", "inference_debug", "ctx_present"],
    );
    assert_eq!(known["inferred_agent_id"].is_string(), has_session);
    if has_session {
        let alone = json!({ "prompt": "mine", "every": "1h" });
        let made = walk.call("promptyoself_schedule_every", alone, PLANNED);
        assert_eq!(made["agent_id"], agent);
    }
    assert_eq!(walk.called, listed);
}

/// What a client is told of a tool before it calls it.
fn assert_described(peer: &mut Peer) {
    let about = peer.about().unwrap();
    assert_eq!(about["server"]["name"], "promptyoself");
    assert_eq!(about["server"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(about["instructions"].as_str().unwrap().len() > 100);
    for tool in peer.tools() {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
        assert!(tool["annotations"]["readOnlyHint"].is_boolean(), "{tool}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_over_stdio_call_every_tool() {
    for client in [NEWEST, OLDER] {
        let world = World::new().await;
        let mut peer = Peer::over_stdio(client, &world, &[ALLOWED]);
        assert_described(&mut peer);
        walk(&mut peer, &world, true);
        // What was run by hand is delivered by the server itself: nobody else is there.
        let received = world.letta.wait_for(1).await;
        assert_eq!(received[0].text, "two-hourly");
        peer.close();
        let log = std::fs::read_to_string(world.dir().join("mcp.log")).unwrap();
        assert!(!log.contains("ERROR") && !log.contains("hunter2"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_over_http_call_every_tool() {
    for (client, has_session) in [(NEWEST, false), (WITH_SESSIONS, true), (OLDER, true)] {
        let world = World::new().await;
        let (daemon, url) = serve(&program(&world).with(ALLOWED.0, ALLOWED.1)).await;
        let mut peer = Peer::over_http(client, &url, &[]);
        assert_described(&mut peer);
        walk(&mut peer, &world, has_session);
        let received = world.letta.wait_for(1).await;
        assert_eq!(received[0].text, "two-hourly");
        peer.close();
        let log = daemon.stop();
        assert!(!log.contains("ERROR") && !log.contains("hunter2"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_says_what_to_write_instead_and_that_works() {
    let world = World::new().await;
    let agent = world.agent.as_str();
    let mut peer = Peer::over_stdio(NEWEST, &world, &[]);
    let made = json!({ "prompt": "p", "every": "1h", "agent_id": agent });
    peer.succeed("promptyoself_schedule_every", made);
    let time = |text: &str| json!({ "prompt": "p", "time": text, "agent_id": agent });
    let cron = |text: &str| json!({ "prompt": "p", "cron": text, "agent_id": agent });
    let every = |text: Value| json!({ "prompt": "p", "every": text, "agent_id": agent });
    let with = |mut call: Value, name: &str, value: Value| {
        call[name] = value;
        call
    };
    let hourly = every(json!("1h"));
    for (tool, call, code) in [
        (
            "promptyoself_schedule_time",
            time("2020-01-01T00:00:00Z"),
            "time_past",
        ),
        (
            "promptyoself_schedule_time",
            time("soonish"),
            "time_invalid",
        ),
        ("promptyoself_schedule_time", time("null"), "spec_missing"),
        (
            "promptyoself_schedule_cron",
            cron("0 25 * * *"),
            "cron_invalid",
        ),
        (
            "promptyoself_schedule_cron",
            cron("0 0 31 2 *"),
            "cron_never",
        ),
        (
            "promptyoself_schedule_cron",
            cron("*/90 * * * *"),
            "cron_invalid",
        ),
        (
            "promptyoself_schedule_every",
            every(json!("-5m")),
            "interval_invalid",
        ),
        (
            "promptyoself_schedule_every",
            every(json!(0)),
            "interval_invalid",
        ),
        (
            "promptyoself_schedule_every",
            every(json!(null)),
            "spec_missing",
        ),
        (
            "promptyoself_schedule_every",
            with(hourly.clone(), "max_repetitions", json!(0)),
            "repetitions_invalid",
        ),
        (
            "promptyoself_schedule_every",
            with(hourly.clone(), "timezone", json!("Europe/Berlim")),
            "timezone_unknown",
        ),
        (
            "promptyoself_schedule_every",
            with(hourly.clone(), "prompt", json!(" ")),
            "prompt_missing",
        ),
        (
            "promptyoself_schedule_every",
            with(hourly.clone(), "catch_up", json!("sometimes")),
            "policy_invalid",
        ),
        (
            "promptyoself_cancel",
            json!({ "schedule_id": 99 }),
            "schedule_not_found",
        ),
        (
            "promptyoself_cancel",
            json!({ "schedule_id": "5.5" }),
            "id_invalid",
        ),
        (
            "promptyoself_cancel",
            json!({ "schedule_id": "nothing-of-this-name" }),
            "schedule_not_found",
        ),
        ("promptyoself_cancel", json!({}), "id_invalid"),
        ("promptyoself_get", json!({ "schedule": 1 }), "usage"),
        (
            "promptyoself_resume",
            json!({ "schedule_id": 1 }),
            "schedule_not_active",
        ),
        ("promptyoself_update", json!({ "schedule_id": 1 }), "usage"),
    ] {
        let error = peer.fail(tool, call.clone());
        assert_eq!(error["code"], code, "{tool} {call}: {error}");
        let text = error["error"].as_str().unwrap();
        assert!(!text.contains("--"), "{text}");
        assert!(
            !code.starts_with("time_") || text.contains("it is now"),
            "{text}"
        );
        // What was not meant is not advised; what is advised works.
        if let Some(example) = error.get("example") {
            let tool = example["tool"].as_str().unwrap();
            peer.succeed(tool, example["arguments"].clone());
        }
    }
    let upload = json!({ "source_code": "def f(): pass" });
    assert_eq!(
        peer.fail("promptyoself_upload", upload)["code"],
        "upload_disabled"
    );
    // Without an agent, nobody is guessed at.
    let nobody = json!({ "prompt": "p", "every": "1h", "agent_id": "None" });
    let error = peer.fail("promptyoself_schedule_every", nobody);
    assert_eq!(error["code"], "agent_missing");
    assert!(
        error["error"]
            .as_str()
            .unwrap()
            .contains("set_scoped_default_agent")
    );
    let unknown = peer.call("promptyoself_lists", json!({})).unwrap_err();
    assert!(
        unknown.contains("Did you mean promptyoself_list?"),
        "{unknown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_is_the_one_named_else_the_sessions_else_the_configured_one_else_the_only_one() {
    let world = World::new().await;
    let only = [("PROMPTYOSELF_USE_SINGLE_AGENT_FALLBACK", "true")];
    let set = [only[0], ("LETTA_AGENT_ID", "agent-configured")];
    let diagnose = |peer: &mut Peer| {
        let known = peer.succeed("promptyoself_inference_diagnostics", json!({}));
        let source = known["inference_debug"]["source"].clone();
        (known["inferred_agent_id"].clone(), source)
    };
    let mut peer = Peer::over_stdio(NEWEST, &world, &only);
    let agent = json!(world.agent);
    assert_eq!(
        diagnose(&mut peer),
        (agent.clone(), json!("single-agent-fallback"))
    );
    peer.close();
    let mut peer = Peer::over_stdio(NEWEST, &world, &set);
    let configured = (json!("agent-configured"), json!("env"));
    assert_eq!(diagnose(&mut peer), configured);
    let scoped = json!({ "agent_id": agent });
    peer.succeed("promptyoself_set_scoped_default_agent", scoped);
    assert_eq!(
        diagnose(&mut peer),
        (agent.clone(), json!("scoped-default"))
    );
    let other = world.letta.add_agent();
    let named = json!({ "prompt": "p", "every": "1h", "agent_id": other });
    let made = peer.succeed("promptyoself_schedule_every", named);
    assert_eq!(made["agent_id"], json!(other));
    let unnamed = json!({ "prompt": "p", "every": "1h" });
    let made = peer.succeed("promptyoself_schedule_every", unnamed);
    assert_eq!(made["agent_id"], agent);
    let listed = peer.succeed("promptyoself_list", json!({ "agent_id": agent }));
    assert_eq!(listed["count"], 1);
}
