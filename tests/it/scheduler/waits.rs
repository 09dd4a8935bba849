//! What a restart and a recovery change about waiting prompts, and what they don't.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use promptyoself::letta_client::{Answer, ErrorClass, Refusal, RefusalKind};
use promptyoself::models::{HeldTarget, State};

use crate::fake_target::{Act, FakeTarget};
use crate::foreign_writers::raw::Foreign;
use crate::world::World;

/// One prompt that the server wants to be asked for again so much later, by its own words.
async fn told_to_wait(hours: u64) -> (World, Timestamp) {
    let world = World::new().await;
    let mut refusal = Refusal::new(RefusalKind::Later, ErrorClass::RateLimited, "slow down");
    refusal.retry_after = Some(Duration::from_secs(hours * 3_600));
    world
        .target
        .script("agent-a", Act::Answer(Answer::Refused(refusal)));
    world.once("agent-a", "hello", 1).await;
    world.advance(1);
    let mut running = world.start();
    running.until(State::Waiting).await;
    running.stop().await;
    let until = not_before(&world).await;
    assert_eq!(
        until,
        world.now() + SignedDuration::from_hours(i64::try_from(hours).unwrap())
    );
    (world, until)
}

async fn not_before(world: &World) -> Timestamp {
    let all = world.occurrences().await;
    let own = all.iter().find(|o| o.agent_id == "agent-a");
    own.unwrap().not_before.unwrap()
}

/// A scheduler starts, looks, and stops.
async fn restart(world: &World) {
    let running = world.start();
    // It has looked once another agent's prompt is delivered.
    world.once("agent-other", "now", 1).await;
    world.advance(1);
    let mut running = running;
    running.until(State::Delivered).await;
    running.stop().await;
}

#[tokio::test]
async fn a_restart_shortens_no_wait_that_a_server_asked_for() {
    let (world, until) = told_to_wait(3).await;
    for _ in 0..3 {
        restart(&world).await;
        assert_eq!(not_before(&world).await, until);
        world.advance(600);
    }
    world.clock.set(until - SignedDuration::from_secs(60));
    let mut running = world.start();
    world.advance(120);
    running.until(State::Delivered).await;
    running.stop().await;
    let sent = world.target.sent();
    assert_eq!(sent.iter().filter(|s| s.agent == "agent-a").count(), 2);
}

#[tokio::test]
async fn a_wait_that_was_counted_from_a_later_now_is_brought_forward() {
    let (world, _) = told_to_wait(3).await;
    world
        .clock
        .set(world.now() - SignedDuration::from_hours(24));
    restart(&world).await;
    let all = world.occurrences().await;
    // By the right clock it may have been sent already, or its time may be still to come.
    let own = all.iter().find(|o| o.agent_id == "agent-a");
    let latest = world.now() + SignedDuration::from_mins(10);
    let waits = own.and_then(|o| o.not_before);
    assert!(waits.is_none_or(|at| at <= latest), "{own:?}");
}

#[tokio::test]
async fn a_target_that_answers_again_gives_time_back_in_its_own_lanes_only_and_to_the_microsecond()
{
    let world = World::new().await;
    for agent in ["agent-a", "agent-b", "agent-c"] {
        world.target.script(agent, Act::Answer(FakeTarget::busy()));
        world.once(agent, "hello", 1).await;
    }
    world.advance(1);
    let mut running = world.start();
    for _ in 0..3 {
        running.until(State::Waiting).await;
    }
    running.stop().await;
    let mut foreign = Foreign::connect(&world.path()).await;
    let set = |agent: &str, lane: &str, at: &str| {
        format!(
            "UPDATE occurrences SET lane = '{lane}', expires_at = '{at}', \
             reconcile_until = '{at}' WHERE agent_id = '{agent}';"
        )
    };
    let edge = "9999-12-31 23:59:59.000000";
    for sql in [
        set("agent-a", "letta/agent-a", "2026-12-31 23:59:58.900001"),
        set("agent-b", "letta-2/agent-b", "2026-02-02 00:00:00.000001"),
        set("agent-c", "letta/agent-c", edge),
    ] {
        foreign.run(&sql).await;
    }
    let db = &world.service.db;
    let held = HeldTarget {
        target: "letta".into(),
        held_since: world.now(),
        code: "unreachable".into(),
        reason: "away".into(),
        by_lanes: false,
    };
    db.hold_target(&held).await.unwrap();
    let later = world.now() + SignedDuration::new(61, 100_001_000);
    db.release_target("letta", later).await.unwrap();
    let mut times = async || {
        foreign
            .text(
                "SELECT group_concat(expires_at || ' ' || reconcile_until, ', ') FROM \
                 (SELECT * FROM occurrences ORDER BY agent_id)",
            )
            .await
    };
    let moved = "2027-01-01 00:01:00.000002";
    let kept = "2026-02-02 00:00:00.000001";
    assert_eq!(
        times().await,
        format!("{moved} {moved}, {kept} {kept}, {edge} {edge}")
    );
    // A halt concerns all, and only their retries.
    db.halt(None, world.now()).await.unwrap();
    let by = SignedDuration::new(0, 999_999_000);
    db.lift_halt(world.now() + by).await.unwrap();
    let (a, b) = ("2027-01-01 00:01:01.000001", "2026-02-02 00:00:01.000000");
    assert_eq!(
        times().await,
        format!("{a} {moved}, {b} {kept}, 9999-12-31 23:59:59.999999 {edge}")
    );
}
