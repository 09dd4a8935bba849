//! The HTTP server as a whole: whom it answers, and what it reveals about itself.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::daemon::Daemon;
use crate::fake_letta::Script;
use crate::program::{Answer, PASSWORD, World};

/// One route of every face.
const ROUTES: [&str; 6] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/mcp",
    "/v1/agents/",
    "/v1/agents/AGENT/schedule",
];

/// A daemon, and how it is called.
struct Server {
    world: World,
    daemon: Daemon,
    base: String,
    http: reqwest::Client,
}

impl Server {
    async fn start(world: World) -> Server {
        Server::start_with(world, &[]).await
    }

    async fn start_with(world: World, env: &[(&str, &str)]) -> Server {
        let mut settings = vec![("PROMPTYOSELF_LOG", "info")];
        settings.extend(env);
        let daemon = world.start(&["serve", "--listen", "127.0.0.1:0"], &settings);
        let base = format!("http://{}", daemon.address().await);
        let _ = rustls::crypto::ring::default_provider().install_default();
        Server {
            world,
            daemon,
            base,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = path.replace("AGENT", self.world.agent.as_str());
        self.http.request(method, format!("{}{path}", self.base))
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let request = self.request(Method::GET, path);
        let request = headers.iter().fold(request, |r, (k, v)| r.header(*k, *v));
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// Asks for the metrics until they hold every line: the scheduler is another process.
    async fn metrics_with(&self, lines: &[&str]) -> String {
        let mut text = String::new();
        for _ in 0..600 {
            text = self.get("/metrics", &[]).await.1;
            if lines.iter().all(|line| text.lines().any(|l| l == *line)) {
                return text;
            }
            crate::daemon::pause().await;
        }
        panic!("{lines:#?} are not all in\n{text}");
    }

    /// Asks whether it is ready until it answers so.
    async fn until_ready(&self, wanted: &Value) -> StatusCode {
        for _ in 0..600 {
            let (status, text) = self.get("/readyz", &[]).await;
            if serde_json::from_str::<Value>(&text).unwrap() == *wanted {
                return status;
            }
            crate::daemon::pause().await;
        }
        panic!("it never answered {wanted}");
    }
}

fn new_key(world: &World, flags: &[&str]) -> (i64, String) {
    let mut argv = vec!["key", "create"];
    argv.extend(flags);
    let made = world.run(&argv).succeeded();
    let key = made["key"].as_str().unwrap().to_owned();
    (made["id"].as_i64().unwrap(), key)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_or_a_page_of_elsewhere_is_refused_on_every_face() {
    let server = Server::start(World::new().await).await;
    server.world.register("hush", &["--every", "1h"]);
    let host = server.base.trim_start_matches("http://").to_owned();
    for path in ROUTES {
        for headers in [
            &[("host", "evil.example")][..],
            &[("host", "127.0.0.1.evil.example")],
            &[("host", "localhost@evil.example")],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", "http://localhost:1")],
        ] {
            let (status, text) = server.get(path, headers).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {headers:?}: {text}");
            assert!(!text.contains("hush") && !text.contains("agent-"), "{text}");
        }
        let own = format!("http://{host}");
        let (status, text) = server.get(path, &[("origin", &own)]).await;
        assert_ne!(status, StatusCode::FORBIDDEN, "{path}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_answered_only_once_there_is_a_key() {
    let server = Server::start(World::new().await).await;
    let marks = [
        ("forwarded", "for=10.0.0.1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "prompts.example.org"),
        ("x-real-ip", "10.0.0.1"),
        ("via", "1.1 proxy"),
        ("x_forwarded_for", "10.0.0.1"),
    ];
    for mark in marks {
        for path in ROUTES {
            let (status, text) = server.get(path, &[mark]).await;
            if path == "/healthz" {
                assert_eq!(status, StatusCode::OK, "{mark:?}");
                continue;
            }
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {mark:?}: {text}");
            assert!(text.contains("create a key first"), "{text}");
        }
    }
    let (_, key) = new_key(&server.world, &["--name", "operator"]);
    let shown = ("x-promptyoself-key", key.as_str());
    for mark in marks {
        let (status, _) = server.get("/metrics", &[mark, shown]).await;
        assert_eq!(status, StatusCode::OK, "{mark:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_calling_is_said_only_once() {
    let server = Server::start(World::new().await).await;
    for name in [
        "authorization",
        "x-promptyoself-key",
        "x-agent-id",
        "origin",
    ] {
        for path in ROUTES {
            let twice = [(name, "agent-a"), (name, "agent-b")];
            let (status, text) = server.get(path, &twice).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {name}: {text}");
            assert!(text.contains("more than once"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_calls_two_servers_is_refused() {
    let server = Server::start(World::new().await).await;
    let own = server.base.trim_start_matches("http://");
    for head in [
        format!("GET PATH HTTP/1.1\r\nhost: {own}\r\nhost: evil.example\r\n"),
        format!("GET PATH HTTP/1.1\r\nhost: {own}\r\nHost: {own}\r\n"),
        format!("GET http://evil.examplePATH HTTP/1.1\r\nhost: {own}\r\n"),
    ] {
        for path in ROUTES {
            let path = path.replace("AGENT", server.world.agent.as_str());
            let head = head.replace("PATH", &path) + "connection: close\r\n\r\n";
            let mut stream = std::net::TcpStream::connect(own).unwrap();
            std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
            let mut answer = String::new();
            std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
            let status = &answer[9..12];
            let wanted = if head.starts_with("GET http") {
                "403"
            } else {
                "400"
            };
            assert_eq!(status, wanted, "{head}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_another_site_sends_is_refused_as_long_as_there_is_no_key() {
    let server = Server::start(World::new().await).await;
    let elsewhere = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "no-cors"),
    ];
    for path in ROUTES {
        let (status, text) = server.get(path, &elsewhere).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {text}");
        for own in ["same-origin", "none"] {
            let (status, text) = server.get(path, &[("sec-fetch-site", own)]).await;
            assert_ne!(status, StatusCode::FORBIDDEN, "{path} {own}: {text}");
        }
    }
    let (_, key) = new_key(&server.world, &["--name", "operator"]);
    let shown = [elsewhere[0], ("x-promptyoself-key", key.as_str())];
    assert_eq!(server.get("/metrics", &shown).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_a_wrong_one_and_a_revoked_one_are_answered_alike() {
    let world = World::new().await;
    let (id, revoked) = new_key(&world, &["--name", "old"]);
    world
        .run(&["key", "revoke", "--id", &id.to_string()])
        .succeeded();
    let server = Server::start(world).await;
    for path in ["/metrics", "/mcp", "/api/v1/schedules", "/api/v1/status"] {
        let none = server.get(path, &[]).await;
        assert_eq!(none.0, StatusCode::UNAUTHORIZED, "{path}");
        for key in [revoked.as_str(), "pys_0", "", "k\u{e9}y"] {
            for header in ["x-promptyoself-key", "authorization"] {
                assert_eq!(
                    server.get(path, &[(header, key)]).await,
                    none,
                    "{path} {key:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_told_that_a_scheduler_runs_and_nothing_of_its_process() {
    let server = Server::start(World::new().await).await;
    server
        .world
        .wait_until(&["test"], |json| json["warning"].is_null());
    let (_, operator) = new_key(&server.world, &["--name", "operator"]);
    let (_, agent) = new_key(&server.world, &["--agent-id", server.world.agent.as_str()]);
    for path in ["/api/v1/test", "/api/v1/status"] {
        for (key, shown) in [(&operator, true), (&agent, false)] {
            let (status, text) = server.get(path, &[("x-promptyoself-key", key)]).await;
            assert_eq!(status, StatusCode::OK, "{text}");
            let told: Value = serde_json::from_str(&text).unwrap();
            let scheduler = &told["schedulers"][0];
            assert!(scheduler["heartbeat_at"].is_string(), "{told}");
            for key in ["pid", "owner"] {
                assert_eq!(scheduler.get(key).is_some(), shown, "{path} {key}: {told}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_origins_that_the_operator_adds_are_answered() {
    let world = World::new().await;
    let (_, key) = new_key(&world, &["--name", "operator"]);
    let env = [
        ("PROMPTYOSELF_HOSTS", "prompts.example.org"),
        ("PROMPTYOSELF_ORIGINS", "https://app.example.org"),
    ];
    let server = Server::start_with(world, &env).await;
    let bearer = format!("Bearer {key}");
    let headers = [
        ("host", "prompts.example.org"),
        ("origin", "https://app.example.org"),
        ("authorization", bearer.as_str()),
    ];
    assert_eq!(server.get("/metrics", &headers).await.0, StatusCode::OK);
    let other = [("host", "other.example.org"), headers[2]];
    assert_eq!(
        server.get("/metrics", &other).await.0,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_key_nothing_is_told() {
    let world = World::new().await;
    world.register("hush", &["--every", "1h"]);
    let (_, operators) = new_key(&world, &["--name", "operator"]);
    let (_, agents) = new_key(&world, &["--agent-id", world.agent.as_str()]);
    let (revoked_id, revoked) = new_key(&world, &["--name", "old"]);
    let revoke = ["key", "revoke", &revoked_id.to_string()];
    world.run(&revoke).succeeded();
    let server = Server::start(world).await;

    let wrong = operators.replace("pys_", "pys_0");
    let half = &operators[..40];
    for key in [
        None,
        Some(""),
        Some("x"),
        Some(&*wrong),
        Some(half),
        Some(&*revoked),
    ] {
        for header in ["authorization", "x-promptyoself-key"] {
            for path in ["/metrics", "/mcp"] {
                let value = match (key, header) {
                    (Some(key), "authorization") => format!("Bearer {key}"),
                    (Some(key), _) => key.to_owned(),
                    (None, _) => String::new(),
                };
                let sent = [(header, value.as_str())];
                let headers = if key.is_some() { &sent[..] } else { &[] };
                let (status, text) = server.get(path, headers).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} {key:?}: {text}");
                let told = ["hush", "agent-", &operators[4..], &revoked[4..], "hunter2"];
                assert!(!told.iter().any(|t| text.contains(t)), "{text}");
            }
        }
    }
    for path in ["/healthz", "/readyz"] {
        let (status, text) = server.get(path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!text.contains("http") && !text.contains("agent-"), "{text}");
    }
    let own = [("x-promptyoself-key", operators.as_str())];
    assert_eq!(server.get("/metrics", &own).await.0, StatusCode::OK);
    let scoped = [("x-promptyoself-key", agents.as_str())];
    assert_eq!(
        server.get("/metrics", &scoped).await.0,
        StatusCode::FORBIDDEN
    );
    // The agent's id narrows an operator's key, and never widens an agent's.
    let narrowed = [own[0], ("x-agent-id", "agent-a")];
    assert_eq!(
        server.get("/metrics", &narrowed).await.0,
        StatusCode::FORBIDDEN
    );
    let forged = [scoped[0], ("x-agent-id", "agent-other")];
    let (status, text) = server.get("/metrics", &forged).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains("not_permitted"), "{text}");

    let log = server.daemon.stop();
    for key in [&operators, &agents, &revoked] {
        assert!(!log.contains(&key[4..]), "a key is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_where_others_can_call_as_long_as_there_is_no_key() {
    let world = World::new().await;
    let refused = |argv: &[&str], hosts: Option<&str>| {
        let mut command = world.command(argv);
        if let Some(hosts) = hosts {
            command.env("PROMPTYOSELF_HOSTS", hosts);
        }
        let answer = Answer::read(command.output().unwrap());
        assert_eq!((answer.status, answer.code()), (1, "config_invalid"));
        assert!(answer.error().contains("create a key first"), "{answer:?}");
    };
    refused(&["serve", "--listen", "0.0.0.0:0"], None);
    refused(&["serve", "--listen", "[::]:0"], None);
    refused(
        &["serve", "--listen", "127.0.0.1:0"],
        Some("prompts.example.org"),
    );
    new_key(&world, &["--name", "operator"]);
    let env = [("PROMPTYOSELF_LOG", "info")];
    let daemon = world.start(&["serve", "--listen", "0.0.0.0:0"], &env);
    assert!(daemon.address().await.ip().is_unspecified());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_unread() {
    let server = Server::start(World::new().await).await;
    let letta = format!("Bearer {PASSWORD}");
    for (path, megabytes, header, status) in [
        ("/mcp", 17, ("x-agent-id", "agent-a"), 413),
        (
            "/v1/agents/AGENT/schedule",
            33,
            ("authorization", &*letta),
            400,
        ),
    ] {
        let sent = server
            .request(Method::POST, path)
            .header(header.0, header.1)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(vec![b' '; megabytes * 1024 * 1024])
            .send()
            .await;
        // It may close the connection before all of it was sent.
        if let Ok(response) = sent {
            assert_eq!(response.status(), status, "{path}");
        }
    }
    assert_eq!(server.get("/healthz", &[]).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_only_while_letta_answers() {
    let mut server = Server::start(World::new().await).await;
    let ready = json!({"ready": true, "database": true, "scheduler": true, "letta": true});
    assert_eq!(server.until_ready(&ready).await, StatusCode::OK);
    server.world.letta.stop();
    let away = json!({"ready": false, "database": true, "scheduler": true, "letta": false});
    assert_eq!(
        server.until_ready(&away).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        server.get("/healthz", &[]).await,
        (StatusCode::OK, "ok\n".into())
    );
    server.world.letta.start_again().await;
    assert_eq!(server.until_ready(&ready).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_and_what_waits_is_in_the_metrics() {
    let server = Server::start(World::new().await).await;
    let world = &server.world;
    let nothing = [
        "promptyoself_backlog 0",
        "promptyoself_in_flight 0",
        "promptyoself_lanes_waiting 0",
        "promptyoself_lateness_seconds_count{target=\"letta\"} 0",
    ];
    server.metrics_with(&nothing).await;

    world.register_due(&world.agent, "on time", 2).await;
    let refused = world.letta.add_agent();
    let answer = Script::Answer {
        status: 429,
        body: json!({"error": {"type": "llm_rate_limit", "message": "slow down"}}),
        headers: BTreeMap::from([("retry-after".into(), "600".into())]),
    };
    world.letta.script(&refused, answer);
    world.register_due(&refused, "refused", 2).await;
    let held = world.letta.add_agent();
    world.letta.hold(&held);
    world.register_due(&held, "held", 2).await;
    let text = server
        .metrics_with(&[
            "promptyoself_settled_total{outcome=\"delivered\"} 1",
            "promptyoself_settled_total{outcome=\"waiting\"} 1",
            "promptyoself_letta_errors_total{class=\"rate_limited\"} 1",
            "promptyoself_in_flight 1",
            "promptyoself_lanes_waiting 1",
            "promptyoself_lateness_seconds_count{target=\"letta\"} 1",
            "promptyoself_lateness_seconds_bucket{le=\"1.0\",target=\"letta\"} 0",
            "promptyoself_lateness_seconds_bucket{le=\"+Inf\",target=\"letta\"} 1",
        ])
        .await;
    assert!(text.ends_with("# EOF\n"), "{text}");

    // What is due is not claimed while all delivery is halted.
    world.run(&["halt"]).succeeded();
    let late = world.letta.add_agent();
    world.register_due(&late, "halted", 2).await;
    server.metrics_with(&["promptyoself_backlog 1"]).await;
    world.letta.release(&held);
    server
        .metrics_with(&[
            "promptyoself_settled_total{outcome=\"delivered\"} 2",
            "promptyoself_in_flight 0",
        ])
        .await;
}

/// The whole answer to a request of which every byte is written before any is read.
async fn written_first(base: &str, head: &str, length: usize) -> String {
    let address = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{head}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let rest = vec![b' '; length];
    let written = stream.write_all(&rest).await;
    written.unwrap_or_else(|e| panic!("{head}: {e}"));
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    read.unwrap_or_else(|e| panic!("{head}: {e}"));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_early_reaches_a_client_that_is_still_writing() {
    let server = Server::start(World::new().await).await;
    let host = "host: localhost";
    let more_than_may_be = 17 * 1024 * 1024;
    for (head, length, status) in [
        (
            format!("POST /mcp HTTP/1.1\r\n{host}"),
            more_than_may_be,
            413,
        ),
        (
            format!("POST /api/v1/schedules HTTP/1.1\r\n{host}"),
            more_than_may_be,
            413,
        ),
        (
            format!("POST /api/v1/nowhere HTTP/1.1\r\n{host}"),
            8_000_000,
            404,
        ),
        (format!("PUT /healthz HTTP/1.1\r\n{host}"), 8_000_000, 405),
        (
            "POST /api/v1/schedules HTTP/1.1\r\nhost: evil.example".to_owned(),
            8_000_000,
            403,
        ),
        (
            format!("POST /api/v1/schedules HTTP/1.1\r\n{host}\r\nauthorization: Bearer wrong"),
            8_000_000,
            401,
        ),
    ] {
        let answer = written_first(&server.base, &head, length).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{head}: {answer}"
        );
    }
}
