//! Tests of the fake itself.

use serde_json::json;

use super::*;
use crate::client::{client, delivered, prompt, refused, send};

#[tokio::test]
async fn a_fake_letta_is_steered_from_outside() {
    let fake = FakeLetta::start().await;
    let agent = fake.add_agent_with_id("agent-x");
    let letta = client(&fake.url());
    let outside = reqwest::Client::builder().no_proxy().build().unwrap();
    let script = json!({"agent": "agent-x", "script": {"answer": {"status": 429, "body": "no"}}});
    let url = |path: &str| format!("{}/__fake/{path}", fake.url());
    let set = outside
        .post(url("script"))
        .json(&script)
        .send()
        .await
        .unwrap();
    assert!(set.status().is_success());
    refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    outside.post(url("hold/agent-x")).send().await.unwrap();
    let outgoing = prompt(&agent, 1, "hi");
    let sending = tokio::spawn(async move { send(&letta, &outgoing).await.0 });
    fake.wait_for(1).await;
    outside.post(url("release/agent-x")).send().await.unwrap();
    delivered(sending.await.unwrap());
    let received = outside.get(url("received")).send().await.unwrap();
    let received: Value = received.json().await.unwrap();
    assert_eq!(received[0]["text"], "hi");
}

#[tokio::test]
async fn a_fake_letta_holds_every_turn_if_told() {
    let fake = FakeLetta::start().await;
    let agents = [fake.add_agent(), fake.add_agent()];
    fake.hold_all(true);
    let mut sending = tokio::task::JoinSet::new();
    for (n, agent) in agents.iter().enumerate() {
        let (letta, outgoing) = (client(&fake.url()), prompt(agent, 1 + n as u128, "hi"));
        sending.spawn(async move { delivered(send(&letta, &outgoing).await.0) });
    }
    fake.wait_for(2).await;
    fake.wait_for_asked("/v1/conversations/default/messages", 2)
        .await;
    assert!(fake.received().iter().all(|r| r.ended.is_none()));
    fake.hold_all(false);
    assert_eq!(sending.join_all().await.len(), 2);
}
