//! Schedules that have ended are removed after the retention, and their accounts stay.

use jiff::SignedDuration;
use promptyoself::models::{Lifecycle, ScheduleType};
use promptyoself::scheduler::Mode;

use crate::fake_target::{Act, FakeTarget};
use crate::foreign_writers::raw::Foreign;
use crate::world::World;

async fn deliver(world: &World) {
    world.start_on(&world.service, Mode::Once).ended().await;
}

fn days(n: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * n)
}

/// Prunes what was settled longer than 90 days ago; how many schedules that were.
async fn prune(world: &World) -> u64 {
    let pruned = world.service.prune(world.now() - days(90)).await.unwrap();
    world.assert_balanced().await;
    pruned.schedules
}

async fn adopt(world: &World) {
    let zone = &world.service.zone;
    let db = &world.service.db;
    db.adopt_touched(zone, world.now()).await.unwrap();
    db.settle_deleted(world.now()).await.unwrap();
}

async fn exists(world: &World, id: i64) -> bool {
    world.service.db.get_schedule(id).await.unwrap().is_some()
}

#[tokio::test]
async fn every_way_to_end_is_forgotten_after_the_retention_and_stays_accounted_for() {
    let world = World::new().await;
    let sent = world.once("agent-a", "sent", 10).await.id;
    let mut few = world.wish("agent-b", "few", ScheduleType::Interval, "1h");
    few.when.max_repetitions = Some(2);
    let few = world.service.register(&few).await.unwrap().id;
    let mut until = world.wish("agent-c", "until", ScheduleType::Cron, "0 * * * *");
    until.when.end_at = Some((world.now() + SignedDuration::from_hours(3)).to_string());
    let until = world.service.register(&until).await.unwrap().id;
    let unused = world.every("agent-d", "cancelled at once", "1h").await.id;
    world.service.cancel(unused).await.unwrap();
    let used = world.every("agent-e", "cancelled later", "1h").await.id;
    let by_hand = world.every("agent-f", "run by hand", "1d").await.id;
    let foreign_one = world.every("agent-g", "deactivated", "1h").await.id;
    let paused = world.every("agent-h", "paused", "1h").await.id;
    world.service.pause(paused, None).await.unwrap();
    let live = world.every("agent-i", "live", "1h").await.id;
    let too_late = world.once("agent-j", "too late", 10).await.id;
    world.service.pause(too_late, None).await.unwrap();
    world.service.run(by_hand).await.unwrap();
    for _ in 0..4 {
        world.advance(3_600);
        deliver(&world).await;
    }
    for id in [used, by_hand, too_late] {
        world.service.cancel(id).await.unwrap();
    }
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign
        .run(&format!(
            "UPDATE schedules SET active = 0 WHERE id = {foreign_one}"
        ))
        .await;
    adopt(&world).await;

    let ended = [
        sent,
        few,
        until,
        unused,
        used,
        by_hand,
        foreign_one,
        too_late,
    ];
    world.clock.advance(days(89));
    assert_eq!(prune(&world).await, 0);
    world.clock.advance(days(2));
    let expected = u64::try_from(ended.len()).unwrap();
    assert_eq!(prune(&world).await, expected);
    for id in ended {
        assert!(!exists(&world, id).await, "{id}");
    }
    assert!(exists(&world, paused).await && exists(&world, live).await);
    // Nobody takes it for another program's doing.
    adopt(&world).await;
    world.assert_balanced().await;
    assert_eq!(
        foreign.text("SELECT count(*) FROM deleted_schedules").await,
        "0"
    );
    assert_eq!(prune(&world).await, 0);
    let accounts = world.service.db.accounts().await.unwrap();
    assert_eq!(accounts.len(), ended.len() + 2);
    let delivered: i64 = accounts
        .iter()
        .filter_map(|a| a.pruned.get("delivered"))
        .sum();
    assert_eq!(delivered, 1 + 2 + 3 + 4 + 4 + 4);
}

#[tokio::test]
async fn a_schedule_that_ended_before_ends_were_recorded_is_judged_by_its_times() {
    let world = World::new().await;
    let id = world.once("agent-a", "sent", 10).await.id;
    world.advance(10);
    deliver(&world).await;
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign
        .run("UPDATE schedules SET ended_at = NULL, row_version = row_version + 1")
        .await;
    world.clock.advance(days(89));
    assert_eq!(prune(&world).await, 0);
    world.clock.advance(days(2));
    assert_eq!(prune(&world).await, 1);
    assert!(!exists(&world, id).await);
}

#[tokio::test]
async fn what_somebody_may_still_need_is_not_forgotten() {
    let world = World::new().await;
    // Its own delivery is not pruned yet, since it came late.
    let late = world.once("agent-a", "late", 10).await.id;
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    world.advance(10);
    deliver(&world).await;
    let woken = world.once("agent-b", "woken", 10).await.id;
    world.advance(10);
    deliver(&world).await;
    world.clock.advance(SignedDuration::from_hours(23));
    deliver(&world).await;

    // Within the retention another program may wake it.
    world.clock.advance(days(80));
    assert_eq!(prune(&world).await, 0);
    let mut foreign = Foreign::connect(&world.path()).await;
    foreign
        .run(&format!(
            "UPDATE schedules SET active = 1, next_run = '2027-01-01 00:00:00.000000' \
             WHERE id = {woken}"
        ))
        .await;
    world.clock.advance(days(20));
    // Changed, and not adopted yet: it may be about to live.
    assert!(prune(&world).await <= 1);
    assert!(exists(&world, woken).await);
    adopt(&world).await;
    assert_eq!(foreign.column(woken, "ended_at").await, "NULL");
    assert_eq!(prune(&world).await, 0);
    assert!(!exists(&world, late).await);
    let stands = world.service.db.get_schedule(woken).await.unwrap().unwrap();
    assert_eq!(stands.lifecycle, Lifecycle::Active);

    // What is open of it, and what is wrong with it, keeps it.
    world.service.cancel(woken).await.unwrap();
    let wrong = "INSERT INTO incidents (kind, subject, reason, opened_at) \
                 SELECT 'dead', uid, 'x', '2026-02-01 12:00:00.000000' FROM schedules";
    foreign.run(wrong).await;
    world.clock.advance(days(91));
    assert_eq!(prune(&world).await, 0);
    foreign
        .run("UPDATE incidents SET closed_at = '2026-02-01 12:00:00.000000'")
        .await;
    assert_eq!(prune(&world).await, 1);
}

#[tokio::test]
async fn very_many_are_forgotten_a_hundred_at_a_time() {
    let world = World::new().await;
    for n in 0..250 {
        let id = world.every(&format!("agent-{n}"), "tick", "1h").await.id;
        world.service.cancel(id).await.unwrap();
    }
    world.clock.advance(days(91));
    assert_eq!(prune(&world).await, 250);
}
