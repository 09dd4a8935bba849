//! Prompts for a conversation beside the agent's default one.

use promptyoself::letta_client::{Answer, ErrorClass, Outgoing, RefusalKind, Target};
use promptyoself::models::{AgentId, Conversation, Recipient};
use rstest::rstest;

use super::{client, delivered, fake, prompt, recipient, refused, send};
use crate::fake_letta::FakeLetta;

fn prompt_in(agent: &AgentId, conversation: &str, otid: u128) -> Outgoing {
    Outgoing {
        recipient: Recipient {
            conversation: Conversation::Id(conversation.to_owned()),
            ..recipient(agent)
        },
        ..prompt(agent, otid, "hi")
    }
}

#[tokio::test]
async fn a_prompt_reaches_the_conversation_that_was_made_for_it() {
    let (fake, letta, agent) = fake().await;
    let made = letta.create_conversation(&agent).await.unwrap();
    letta.check_conversation(&agent, &made).await.unwrap();
    delivered(send(&letta, &prompt_in(&agent, &made, 1)).await.0);
    let received = fake.received();
    assert_eq!(received[0].agent, agent.as_str());
    assert_eq!(received[0].body["conversation_id"], made.as_str());
    assert_eq!(received[0].way, "background");
}

/// Without Redis Letta takes no background streams.
#[tokio::test]
async fn a_prompt_reaches_its_conversation_without_redis_too() {
    let fake = FakeLetta::start().await;
    fake.set_redis(false);
    let agent = fake.add_agent();
    let letta = client(&fake.url());
    let made = letta.create_conversation(&agent).await.unwrap();
    delivered(send(&letta, &prompt_in(&agent, &made, 1)).await.0);
    let received = fake.received();
    let taken = received.last().unwrap();
    assert_eq!(taken.body["conversation_id"], made.as_str());
    assert_eq!(taken.way, "stream");
}

/// Letta takes a prompt for any agent in any conversation, and the agent of the conversation gets it.
#[tokio::test]
async fn no_prompt_reaches_another_agent_by_its_conversation() {
    let (fake, letta, agent) = fake().await;
    let other = fake.add_agent();
    let of_other = letta.create_conversation(&other).await.unwrap();
    let refusal = refused(send(&letta, &prompt_in(&agent, &of_other, 1)).await.0);
    assert_eq!(refusal.class, ErrorClass::ConversationUnknown);
    assert_eq!(refusal.kind, RefusalKind::Permanent);
    let refusal = letta
        .check_conversation(&agent, &of_other)
        .await
        .unwrap_err();
    assert_eq!(refusal.class, ErrorClass::ConversationUnknown);
    assert!(fake.received().is_empty());
}

#[rstest]
#[case("conv-00000000-0000-4000-8000-000000000009")]
#[case("local-conv-3")]
#[tokio::test]
async fn a_conversation_that_does_not_exist_is_told_apart_from_an_agent(#[case] id: &str) {
    let (fake, letta, agent) = fake().await;
    let refusal = refused(send(&letta, &prompt_in(&agent, id, 1)).await.0);
    assert_eq!(refusal.class, ErrorClass::ConversationUnknown);
    assert_eq!(refusal.kind, RefusalKind::Permanent);
    assert!(fake.received().is_empty());
}

#[tokio::test]
async fn a_server_without_conversations_takes_prompts_for_the_default_one_only() {
    let (fake, letta, agent) = fake().await;
    fake.lacks("/v1/conversations/");
    delivered(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    for refusal in [
        refused(send(&letta, &prompt_in(&agent, "conv-1", 2)).await.0),
        letta.create_conversation(&agent).await.unwrap_err(),
    ] {
        assert_eq!(refusal.class, ErrorClass::ConversationUnknown);
        assert_eq!(refusal.kind, RefusalKind::Permanent);
    }
    assert_eq!(fake.received().len(), 1);
}

#[tokio::test]
async fn a_conversation_is_made_for_no_agent_that_letta_does_not_know() {
    let (_fake, letta, _) = fake().await;
    let unknown = AgentId::parse("agent-00000000-0000-4000-8000-000000000077").unwrap();
    let refusal = letta.create_conversation(&unknown).await.unwrap_err();
    assert_eq!(refusal.class, ErrorClass::AgentUnknown);
    assert!(matches!(
        send(&letta, &prompt(&unknown, 1, "hi")).await.0,
        Answer::Refused(_)
    ));
}
