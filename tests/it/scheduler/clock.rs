//! A clock that is wrong when a scheduler starts: nothing is decided by it.

use jiff::{SignedDuration, Timestamp};
use promptyoself::error::Code;
use promptyoself::models::State;
use promptyoself::scheduler::Mode;

use crate::world::{Running, World};

const DAY: i64 = 24 * 3_600;

/// The machine is off for a while, and its clock shows `error` seconds too much when it is on again.
fn off(world: &World, seconds: i64, error: i64) {
    world.advance(seconds);
    world.clock.reboot();
    set(world, error);
}

/// Sets the wall clock by so many seconds.
fn set(world: &World, seconds: i64) {
    let by = SignedDuration::from_secs(seconds);
    world.clock.set(world.now() + by);
}

/// Ten years of seconds.
const YEARS: i64 = 3_653 * DAY;

/// A world whose database knows what time it is, with a schedule that has run.
async fn known_world() -> World {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    let mut running = world.start();
    world.advance(10);
    running.until(State::Delivered).await;
    running.stop().await;
    world
}

/// Waits until the scheduler says that it holds, and why.
async fn holding(world: &World) -> String {
    loop {
        let status = world.service.status().await.unwrap();
        if let Some(holding) = status.schedulers.iter().find_map(|s| s.holding.clone()) {
            return holding;
        }
        tokio::task::yield_now().await;
    }
}

/// Lets seconds pass one by one while nothing may be sent.
async fn nothing_is_sent(world: &World, seconds: i64) {
    let before = world.target.sent().len();
    for _ in 0..seconds {
        world.advance(1);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(world.target.sent().len(), before);
}

async fn delivers(running: &mut Running) -> Timestamp {
    running.until(State::Delivered).await.intended_at
}

#[tokio::test]
async fn a_clock_that_is_years_ahead_at_the_start_holds_everything_until_it_is_set_right() {
    let world = known_world().await;
    off(&world, 100, YEARS);
    let mut running = world.start();
    let why = holding(&world).await;
    assert!(
        why.contains("2036-") && why.contains("2026-02-01T12:00:10Z"),
        "{why}"
    );
    nothing_is_sent(&world, 8).await;
    set(&world, -YEARS);
    // What passed while the machine was off, as by any other restart.
    assert_eq!(
        delivers(&mut running).await,
        world.now() - SignedDuration::from_secs(8)
    );
    running.stop().await;
    assert_eq!(world.account().await.last(), Some(&(State::Delivered, 1)));
}

#[tokio::test]
async fn a_clock_that_looks_wrong_and_stays_so_is_believed_after_a_minute() {
    let world = known_world().await;
    off(&world, 31 * DAY, 0);
    let mut running = world.start();
    holding(&world).await;
    nothing_is_sent(&world, 59).await;
    world.advance(1);
    delivers(&mut running).await;
    running.stop().await;
    // From then on it is known.
    off(&world, DAY, 0);
    let mut running = world.start();
    delivers(&mut running).await;
    running.stop().await;
}

#[tokio::test]
async fn a_machine_that_was_off_for_weeks_sends_at_once_if_its_clock_is_vouched_for() {
    for days in [1, 29] {
        let world = known_world().await;
        off(&world, days * DAY, 0);
        let mut running = world.start();
        delivers(&mut running).await;
        running.stop().await;
    }
    // After more than a month by Letta's clock alone.
    let world = known_world().await;
    off(&world, 31 * DAY, 0);
    world.target.set_date(world.now());
    let mut running = world.start();
    delivers(&mut running).await;
    running.stop().await;
}

#[tokio::test]
async fn a_clock_that_nobody_vouches_for_is_compared_with_lettas() {
    for (letta, held) in [(None, true), (Some(-3_600), true), (Some(60), false)] {
        let world = known_world().await;
        off(&world, DAY, 0);
        world.clock.set_synchronised(Some(false));
        if let Some(seconds) = letta {
            let date = world.now() + SignedDuration::from_secs(seconds);
            world.target.set_date(date);
        }
        let mut running = world.start();
        if held {
            holding(&world).await;
            nothing_is_sent(&world, 59).await;
            // A server whose own clock is wrong holds nobody for ever.
            world.advance(1);
        }
        delivers(&mut running).await;
        running.stop().await;
    }
}

#[tokio::test]
async fn a_clock_that_starts_in_1970_sends_nothing_until_it_shows_the_time() {
    let world = known_world().await;
    let right = world.now() + SignedDuration::from_secs(100);
    world.clock.reboot();
    world.clock.set(Timestamp::from_second(9).unwrap());
    let mut running = world.start();
    holding(&world).await;
    nothing_is_sent(&world, 8).await;
    world.clock.set(right);
    assert_eq!(delivers(&mut running).await, right);
    running.stop().await;
    world.assert_balanced().await;
}

#[tokio::test]
async fn a_run_that_can_not_wait_refuses_a_clock_in_doubt_and_believes_it_a_minute_later() {
    let world = known_world().await;
    off(&world, 40 * DAY, 0);
    let execute = || async {
        let settled = world.start_on(&world.service, Mode::Once);
        let ended = settled.result().await;
        (ended, world.target.sent().len())
    };
    for _ in 0..2 {
        let (ended, sent) = execute().await;
        let error = ended.unwrap_err();
        assert_eq!((error.code(), sent), (Code::ClockInDoubt, 1));
        let text = error.to_string();
        for part in ["2026-03-13T12:00", "2026-02-01T12:00:10Z", "in a minute"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        world.advance(29);
    }
    world.advance(2);
    let (ended, sent) = execute().await;
    ended.unwrap();
    assert_eq!(sent, 2);
    world.assert_balanced().await;
}

#[tokio::test]
async fn whoever_registers_by_a_clock_in_doubt_is_told() {
    let world = known_world().await;
    off(&world, 0, YEARS);
    let warning = world.service.status().await.unwrap().warning().unwrap();
    assert!(warning.contains("no scheduler is running"), "{warning}");
    assert!(warning.contains("and may be wrong"), "{warning}");
    set(&world, -YEARS);
    let warning = world.service.status().await.unwrap().warning().unwrap();
    assert!(!warning.contains("may be wrong"), "{warning}");
}

#[tokio::test]
async fn nothing_is_pruned_in_the_first_hour_nor_by_a_clock_in_doubt() {
    let mut world = World::new().await;
    world.settings.retention = Some(SignedDuration::from_hours(1));
    world.every("agent-a", "tick", "1h").await;
    let mut running = world.start();
    for _ in 0..3 {
        world.advance(3_600);
        delivers(&mut running).await;
    }
    running.stop().await;
    // The scheduler before this one pruned; what is left is older than an hour by now.
    let kept = world.occurrences().await.len();
    assert!(kept > 0);
    off(&world, 2 * 3_600 + 60, 0);
    let mut running = world.start();
    delivers(&mut running).await;
    let with_it = world.occurrences().await.len();
    assert!(with_it > kept);
    // Years ahead, and trusted after a minute: still it must be in order for an hour.
    set(&world, YEARS);
    holding(&world).await;
    for _ in 0..58 {
        world.advance(60);
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    assert!(world.occurrences().await.len() >= with_it);
    running.stop().await;
}

#[tokio::test]
async fn pruning_by_hand_refuses_what_is_newer_than_all_that_is_known() {
    let world = known_world().await;
    let service = &world.service;
    let known = world.now();
    off(&world, 20 * DAY, 0);
    let week_ago = world.now() - SignedDuration::from_hours(7 * 24);
    let error = service.refuse_doubtful_cut(week_ago).await.unwrap_err();
    assert_eq!(error.code(), Code::ClockInDoubt);
    assert_eq!(error.corrected(), Some(format!("--before {known}")));
    service.refuse_doubtful_cut(known).await.unwrap();
    // By a clock that is years ahead nothing is old enough to be sure.
    set(&world, YEARS);
    let error = service.refuse_doubtful_cut(known).await.unwrap_err();
    assert_eq!(error.code(), Code::ClockInDoubt);
}
