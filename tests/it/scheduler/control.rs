//! Ending schedules, and a clock that is adjusted.

use jiff::SignedDuration;
use promptyoself::error::Code;
use promptyoself::letta_client::{Answer, ErrorClass, Refusal, RefusalKind};
use promptyoself::models::{State, Verdict};

use crate::fake_target::{Act, FakeTarget};
use crate::world::World;

#[tokio::test]
async fn a_cancelled_schedule_sends_nothing_more() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    let mut running = world.start();
    world.advance(10);
    running.until(State::Delivered).await;
    world.service.cancel(id).await.unwrap();
    world.advance(100);
    running.stop().await;
    assert_eq!(world.target.sent().len(), 1);
}

#[tokio::test]
async fn cancelling_settles_what_waits_and_accounts_for_what_passed() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    let mut running = world.start();
    world.advance(10);
    running.until(State::Waiting).await;
    running.stop().await;
    world.advance(25);
    world.service.cancel(id).await.unwrap();
    assert_eq!(
        world.account().await,
        [(State::Cancelled, 1), (State::Cancelled, 2)]
    );
    let again = world.service.cancel(id).await.unwrap_err();
    assert_eq!(again.code(), Code::ScheduleNotActive);
}

#[tokio::test]
async fn a_one_shot_that_waits_for_its_retry_can_be_cancelled() {
    let world = World::new().await;
    let id = world.once("agent-a", "hello", 1).await.id;
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    world.advance(1);
    let mut running = world.start();
    running.until(State::Waiting).await;
    // Its only instant is taken, but it is not sent yet.
    world.service.cancel(id).await.unwrap();
    world.advance(3_600);
    running.stop().await;
    assert_eq!(world.account().await, [(State::Cancelled, 1)]);
    assert_eq!(world.target.sent().len(), 1);
    let again = world.service.cancel(id).await.unwrap_err();
    assert_eq!(again.code(), Code::ScheduleNotActive);
}

#[tokio::test]
async fn a_prompt_on_its_way_is_not_called_back_but_never_sent_again() {
    let world = World::new().await;
    let [a, b] = [
        world.once("agent-a", "ends well", 1).await,
        world.once("agent-b", "fails", 1).await,
    ];
    world.target.hold("agent-a");
    world.target.hold("agent-b");
    world
        .target
        .script("agent-b", Act::Answer(FakeTarget::busy()));
    world.advance(1);
    let mut running = world.start();
    world.target.wait_for_sent(2).await;
    for id in [a.id, b.id] {
        world.service.cancel(id).await.unwrap();
    }
    world.target.release("agent-a");
    running.until(State::Delivered).await;
    world.target.release("agent-b");
    running.until(State::Cancelled).await;
    running.stop().await;
    let late = world.service.cancel(a.id).await.unwrap_err();
    assert_eq!(late.code(), Code::ScheduleNotActive);
}

#[tokio::test]
async fn cancelling_while_a_prompt_is_on_its_way_keeps_it_from_being_retried() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "10s").await.id;
    world.target.hold("agent-a");
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    let mut running = world.start();
    world.advance(10);
    world.target.wait_for_sent(1).await;
    world.service.cancel(id).await.unwrap();
    world.target.release("agent-a");
    assert_eq!(running.outcome().await.state, State::Cancelled);
    running.stop().await;
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_sends_nothing_until_it_has_been_steady() {
    let world = World::new().await;
    world.once("agent-a", "for tomorrow", 24 * 3_600).await;
    world.once("agent-b", "for now", 1).await;
    let mut running = world.start();
    world.advance(1);
    running.until(State::Delivered).await;
    world
        .clock
        .set(world.now() + SignedDuration::from_hours(24));
    for _ in 0..59 {
        world.advance(1);
        tokio::task::yield_now().await;
    }
    assert_eq!(world.target.sent().len(), 1);
    // Set right again: tomorrow is tomorrow.
    world
        .clock
        .set(world.now() - SignedDuration::from_hours(24));
    world.advance(60);
    world.once("agent-b", "still works", 1).await;
    world.advance(1);
    running.until(State::Delivered).await;
    running.stop().await;
    let agents: Vec<_> = world.target.sent().into_iter().map(|s| s.agent).collect();
    assert_eq!(agents, ["agent-b", "agent-b"]);
}

#[tokio::test]
async fn a_clock_that_stays_ahead_is_believed_after_a_minute() {
    let world = World::new().await;
    world.once("agent-a", "for tomorrow", 24 * 3_600).await;
    world.once("agent-b", "for now", 1).await;
    let mut running = world.start();
    world.advance(1);
    running.until(State::Delivered).await;
    world
        .clock
        .set(world.now() + SignedDuration::from_hours(24));
    world.advance(1);
    // The guard has seen the jump once it says so in its heartbeat.
    while world.service.status().await.unwrap().warning().is_none() {
        tokio::task::yield_now().await;
    }
    world.advance(60);
    running.until(State::Delivered).await;
    running.stop().await;
    assert_eq!(world.target.sent().len(), 2);
}

#[tokio::test]
async fn asking_twice_for_the_same_named_schedule_makes_one() {
    let world = World::new().await;
    let mut wish = world.wish(
        "agent-a",
        "tick",
        promptyoself::models::ScheduleType::Interval,
        "10s",
    );
    wish.name = Some("ticker".into());
    let first = world.service.register(&wish).await.unwrap();
    world.advance(3);
    let second = world.service.register(&wish).await.unwrap();
    assert_eq!(first.id, second.id);
    assert_eq!((first.existed, second.existed), (Some(false), Some(true)));
    assert_eq!(first.next_run, second.next_run);
    wish.when.wish.value = "20s".into();
    assert_eq!(
        world.service.register(&wish).await.unwrap_err().code(),
        Code::NameTaken
    );
    world.service.cancel(first.id).await.unwrap();
    let anew = world.service.register(&wish).await.unwrap();
    assert_eq!(anew.existed, Some(false));
}

#[tokio::test]
async fn nothing_grows_too_old_by_a_clock_that_may_be_wrong() {
    let world = World::new().await;
    world.once("agent-a", "hello", 1).await;
    world.target.hold("agent-a");
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    world.advance(1);
    let mut running = world.start();
    world.target.wait_for_sent(1).await;
    // Two days ahead, far over the age at which retries end; the answer comes meanwhile.
    world
        .clock
        .set(world.now() + SignedDuration::from_hours(48));
    world.advance(1);
    world.target.release("agent-a");
    running.until(State::Waiting).await;
    world
        .clock
        .set(world.now() - SignedDuration::from_hours(48));
    // What waits does not wait for the day after tomorrow.
    world.advance(1);
    while world.occurrences().await[0].not_before.unwrap()
        > world.now() + SignedDuration::from_hours(1)
    {
        tokio::task::yield_now().await;
    }
    world.advance(15 * 60);
    running.until(State::Delivered).await;
    running.stop().await;
}

#[tokio::test]
async fn a_target_that_says_it_is_well_but_takes_nothing_is_not_asked_for_ever() {
    let world = World::new().await;
    world.once("agent-a", "hello", 1).await;
    let refusal = Refusal::new(
        RefusalKind::TargetTrouble,
        ErrorClass::WrongServer,
        "405 to every prompt",
    );
    for _ in 0..100 {
        let answer = Answer::Refused(refusal.clone());
        world.target.script("agent-a", Act::Answer(answer));
    }
    world.advance(1);
    let mut running = world.start();
    let mut tries = 0;
    loop {
        let outcome = running.outcome().await;
        tries += 1;
        if let Verdict::Waiting { counts: true, .. } = outcome.verdict {
            break;
        }
        // Past the next probe, and the release that follows it.
        world.advance(60);
    }
    assert!(tries <= 10, "{tries} tries before it counts");
    running.stop().await;
}
