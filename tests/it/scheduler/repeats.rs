//! Repeated attempts with the same answer are stored as one with a count, and nothing is lost by
//! that.

use promptyoself::letta_client::{Answer, ErrorClass, Refusal, RefusalKind};
use promptyoself::models::{Attempt, State};

use crate::fake_target::{Act, FakeTarget};
use crate::foreign_writers::raw::Foreign;
use crate::world::{Running, World};

fn refused(kind: RefusalKind, class: ErrorClass) -> Answer {
    Answer::Refused(Refusal::new(kind, class, "as scripted"))
}

/// One prompt for an agent that answers like this, one after the other.
async fn asked(answers: &[Answer]) -> (World, Running) {
    let world = World::new().await;
    for answer in answers {
        world.target.script("agent-a", Act::Answer(answer.clone()));
    }
    world.once("agent-a", "hello", 1).await;
    world.advance(1);
    let mut running = world.start();
    for _ in answers {
        running.until(State::Waiting).await;
        world.advance(60);
    }
    (world, running)
}

async fn attempts(world: &World) -> Vec<Attempt> {
    let occurrence = world.occurrences().await[0].id;
    world.service.db.list_attempts(occurrence).await.unwrap()
}

/// The class of each attempt and how often it was repeated.
async fn shape(world: &World) -> Vec<(String, i64)> {
    let attempts = attempts(world).await;
    let class = |a: &Attempt| a.error_code.clone().unwrap_or_else(|| "ok".to_owned());
    attempts.iter().map(|a| (class(a), a.repeats)).collect()
}

fn rows(rows: &[(&str, i64)]) -> Vec<(String, i64)> {
    rows.iter()
        .map(|(class, n)| ((*class).to_owned(), *n))
        .collect()
}

#[tokio::test]
async fn an_agent_that_is_busy_for_long_is_one_attempt_and_the_delivery_another() {
    let (world, mut running) = asked(&vec![FakeTarget::busy(); 40]).await;
    running.until(State::Delivered).await;
    running.stop().await;
    assert_eq!(shape(&world).await, rows(&[("busy", 39), ("ok", 0)]));
    let attempts = attempts(&world).await;
    assert_eq!(attempts[0].started_at.to_string(), "2026-02-01T12:00:01Z");
    let last = attempts[0].finished_at.unwrap();
    assert!(last < attempts[1].started_at && last > attempts[0].started_at);
    assert_eq!(attempts[0].otid, attempts[1].otid);
    assert_eq!(world.target.sent().len(), 41);
}

#[tokio::test]
async fn only_what_is_answered_alike_and_used_no_try_is_counted_on_one_row() {
    let busy = FakeTarget::busy;
    let approval = || refused(RefusalKind::NeedsHuman, ErrorClass::PendingApproval);
    let model = |kind| refused(kind, ErrorClass::ServerError);
    let answers = [
        busy(),
        busy(),
        approval(),
        approval(),
        approval(),
        busy(),
        model(RefusalKind::NeedsHuman),
        model(RefusalKind::NeedsHuman),
        model(RefusalKind::Later),
        model(RefusalKind::Later),
        model(RefusalKind::NeedsHuman),
    ];
    let (world, mut running) = asked(&answers).await;
    running.until(State::Delivered).await;
    running.stop().await;
    let expected = [
        ("busy", 1),
        ("pending_approval", 2),
        ("busy", 0),
        ("server_error", 1),
        ("server_error", 0),
        ("server_error", 0),
        ("server_error", 0),
        ("ok", 0),
    ];
    assert_eq!(shape(&world).await, rows(&expected));
    let numbers: Vec<i64> = attempts(&world).await.iter().map(|a| a.n).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn a_crash_while_a_busy_agent_is_asked_again_leaves_a_trace() {
    let (world, running) = asked(&[FakeTarget::busy(), FakeTarget::busy()]).await;
    world.target.hold("agent-a");
    world.target.wait_for_sent(3).await;
    running.kill().await;
    let attempts = attempts(&world).await;
    assert_eq!((attempts.len(), attempts[0].repeats), (2, 1));
    assert_eq!(attempts[1].finished_at, None);
    assert_eq!(attempts[1].otid, attempts[0].otid);
    let mut foreign = Foreign::connect(&world.path()).await;
    let state = foreign.text("SELECT state FROM occurrences").await;
    assert_eq!(state, "sending");
    // It was not kept: it is looked for, and only then sent again.
    world.target.release("agent-a");
    let mut running = world.start();
    loop {
        world.advance(31);
        if running.outcome().await.state == State::Delivered {
            break;
        }
    }
    running.stop().await;
    assert!(!world.target.finds().is_empty());
    let classes = shape(&world).await;
    assert_eq!(classes[0], ("busy".to_owned(), 1));
    assert_eq!(classes.last().unwrap().0, "ok");
}
