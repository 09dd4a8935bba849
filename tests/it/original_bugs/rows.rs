//! What was sent again and again, or to nobody.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::fake_letta::Script;
use crate::program::World;

const SENDING: &str = "/v1/conversations/default/messages";

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_agent_is_not_retried() {
    let world = World::new().await;
    let id = world.register_due(&world.agent, "p", 1).await;
    world.letta.remove_agent(&world.agent);
    let executed = world.run(&["execute"]).succeeded();
    assert_eq!(executed["executed"][0]["state"], "dead", "{executed}");
    let error = executed["executed"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("agent_unknown"), "{error}");
    let asked = world.letta.asked(SENDING);
    assert_eq!(world.run(&["execute"]).succeeded()["executed"], json!([]));
    assert_eq!(world.letta.asked(SENDING), asked);
    assert_eq!(
        world.last_delivery(id)["attempts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_to_wait_is_given_that_time() {
    let world = World::new().await;
    let id = world.register_due(&world.agent, "p", 1).await;
    let headers = BTreeMap::from([("retry-after".to_owned(), "4000".to_owned())]);
    let body = json!({"detail": "Too many requests"});
    world.letta.script(
        &world.agent,
        Script::Answer {
            status: 429,
            body,
            headers,
        },
    );
    let executed = world.run(&["execute"]).succeeded();
    assert_eq!(executed["executed"][0]["state"], "waiting", "{executed}");
    let delivery = world.last_delivery(id);
    let wait = time(&delivery["not_before"]).duration_since(time(&delivery["sent_at"]));
    // The longest wait of our own is ten minutes.
    assert!(wait >= SignedDuration::from_secs(4_000), "{wait:?}");
    let asked = world.letta.asked(SENDING);
    assert_eq!(world.run(&["execute"]).succeeded()["executed"], json!([]));
    assert_eq!(world.letta.asked(SENDING), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_stored_interval_is_reported_once_and_never_sent() {
    let world = World::new().await;
    world.register_due(&world.agent, "good", 1).await;
    let agent = &world.agent;
    world
        .sql(&format!(
            "INSERT INTO schedules (agent_id, schedule_type, schedule_value, next_run, \
             prompt_text, active) \
             VALUES ('{agent}', 'interval', 'banana', '2026-01-01 09:00:00', 'bad', 1)"
        ))
        .await;
    let first = world.run(&["execute"]);
    assert!(first.stderr.contains("banana"), "{first:?}");
    let second = world.run(&["execute"]);
    assert!(!second.stderr.contains("banana"), "{second:?}");
    let list = world.run(&["list", "--all"]).succeeded();
    let bad = list["schedules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["schedule_value"] == "banana");
    assert_eq!(bad.unwrap()["lifecycle"], "broken");
    let texts: Vec<String> = world.letta.received().into_iter().map(|r| r.text).collect();
    assert_eq!(texts, ["good"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_an_agent_is_sent_to_nobody() {
    let world = World::new().await;
    world.run(&["list"]).succeeded();
    world
        .sql(
            "INSERT INTO schedules (agent_id, schedule_type, schedule_value, next_run, \
             prompt_text, active) VALUES ('', 'interval', '5m', '2026-01-01 09:00:00', 'p', 1)",
        )
        .await;
    assert_eq!(world.run(&["execute"]).succeeded()["executed"], json!([]));
    assert_eq!(world.letta.asked_in_all(), 0);
    let list = world.run(&["list", "--all"]).succeeded();
    assert_eq!(list["schedules"][0]["lifecycle"], "broken");
}
