//! Broken messages get an answer, and the server continues.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::peer::{program, serve};
use super::raw::Raw;
use crate::program::World;

/// Messages that can't be understood: the code, and the id that can be read.
fn broken() -> Vec<(Vec<u8>, i64, Value)> {
    let call = |params: &str| {
        let call = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}"#);
        call.into_bytes()
    };
    let mut latin = call(r#"{"name":"caf""#);
    latin.push(0xe9);
    vec![
        (b"hello".to_vec(), -32700, json!(null)),
        (b"{".to_vec(), -32700, json!(null)),
        (b"\"".to_vec(), -32700, json!(null)),
        (
            call(r#"{"name":"health","arguments":{"a":"\ud83e"}}"#),
            -32700,
            json!(7),
        ),
        (call(r#"{"name":"health""#), -32700, json!(7)),
        (latin, -32700, json!(7)),
        (b"[]".to_vec(), -32600, json!(null)),
        (b"null".to_vec(), -32600, json!(null)),
        (br#"{"jsonrpc":"2.0","id":7}"#.to_vec(), -32600, json!(7)),
        (
            br#"{"jsonrpc":"2.0","id":7,"method":["ping"]}"#.to_vec(),
            -32600,
            json!(7),
        ),
        (
            br#"{"id":"x","method":"ping"}"#.to_vec(),
            -32600,
            json!("x"),
        ),
        (call("[]"), -32602, json!(7)),
        (call("{}"), -32602, json!(7)),
        (call(r#"{"name":null}"#), -32602, json!(7)),
        (
            call(r#"{"name":"health","arguments":[]}"#),
            -32602,
            json!(7),
        ),
        (
            call(r#"{"name":"health","arguments":"[1]"}"#),
            -32602,
            json!(7),
        ),
        (
            call(r#"{"name":"health","arguments":"{"}"#),
            -32602,
            json!(7),
        ),
        (
            call(r#"{"name":"health","arguments":true}"#),
            -32602,
            json!(7),
        ),
        (call(r#"{"name":"no_such_tool"}"#), -32602, json!(7)),
        (
            br#"{"jsonrpc":"2.0","id":7,"method":"resources/read"}"#.to_vec(),
            -32602,
            json!(7),
        ),
        (
            br#"{"jsonrpc":"2.0","id":7,"method":"nothing/known"}"#.to_vec(),
            -32601,
            json!(7),
        ),
    ]
}

fn assert_told(answer: &Value, code: i64, id: &Value, message: &[u8]) {
    let shown = String::from_utf8_lossy(&message[..message.len().min(200)]);
    assert_eq!(answer["error"]["code"], code, "{shown}: {answer}");
    assert!(answer.as_object().unwrap().contains_key("id"), "{answer}");
    assert_eq!(&answer["id"], id, "{shown}: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_line_is_answered_and_the_next_one_understood() {
    let world = World::new().await;
    let mut raw = Raw::start(&world);
    for (message, code, id) in broken() {
        raw.write(&message);
        assert_told(&raw.read(), code, &id, &message);
        let health = raw.ask("tools/call", json!({ "name": "health" }));
        assert_eq!(
            health["result"]["structuredContent"]["status"], "healthy",
            "{health}"
        );
    }
    // Arguments as JSON text are those arguments.
    let as_text = json!({ "name": "promptyoself_preview", "arguments": "{\"every\": \"1h\"}" });
    let told = raw.ask("tools/call", as_text);
    assert_eq!(
        told["result"]["structuredContent"]["describes"], "every hour",
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_is_bounded_and_answered() {
    let world = World::new().await;
    let mut raw = Raw::start(&world);
    for _ in 0..3 {
        let mut line =
            br#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":""#.to_vec();
        line.resize(17 * 1024 * 1024, b'x');
        raw.write(&line);
        assert_told(&raw.read(), -32600, &json!(8), &line);
        raw.ask("ping", json!({}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_begins_with_noise_is_still_served() {
    let world = World::new().await;
    let mut raw = Raw::spawn(&world);
    raw.write("Content-Length: 5");
    assert_told(&raw.read(), -32700, &json!(null), b"");
    let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "raw", "version": "1" } });
    assert!(raw.ask("initialize", hello)["result"].is_object());
    // The last line need not end.
    let last = raw.end_with(br#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#);
    assert_eq!(last, [json!({ "jsonrpc": "2.0", "id": 9, "result": {} })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_every_broken_message_is_answered_in_json() {
    let world = World::new().await;
    let (_daemon, url) = serve(&program(&world)).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |message: Vec<u8>| {
        let request = http.post(format!("{url}/mcp")).body(message);
        let request = request
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        request.send().await.unwrap()
    };
    for (message, code, id) in broken() {
        // What is no request of its own needs a session first.
        if code == -32601 || message.windows(4).any(|w| w == b"such") {
            continue;
        }
        let response = post(message.clone()).await;
        let wanted = match code {
            -32602 => StatusCode::OK,
            _ => StatusCode::BAD_REQUEST,
        };
        assert_eq!(response.status(), wanted, "{code} {id}");
        assert_eq!(response.headers()["content-type"], "application/json");
        let told: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_told(&told, code, &id, &message);
    }
    let large = vec![b' '; 17 * 1024 * 1024];
    let response = post(large).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let told: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_told(&told, -32600, &json!(null), b"");
    let empty = post(Vec::new()).await;
    assert_eq!(empty.status(), StatusCode::BAD_REQUEST);

    let as_text = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {
        "name": "promptyoself_preview", "arguments": "{\"every\": \"1h\"}",
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } } });
    let response = http
        .post(format!("{url}/mcp"))
        .body(as_text.to_string())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .send();
    let told = response.await.unwrap().text().await.unwrap();
    assert!(
        !told.contains("-32602") && !told.contains("must be an object"),
        "{told}"
    );
}
