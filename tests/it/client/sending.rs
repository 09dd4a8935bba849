//! Sending a prompt: what each answer of Letta means.

use std::time::Duration;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{Answer, ErrorClass, RefusalKind, Rest, Target};
use promptyoself::models::{AgentId, Turn};
use rstest::rstest;
use serde_json::{Value, json};

use super::waits::timing;
use super::{client, delivered, fake, prompt, refused, send, settings, unknown};
use crate::fake_letta::{FakeLetta, Options, Script};

use ErrorClass as C;
use RefusalKind as K;

#[tokio::test]
async fn a_delivered_prompt_comes_back_with_its_run_reason_tokens_and_whole_reply() {
    let (fake, letta, agent) = fake().await;
    let long = "x".repeat(100_000);
    let (answer, runs) = send(&letta, &prompt(&agent, 1, &long)).await;
    let delivery = delivered(answer);
    let received = fake.received();
    assert_eq!(
        delivery.run_id.as_deref(),
        Some(received[0].run_id.as_str())
    );
    assert_eq!(delivery.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!((delivery.turn, delivery.tokens), (Turn::Ok, Some(15)));
    assert_eq!(delivery.reply, Some(format!("fake: {long}")));
    assert_eq!(runs, [received[0].run_id.clone()]);
}

#[tokio::test]
async fn the_otid_goes_with_the_prompt() {
    let (fake, letta, agent) = fake().await;
    let outgoing = prompt(&agent, 7, "hi");
    delivered(send(&letta, &outgoing).await.0);
    assert_eq!(fake.received()[0].otid, Some(outgoing.otid.to_string()));
}

#[tokio::test]
async fn the_run_is_told_while_the_turn_still_goes_on() {
    let (fake, letta, agent) = fake().await;
    fake.hold(&agent);
    let (told, mut runs) = tokio::sync::mpsc::unbounded_channel();
    let outgoing = prompt(&agent, 1, "hi");
    let sending = tokio::spawn(async move {
        let on_run = |run: &str| told.send(run.to_owned()).unwrap();
        letta.send(&outgoing, &on_run).await
    });
    let run = runs.recv().await.unwrap();
    assert_eq!(fake.received()[0].run_id, run);
    assert!(fake.received()[0].ended.is_none());
    fake.release(&agent);
    delivered(sending.await.unwrap());
}

/// Removes the best ways until only the named one is left.
pub async fn only(way: &str) -> (FakeLetta, Rest, AgentId) {
    let (fake, letta, agent) = fake().await;
    match way {
        "background" => {}
        "stream" => fake.set_redis(false),
        "stream without conversations" => fake.lacks("/v1/conversations/"),
        "async" => {
            fake.lacks("/v1/conversations/");
            fake.lacks_streams();
        }
        "without runs" => fake.lacks("/v1/runs/"),
        other => panic!("{other}"),
    }
    (fake, letta, agent)
}

#[rstest]
#[case("background", "background")]
#[case("stream", "stream")]
#[case("stream without conversations", "stream")]
#[case("async", "async")]
#[case("without runs", "background")]
#[tokio::test]
async fn the_best_way_that_the_server_has_is_taken(#[case] has: &str, #[case] way: &str) {
    let (fake, letta, agent) = only(has).await;
    for n in 1..4 {
        delivered(send(&letta, &prompt(&agent, n, "hi")).await.0);
    }
    let ways: Vec<_> = fake.received().into_iter().map(|r| r.way).collect();
    assert_eq!(ways, [way, way, way]);
}

#[tokio::test]
async fn a_way_once_learnt_is_not_asked_for_again_until_the_server_was_out_of_reach() {
    let (mut fake, letta, agent) = only("stream").await;
    let path = "/v1/conversations/default/messages";
    for n in 1..4 {
        delivered(send(&letta, &prompt(&agent, n, "hi")).await.0);
    }
    assert_eq!(fake.asked(path), 1);
    fake.set_redis(true);
    fake.stop();
    refused(send(&letta, &prompt(&agent, 4, "hi")).await.0);
    fake.start_again().await;
    delivered(send(&letta, &prompt(&agent, 4, "hi")).await.0);
    assert_eq!(fake.received().last().unwrap().way, "background");
}

#[tokio::test]
async fn the_same_otid_runs_once_and_every_sending_hears_the_same_end() {
    let (fake, letta, agent) = fake().await;
    let first = delivered(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    let again = delivered(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(first, again);
    assert_eq!(fake.received().len(), 1);
}

#[rstest]
#[case("background")]
#[case("stream")]
#[case("async")]
#[tokio::test]
async fn an_agent_in_another_turn_is_busy_and_gets_nothing(#[case] way: &str) {
    let (fake, letta, agent) = only(way).await;
    let run = fake.foreign_run(&agent, SignedDuration::from_mins(59));
    let busy = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!((busy.kind, busy.class), (K::Busy, C::Busy));
    assert_eq!(busy.run_id.as_deref(), Some(run.as_str()));
    assert!(!busy.otid_spent);
    assert!(fake.received().is_empty());
    fake.end_foreign_run(&run);
    delivered(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(fake.overlaps(), 0);
}

#[tokio::test]
async fn a_run_that_a_crash_left_behind_keeps_nobody_busy() {
    let (fake, letta, agent) = fake().await;
    fake.foreign_run(&agent, SignedDuration::from_mins(61));
    delivered(send(&letta, &prompt(&agent, 1, "hi")).await.0);
}

#[tokio::test]
async fn a_turn_that_began_between_question_and_prompt_is_busy_too() {
    let (fake, letta, agent) = fake().await;
    let body = json!({"detail": "CONFLICT: Cannot send a new message", "run_id": "run-7"});
    fake.script(&agent, answer(409, body));
    let busy = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(
        (busy.kind, busy.class, busy.run_id.as_deref()),
        (K::Busy, C::Busy, Some("run-7"))
    );
}

pub fn answer(status: u16, body: Value) -> Script {
    Script::Answer {
        status,
        body,
        headers: [].into(),
    }
}

#[rstest]
#[case(401, json!({"detail": "Unauthorized"}), K::TargetTrouble, C::Unauthorized)]
#[case(401, llm("llm_authentication"), K::NeedsHuman, C::LlmAuthentication)]
#[case(
    402,
    llm("llm_insufficient_credits"),
    K::NeedsHuman,
    C::PaymentRequired
)]
#[case(402, json!({"message": "no credits"}), K::TargetTrouble, C::PaymentRequired)]
#[case(400, llm("llm_bad_request"), K::Permanent, C::LlmError)]
#[case(429, llm("llm_rate_limit"), K::Later, C::RateLimited)]
#[case(429, json!("slow down"), K::TargetTrouble, C::RateLimited)]
#[case(400, json!({"detail": "Message content is empty"}), K::Permanent, C::InvalidRequest)]
#[case(422, json!({"detail": "[{'loc': ('body', 'messages')}]"}), K::Permanent, C::InvalidRequest)]
#[case(422, json!({"detail": "[{'loc': ('path', 'agent_id')}]"}), K::Permanent, C::AgentUnknown)]
#[case(413, json!("too large"), K::Permanent, C::InvalidRequest)]
#[case(404, json!({"detail": "Agent with ID agent-1 not found"}), K::Permanent, C::AgentUnknown)]
#[case(404, json!({"detail": "Agent not found"}), K::Permanent, C::AgentUnknown)]
#[case(404, json!({"detail": "Not Found"}), K::TargetTrouble, C::WrongServer)]
#[case(404, json!("<html>no such page</html>"), K::TargetTrouble, C::WrongServer)]
#[case(409, json!({"detail": {"code": "PENDING_APPROVAL", "message": "waits"}}), K::NeedsHuman, C::PendingApproval)]
#[case(409, json!({"detail": "The resource is currently locked."}), K::Later, C::ServerError)]
#[case(500, json!({"detail": "An unknown error occurred"}), K::TargetTrouble, C::ServerError)]
#[case(500, llm("llm_error"), K::Later, C::LlmError)]
#[case(504, llm("llm_timeout"), K::Later, C::LlmError)]
#[case(503, json!({"detail": "The database is temporarily unavailable."}), K::TargetTrouble, C::ServerError)]
#[tokio::test]
async fn an_answer_in_lettas_own_words_is_a_refusal_that_kept_nothing(
    #[case] status: u16,
    #[case] body: Value,
    #[case] kind: RefusalKind,
    #[case] class: ErrorClass,
) {
    let (fake, letta, agent) = fake().await;
    fake.script_for_all(Some(answer(status, body)));
    let said = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!((said.kind, said.class), (kind, class), "{}", said.text);
    assert!(fake.received().is_empty());
}

#[rstest]
#[case(Script::CutBefore, C::Cut)]
#[case(answer(504, json!("<html>Gateway Time-out</html>")), C::Gateway)]
#[case(answer(200, json!("[{\"id\": ")), C::WrongServer)]
#[tokio::test]
async fn an_unanswered_question_before_the_prompt_sends_nothing_and_may_be_the_targets_trouble(
    #[case] script: Script,
    #[case] class: ErrorClass,
) {
    let (fake, letta, agent) = fake().await;
    fake.script_path("/v1/runs/", script);
    let said = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    let found = (said.kind, said.class);
    assert_eq!(found, (K::TargetTrouble, class), "{}", said.text);
    assert!(!said.otid_spent);
    assert!(fake.received().is_empty());
}

#[tokio::test]
async fn a_server_out_of_reach_or_with_another_password_is_the_targets_trouble() {
    let (mut fake, letta, agent) = fake().await;
    fake.set_password(Some("other"));
    let said = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!((said.kind, said.class), (K::TargetTrouble, C::Unauthorized));
    fake.stop();
    let said = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!((said.kind, said.class), (K::TargetTrouble, C::Unreachable));
}

#[rstest]
#[case(400, json!({"detail": "bad limit"}))]
#[case(422, json!({"detail": "[{'loc': ('query', 'before')}]"}))]
#[tokio::test]
async fn a_refused_look_at_the_messages_of_a_failed_turn_leaves_its_fate_open(
    #[case] status: u16,
    #[case] body: Value,
) {
    let (fake, letta, agent) = fake().await;
    let script = Script::Ends {
        stop_reason: "error".into(),
        kept: true,
        error_type: Some("llm_error".into()),
        detail: String::new(),
    };
    fake.script(&agent, script);
    fake.script_path(
        &format!("/v1/agents/{agent}/messages"),
        answer(status, body),
    );
    let doubt = unknown(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(doubt.run_id, Some(fake.received()[0].run_id.clone()));
}

#[tokio::test]
async fn an_agent_that_goes_away_under_its_failed_turn_is_permanent() {
    let (fake, letta, agent) = fake().await;
    let script = Script::Ends {
        stop_reason: "error".into(),
        kept: true,
        error_type: Some("llm_error".into()),
        detail: String::new(),
    };
    fake.script(&agent, script);
    fake.script_path(
        &format!("/v1/agents/{agent}/messages"),
        answer(404, json!({"detail": "Agent not found"})),
    );
    let said = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!((said.kind, said.class), (K::Permanent, C::AgentUnknown));
}

fn llm(kind: &str) -> Value {
    json!({"error": {"type": kind, "message": "the model says no", "detail": "because"}})
}

#[rstest]
#[case(502, "<html>Bad Gateway</html>")]
#[case(504, "<html>Gateway Time-out</html>")]
#[case(503, "no server available")]
#[case(500, "")]
#[case(520, "{\"cloud\": \"flare\"}")]
#[tokio::test]
async fn a_proxys_answer_in_lettas_place_proves_nothing(#[case] status: u16, #[case] body: &str) {
    let (fake, letta, agent) = fake().await;
    let script = Script::AnswerAfter {
        status,
        body: body.into(),
    };
    fake.script(&agent, script);
    let doubt = unknown(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(doubt.class, C::Gateway);
    assert!(fake.received()[0].kept);
}

#[tokio::test]
async fn an_error_of_lettas_own_after_the_turn_was_kept_is_a_delivery() {
    let (fake, letta, agent) = fake().await;
    let script = Script::AnswerAfter {
        status: 500,
        body: json!({"detail": "An unknown error occurred"}).to_string(),
    };
    fake.script(&agent, script);
    let delivery = delivered(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(delivery.turn, Turn::Error);
    assert_eq!(delivery.reply.as_deref(), Some("fake: hi"));
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_is_believed() {
    let (fake, letta, agent) = fake().await;
    let script = Script::Answer {
        status: 429,
        body: llm("llm_rate_limit"),
        headers: [("retry-after".to_owned(), "17".to_owned())].into(),
    };
    fake.script(&agent, script);
    let said = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(said.retry_after, Some(Duration::from_secs(17)));
}

#[rstest]
#[case(Script::CutBefore)]
#[case(Script::CutAfter)]
#[case(Script::CutMidStream)]
#[case(Script::Garbage)]
#[case(Script::Orphan)]
#[tokio::test]
async fn a_connection_that_ends_before_the_answer_proves_nothing(#[case] script: Script) {
    let (fake, letta, agent) = fake().await;
    fake.script(&agent, script);
    let doubt = unknown(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(doubt.class, C::Cut, "{}", doubt.text);
}

#[tokio::test]
async fn a_doubt_carries_the_run_that_was_told_before_it() {
    let (fake, letta, agent) = fake().await;
    fake.script(&agent, Script::CutMidStream);
    let (answer, runs) = send(&letta, &prompt(&agent, 1, "hi")).await;
    assert_eq!(unknown(answer).run_id, runs.first().cloned());
    assert_eq!(runs, [fake.received()[0].run_id.clone()]);
}

#[tokio::test]
async fn silence_for_too_long_proves_nothing() {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let fake = FakeLetta::start_with(Options {
        clock: clock.clone(),
        ..Options::default()
    })
    .await;
    let agent = fake.add_agent();
    let letta = Rest::new(settings(&fake.url()), clock.clone()).unwrap();
    fake.script(&agent, Script::Silence);
    let (step, limit) = (SignedDuration::from_secs(1), SignedDuration::from_secs(65));
    let prompt = prompt(&agent, 1, "hi");
    let ((answer, _), _) = timing(&clock, step, limit, send(&letta, &prompt)).await;
    let doubt = unknown(answer);
    assert_eq!(doubt.class, C::Timeout);
    assert_eq!(doubt.run_id, Some(fake.received()[0].run_id.clone()));
}

#[tokio::test]
async fn an_end_that_was_heard_is_believed_though_the_connection_broke_after_it() {
    let (fake, letta, agent) = fake().await;
    fake.script(&agent, Script::CutBeforeDone);
    delivered(send(&letta, &prompt(&agent, 1, "hi")).await.0);
}

#[tokio::test]
async fn signs_of_life_of_a_run_that_died_with_its_server_are_not_believed() {
    let (fake, _, agent) = fake().await;
    let impatient = super::RestSettings {
        // Every run is too old at once; a `Date` is cut to seconds, so an age may be below zero.
        orphan_age: SignedDuration::from_secs(-2),
        ..settings(&fake.url())
    };
    let letta = Rest::new(impatient, Clock::system()).unwrap();
    fake.hold(&agent);
    fake.script(&agent, Script::Pings(40));
    let doubt = unknown(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(doubt.class, C::Timeout);
    assert!(doubt.text.contains("keep-alives"), "{}", doubt.text);
    assert_eq!(doubt.run_id, Some(fake.received()[0].run_id.clone()));
}

#[tokio::test]
async fn signs_of_life_alone_end_with_the_run() {
    let (fake, letta, agent) = fake().await;
    fake.script(&agent, Script::Pings(100));
    delivered(send(&letta, &prompt(&agent, 1, "hi")).await.0);
}

#[tokio::test]
async fn an_unknown_agent_is_permanent_on_every_way() {
    for way in ["background", "stream", "async"] {
        let (fake, letta, agent) = only(way).await;
        fake.remove_agent(&agent);
        let said = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
        assert_eq!(
            (said.kind, said.class),
            (K::Permanent, C::AgentUnknown),
            "{way}"
        );
    }
}

#[tokio::test]
async fn a_message_that_letta_would_not_take_is_permanent() {
    let (_fake, letta, agent) = fake().await;
    let mut outgoing = prompt(&agent, 1, "hi");
    outgoing.messages.clear();
    let said = refused(send(&letta, &outgoing).await.0);
    assert_eq!((said.kind, said.class), (K::Permanent, C::InvalidRequest));
}

#[tokio::test]
async fn no_bytes_in_lettas_place_make_the_client_panic_or_deliver() {
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "[[[[",
        "\"\"",
        "{\"id\": 7}",
        "{\"messages\": 3}",
        "\u{0}",
        "{\"stop_reason\": {\"stop_reason\": [1]}}",
        "data: {}\n\n",
        "data: [DONE]\n\n",
    ];
    for body in bodies {
        for kind in ["text/event-stream", "application/json", "text/html"] {
            let (fake, letta, agent) = fake().await;
            let script = Script::Answer {
                status: 200,
                body: json!(body),
                headers: [("content-type".to_owned(), kind.to_owned())].into(),
            };
            fake.script(&agent, script);
            let (answer, _) = send(&letta, &prompt(&agent, 1, "hi")).await;
            assert!(
                !matches!(answer, Answer::Delivered(_)),
                "{kind} {body}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn two_thousand_prompts_arrive_once_each() {
    let fake = FakeLetta::start().await;
    let letta = std::sync::Arc::new(client(&fake.url()));
    let mut sending = tokio::task::JoinSet::new();
    for lane in 0..20u128 {
        let (letta, agent) = (letta.clone(), fake.add_agent());
        sending.spawn(async move {
            for n in 0..100 {
                delivered(
                    send(&letta, &prompt(&agent, 1 + lane * 1_000 + n, "hi"))
                        .await
                        .0,
                );
            }
        });
    }
    while let Some(done) = sending.join_next().await {
        done.unwrap();
    }
    let mut otids: Vec<_> = fake.received().into_iter().map(|r| r.otid).collect();
    otids.sort();
    otids.dedup();
    assert_eq!(
        (otids.len(), fake.received().len(), fake.overlaps()),
        (2_000, 2_000, 0)
    );
}
