//! Who is prompted when: order within a lane, independence between lanes.

use promptyoself::models::{ScheduleType, State};
use promptyoself::scheduler::Mode;

use crate::fake_target::{Act, FakeTarget};
use crate::passing_time::while_time_passes;
use crate::world::World;

#[tokio::test]
async fn a_prompt_is_sent_when_its_time_has_come_and_not_before() {
    let world = World::new().await;
    world.once("agent-a", "hello", 60).await;
    let mut running = world.start();
    world.advance(59);
    assert!(world.target.sent().is_empty());
    world.advance(1);
    let outcome = running.outcome().await;
    assert_eq!(outcome.state, State::Delivered);
    let sent = world.target.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].text, "hello");
    let occurrence = &world.occurrences().await[0];
    assert_eq!(occurrence.sent_at, Some(world.now()));
    assert_eq!(occurrence.reply.as_deref(), Some("fake: yes"));
    running.stop().await;
}

#[tokio::test]
async fn last_run_is_when_the_prompt_was_sent_and_not_when_the_turn_ended() {
    let world = World::new().await;
    let id = world.every("agent-a", "hello", "1m").await.id;
    world.target.hold("agent-a");
    let mut running = world.start();
    world.advance(60);
    world.target.wait_for_sent(1).await;
    let sent_at = world.now();
    world.advance(30);
    world.target.release("agent-a");
    running.until(State::Delivered).await;
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.last_run, Some(sent_at));
    running.stop().await;
}

#[tokio::test]
async fn a_slow_agent_delays_nobody_else() {
    let world = World::new().await;
    world.target.hold("agent-slow");
    world.once("agent-slow", "first", 1).await;
    world.once("agent-slow", "second", 2).await;
    for n in 0..20 {
        world.once(&format!("agent-{n}"), "quick", 3).await;
    }
    let mut running = world.start();
    world.advance(10);
    for _ in 0..20 {
        assert_eq!(running.outcome().await.state, State::Delivered);
    }
    let sent = world.target.sent();
    assert_eq!(sent.iter().filter(|s| s.agent == "agent-slow").count(), 1);
    world.target.release("agent-slow");
    running.outcome().await;
    running.outcome().await;
    assert!(!world.target.overlapped());
    assert_eq!(world.active().await, 0);
    running.stop().await;
}

#[tokio::test]
async fn prompts_of_one_agent_are_sent_in_the_order_of_their_time_not_of_their_number() {
    let world = World::new().await;
    world.once("agent-a", "third", 30).await;
    world.once("agent-a", "first", 10).await;
    world.once("agent-a", "second", 20).await;
    world.advance(100);
    let mut running = world.start();
    for _ in 0..3 {
        running.until(State::Delivered).await;
    }
    let order: Vec<String> = world
        .target
        .sent()
        .iter()
        .map(|s| s.text.lines().last().unwrap().to_owned())
        .collect();
    assert_eq!(order, ["first", "second", "third"]);
    running.stop().await;
}

#[tokio::test]
async fn a_prompt_that_waits_for_its_retry_keeps_its_place_in_the_lane() {
    let world = World::new().await;
    world.once("agent-a", "first", 10).await;
    world.once("agent-a", "second", 11).await;
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    let mut running = world.start();
    world.advance(11);
    assert_eq!(running.outcome().await.state, State::Waiting);
    // The second one is due, but its turn has not come.
    assert_eq!(world.target.sent().len(), 1);
    world.advance(2);
    running.until(State::Delivered).await;
    running.until(State::Delivered).await;
    let texts: Vec<_> = world.target.sent().iter().map(|s| s.text.clone()).collect();
    assert_eq!(texts, ["first", "first", "second"]);
    running.stop().await;
}

#[tokio::test]
async fn no_more_prompts_are_on_their_way_at_once_than_allowed() {
    let mut world = World::new().await;
    world.settings.concurrency = 3;
    for n in 0..12 {
        world.once(&format!("agent-{n}"), "hello", 1).await;
    }
    world.advance(1);
    let mut running = world.start();
    for _ in 0..12 {
        running.until(State::Delivered).await;
    }
    assert!(world.target.most_at_once() <= 3);
    running.stop().await;
}

#[tokio::test]
async fn schedulers_on_one_database_deliver_each_prompt_once() {
    let world = World::new().await;
    for n in 0..200 {
        world
            .once(&format!("agent-{}", n % 50), &format!("prompt {n}"), 1)
            .await;
    }
    world.advance(1);
    let second = world.another().await;
    let third = world.another().await;
    let running = [
        world.start(),
        world.start_on(&second, Mode::Forever),
        world.start_on(&third, Mode::Once),
    ];
    // A scheduler that found a lane busy looks again when another process has written; that is
    // noticed by time passing.
    let [mut a, mut b, mut c] = running;
    let delivering = async {
        for _ in 0..200 {
            // A busy lane is found out when the claim is made, so every try is a delivery.
            let outcome = tokio::select! {
                outcome = a.outcome() => outcome,
                outcome = b.outcome() => outcome,
                Some(outcome) = c.reports.recv() => outcome,
            };
            assert_eq!(outcome.state, State::Delivered);
        }
    };
    let databases = [&world.service.db, &second.db, &third.db];
    let step = jiff::SignedDuration::from_millis(100);
    while_time_passes(&world.clock, step, &databases, delivering).await;
    c.ended().await;
    a.stop().await;
    b.stop().await;
    assert_eq!(world.target.sent().len(), 200);
    assert!(!world.target.overlapped());
    assert!(
        world
            .occurrences()
            .await
            .iter()
            .all(|o| o.state == State::Delivered)
    );
}

#[tokio::test]
async fn a_new_schedule_wakes_a_sleeping_scheduler() {
    let world = World::new().await;
    let mut running = world.start();
    world
        .register("agent-a", "hello", ScheduleType::Interval, "1s")
        .await;
    world.advance(1);
    running.until(State::Delivered).await;
    running.stop().await;
}
