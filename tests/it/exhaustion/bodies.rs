//! Large bodies, and endless ones.

use std::io::ErrorKind::WouldBlock;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Small, rest};
use crate::program::World;

/// The most memory that the server may ever have, in MiB.
const MEMORY: u64 = 200;

fn head(length: usize) -> Vec<u8> {
    format!(
        "POST /api/v1/schedules HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{{\"every\":\"1h\",\"prompt\":\""
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_of_30_mib_are_refused_unread_and_unfinished_bodies_keep_nobody_out() {
    let server = Small::start(World::new().await).await;
    let mut large = Vec::new();
    for _ in 0..12 {
        large.push(server.send(&head(30 * 1024 * 1024)).await);
    }
    for answer in large {
        let answer = rest(answer).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(
            answer.contains("request_invalid") && answer.contains("16 MiB"),
            "{answer}"
        );
    }
    // Each sends what may be, but for its end.
    let mut unfinished = Vec::new();
    let megabyte = vec![b'x'; 1024 * 1024];
    for _ in 0..40 {
        let mut stream = server.send(&head(12 * 1024 * 1024)).await;
        for _ in 0..11 {
            if stream.write_all(&megabyte).await.is_err() {
                break;
            }
        }
        unfinished.push(stream);
    }
    // Those that are waited for have no answer.
    let is_refused = |stream: &&TcpStream| !matches!(stream.try_read(&mut [0; 12]), Err(e) if e.kind() == WouldBlock);
    let refused = unfinished.iter().filter(is_refused).count();
    assert!(refused > 0, "more is kept than may be");
    let small =
        json!({ "agent_id": server.world.agent.as_str(), "prompt": "small", "every": "1h" });
    let made = server.request("POST", "/api/v1/schedules").json(&small);
    assert_eq!(made.send().await.unwrap().status(), 201);
    assert!(server.peak() < MEMORY, "{} MiB", server.peak());
    // What is let go of is there for others.
    drop(unfinished);
    server.until_connections(|n| n <= 2).await;
    let large = json!({ "agent_id": server.world.agent.as_str(), "every": "1h",
        "prompt": "x".repeat(4_900_000) });
    let made = server.request("POST", "/api/v1/schedules").json(&large);
    let made = made.send().await.unwrap();
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
    assert!(server.peak() < MEMORY, "{} MiB", server.peak());
}
