//! Whole requests to a real Letta: every message arrives, and ours is found by its otid.

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{Answer, Evidence, Outgoing, Target};
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

use super::RealLetta;
use crate::client::lookup;

/// A picture of one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

#[rstest]
#[case::several(json!([
    {"role": "system", "content": "first-word"},
    {"role": "user", "content": "second-word"},
    {"role": "user", "content": [{"type": "text", "text": "third-word"}]},
    {"role": "assistant", "content": "fourth-word"},
    {"role": "user", "content": "fifth-word"},
]))]
#[case::a_picture(json!([{"role": "user", "content": [
    {"type": "text", "text": "second-word"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
]}]))]
#[case::nobody_of_the_user_s(json!([{"role": "system", "content": "second-word"}]))]
#[case::nobody_of_the_user_s_at_first(json!([
    {"role": "assistant", "content": "first-word"}, {"role": "system", "content": "second-word"},
]))]
#[tokio::test]
async fn every_message_arrives_and_ours_is_found(
    #[case] messages: Value,
    #[values(true, false)] with_redis: bool,
) {
    let real = match with_redis {
        true => RealLetta::get().await,
        false => RealLetta::without_redis().await,
    };
    let agent = real.new_agent().await;
    let letta = real.client();
    let otid = Uuid::new_v4();
    let options = json!({"max_steps": 3, "include_return_message_types": ["reasoning_message"]});
    let outgoing = Outgoing {
        recipient: letta.recipient(agent.clone(), None),
        otid,
        not_found_since: None,
        messages: messages.as_array().unwrap().clone(),
        options: options.as_object().unwrap().clone(),
    };
    let sent_at = Clock::system().now();
    let answer = letta.send(&outgoing, &|_| {}).await;
    assert!(matches!(answer, Answer::Delivered(_)), "{answer:?}");
    assert_eq!(real.count(&agent, otid).await, 1);
    let kept = Value::from(real.messages(&agent).await).to_string();
    for word in ["first", "second", "third", "fourth", "fifth"] {
        let word = format!("{word}-word");
        let given = messages.to_string().contains(&word);
        assert_eq!(kept.contains(&word), given, "{word}: {kept}");
    }
    let asked = lookup(
        &agent,
        otid.as_u128(),
        sent_at,
        SignedDuration::from_secs(60),
    );
    let evidence = letta.find(&asked).await;
    assert!(matches!(evidence, Evidence::Found(_)), "{evidence:?}");
}
