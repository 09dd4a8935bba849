//! Whatever dies, nothing is lost and nothing is sent twice.

use promptyoself::letta_client::{Delivery, Evidence};
use promptyoself::models::{State, Turn};
use promptyoself::scheduler::Mode;

use crate::fake_target::Act;
use crate::passing_time::while_time_passes;
use crate::world::World;

fn found() -> Evidence {
    Evidence::Found(Delivery {
        run_id: Some("run-1".into()),
        stop_reason: Some("end_turn".into()),
        turn: Turn::Ok,
        tokens: None,
        reply: None,
        error: None,
    })
}

#[tokio::test]
async fn what_a_killed_scheduler_was_sending_is_looked_for_before_anything_is_sent() {
    let world = World::new().await;
    world.once("agent-a", "hello", 1).await;
    world.target.script("agent-a", Act::Hang("run-1"));
    world.advance(1);
    let first = world.start();
    world.target.wait_for_sent(1).await;
    first.kill().await;

    world.target.evidence(
        "agent-a",
        Evidence::Running {
            run_id: Some("run-1".into()),
        },
    );
    world.target.evidence("agent-a", found());
    let mut second = world.start();
    second.until(State::Unknown).await;
    world.advance(30);
    second.until(State::Delivered).await;
    second.stop().await;
    assert_eq!(world.target.sent().len(), 1);
    let lookup = &world.target.finds()[0];
    assert_eq!(lookup.otids, [world.target.sent()[0].otid]);
}

#[tokio::test]
async fn a_living_scheduler_keeps_what_it_is_sending() {
    let world = World::new().await;
    world.once("agent-a", "hello", 1).await;
    world.target.hold("agent-a");
    world.advance(1);
    let mut first = world.start();
    world.target.wait_for_sent(1).await;
    let other = world.another().await;
    world.start_on(&other, Mode::Once).ended().await;
    assert_eq!(world.occurrences().await[0].state, State::Sending);
    assert!(world.target.finds().is_empty());
    world.target.release("agent-a");
    first.until(State::Delivered).await;
    first.stop().await;
}

#[tokio::test]
async fn a_stop_lets_prompts_on_their_way_end() {
    let world = World::new().await;
    world.once("agent-a", "hello", 1).await;
    world.once("agent-a", "not begun", 2).await;
    world.target.hold("agent-a");
    world.advance(5);
    let mut running = world.start();
    world.target.wait_for_sent(1).await;
    running.begin_stop();
    world.target.release("agent-a");
    assert_eq!(
        running.until(State::Delivered).await.state,
        State::Delivered
    );
    running.ended().await;
    assert_eq!(world.target.sent().len(), 1);
    assert_eq!(world.active().await, 1);
    assert!(world.service.status().await.unwrap().schedulers.is_empty());
}

#[tokio::test]
async fn a_stop_leaves_what_does_not_end_in_time_to_the_next_scheduler() {
    let world = World::new().await;
    world.once("agent-a", "hello", 1).await;
    world.target.script("agent-a", Act::Hang("run-1"));
    world.advance(1);
    let running = world.start();
    world.target.wait_for_sent(1).await;
    running.begin_stop();
    let step = jiff::SignedDuration::from_millis(500);
    let ended = running.ended();
    while_time_passes(&world.clock, step, &[&world.service.db], ended).await;
    let left = &world.occurrences().await[0];
    assert_eq!(left.state, State::Unknown);
    assert_eq!(left.run_id.as_deref(), Some("run-1"));

    world.target.evidence("agent-a", found());
    let mut next = world.start();
    next.until(State::Delivered).await;
    next.stop().await;
    assert_eq!(world.target.sent().len(), 1);
}

#[tokio::test]
async fn a_heartbeat_tells_whether_anybody_delivers() {
    let world = World::new().await;
    let warning = world.service.status().await.unwrap().warning().unwrap();
    assert!(warning.contains("promptyoself serve"), "{warning}");
    world.once("agent-a", "hello", 1).await;
    world.advance(1);
    let mut running = world.start();
    running.until(State::Delivered).await;
    assert_eq!(world.service.status().await.unwrap().warning(), None);
    running.kill().await;
    assert!(world.service.status().await.unwrap().schedulers.is_empty());
}
