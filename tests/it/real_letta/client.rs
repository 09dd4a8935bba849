//! The client against a real Letta: what it concludes from each answer is checked against the
//! agent's own messages.

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{ErrorClass, Evidence, Letta, Lookup, RefusalKind, Rest, Target};
use promptyoself::models::{AgentId, Turn};
use secrecy::SecretString;
use tokio::sync::RwLockReadGuard;
use uuid::Uuid;

use super::RealLetta;
use crate::client::{delivered, lookup, prompt, refused, send};

use ErrorClass as C;
use RefusalKind as K;

/// A fresh otid for every run of a test, since Letta remembers them.
fn otid() -> u128 {
    Uuid::new_v4().as_u128()
}

async fn both() -> [(RwLockReadGuard<'static, RealLetta>, bool); 2] {
    [
        (RealLetta::get().await, true),
        (RealLetta::without_redis().await, false),
    ]
}

#[tokio::test]
async fn a_real_server_is_recognised_and_its_password_checked() {
    let real = RealLetta::get().await;
    assert_eq!(
        real.client().check().await.unwrap().version.as_deref(),
        Some("0.16.8")
    );
    let wrong = SecretString::from("hunter2".to_owned());
    let settings = promptyoself::letta_client::RestSettings {
        api_key: Some(wrong),
        ..real.settings()
    };
    let said = Rest::new(settings, Clock::system())
        .unwrap()
        .check()
        .await
        .unwrap_err();
    assert_eq!((said.kind, said.class), (K::TargetTrouble, C::Unauthorized));
}

#[tokio::test]
async fn a_server_of_another_kind_is_not_taken_for_letta() {
    let real = RealLetta::get().await;
    let model = crate::client::client(&real.llm_url);
    let said = model.check().await.unwrap_err();
    assert_eq!((said.kind, said.class), (K::TargetTrouble, C::WrongServer));
}

#[tokio::test]
async fn every_agent_of_a_real_server_is_listed_once() {
    let real = RealLetta::get().await;
    let made = [real.new_agent().await, real.new_agent().await];
    let letta = real.client();
    let listed = letta.list_agents().await.unwrap();
    for agent in &made {
        assert_eq!(listed.iter().filter(|a| a.id == agent.as_str()).count(), 1);
        assert_eq!(letta.get_agent(agent).await.unwrap().id, agent.as_str());
    }
}

#[tokio::test]
async fn an_agent_that_a_real_server_does_not_know_is_permanent() {
    for (real, _) in &both().await {
        let letta = real.client();
        for id in [
            "agent-00000000-0000-4000-8000-000000000000",
            "agent-1",
            "AGENT",
        ] {
            let agent = AgentId::parse(id).unwrap();
            let said = letta.get_agent(&agent).await.unwrap_err();
            assert_eq!(
                (said.kind, said.class),
                (K::Permanent, C::AgentUnknown),
                "{}",
                said.text
            );
            let said = refused(send(&letta, &prompt(&agent, otid(), "hi")).await.0);
            assert_eq!(
                (said.kind, said.class),
                (K::Permanent, C::AgentUnknown),
                "{}",
                said.text
            );
        }
    }
}

#[tokio::test]
async fn a_prompt_arrives_under_its_otid_with_and_without_redis() {
    for (real, _) in &both().await {
        let agent = real.new_agent().await;
        let outgoing = prompt(&agent, otid(), "hello");
        let (answer, runs) = send(&real.client(), &outgoing).await;
        let delivery = delivered(answer);
        assert_eq!(delivery.reply.as_deref(), Some("stub: hello"));
        assert_eq!((delivery.turn, delivery.tokens), (Turn::Ok, Some(15)));
        assert_eq!(delivery.run_id, runs.first().cloned());
        assert_eq!(real.count(&agent, outgoing.otid).await, 1);
    }
}

#[tokio::test]
async fn an_otid_arrives_once_however_often_it_is_sent() {
    let real = RealLetta::get().await;
    let agent = real.new_agent().await;
    let mut outgoing = prompt(&agent, otid(), "hello");
    let system = serde_json::json!({"role": "system", "content": "mind this"});
    outgoing.messages.insert(0, system);
    let letta = real.client();
    let first = delivered(send(&letta, &outgoing).await.0);
    let again = delivered(send(&letta, &outgoing).await.0);
    assert_eq!(first, again);
    assert_eq!(real.count(&agent, outgoing.otid).await, 1);
}

#[tokio::test]
async fn an_agent_in_anybodys_turn_is_busy() {
    for (real, _) in &both().await {
        let agent = real.new_agent().await;
        let text = format!("[[sleep 5]] {}", Uuid::new_v4());
        let body = serde_json::json!({"messages": [{"role": "user", "content": text}]});
        let path = format!("/v1/agents/{agent}/messages");
        let turn = real.call("POST", &path, Some(body));
        let ours = async {
            real.wait_for_model(&text).await;
            refused(
                send(&real.client(), &prompt(&agent, otid(), "me too"))
                    .await
                    .0,
            )
        };
        let (_, busy) = tokio::join!(turn, ours);
        assert_eq!((busy.kind, busy.class), (K::Busy, C::Busy));
        assert!(busy.run_id.is_some());
        delivered(send(&real.client(), &prompt(&agent, otid(), "now")).await.0);
    }
}

/// What each failure of the model means when it comes in the first step of a turn.
const FAILURES: &[(&str, RefusalKind, ErrorClass)] = &[
    ("[[status 500]]", K::Later, C::LlmError),
    ("[[status 429]]", K::Later, C::RateLimited),
    ("[[status 401]]", K::NeedsHuman, C::LlmAuthentication),
    ("[[status 402]]", K::NeedsHuman, C::PaymentRequired),
    ("[[status 400]]", K::Permanent, C::LlmError),
    ("[[drop]]", K::Later, C::LlmError),
];

#[tokio::test]
async fn a_model_that_fails_in_the_first_step_leaves_no_prompt_behind() {
    for (real, redis) in &both().await {
        let letta = real.client();
        for (text, kind, class) in FAILURES {
            let agent = real.new_agent().await;
            let mut outgoing = prompt(&agent, otid(), text);
            let mut said = refused(send(&letta, &outgoing).await.0);
            // A server that has much to do may fail by itself now and then, whatever its model did.
            if said.class == C::ServerError {
                outgoing = prompt(&agent, otid(), text);
                said = refused(send(&letta, &outgoing).await.0);
            }
            assert_eq!(
                (said.kind, said.class),
                (*kind, *class),
                "{text}: {}",
                said.text
            );
            assert_eq!(said.otid_spent, *redis, "{text}");
            assert_eq!(real.count(&agent, outgoing.otid).await, 0, "{text}");
        }
    }
}

#[tokio::test]
async fn a_model_that_fails_in_a_later_step_has_left_the_prompt_behind() {
    for (real, _) in &both().await {
        let agent = real.new_agent_with_tools().await;
        let text = "[[call conversation_search {\"query\":\"x\"}]] [[then status 500]]";
        let outgoing = prompt(&agent, otid(), text);
        let delivery = delivered(send(&real.client(), &outgoing).await.0);
        assert_eq!(delivery.turn, Turn::Error);
        assert_eq!(real.count(&agent, outgoing.otid).await, 1);
    }
}

#[tokio::test]
async fn a_failed_otid_fails_again_and_a_fresh_one_does_not() {
    let real = RealLetta::get().await;
    let agent = real.new_agent().await;
    let letta = real.client();
    let outgoing = prompt(&agent, otid(), "[[status 500]]");
    let first = refused(send(&letta, &outgoing).await.0);
    let again = refused(send(&letta, &outgoing).await.0);
    assert!(first.otid_spent && again.otid_spent);
    assert_eq!(first.run_id, again.run_id);
    delivered(send(&letta, &prompt(&agent, otid(), "hello")).await.0);
}

#[tokio::test]
async fn a_turn_that_asks_for_approval_is_delivered_and_the_next_prompt_needs_a_person() {
    for (real, _) in &both().await {
        let agent = real.new_agent_with_tools().await;
        real.require_approval(&agent, "conversation_search").await;
        let letta = real.client();
        let text = "[[call conversation_search {\"query\":\"x\"}]]";
        let asking = prompt(&agent, otid(), text);
        let delivery = delivered(send(&letta, &asking).await.0);
        assert_eq!(delivery.turn, Turn::Approval);
        assert_eq!(real.count(&agent, asking.otid).await, 1);
        let next = prompt(&agent, otid(), "next");
        let said = refused(send(&letta, &next).await.0);
        assert_eq!(
            (said.kind, said.class),
            (K::NeedsHuman, C::PendingApproval),
            "{}",
            said.text
        );
        assert_eq!(real.count(&agent, next.otid).await, 0);
    }
}

#[tokio::test]
async fn an_empty_prompt_is_permanent() {
    for (real, _) in &both().await {
        let agent = real.new_agent().await;
        let said = refused(send(&real.client(), &prompt(&agent, otid(), "")).await.0);
        assert_eq!(
            (said.kind, said.class),
            (K::Permanent, C::InvalidRequest),
            "{}",
            said.text
        );
    }
}

#[tokio::test]
async fn a_prompt_whose_answer_was_not_awaited_is_running_then_found() {
    for (real, _) in &both().await {
        let agent = real.new_agent().await;
        let sent_at = Clock::system().now();
        let text = format!("[[sleep 8]] {}", Uuid::new_v4());
        let outgoing = prompt(&agent, otid(), &text);
        let letta = real.client();
        // Nobody listens to the end; the turn goes on, that of a plain stream too.
        let sending = {
            let (letta, outgoing) = (real.client(), outgoing.clone());
            tokio::spawn(async move { send(&letta, &outgoing).await })
        };
        real.wait_for_model(&text).await;
        let ask = Lookup {
            now: Clock::system().now() + SignedDuration::from_mins(1),
            ..lookup(
                &agent,
                outgoing.otid.as_u128(),
                sent_at,
                SignedDuration::ZERO,
            )
        };
        assert_eq!(letta.find(&ask).await, Evidence::Running { run_id: None });
        sending.abort();
        real.wait_for_active_runs(&agent, 0).await;
        let Evidence::Found(delivery) = letta.find(&ask).await else {
            panic!()
        };
        assert_eq!(
            (delivery.turn, delivery.stop_reason.as_deref()),
            (Turn::Ok, Some("end_turn"))
        );
        assert_eq!(delivery.reply, Some(format!("stub: {text}")));
    }
}

#[tokio::test]
async fn a_prompt_that_was_never_sent_is_absent_and_of_a_failed_one_the_reason_is_told() {
    let real = RealLetta::get().await;
    let agent = real.new_agent().await;
    let letta = real.client();
    let sent_at = Clock::system().now();
    delivered(send(&letta, &prompt(&agent, otid(), "another")).await.0);
    let never = lookup(&agent, otid(), sent_at, SignedDuration::from_mins(1));
    assert_eq!(letta.find(&never).await, Evidence::Absent { failed: None });
    let outgoing = prompt(&agent, otid(), "[[status 429]]");
    let run = refused(send(&letta, &outgoing).await.0).run_id;
    let failed = Lookup {
        run_id: run,
        ..lookup(
            &agent,
            outgoing.otid.as_u128(),
            sent_at,
            SignedDuration::from_mins(1),
        )
    };
    let Evidence::Absent { failed: Some(why) } = letta.find(&failed).await else {
        panic!()
    };
    assert_eq!(
        (why.kind, why.class, why.otid_spent),
        (K::Later, C::RateLimited, true)
    );
}
