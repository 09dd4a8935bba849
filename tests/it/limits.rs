//! Limits on everything that callers choose: on every route, in every tool, on every command line.

use promptyoself::limits::{self, TABLE};
use promptyoself::models::State;
use reqwest::RequestBuilder;
use serde_json::{Map, Value, json};

use crate::foreign_writers::raw::Foreign;
use crate::program::{Answer, World};

const DOCS: &str = include_str!("../../docs/limits.md");

/// More than anything but a prompt may have.
const LONG: usize = 100_000;

/// More than anything in a query may have, and less than no URI may have.
const URI: usize = 50_000;

/// The largest answer to a request that is refused, in bytes.
const SMALL: usize = 20_000;

fn long() -> String {
    "x".repeat(LONG)
}

#[test]
fn the_documentation_shows_every_limit_and_no_other() {
    for limit in TABLE {
        let row = format!("| {} | {} | {} |", limit.what, limit.most, limit.over);
        assert!(DOCS.lines().any(|line| line == row), "missing: {row}");
    }
    let (of_callers, _) = DOCS.split_once("## Servers").unwrap();
    let rows = of_callers.lines().filter(|line| line.starts_with("| "));
    assert_eq!(rows.count(), TABLE.len() + 1, "rows, and their heading");
}

struct Server {
    world: World,
    url: String,
    http: reqwest::Client,
}

impl Server {
    async fn start() -> Server {
        let world = World::new().await;
        let url = world.serve();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Server { world, url, http }
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.url);
        self.http
            .request(method.to_uppercase().parse().unwrap(), url)
    }

    /// Sends what has to be refused: with few words, and nothing of it is kept.
    async fn refused(&self, what: &str, request: RequestBuilder) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let start: String = text.chars().take(500).collect();
        assert!(
            [400, 413, 422, 429, 431].contains(&status),
            "{what}: {status} {start}"
        );
        assert!(text.len() < SMALL, "{what}: {} bytes", text.len());
    }

    /// The longest text that is kept of anything but a prompt.
    async fn longest(&self) -> i64 {
        let mut db = Foreign::connect(&self.world.database()).await;
        db.one(
            "SELECT max((SELECT coalesce(max(max(length(coalesce(name, '')), \
             length(coalesce(pause_note, '')), length(schedule_value), \
             length(coalesce(timezone, '')), length(coalesce(ping_url, '')))), 0) FROM schedules), \
             (SELECT coalesce(max(length(coalesce(note, ''))), 0) FROM halt), \
             (SELECT coalesce(max(length(name)), 0) FROM keys), \
             (SELECT coalesce(max(length(coalesce(body, ''))), 0) FROM requests))",
        )
        .await
    }
}

/// The properties of a body that are text, and a body that is accepted.
fn body(document: &Value, operation: &Value) -> Option<(Vec<String>, Map<String, Value>)> {
    let mut schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if let Some(one) = schema["oneOf"].as_array() {
        schema = one.iter().find(|s| s["$ref"].is_string())?;
    }
    let name = schema["$ref"].as_str()?.rsplit('/').next()?;
    let schema = &document["components"]["schemas"][name];
    let is_text = |s: &Value| {
        let kind = &s["type"];
        kind == "string"
            || kind
                .as_array()
                .is_some_and(|k| k.contains(&json!("string")))
    };
    let properties = schema["properties"].as_object()?;
    let texts = properties.iter().filter(|(_, s)| is_text(s));
    let example = schema["example"].as_object()?.clone();
    Some((texts.map(|(name, _)| name.clone()).collect(), example))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_keeps_or_repeats_a_text_that_is_too_long() {
    let server = Server::start().await;
    let id = server.world.register("p", &["--every", "1h"]);
    let document = serde_json::to_value(promptyoself::server::document(
        promptyoself::operations::ALL,
    ))
    .unwrap();
    let mut seen = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", &id.to_string());
        for (method, operation) in operations.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if parameter["in"] != "query" {
                    continue;
                }
                let name = parameter["name"].as_str().unwrap();
                let what = format!("{method} {path} ?{name}");
                let request = server
                    .request(method, &path)
                    .query(&[(name, "x".repeat(URI))]);
                server.refused(&what, request).await;
                seen += 1;
            }
            for header in ["idempotency-key", "x-agent-id"] {
                if header == "idempotency-key" && method != "post" || path.ends_with("/preview") {
                    continue;
                }
                let what = format!("{method} {path} {header}");
                let request = server.request(method, &path).header(header, long());
                server.refused(&what, request).await;
            }
            let Some((texts, example)) = body(&document, operation) else {
                continue;
            };
            for name in texts {
                let mut body = example.clone();
                if path.ends_with("/schedules") || path.ends_with(&format!("/{id}")) {
                    body.insert("skip_validation".into(), true.into());
                }
                let text = match name.as_str() {
                    "prompt" => "x".repeat(limits::PROMPT + 1),
                    _ => long(),
                };
                body.insert(name.clone(), text.into());
                let what = format!("{method} {path} {name}");
                let request = server.request(method, &path).json(&body);
                server
                    .refused(&what, request.header("idempotency-key", &what))
                    .await;
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen}");
    let longest = server.longest().await;
    assert!(longest <= limits::NOTE as i64 + 2_000, "{longest}");
    let listed = server.world.run(&["list", "--all"]).succeeded();
    assert_eq!(listed["total"], 1, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tool_keeps_or_repeats_a_text_that_is_too_long() {
    let server = Server::start().await;
    let id = server.world.register("p", &["--every", "1h"]);
    let ask = async |method: &str, params: Value| {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = server
            .request("post", "/mcp")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method)
            .header("mcp-name", params["name"].as_str().unwrap_or_default())
            .json(&message);
        answer.send().await.unwrap().text().await.unwrap()
    };
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let listed = ask("tools/list", json!({ "_meta": meta })).await;
    let listed = json_of(&listed);
    let tools = listed["result"]["tools"].as_array().unwrap().clone();
    assert!(tools.len() > 20, "{listed}");
    let usual = json!({
        "agent_id": server.world.agent.as_str(), "prompt": "p", "time": "2035-01-01T00:00:00Z",
        "cron": "0 9 * * *", "every": "1h", "schedule_id": id, "source_code": "def f(): pass",
    });
    let mut seen = 0;
    for tool in &tools {
        let name = tool["name"].as_str().unwrap();
        let properties = tool["inputSchema"]["properties"].as_object().unwrap();
        let required = tool["inputSchema"]["required"].as_array();
        let mut arguments = Map::new();
        for needed in required.into_iter().flatten().filter_map(Value::as_str) {
            arguments.insert(needed.to_owned(), usual[needed].clone());
        }
        for property in properties.keys() {
            let mut arguments = arguments.clone();
            let text = match property.as_str() {
                "prompt" => "x".repeat(limits::PROMPT + 1),
                _ => long(),
            };
            arguments.insert(property.clone(), text.into());
            let params = json!({ "name": name, "arguments": arguments, "_meta": meta });
            let answer = ask("tools/call", params).await;
            let start: String = answer.chars().take(300).collect();
            assert!(answer.len() < SMALL, "{name} {property}: {start}");
            let told = json_of(&answer);
            let is_refused = told["result"]["isError"] == true || told["error"].is_object();
            // What is only handed on, or counts for nothing where it stands, need not be refused.
            let kept = [
                "name", "note", "prompt", "cron", "time", "every", "timezone", "start_at",
            ];
            assert!(
                is_refused || !kept.contains(&property.as_str()),
                "{name} {property}: {start}"
            );
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
    assert!(server.longest().await <= limits::NOTE as i64);
}

/// The JSON of an answer, which may be the event of a stream.
fn json_of(answer: &str) -> Value {
    let line = answer.lines().find_map(|l| l.strip_prefix("data: "));
    let start: String = answer.chars().take(300).collect();
    serde_json::from_str(line.unwrap_or(answer)).unwrap_or_else(|_| panic!("no JSON: {start}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_keeps_or_repeats_a_text_that_is_too_long() {
    let world = World::new().await;
    let id = world.register("p", &["--every", "1h"]).to_string();
    let agent = world.agent.as_str();
    let register = ["register", "--agent-id", agent, "--prompt", "p"];
    let long = long();
    let commands: Vec<Vec<&str>> = vec![
        [&register[..], &["--every", "1h", "--name"]].concat(),
        [&register[..], &["--every"]].concat(),
        [&register[..], &["--cron"]].concat(),
        [&register[..], &["--time"]].concat(),
        [&register[..], &["--every", "1h", "--timezone"]].concat(),
        [&register[..], &["--every", "1h", "--start-at"]].concat(),
        [&register[..], &["--every", "1h", "--end-at"]].concat(),
        [&register[..], &["--every", "1h", "--ping-url"]].concat(),
        [&register[..], &["--every", "1h", "--catch-up"]].concat(),
        [&register[..], &["--every", "1h", "--max-age"]].concat(),
        vec!["register", "--prompt", "p", "--every", "1h", "--agent-id"],
        vec!["update", &id, "--name"],
        vec!["update", &id, "--end-at"],
        vec!["pause", &id, "--note"],
        vec!["halt", "--note"],
        vec!["key", "create", "--name"],
        vec!["key", "create", "--agent-id"],
        vec!["preview", "--cron"],
        vec!["preview", "--time"],
        vec!["history", "--since"],
        vec!["history", "--state"],
        vec!["list", "--agent-id"],
        vec!["list", "--limit"],
        vec!["show"],
    ];
    for mut argv in commands {
        argv.push(&long);
        let shown = argv[..argv.len() - 1].join(" ");
        let answer = Answer::read(world.command(&argv).output().unwrap());
        assert_ne!(answer.status, 0, "{shown}");
        let printed = answer.json.to_string().len() + answer.stderr.len();
        assert!(printed < SMALL, "{shown}: {printed} bytes");
    }
    let file = world.dir().join("prompt");
    let from_file = [
        &register[..3],
        &["--every", "1h", "--prompt-file", "prompt"],
    ]
    .concat();
    for (size, code) in [
        (limits::PROMPT, ""),
        (limits::PROMPT + 1, "too_large"),
        (limits::LARGEST_PROMPT + 1, "file_unusable"),
    ] {
        std::fs::write(&file, "x".repeat(size)).unwrap();
        let answer = world.run(&from_file);
        assert_eq!(answer.code(), code, "{size}: {}", answer.error());
    }
    std::fs::write(&file, "x".repeat(limits::PROMPT + 1)).unwrap();
    let mut raised = world.command(&from_file);
    raised.env("PROMPTYOSELF_LARGEST_PROMPT", "6000000");
    assert_eq!(Answer::read(raised.output().unwrap()).status, 0);
    // Both are whole, and neither is in a list.
    let listed = world.run(&["list"]).succeeded();
    let prompts = listed["schedules"].as_array().unwrap().iter();
    let prompts: Vec<usize> = prompts
        .map(|s| s["prompt_text"].as_str().unwrap().len())
        .collect();
    assert_eq!(prompts.iter().max(), Some(&103));
    let shown = world.run(&["show", "2"]).succeeded();
    let shown = shown["schedule"]["prompt_text"].as_str().unwrap().len();
    assert_eq!(shown, limits::PROMPT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_whole_prompts_is_refused_where_it_is_too_large() {
    let server = Server::start().await;
    for _ in 0..7 {
        let body = json!({ "agent_id": server.world.agent.as_str(), "every": "1h",
            "prompt": "é".repeat(2_400_000) });
        let made = server.request("post", "/api/v1/schedules").json(&body);
        assert_eq!(made.send().await.unwrap().status(), 201);
    }
    let list = server.request("get", "/api/v1/schedules?full=true");
    let refused = list.send().await.unwrap();
    assert_eq!(refused.status(), 413);
    assert!(refused.text().await.unwrap().contains("limit"));
    let page = server.request("get", "/api/v1/schedules?full=true&limit=5");
    assert_eq!(page.send().await.unwrap().status(), 200);
    let brief = server
        .request("get", "/api/v1/schedules")
        .send()
        .await
        .unwrap();
    assert!(brief.text().await.unwrap().len() < SMALL);
}

#[tokio::test]
async fn lists_wait_for_each_other_and_no_prompt_waits_for_them() {
    let world = crate::world::World::new().await;
    let made = world.every("agent-a", "p", "1h").await;
    let readers = world.service.readers.clone();
    let most = u32::try_from(limits::READERS).unwrap();
    let reading = readers.clone().acquire_many_owned(most).await.unwrap();
    let asks = || {
        let (service, id) = (world.service.clone(), made.id);
        tokio::spawn(async move { service.show(id).await.unwrap() })
    };
    let others = [asks(), asks(), asks()];
    let mut running = world.start();
    world.advance(3_600);
    running.until(State::Delivered).await;
    assert!(others.iter().all(|other| !other.is_finished()));
    drop(reading);
    for other in others {
        assert_eq!(other.await.unwrap().schedule.id, made.id);
    }
    assert_eq!(readers.available_permits(), limits::READERS);
    running.stop().await;
}
