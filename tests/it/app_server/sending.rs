//! What is said of a prompt that was sent.

use std::pin::pin;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::http::limits;
use promptyoself::letta_client::{AppServer, ErrorClass, Letta, RefusalKind, Target};
use promptyoself::models::{AgentId, Turn};
use rstest::rstest;

use super::{client, delivered, id, prompt_in, refused, scene, send, settings, unknown};
use crate::client::waits::timing;
use crate::fake_app_server::{FakeAppServer, Scope, Script};
use crate::passing_time::let_arrive;

use ErrorClass as C;
use RefusalKind as K;

#[tokio::test]
async fn a_prompt_arrives_under_its_otid_and_its_turn_is_heard_to_the_end() {
    let (fake, agent, scope) = scene().await;
    let (answer, runs) = send(&client(&fake), &crate::client::prompt(&agent, 1, "hello")).await;
    let delivery = delivered(answer);
    assert_eq!(delivery.turn, Turn::Ok);
    assert_eq!(delivery.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!(delivery.reply.as_deref(), Some("fake: hello"));
    assert_eq!(delivery.run_id.as_deref(), Some("local-run-1"));
    assert_eq!(runs, ["local-run-1"]);
    assert_eq!(fake.count(&scope, &id(1)), 1);
}

#[tokio::test]
async fn a_turn_of_several_runs_is_one_and_its_tokens_are_summed() {
    let (fake, agent, _) = scene().await;
    fake.script("default", Script::Runs(3));
    let (answer, _) = send(&client(&fake), &crate::client::prompt(&agent, 1, "hello")).await;
    let delivery = delivered(answer);
    assert_eq!(delivery.run_id.as_deref(), Some("local-run-3"));
    assert_eq!(delivery.tokens, Some(45));
    assert_eq!(delivery.reply.as_deref(), Some("fake: hello"));
}

#[tokio::test]
async fn one_connection_serves_conversations_side_by_side() {
    let (fake, agent, _) = scene().await;
    let server = client(&fake);
    let mut named = Vec::new();
    for _ in 0..10 {
        named.push(server.create_conversation(&agent).await.unwrap());
    }
    for conversation in &named {
        fake.hold(conversation, true);
    }
    let prompts = (1..)
        .zip(&named)
        .map(|(n, conversation)| prompt_in(&agent, conversation, n, "hi"));
    let prompts: Vec<_> = prompts.collect();
    let sending = futures_util::future::join_all(prompts.iter().map(|p| send(&server, p)));
    let releasing = async {
        fake.wait_for_begun(10).await;
        for conversation in &named {
            fake.hold(conversation, false);
        }
    };
    let (answers, ()) = tokio::join!(sending, releasing);
    for (answer, _) in answers {
        assert_eq!(delivered(answer).reply.as_deref(), Some("fake: hi"));
    }
}

#[tokio::test]
async fn an_agent_or_a_conversation_that_is_not_there_is_permanent() {
    let (fake, agent, _) = scene().await;
    let other = fake.add_agent();
    let server = client(&fake);
    let named = server.create_conversation(&agent).await.unwrap();
    let nobody = AgentId::parse("agent-local-none").unwrap();
    for (agent, conversation, class) in [
        (&nobody, "default", C::AgentUnknown),
        (&agent, "local-conv-99", C::ConversationUnknown),
        // An input alone would run in a conversation of another agent's.
        (&other, named.as_str(), C::ConversationUnknown),
    ] {
        let said = refused(
            send(&server, &prompt_in(agent, conversation, 1, "hi"))
                .await
                .0,
        );
        assert_eq!(
            (said.kind, said.class),
            (K::Permanent, class),
            "{}",
            said.text
        );
    }
    assert_eq!(
        server.get_agent(&nobody).await.unwrap_err().class,
        C::AgentUnknown
    );
    assert_eq!(
        server.create_conversation(&nobody).await.unwrap_err().class,
        C::AgentUnknown
    );
    assert_eq!(fake.asked("input"), 0);
}

#[rstest]
#[case(Script::NotTaken("Input was rejected by the queue".into()), K::Busy, C::Busy, false)]
#[case(Script::NotTaken("Stable input ledger is at capacity".into()), K::Later, C::ServerError, false)]
#[case(Script::FailsUnstored("Conversation default already has an active run (local-run-7)".into()), K::Busy, C::Busy, true)]
#[case(Script::FailsUnstored("boom".into()), K::Later, C::NothingRan, true)]
#[tokio::test]
async fn a_prompt_that_was_not_stored_waits_and_takes_a_fresh_id_if_its_own_is_spent(
    #[case] script: Script,
    #[case] kind: K,
    #[case] class: C,
    #[case] spent: bool,
) {
    let (fake, agent, scope) = scene().await;
    fake.script("default", script);
    let server = client(&fake);
    let said = refused(
        send(&server, &crate::client::prompt(&agent, 1, "hi"))
            .await
            .0,
    );
    assert_eq!(
        (said.kind, said.class, said.otid_spent),
        (kind, class, spent),
        "{}",
        said.text
    );
    assert_eq!(fake.count(&scope, &id(1)), 0);
    let next = if spent { 2 } else { 1 };
    delivered(
        send(&server, &crate::client::prompt(&agent, next, "hi"))
            .await
            .0,
    );
}

#[tokio::test]
async fn a_prompt_whose_model_failed_is_delivered_with_the_error_of_its_turn() {
    let (fake, agent, scope) = scene().await;
    fake.script("default", Script::ModelError("429: slow down".into()));
    let delivery = delivered(
        send(&client(&fake), &crate::client::prompt(&agent, 1, "hi"))
            .await
            .0,
    );
    assert_eq!((delivery.turn, delivery.reply), (Turn::Error, None));
    assert_eq!(delivery.error.unwrap(), "llm_error: 429: slow down");
    assert_eq!(fake.count(&scope, &id(1)), 1);
}

#[tokio::test]
async fn nothing_is_sent_into_a_conversation_that_is_in_a_turn() {
    let (fake, agent, scope) = scene().await;
    fake.hold("default", true);
    fake.input_by_another(&scope, "theirs", "hi");
    let server = client(&fake);
    let said = refused(
        send(&server, &crate::client::prompt(&agent, 1, "hi"))
            .await
            .0,
    );
    assert_eq!((said.kind, said.otid_spent), (K::Busy, false));
    fake.hold("default", false);
    fake.wait_for_quiet().await;
    delivered(
        send(&server, &crate::client::prompt(&agent, 1, "hi"))
            .await
            .0,
    );
    assert_eq!(fake.begun(), [vec!["theirs".to_owned()], vec![id(1)]]);
}

#[tokio::test]
async fn two_prompts_of_ours_never_wait_in_one_conversation() {
    let (fake, agent, _) = scene().await;
    let other = fake.add_agent();
    fake.hold("default", true);
    let server = client(&fake);
    let first_prompt = crate::client::prompt(&agent, 1, "hi");
    let first = send(&server, &first_prompt);
    let second = async {
        fake.wait_for_begun(1).await;
        for agent in [&agent, &other] {
            let said = refused(
                send(&server, &crate::client::prompt(agent, 2, "hi"))
                    .await
                    .0,
            );
            assert_eq!((said.kind, said.otid_spent), (K::Busy, false));
        }
        fake.hold("default", false);
    };
    let ((first, _), ()) = tokio::join!(first, second);
    delivered(first);
    delivered(
        send(&server, &crate::client::prompt(&other, 2, "hi"))
            .await
            .0,
    );
    assert_eq!(fake.begun(), [vec![id(1)], vec![id(2)]]);
}

#[tokio::test]
async fn the_default_conversation_of_another_agent_is_waited_for() {
    let (fake, agent, scope) = scene().await;
    let other = fake.add_agent();
    fake.hold("default", true);
    fake.input_by_another(&Scope::new(&other, "default"), "theirs", "hi");
    let server = client(&fake);
    let said = refused(
        send(&server, &crate::client::prompt(&agent, 1, "hi"))
            .await
            .0,
    );
    assert_eq!(
        (said.kind, said.class, said.otid_spent),
        (K::Busy, C::Busy, true)
    );
    assert_eq!(fake.count(&scope, &id(1)), 0);
    let named = server.create_conversation(&agent).await.unwrap();
    delivered(send(&server, &prompt_in(&agent, &named, 2, "hi")).await.0);
    fake.hold("default", false);
    fake.wait_for_quiet().await;
    delivered(
        send(&server, &crate::client::prompt(&agent, 3, "hi"))
            .await
            .0,
    );
}

#[tokio::test]
async fn a_turn_that_asks_for_approval_is_delivered_and_the_next_prompt_waits_for_a_person() {
    let (fake, agent, _) = scene().await;
    fake.script("default", Script::Asks);
    let server = client(&fake);
    let delivery = delivered(
        send(&server, &crate::client::prompt(&agent, 1, "hi"))
            .await
            .0,
    );
    assert_eq!(delivery.turn, Turn::Approval);
    let said = refused(
        send(&server, &crate::client::prompt(&agent, 2, "hi"))
            .await
            .0,
    );
    assert_eq!((said.kind, said.class), (K::NeedsHuman, C::PendingApproval));
}

#[tokio::test]
async fn a_token_that_is_wrong_or_missing_is_the_targets_trouble_and_never_shown() {
    let (fake, agent, _) = scene().await;
    fake.set_token(Some("right"));
    for token in [None, Some("hunter2")] {
        let server = AppServer::new(settings(&fake.url(), token), Clock::system()).unwrap();
        let said = refused(
            send(&server, &crate::client::prompt(&agent, 1, "hi"))
                .await
                .0,
        );
        assert_eq!(
            (said.kind, said.class),
            (K::TargetTrouble, C::Unauthorized),
            "{}",
            said.text
        );
        let checked = server.check().await.unwrap_err();
        assert_eq!(
            (checked.kind, checked.class),
            (K::TargetTrouble, C::Unauthorized)
        );
        assert!(!format!("{said:?} {checked:?} {server:?}").contains("hunter2"));
    }
    let server = AppServer::new(settings(&fake.ws_url(), Some("right")), Clock::system()).unwrap();
    assert_eq!(
        server.check().await.unwrap().version.as_deref(),
        Some("0.34.12")
    );
    delivered(
        send(&server, &crate::client::prompt(&agent, 1, "hi"))
            .await
            .0,
    );
}

#[tokio::test]
async fn a_request_without_a_message_of_a_user_is_refused() {
    let (fake, agent, _) = scene().await;
    let mut outgoing = crate::client::prompt(&agent, 1, "hi");
    outgoing.messages[0]["role"] = "system".into();
    let said = refused(send(&client(&fake), &outgoing).await.0);
    assert_eq!((said.kind, said.class), (K::Permanent, C::InvalidRequest));
    assert_eq!(fake.asked("input"), 0);
}

#[tokio::test]
async fn every_agent_is_listed_once_however_many_there_are() {
    let (fake, agent, _) = scene().await;
    for _ in 1..90 {
        fake.add_agent();
    }
    let listed = client(&fake).list_agents().await.unwrap();
    let mut ids: Vec<_> = listed.iter().map(|a| a.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), listed.len()), (90, 90));
    assert!(ids.contains(&agent.as_str()));
}

#[tokio::test]
async fn a_prompt_that_the_server_has_taken_before_is_not_run_again_and_found() {
    let (fake, agent, scope) = scene().await;
    let outgoing = crate::client::prompt(&agent, 1, "hi");
    delivered(send(&client(&fake), &outgoing).await.0);
    let again = delivered(send(&client(&fake), &outgoing).await.0);
    assert_eq!(again.reply.as_deref(), Some("fake: hi"));
    assert_eq!((fake.turns(&id(1)), fake.count(&scope, &id(1))), (1, 1));
}

#[tokio::test]
async fn a_prompt_that_only_the_servers_memory_of_ids_knows_is_found_within_seconds() {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let mut fake = FakeAppServer::start_at(clock.clone()).await;
    let agent = fake.add_agent();
    let server = AppServer::new(settings(&fake.url(), None), clock.clone()).unwrap();
    let outgoing = crate::client::prompt(&agent, 1, "hi");
    delivered(send(&server, &outgoing).await.0);
    fake.start_again().await;
    let mut sending = pin!(send(&server, &outgoing));
    tokio::select! {
        answer = &mut sending => panic!("{answer:?}"),
        () = fake.wait_for_asked("input", 2) => {}
    }
    let step = SignedDuration::from_millis(100);
    let limit = SignedDuration::try_from(limits::FIRST_NEWS * 4).unwrap();
    let ((answer, _), _) = timing(&clock, step, limit, sending).await;
    assert_eq!(delivered(answer).reply.as_deref(), Some("fake: hi"));
    assert_eq!(fake.turns(&id(1)), 1);
}

#[tokio::test]
async fn a_server_forgets_ids_after_an_hour() {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let mut fake = FakeAppServer::start_at(clock.clone()).await;
    let agent = fake.add_agent();
    let outgoing = crate::client::prompt(&agent, 1, "hi");
    let server = AppServer::new(settings(&fake.url(), None), clock.clone()).unwrap();
    delivered(send(&server, &outgoing).await.0);
    fake.start_again().await;
    clock.advance(SignedDuration::from_mins(61));
    delivered(send(&server, &outgoing).await.0);
    assert_eq!(fake.turns(&id(1)), 2);
}

#[tokio::test]
async fn an_input_that_is_met_with_silence_is_of_unknown_fate_within_the_limit() {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let fake = FakeAppServer::start_at(clock.clone()).await;
    let agent = fake.add_agent();
    let server = AppServer::new(settings(&fake.url(), None), clock.clone()).unwrap();
    fake.script("default", Script::Silence);
    let outgoing = crate::client::prompt(&agent, 1, "hi");
    let mut sending = pin!(send(&server, &outgoing));
    tokio::select! {
        answer = &mut sending => panic!("{answer:?}"),
        () = fake.wait_for_asked("input", 1) => {}
    }
    let step = SignedDuration::from_millis(500);
    let limit = SignedDuration::try_from(limits::QUESTION + limits::SIGN).unwrap();
    let ((answer, _), _) = timing(&clock, step, limit, sending).await;
    assert_eq!(unknown(answer).class, C::Timeout);
}

#[tokio::test]
async fn a_turn_that_is_silent_for_an_hour_is_waited_for() {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let fake = FakeAppServer::start_at(clock.clone()).await;
    let agent = fake.add_agent();
    let server = AppServer::new(settings(&fake.url(), None), clock.clone()).unwrap();
    fake.hold("default", true);
    let outgoing = crate::client::prompt(&agent, 1, "hi");
    let sending = send(&server, &outgoing);
    let passing = async {
        fake.wait_for_begun(1).await;
        let began = clock.now();
        while clock.now().duration_since(began) < SignedDuration::from_hours(1) {
            // It is asked each minute whether the turn goes on.
            let before = fake.asked("sync");
            while fake.asked("sync") == before {
                clock.advance(SignedDuration::from_secs(1));
                for _ in 0..10 {
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                    let_arrive().await;
                }
            }
        }
        fake.hold("default", false);
    };
    let ((answer, _), ()) = tokio::join!(sending, passing);
    assert_eq!(delivered(answer).turn, Turn::Ok);
}
