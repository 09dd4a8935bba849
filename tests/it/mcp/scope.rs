//! Who may do what over HTTP: an agent never sees another one, whatever tool it calls.

use serde_json::{Value, json};

use super::peer::{NEWEST, Peer, WITH_SESSIONS, program, serve};
use crate::fake_letta::FakeLetta;
use crate::program::{Answer, World};

const OTHER: &str = "agent-other";

/// What a tool does for an agent that asks for another one's.
enum Expected {
    /// It refuses, with this code.
    Refused(&'static str),
    /// It answers, and tells nothing of the other one.
    Answered,
}

use Expected::{Answered, Refused};

/// Every tool, with what an agent tries.
fn attempts(tool: &str, own: i64, other: i64, stranger: &str) -> Vec<(Value, Expected)> {
    let scheduling = |when: &str, value: &str| {
        let call = |agent: Value| json!({ "prompt": "p", when: value, "agent_id": agent });
        vec![
            (call(json!(stranger)), Refused("not_permitted")),
            (call(Value::Null), Answered),
        ]
    };
    let on_schedule = |refused: &[&str]| {
        let mut tries = vec![(
            json!({ "schedule_id": other }),
            Refused("schedule_not_found"),
        )];
        match refused {
            [code] if *code == "schedule_not_active" => {
                tries.push((
                    json!({ "schedule_id": own }),
                    Refused("schedule_not_active"),
                ));
            }
            _ => tries.push((json!({ "schedule_id": own }), Answered)),
        }
        tries
    };
    match tool {
        "promptyoself_schedule" => scheduling("when", "every weekday at 18:30"),
        "promptyoself_schedule_time" => scheduling("time", "2100-01-01 09:00"),
        "promptyoself_schedule_cron" => scheduling("cron", "0 9 * * *"),
        "promptyoself_schedule_every" => scheduling("every", "1h"),
        "promptyoself_preview" => vec![(json!({ "every": "1h" }), Answered)],
        "promptyoself_list" => vec![
            (json!({ "agent_id": stranger }), Refused("not_permitted")),
            (json!({ "include_cancelled": true }), Answered),
        ],
        "promptyoself_get" | "promptyoself_run_now" => on_schedule(&[]),
        "promptyoself_update" => vec![
            (
                json!({ "schedule_id": other, "prompt": "changed" }),
                Refused("schedule_not_found"),
            ),
            (
                json!({ "schedule_id": own, "agent_id": stranger }),
                Refused("not_permitted"),
            ),
            (json!({ "schedule_id": own, "prompt": "changed" }), Answered),
        ],
        "promptyoself_pause" => on_schedule(&[]),
        // It is paused by then, or cancelled: the tools are walked in their order.
        "promptyoself_resume" => on_schedule(&[]),
        "promptyoself_cancel" => vec![(
            json!({ "schedule_id": other }),
            Refused("schedule_not_found"),
        )],
        "promptyoself_history" => vec![
            (
                json!({ "schedule_id": other }),
                Refused("schedule_not_found"),
            ),
            (json!({ "agent_id": stranger }), Refused("not_permitted")),
            (json!({}), Answered),
        ],
        "promptyoself_set_scoped_default_agent" => {
            vec![(json!({ "agent_id": stranger }), Refused("not_permitted"))]
        }
        "promptyoself_execute" | "promptyoself_agents" => {
            vec![(json!({}), Refused("not_permitted"))]
        }
        "promptyoself_set_default_agent" => {
            vec![(json!({ "agent_id": stranger }), Refused("not_permitted"))]
        }
        "promptyoself_upload" => vec![(
            json!({ "source_code": "def f(): pass" }),
            Refused("not_permitted"),
        )],
        "promptyoself_test"
        | "promptyoself_executor_status"
        | "promptyoself_get_scoped_default_agent"
        | "promptyoself_inference_diagnostics"
        | "health" => vec![(json!({}), Answered)],
        new => panic!("say what {new} does for an agent that asks for another one's"),
    }
}

/// A world with a schedule of each of two agents, and one thing of the other's that needs attention.
async fn world() -> (World, i64, i64) {
    let world = World::new().await;
    let agent = world.letta.add_agent_with_id(OTHER);
    let own = world.register("mine", &["--every", "1h"]);
    let other = world.register_for(&agent, "theirs", &["--every", "1h"]);
    (world, own, other)
}

fn key(world: &World, flags: &[&str]) -> (i64, String) {
    let mut argv = vec!["key", "create"];
    argv.extend(flags);
    let made = world.run(&argv).succeeded();
    let key = made["key"].as_str().unwrap().to_owned();
    (made["id"].as_i64().unwrap(), key)
}

/// Walks every tool as an agent would that wants what is another one's.
fn assert_scoped(
    peer: &mut Peer,
    world: &World,
    own: i64,
    other: i64,
    stranger: &str,
    named: &str,
) {
    for tool in peer.tools() {
        let tool = tool["name"].as_str().unwrap();
        for (call, expected) in attempts(tool, own, other, stranger) {
            let result = peer.call(tool, call.clone()).unwrap();
            let answer = result["structuredContent"].clone();
            match expected {
                Refused(code) => assert_eq!(answer["code"], code, "{tool} {call}: {result}"),
                Answered => {
                    assert_ne!(result["isError"], true, "{tool} {call}: {result}");
                    let text = result.to_string();
                    assert!(
                        !text.contains("theirs") && !text.contains(stranger),
                        "{tool}: {text}"
                    );
                    let file = world.database();
                    let file = file.to_str().unwrap();
                    let told = answer["db"].to_string() + &answer["database"].to_string();
                    assert!(!told.contains(file), "{tool}: {text}");
                }
            }
        }
    }
    let known = peer.succeed("promptyoself_inference_diagnostics", json!({}));
    assert_eq!(known["inferred_agent_id"], json!(named));
    assert_eq!(known["inference_debug"]["source"], "caller");
    let kept = world.run(&["show", &other.to_string()]).succeeded();
    assert_eq!(kept["schedule"]["prompt_text"], "theirs");
    assert_eq!(kept["schedule"]["lifecycle"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tool_gives_an_agent_anything_of_another_one() {
    let (world, own, other) = world().await;
    let set = program(&world).with("LETTA_AGENT_ID", OTHER);
    let (_daemon, url) = serve(&set).await;
    // As long as there is no key, the header alone narrows.
    let named = ("X-Agent-Id", world.agent.as_str());
    assert_scoped(
        &mut Peer::over_http(NEWEST, &url, &[named]),
        &world,
        own,
        other,
        OTHER,
        world.agent.as_str(),
    );
    let (_, agents) = key(&world, &["--agent-id", world.agent.as_str()]);
    let (_, operators) = key(&world, &[]);
    let bearer = |key: &str| format!("Bearer {key}");
    let (agents, operators) = (bearer(&agents), bearer(&operators));
    for headers in [
        &[("Authorization", agents.as_str())][..],
        &[("Authorization", operators.as_str()), named],
    ] {
        for client in [NEWEST, WITH_SESSIONS] {
            let own = world.register("mine", &["--every", "1h"]);
            assert_scoped(
                &mut Peer::over_http(client, &url, headers),
                &world,
                own,
                other,
                OTHER,
                world.agent.as_str(),
            );
        }
    }
    let mut operator = Peer::over_http(NEWEST, &url, &[("Authorization", &operators)]);
    let agents = operator.succeed("promptyoself_agents", json!({}));
    assert_eq!(agents["count"], 2);
    let shown = operator.succeed("promptyoself_get", json!({ "schedule_id": other }));
    assert_eq!(shown["schedule"]["prompt_text"], "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tool_gives_an_agent_anything_of_the_one_of_its_id_at_another_target() {
    let world = World::new().await;
    let own = world.register("mine", &["--every", "1h"]);
    let work = FakeLetta::start().await;
    work.add_agent_with_id(world.agent.as_str());
    let file = world.dir().join("two.toml");
    let table = format!(
        "[targets.work]\nurl = \"{}\"\ntoken = \"pw-test\"\n",
        work.url()
    );
    std::fs::write(&file, table).unwrap();
    let file = file.to_str().unwrap();
    let run = |argv: &[&str]| {
        let mut command = world.command(argv);
        Answer::read(command.args(["--config", file]).output().unwrap()).succeeded()
    };
    let (at_home, at_work) = (
        format!("letta/{}", world.agent),
        format!("work/{}", world.agent),
    );
    let theirs = ["--prompt", "theirs", "--every", "1h"];
    let made = run(&[&["register", "--agent-id", &at_work], &theirs[..]].concat());
    let other = made["id"].as_i64().unwrap();
    let key = run(&["key", "create", "--agent-id", &at_home]);
    assert_eq!(
        (&key["agent_id"], &key["target"]),
        (&json!(world.agent), &json!("letta"))
    );
    let operators = run(&["key", "create"]);
    let bearer = |key: &Value| format!("Bearer {}", key["key"].as_str().unwrap());
    let (key, operators) = (bearer(&key), bearer(&operators));
    let (_daemon, url) = serve(&program(&world).with("PROMPTYOSELF_CONFIG", file)).await;
    for headers in [
        &[("Authorization", key.as_str())][..],
        &[
            ("Authorization", &key),
            ("X-Agent-Id", world.agent.as_str()),
        ],
        &[("Authorization", &operators), ("X-Agent-Id", &at_home)],
        // The default target's.
        &[
            ("Authorization", &operators),
            ("X-Agent-Id", world.agent.as_str()),
        ],
    ] {
        let own = world.register("mine", &["--every", "1h"]);
        let mut peer = Peer::over_http(NEWEST, &url, headers);
        assert_scoped(&mut peer, &world, own, other, &at_work, &at_home);
    }
    let mut peer = Peer::over_http(
        NEWEST,
        &url,
        &[("Authorization", &operators), ("X-Agent-Id", &at_work)],
    );
    assert_eq!(
        peer.fail("promptyoself_get", json!({ "schedule_id": own }))["code"],
        "schedule_not_found"
    );
    peer.succeed("promptyoself_cancel", json!({ "schedule_id": other }));
}

/// A raw request to begin a session, or within one.
struct Raw {
    http: reqwest::Client,
    url: String,
}

impl Raw {
    async fn post(&self, headers: &[(&str, &str)], body: Value) -> (u16, String, Option<String>) {
        let mut request = self.http.post(&self.url).json(&body);
        request = request.header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let session = response.headers().get("mcp-session-id");
        let session = session.map(|v| v.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        (status, response.text().await.unwrap(), session)
    }

    async fn begin(&self, headers: &[(&str, &str)]) -> (u16, String, Option<String>) {
        let begin = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } } });
        self.post(headers, begin).await
    }

    async fn list(&self, headers: &[(&str, &str)], session: &str) -> u16 {
        let mut all = headers.to_vec();
        all.push(("mcp-session-id", session));
        let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
        self.post(&all, list).await.0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_key_nothing_is_answered_and_a_session_is_its_keys_alone() {
    let (world, ..) = world().await;
    let (_daemon, url) = serve(&program(&world)).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let raw = Raw {
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        url: format!("{url}/mcp"),
    };
    let own = world.agent.as_str();
    let (id, agents) = key(&world, &["--agent-id", own]);
    let (_, others) = key(&world, &["--agent-id", OTHER]);
    let agents = [("authorization", format!("Bearer {agents}"))];
    let agents: Vec<(&str, &str)> = agents.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let foreign = [agents[0], ("x-agent-id", OTHER)];
    for (headers, wanted) in [
        (&[][..], 401),
        (&[("authorization", "Bearer pys_wrong")], 401),
        (&[("x-promptyoself-key", "")], 401),
        (&foreign, 403),
        (&[agents[0], ("origin", "https://evil.example")], 403),
        (&[agents[0], ("host", "evil.example")], 403),
        (&[agents[0], ("x-agent-id", "../x")], 400),
        (&agents, 200),
    ] {
        let (status, text, session) = raw.begin(headers).await;
        assert_eq!(status, wanted, "{headers:?}: {text}");
        assert_eq!(session.is_some(), wanted == 200);
        assert!(!text.contains("pys_wrong"), "{text}");
    }
    let session = raw.begin(&agents).await.2.unwrap();
    assert_eq!(raw.list(&agents, &session).await, 200);
    assert_eq!(
        raw.list(&[("x-promptyoself-key", &others)], &session).await,
        404
    );
    assert_eq!(raw.list(&[], &session).await, 401);
    assert_eq!(raw.list(&agents, "no-such-session").await, 404);
    world
        .run(&["key", "revoke", "--id", &id.to_string()])
        .succeeded();
    assert_eq!(raw.list(&agents, &session).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_over_stdio_has_the_scope_of_the_key_with_which_it_asks_a_server_elsewhere() {
    let (world, own, other) = world().await;
    let (_daemon, url) = serve(&program(&world)).await;
    let (_, agents) = key(&world, &["--agent-id", world.agent.as_str()]);
    let elsewhere = [
        ("PROMPTYOSELF_URL", url.as_str()),
        ("PROMPTYOSELF_KEY", &agents),
    ];
    let mut peer = Peer::over_stdio_elsewhere(NEWEST, &world, &elsewhere);
    let made = json!({ "prompt": "p", "every": "1h" });
    let made = peer.succeed("promptyoself_schedule_every", made);
    let shown = world.run(&["show", &made["id"].to_string()]).succeeded();
    assert_eq!(shown["schedule"]["agent_id"], json!(world.agent));
    let listed = peer.succeed("promptyoself_list", json!({})).to_string();
    assert!(
        !listed.contains(OTHER) && !listed.contains("theirs"),
        "{listed}"
    );
    for (tool, call, code) in [
        (
            "promptyoself_get",
            json!({ "schedule_id": other }),
            "schedule_not_found",
        ),
        (
            "promptyoself_cancel",
            json!({ "schedule_id": other }),
            "schedule_not_found",
        ),
        ("promptyoself_agents", json!({}), "not_permitted"),
        ("promptyoself_execute", json!({}), "not_permitted"),
    ] {
        assert_eq!(peer.fail(tool, call)["code"], code, "{tool}");
    }
    let status = peer.succeed("promptyoself_executor_status", json!({}));
    assert_eq!(status["running"], true);
    peer.succeed("promptyoself_cancel", json!({ "schedule_id": own }));
    peer.close();
}
