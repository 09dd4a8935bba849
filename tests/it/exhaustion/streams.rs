//! MCP sessions and streams.

use std::future::poll_fn;
use std::task::Poll;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use reqwest::Response;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Small, rest};
use crate::program::World;

async fn stream(server: &Small, session: &str, key: Option<&str>) -> Response {
    let request = server
        .request("GET", "/mcp")
        .header("accept", "text/event-stream")
        .header("mcp-session-id", session);
    let request = match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    };
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_sessions_of_26_streams_leave_places_for_others() {
    let server = Small::start(World::new().await).await;
    let mut open = Vec::new();
    let mut refused = 0;
    for _ in 0..10 {
        let session = server.session().await;
        for _ in 0..26 {
            let answer = stream(&server, &session, None).await;
            match answer.status().as_u16() {
                200 => open.push(answer),
                429 => refused += 1,
                other => panic!("{other}"),
            }
        }
    }
    assert!(refused > 0, "{} streams are open", open.len());
    assert_eq!(server.status("/api/v1/schedules", None).await, 200);
    // A session that opens more than it may loses the oldest one, and that ends as streams do.
    let first = open.remove(0);
    first.text().await.unwrap();
    server.until_connections(|n| n <= 40).await;
    assert_eq!(server.status("/api/v1/schedules", None).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_key() {
    let world = World::new().await;
    let server = Small::start(world).await;
    let session = server.session().await;
    let before = stream(&server, &session, None).await;
    assert_eq!(before.status(), 200);
    // It began when nobody had to show a key, and now everybody has to.
    let operator = server.world.key(None);
    let _ = before.text().await;

    let key = server.world.key(Some(&server.world.agent));
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" } } });
    let begun = server
        .message(&hello)
        .bearer_auth(&key)
        .send()
        .await
        .unwrap();
    let session = begun.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    begun.text().await.unwrap();
    let held = stream(&server, &session, Some(&key)).await;
    assert_eq!(held.status(), 200);
    let keys = server.world.run(&["key", "list"]).succeeded();
    let keys = keys["keys"].as_array().unwrap();
    let id = keys.iter().find(|k| !k["agent_id"].is_null()).unwrap()["id"].to_string();
    server
        .world
        .run(&["key", "revoke", "--id", &id])
        .succeeded();
    let _ = held.text().await;
    assert_eq!(
        server.status("/api/v1/schedules", Some(&operator)).await,
        200
    );
}

/// A message that begins a session, as the router gets it.
fn hello() -> Request<Body> {
    let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" } } });
    message(&body, None)
}

fn message(body: &serde_json::Value, session: Option<&str>) -> Request<Body> {
    let request = Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let request = match session {
        Some(session) => request.header("mcp-session-id", session),
        None => request,
    };
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn a_session_whose_client_goes_away_before_its_answer_counts_like_any_other() {
    let world = crate::world::World::new().await;
    let shared = crate::rest::tools(&world.service);
    let router: Router = promptyoself::mcp::http::routes(&world.service, &shared);
    let router = TowerToHyperService::new(router);
    let begun = router.call(hello()).await.unwrap();
    let first = begun.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    // How often a call is woken until it has its answer is not always the same.
    for _ in 0..5 {
        let mut asked = Box::pin(router.call(hello()));
        let mut polls = 0;
        let begun = poll_fn(|c| {
            polls += 1;
            asked.as_mut().poll(c)
        });
        begun.await.unwrap();
        // These clients go away just before they would have it.
        for _ in 0..100 {
            let mut asked = Box::pin(router.call(hello()));
            let mut left = polls - 1;
            poll_fn(|c| {
                left -= 1;
                let polled = asked.as_mut().poll(c);
                if polled.is_ready() || left == 0 {
                    return Poll::Ready(());
                }
                Poll::Pending
            })
            .await;
        }
    }
    // What they have begun goes on meanwhile.
    for _ in 0..3 {
        router.call(hello()).await.unwrap();
    }
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let gone = router.call(message(&ping, Some(&first))).await.unwrap();
    assert_eq!(gone.status(), 404, "64 others are kept in its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_of_one_session_never_have_the_same_id() {
    let letta = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", letta.local_addr().unwrap());
    let env = [("LETTA_BASE_URL", url.as_str())];
    let server = Small::start_with(World::new().await, &env).await;
    let session = server.session().await;
    let slow = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "promptyoself_test", "arguments": {} } });
    let quick = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list" });
    let ask = |message| server.message(message).header("mcp-session-id", &session);
    let first = ask(&slow).send().await.unwrap();
    assert_eq!(first.status(), 200);
    let second = ask(&quick).send().await.unwrap();
    assert_eq!(second.status(), 400);
    let told: serde_json::Value = second.json().await.unwrap();
    assert_eq!(told["id"], 7);
    assert_eq!(told["error"]["code"], -32600);
    // Another session, and another id, are not concerned.
    let other = server.session().await;
    let elsewhere = server.message(&quick).header("mcp-session-id", &other);
    assert_eq!(elsewhere.send().await.unwrap().status(), 200);
    // Letta goes away, and the first one has its answer.
    drop(letta.accept().await.unwrap());
    drop(letta);
    assert!(first.text().await.unwrap().contains("\"id\":7"));
    let again = ask(&quick).send().await.unwrap();
    assert_eq!(again.status(), 200);
    assert!(again.text().await.unwrap().contains("promptyoself_list"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_stays_away_is_given_up() {
    let server = Small::start(World::new().await).await;
    let half = server
        .send(
            b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
              accept: application/json, text/event-stream\r\ncontent-length: 100\r\n\r\n{",
        )
        .await;
    let answer = rest(half).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(
        answer.contains("nothing more of the body arrived"),
        "{answer}"
    );
}
