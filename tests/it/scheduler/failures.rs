//! What follows from every kind of answer.

use std::time::Duration;

use promptyoself::letta_client::{
    Answer, Delivery, Doubt, ErrorClass, Evidence, Refusal, RefusalKind,
};
use promptyoself::models::{State, Turn, Verdict};
use promptyoself::scheduler::Mode;

use crate::fake_target::{Act, FakeTarget};
use crate::world::{Running, World};

fn refused(kind: RefusalKind, class: ErrorClass) -> Refusal {
    Refusal::new(kind, class, "as scripted")
}

fn cut() -> Answer {
    Answer::Unknown(Doubt {
        class: ErrorClass::Cut,
        text: "the connection ended".into(),
        run_id: None,
    })
}

/// One prompt for `agent-a`, due now, whose first try meets `answer`; and the scheduler.
async fn one_prompt(answer: Answer) -> (World, Running) {
    let world = World::new().await;
    world.target.script("agent-a", Act::Answer(answer));
    world.once("agent-a", "hello", 1).await;
    world.advance(1);
    let running = world.start();
    (world, running)
}

fn not_before(verdict: &Verdict) -> jiff::Timestamp {
    match verdict {
        Verdict::Waiting { not_before, .. } | Verdict::Unknown { not_before, .. } => *not_before,
        other => panic!("{other:?} is tried at no time"),
    }
}

#[tokio::test]
async fn a_busy_agent_uses_no_try_and_gets_the_same_otid_again() {
    let (world, mut running) = one_prompt(FakeTarget::busy()).await;
    let outcome = running.until(State::Waiting).await;
    assert!(matches!(
        outcome.verdict,
        Verdict::Waiting { counts: false, .. }
    ));
    world.advance(1);
    running.until(State::Delivered).await;
    running.stop().await;
    let sent = world.target.sent();
    assert_eq!(sent[0].otid, sent[1].otid);
    // Nothing was kept of it, so there is nothing that a server could have forgotten.
    assert_eq!(sent[1].not_found_since, None);
}

#[tokio::test]
async fn failures_that_may_pass_are_tried_again_ever_more_slowly() {
    let (world, mut running) = one_prompt(FakeTarget::busy()).await;
    running.until(State::Waiting).await;
    let mut waits = Vec::new();
    for _ in 0..10 {
        let refusal = refused(RefusalKind::Later, ErrorClass::ServerError);
        world
            .target
            .script("agent-a", Act::Answer(Answer::Refused(refusal)));
    }
    world.advance(1);
    for _ in 0..10 {
        let next = not_before(&running.until(State::Waiting).await.verdict);
        waits.push(next.duration_since(world.now()).as_secs_f64());
        world.clock.advance(next.duration_since(world.now()));
    }
    running.until(State::Delivered).await;
    running.stop().await;
    for (n, wait) in waits.iter().enumerate() {
        let usual = (5.0 * 2_f64.powi(i32::try_from(n).unwrap())).min(600.0);
        assert!(
            (usual * 0.8..=usual * 1.2).contains(wait),
            "try {n}: {wait} s"
        );
    }
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_is_obeyed() {
    let refusal = Refusal {
        retry_after: Some(Duration::from_secs(77)),
        ..refused(RefusalKind::Later, ErrorClass::RateLimited)
    };
    let (world, mut running) = one_prompt(Answer::Refused(refusal)).await;
    let next = not_before(&running.until(State::Waiting).await.verdict);
    assert_eq!(next.duration_since(world.now()).as_secs(), 77);
    running.stop().await;
}

#[tokio::test]
async fn an_otid_that_the_server_remembers_as_failed_is_not_used_again() {
    let refusal = Refusal {
        otid_spent: true,
        ..refused(RefusalKind::Later, ErrorClass::LlmError)
    };
    let (world, mut running) = one_prompt(Answer::Refused(refusal)).await;
    running.until(State::Waiting).await;
    world.advance(10);
    running.until(State::Delivered).await;
    running.stop().await;
    let sent = world.target.sent();
    assert_ne!(sent[0].otid, sent[1].otid);
    assert!(sent[1].text.contains("try 2"), "{}", sent[1].text);
}

#[tokio::test]
async fn what_never_passes_is_dead_at_once_and_says_why() {
    let refusal = refused(RefusalKind::Permanent, ErrorClass::AgentUnknown);
    let (world, mut running) = one_prompt(Answer::Refused(refusal)).await;
    running.until(State::Dead).await;
    running.stop().await;
    let occurrence = &world.occurrences().await[0];
    assert_eq!(
        occurrence.error.as_deref(),
        Some("agent_unknown: as scripted")
    );
    assert_eq!(world.target.sent().len(), 1);
}

#[tokio::test]
async fn an_agent_that_waits_for_a_person_is_tried_every_minute() {
    let refusal = refused(RefusalKind::NeedsHuman, ErrorClass::PendingApproval);
    let (world, mut running) = one_prompt(Answer::Refused(refusal)).await;
    let outcome = running.until(State::Waiting).await;
    assert_eq!(
        not_before(&outcome.verdict)
            .duration_since(world.now())
            .as_secs(),
        60
    );
    world.advance(60);
    running.until(State::Delivered).await;
    running.stop().await;
}

#[tokio::test]
async fn retries_end_with_one_last_try_at_the_maximum_age() {
    let (world, mut running) = one_prompt(Answer::Refused(refused(
        RefusalKind::Later,
        ErrorClass::ServerError,
    )))
    .await;
    let begun = world.now();
    loop {
        let refusal = refused(RefusalKind::Later, ErrorClass::ServerError);
        world
            .target
            .script("agent-a", Act::Answer(Answer::Refused(refusal)));
        let outcome = running.outcome().await;
        if outcome.state == State::Dead {
            break;
        }
        let next = not_before(&outcome.verdict);
        world.clock.advance(next.duration_since(world.now()));
    }
    running.stop().await;
    assert_eq!(world.now().duration_since(begun).as_hours(), 24);
    let error = world.occurrences().await[0].error.clone().unwrap();
    assert!(
        error.starts_with("expired: ") && error.contains("as scripted"),
        "{error}"
    );
}

#[tokio::test]
async fn an_absent_server_holds_everything_and_costs_nobody_a_try() {
    let world = World::new().await;
    for n in 0..10 {
        world.once(&format!("agent-{n}"), "hello", 1).await;
    }
    world.target.set_down(Some(refused(
        RefusalKind::TargetTrouble,
        ErrorClass::Unreachable,
    )));
    world.advance(1);
    let mut running = world.start();
    let outcome = running.until(State::Waiting).await;
    assert!(matches!(
        outcome.verdict,
        Verdict::Waiting { counts: false, .. }
    ));
    world.until_none_is_sending().await;
    let held = world.service.db.list_held_targets().await.unwrap();
    // The note is written before anything else is asked.
    assert_eq!(held.first().map(|h| h.code.as_str()), Some("unreachable"));
    assert!(
        world
            .service
            .status()
            .await
            .unwrap()
            .warning()
            .unwrap()
            .contains("on hold")
    );

    // Two days, far beyond the age at which retries end.
    world.advance(48 * 3_600);
    world.target.set_down(None);
    for _ in 0..40 {
        world.advance(30);
        tokio::task::yield_now().await;
    }
    let mut delivered = 0;
    while delivered < 10 {
        world.advance(1);
        if running.outcome().await.state == State::Delivered {
            delivered += 1;
        }
    }
    running.stop().await;
    assert!(
        world
            .service
            .db
            .list_held_targets()
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        world
            .occurrences()
            .await
            .iter()
            .all(|o| o.state == State::Delivered)
    );
}

#[tokio::test]
async fn an_unknown_fate_that_is_found_is_delivered_and_never_sent_again() {
    let (world, mut running) = one_prompt(cut()).await;
    running.until(State::Unknown).await;
    world.target.evidence(
        "agent-a",
        Evidence::Running {
            run_id: Some("run-1".into()),
        },
    );
    world.target.evidence(
        "agent-a",
        Evidence::Found(Delivery {
            run_id: Some("run-1".into()),
            stop_reason: Some("end_turn".into()),
            turn: Turn::Ok,
            tokens: None,
            reply: None,
            error: None,
        }),
    );
    world.advance(1);
    running.until(State::Unknown).await;
    world.advance(30);
    running.until(State::Delivered).await;
    running.stop().await;
    assert_eq!(world.target.sent().len(), 1);
}

#[tokio::test]
async fn an_unknown_fate_closes_its_lane_until_it_is_known() {
    let (world, mut running) = one_prompt(cut()).await;
    running.until(State::Unknown).await;
    world.once("agent-a", "next", 1).await;
    world
        .target
        .evidence("agent-a", Evidence::Running { run_id: None });
    world.advance(1);
    running.until(State::Unknown).await;
    assert_eq!(world.target.sent().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn without_a_trace_it_is_sent_again_only_when_nothing_can_turn_up_any_more() {
    let (world, mut running) = one_prompt(cut()).await;
    let sent_at = world.now();
    running.until(State::Unknown).await;
    let mut seconds = 0;
    // Absent at every look; within half a minute that proves nothing.
    loop {
        world.advance(1);
        seconds += 1;
        let outcome = running.outcome().await;
        if outcome.state == State::Waiting {
            break;
        }
        assert_eq!(outcome.state, State::Unknown);
        assert_eq!(world.target.sent().len(), 1);
    }
    assert_eq!(seconds, 30);
    world.advance(10);
    running.until(State::Delivered).await;
    running.stop().await;
    let sent = world.target.sent();
    // The same otid: should the first copy turn up after all, a server can tell.
    assert_eq!(sent[0].otid, sent[1].otid);
    // And how long ago that was, for a server that forgets otids.
    assert_eq!(sent[0].not_found_since, None);
    assert_eq!(sent[1].not_found_since, Some(sent_at));
}

#[tokio::test]
async fn a_run_that_died_is_followed_by_a_fresh_otid() {
    let world = World::new().await;
    world.target.script("agent-a", Act::Run("run-1", cut()));
    world.once("agent-a", "hello", 1).await;
    world.advance(1);
    let mut running = world.start();
    running.until(State::Unknown).await;
    let failed = refused(RefusalKind::Later, ErrorClass::LlmError);
    let failed = Some(failed);
    world
        .target
        .evidence("agent-a", Evidence::Absent { failed });
    world.advance(1);
    running.until(State::Waiting).await;
    world.advance(10);
    running.until(State::Delivered).await;
    running.stop().await;
    let sent = world.target.sent();
    assert_ne!(sent[0].otid, sent[1].otid);
    // Both are looked for from then on.
    assert_eq!(world.target.finds()[0].otids, [sent[0].otid]);
    assert_eq!(world.target.finds()[0].run_id.as_deref(), Some("run-1"));
}

#[tokio::test]
async fn without_proof_it_is_given_up_as_unknown_and_never_sent_again() {
    let (world, mut running) = one_prompt(cut()).await;
    let begun = world.now();
    loop {
        world.target.evidence(
            "agent-a",
            Evidence::Unclear {
                text: "garbage".into(),
            },
        );
        let outcome = running.outcome().await;
        if outcome.state == State::Dead {
            break;
        }
        world
            .clock
            .advance(not_before(&outcome.verdict).duration_since(world.now()));
    }
    running.stop().await;
    assert!(world.now().duration_since(begun).as_mins() >= 30);
    let error = world.occurrences().await[0].error.clone().unwrap();
    assert!(error.starts_with("delivery_unknown: "), "{error}");
    assert_eq!(world.target.sent().len(), 1);
}

#[tokio::test]
async fn a_turn_that_went_wrong_is_still_a_delivery() {
    for (turn, reason) in [
        (Turn::Error, "error"),
        (Turn::Approval, "requires_approval"),
        (Turn::Interrupted, "cancelled"),
    ] {
        let answer = Answer::Delivered(Delivery {
            run_id: None,
            stop_reason: Some(reason.into()),
            turn,
            tokens: None,
            reply: None,
            error: Some("llm_error: 429: slow down".into()),
        });
        let (world, mut running) = one_prompt(answer).await;
        running.until(State::Delivered).await;
        running.stop().await;
        let occurrence = world.occurrences().await.remove(0);
        assert_eq!(occurrence.turn, Some(turn));
        assert_eq!(occurrence.error.unwrap(), "llm_error: 429: slow down");
        assert_eq!(world.target.sent().len(), 1);
    }
}

#[tokio::test]
async fn executing_once_against_an_absent_server_tries_and_ends() {
    let world = World::new().await;
    world.once("agent-a", "hello", 1).await;
    world.once("agent-b", "hello", 1).await;
    world.advance(1);
    world.target.set_down(Some(refused(
        RefusalKind::TargetTrouble,
        ErrorClass::Unreachable,
    )));
    world.start_on(&world.service, Mode::Once).ended().await;
    // The next one finds the target held, asks whether it is well, and ends too.
    world.start_on(&world.service, Mode::Once).ended().await;
    world.target.set_down(None);
    world.start_on(&world.service, Mode::Once).ended().await;
    let states: Vec<State> = world.occurrences().await.iter().map(|o| o.state).collect();
    assert_eq!(states, [State::Delivered, State::Delivered]);
}
