//! What happens to instants that passed unsent, whatever the reason.

use promptyoself::models::{Lifecycle, ScheduleType, State};
use promptyoself::scheduler::Mode;

use crate::fake_target::{Act, FakeTarget};
use crate::world::World;

#[tokio::test]
async fn of_a_backlog_the_newest_is_sent_and_the_older_are_one_coalesced_row() {
    let world = World::new().await;
    world
        .register("agent-a", "hello", ScheduleType::Cron, "*/5 * * * *")
        .await;
    world.advance(3 * 3_600);
    let mut running = world.start();
    running.until(State::Delivered).await;
    running.stop().await;
    // 12:05, 12:10 … 15:00 are 36 instants.
    assert_eq!(
        world.account().await,
        [(State::Coalesced, 35), (State::Delivered, 1)]
    );
    let text = &world.target.sent()[0].text;
    assert!(text.contains("stands for 36 runs"), "{text}");
    assert!(text.ends_with("\n\nhello"), "{text}");
}

#[tokio::test]
async fn a_busy_agent_makes_a_backlog_like_sleep_does() {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    world.target.hold("agent-a");
    let mut running = world.start();
    world.advance(10);
    world.target.wait_for_sent(1).await;
    world.advance(95);
    world.target.release("agent-a");
    running.until(State::Delivered).await;
    running.until(State::Delivered).await;
    running.stop().await;
    // At 10 s the first; 20 … 100 s passed while the agent was busy.
    assert_eq!(
        world.account().await,
        [
            (State::Delivered, 1),
            (State::Coalesced, 8),
            (State::Delivered, 1)
        ]
    );
}

#[tokio::test]
async fn an_interval_never_drifts() {
    let world = World::new().await;
    let first = world.every("agent-a", "tick", "7s").await.next_run;
    let mut running = world.start();
    for n in 0..50_i64 {
        // Late by another bit each time.
        world.advance(7);
        world.clock.advance(jiff::SignedDuration::from_millis(n));
        let due = running.until(State::Delivered).await.intended_at;
        assert_eq!(due.duration_since(first).as_millis() % 7_000, 0);
    }
    running.stop().await;
}

#[tokio::test]
async fn a_one_shot_that_is_too_late_to_be_of_use_is_missed_and_says_so() {
    let world = World::new().await;
    let id = world.once("agent-a", "hello", 10).await.id;
    world.advance(8 * 24 * 3_600);
    world.start_on(&world.service, Mode::Once).ended().await;
    assert!(world.target.sent().is_empty());
    let occurrence = &world.occurrences().await[0];
    assert_eq!(occurrence.state, State::Missed);
    assert!(occurrence.reason.as_deref().unwrap().contains("too late"));
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.lifecycle, Lifecycle::Finished);
}

#[tokio::test]
async fn the_last_instant_finishes_a_schedule_and_stays_its_next_run() {
    let world = World::new().await;
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, "10s");
    wish.when.max_repetitions = Some(3);
    let id = world.service.register(&wish).await.unwrap().id;
    let mut running = world.start();
    for _ in 0..3 {
        world.advance(10);
        running.until(State::Delivered).await;
    }
    let last = world.now();
    world.advance(100);
    running.stop().await;
    let schedule = world.service.db.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(schedule.lifecycle, Lifecycle::Finished);
    assert!(!schedule.active);
    assert_eq!(schedule.next_run, Some(last));
    assert_eq!(world.target.sent().len(), 3);
}

#[tokio::test]
async fn repetitions_count_instants_whatever_became_of_them() {
    let world = World::new().await;
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, "10s");
    wish.when.max_repetitions = Some(5);
    world.service.register(&wish).await.unwrap();
    world.advance(1_000);
    let mut running = world.start();
    running.until(State::Delivered).await;
    running.stop().await;
    assert_eq!(
        world.account().await,
        [(State::Coalesced, 4), (State::Delivered, 1)]
    );
    assert_eq!(world.active().await, 0);
}

#[tokio::test]
async fn a_schedule_ends_with_its_end_inclusive() {
    let world = World::new().await;
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, "10s");
    wish.when.end_at = Some((world.now() + jiff::SignedDuration::from_secs(20)).to_string());
    world.service.register(&wish).await.unwrap();
    let mut running = world.start();
    world.advance(10);
    running.until(State::Delivered).await;
    world.advance(10);
    running.until(State::Delivered).await;
    running.stop().await;
    assert_eq!(world.active().await, 0);
}

#[tokio::test]
async fn a_prompt_on_time_is_sent_exactly_and_a_late_or_retried_one_says_so() {
    let world = World::new().await;
    world.once("agent-a", "on time", 10).await;
    world
        .target
        .script("agent-b", Act::Answer(FakeTarget::busy()));
    world.once("agent-b", "late", 10).await;
    let mut running = world.start();
    world.advance(10);
    running.outcome().await;
    running.outcome().await;
    world.advance(120);
    running.until(State::Delivered).await;
    running.stop().await;
    let sent = world.target.sent();
    let texts = |agent| -> Vec<&str> {
        sent.iter()
            .filter(|s| s.agent == agent)
            .map(|s| s.text.as_str())
            .collect()
    };
    assert_eq!(texts("agent-a"), ["on time"]);
    // The same otid repeats the same text, however late it has become.
    assert_eq!(texts("agent-b"), ["late", "late"]);
}

#[tokio::test]
async fn a_schedule_that_fell_behind_goes_on_as_soon_as_its_own_prompt_has_ended() {
    let world = World::new().await;
    world.once("agent-slow", "hangs", 5).await;
    world.every("agent-a", "tick", "10s").await;
    world.target.hold("agent-slow");
    world.target.hold("agent-a");
    let mut running = world.start();
    world.advance(10);
    world.target.wait_for_sent(2).await;
    // It is seen to be due again while its first prompt is on its way.
    world.advance(10);
    world.service.db.notify_all();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    world.target.release("agent-a");
    // Nothing else happens: the slow agent hangs on, and no time passes.
    assert_eq!(
        running.until(State::Delivered).await.intended_at,
        world.now() - jiff::SignedDuration::from_secs(10)
    );
    assert_eq!(
        running.until(State::Delivered).await.intended_at,
        world.now()
    );
    world.target.release("agent-slow");
    running.until(State::Delivered).await;
    running.stop().await;
}
