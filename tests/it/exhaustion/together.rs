//! All of these at once.

use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{PLACES, Small, rest};
use crate::daemon::pause;
use crate::program::World;

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_sent_and_others_are_answered_while_everything_is_tried_at_once() {
    let server = Small::start(World::new().await).await;
    let id = server.world.register("tick", &["--every", "1s"]);
    let much = b"GET /api/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200);
    let mut standing = Vec::new();
    for _ in 0..PLACES {
        standing.push(server.send(&much).await);
    }
    let mut streams = Vec::new();
    for _ in 0..10 {
        let session = server.session().await;
        for _ in 0..26 {
            let stream = server
                .request("GET", "/mcp")
                .header("accept", "text/event-stream")
                .header("mcp-session-id", &session);
            streams.push(stream.send().await.unwrap());
        }
    }
    let head = |length: usize| {
        format!(
            "POST /api/v1/schedules HTTP/1.1\r\nhost: localhost\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{{\"prompt\":\""
        )
    };
    for _ in 0..12 {
        let answer = rest(server.send(head(30 * 1024 * 1024).as_bytes()).await).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    let megabyte = vec![b'x'; 1024 * 1024];
    for _ in 0..40 {
        let mut stream = server.send(head(12 * 1024 * 1024).as_bytes()).await;
        for _ in 0..11 {
            if stream.write_all(&megabyte).await.is_err() {
                break;
            }
        }
        standing.push(stream);
    }
    let delivered = || {
        let history = server.world.run(&["history", "--id", &id.to_string()]);
        let all = history.succeeded()["occurrences"]
            .as_array()
            .unwrap()
            .clone();
        all.iter().filter(|o| o["state"] == "delivered").count()
    };
    let before = delivered();
    for _ in 0..5 {
        assert_eq!(server.status("/api/v1/schedules", None).await, 200);
        let small =
            json!({ "agent_id": server.world.agent.as_str(), "prompt": "p", "every": "1h" });
        let made = server.request("POST", "/api/v1/schedules").json(&small);
        assert_eq!(made.send().await.unwrap().status(), 201);
    }
    for _ in 0..600 {
        if delivered() >= before + 5 {
            break;
        }
        pause().await;
    }
    assert!(delivered() >= before + 5, "{} before", before);
    assert!(server.peak() < 200, "{} MiB", server.peak());
    drop((standing, streams));
}
