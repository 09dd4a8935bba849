//! Clients that send requests and never read the answers.

use super::{PLACES, Small};
use crate::program::World;
use tokio::net::TcpStream;

/// Requests for more than a socket holds by itself.
fn much() -> Vec<u8> {
    b"GET /api/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200)
}

async fn slow_readers(server: &Small, count: usize) -> Vec<TcpStream> {
    let mut readers = Vec::new();
    for _ in 0..count {
        readers.push(server.send(&much()).await);
    }
    readers
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_answered_while_clients_that_never_read_hold_every_place() {
    let server = Small::start(World::new().await).await;
    let readers = slow_readers(&server, PLACES + PLACES / 4).await;
    server.until_connections(|n| n >= PLACES).await;
    for path in ["/healthz", "/api/v1/schedules", "/readyz"] {
        assert_eq!(server.status(path, None).await, 200, "{path}");
    }
    assert!(server.connections() > PLACES / 2, "they still stand");
    // Nobody else asks any more, and nobody reads: the server gives them up.
    server.until_connections(|n| n == 0).await;
    drop(readers);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_key_hold_a_part_of_the_places_and_the_operator_is_answered_at_once() {
    let world = World::new().await;
    let key = world.key(None);
    let agents = world.key(Some(&world.agent));
    let server = Small::start(world).await;
    // Their part is taken once one more of them is refused: for a moment only, while the sockets still
    // fill, and for good until the server gives them up.
    let mut readers = Vec::new();
    let mut tries = 0;
    let refused = loop {
        // Some more than their part: one that is refused for a moment while the sockets fill is answered
        // in few bytes, and holds nothing from then on. If the server is so slow that it gives up the
        // first of them before it has come to the last, others take their places.
        let missing = (PLACES / 4 + 8).saturating_sub(server.connections());
        readers.extend(slow_readers(&server, missing).await);
        let answer = server
            .request("GET", "/api/openapi.json")
            .send()
            .await
            .unwrap();
        if answer.status() == 429 {
            break answer;
        }
        tries += 1;
        assert!(tries < 600, "nobody is refused");
        crate::daemon::pause().await;
    };
    assert_eq!(refused.headers()["retry-after"], "1");
    assert!(refused.text().await.unwrap().contains("too_many"));
    for key in [&key, &agents] {
        assert_eq!(server.status("/api/v1/schedules", Some(key)).await, 200);
    }
    assert_eq!(server.status("/healthz", None).await, 200);
    drop(readers);
}
