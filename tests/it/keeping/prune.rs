//! Pruned history stays in the account, and nothing of it is sent again.

use jiff::{SignedDuration, Timestamp};
use promptyoself::models::{Account, PruneReport, ScheduleType, State};
use promptyoself::scheduler::Mode;

use crate::foreign_writers::raw::Foreign;
use crate::world::World;

async fn deliver(world: &World) {
    world.start_on(&world.service, Mode::Once).ended().await;
}

async fn prune(world: &World, before: Timestamp) -> PruneReport {
    world.service.prune(before).await.unwrap()
}

async fn only_account(world: &World) -> Account {
    world.assert_balanced().await;
    world.service.db.accounts().await.unwrap().remove(0)
}

/// A schedule with ten instants, every second of which was sent.
async fn ten_instants() -> (World, Foreign) {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    for _ in 0..5 {
        world.advance(20);
        deliver(&world).await;
    }
    let foreign = Foreign::connect(&world.path()).await;
    (world, foreign)
}

#[tokio::test]
async fn what_is_pruned_stays_in_the_account() {
    let (world, mut foreign) = ten_instants().await;
    let before = world.now() - SignedDuration::from_secs(30);
    let pruned = prune(&world, before).await;
    assert_eq!((pruned.occurrences, pruned.instants), (6, 6));
    let account = only_account(&world).await;
    assert_eq!(account.expected, Some(10));
    assert_eq!(account.recorded(), 10);
    assert_eq!(account.pruned["delivered"], 3);
    assert_eq!(account.pruned["coalesced"], 3);
    assert_eq!(account.states["delivered"], 2);
    // Again, with more of it, into the same sums; then there is nothing left to prune.
    assert_eq!(prune(&world, world.now()).await.occurrences, 2);
    world.advance(1);
    assert_eq!(prune(&world, world.now()).await.occurrences, 2);
    assert_eq!(prune(&world, world.now()).await, PruneReport::default());
    assert_eq!(only_account(&world).await.pruned["delivered"], 5);
    for table in ["occurrences", "attempts", "payloads"] {
        let sql = format!("SELECT count(*) || '' FROM {table}");
        assert_eq!(foreign.text(&sql).await, "0", "{table}");
    }
}

#[tokio::test]
async fn a_prompt_that_is_still_referred_to_is_kept() {
    let (world, mut foreign) = ten_instants().await;
    let before = world.now() - SignedDuration::from_secs(30);
    assert_eq!(prune(&world, before).await.payloads, 0);
    assert_eq!(
        foreign.text("SELECT count(*) || '' FROM payloads").await,
        "1"
    );
}

#[tokio::test]
async fn what_is_open_is_never_pruned() {
    let world = World::new().await;
    world.once("agent-a", "hello", 10).await;
    world.target.script(
        "agent-a",
        crate::fake_target::Act::Answer(crate::fake_target::FakeTarget::busy()),
    );
    world.advance(10);
    deliver(&world).await;
    let later = world.now() + SignedDuration::from_hours(10_000);
    assert_eq!(prune(&world, later).await, PruneReport::default());
    assert_eq!(world.account().await, [(State::Waiting, 1)]);
}

#[tokio::test]
async fn an_instant_that_was_pruned_is_not_sent_when_another_program_plans_it_again() {
    let (world, mut foreign) = ten_instants().await;
    world.advance(1);
    prune(&world, world.now()).await;
    foreign
        .run("UPDATE schedules SET next_run = '2026-02-01 12:00:20'")
        .await;
    deliver(&world).await;
    assert_eq!(world.target.sent().len(), 5);
    assert_eq!(only_account(&world).await.expected, Some(10));

    let once = world.once("agent-b", "hello", 60).await.id;
    world.advance(60);
    deliver(&world).await;
    world.advance(1);
    prune(&world, world.now()).await;
    let sent = world.target.sent().len();
    foreign
        .run(&format!(
            "UPDATE schedules SET active = 1, next_run = planned_next_run || '' WHERE id = {once}"
        ))
        .await;
    deliver(&world).await;
    foreign
        .run(&format!(
            "UPDATE schedules SET active = 1, next_run = replace(next_run, ' ', 'T') \
             WHERE id = {once}"
        ))
        .await;
    deliver(&world).await;
    assert_eq!(world.target.sent().len(), sent);
    world.assert_balanced().await;
}

#[tokio::test]
async fn runs_by_hand_are_summed_apart() {
    let world = World::new().await;
    let id = world
        .register("agent-a", "tick", ScheduleType::Interval, "1h")
        .await
        .id;
    world.service.run(id).await.unwrap();
    deliver(&world).await;
    world.advance(1);
    assert_eq!(prune(&world, world.now()).await.instants, 1);
    let account = only_account(&world).await;
    assert_eq!(account.manual["delivered"], 1);
    assert_eq!((account.expected, account.recorded()), (Some(0), 0));
}

#[tokio::test]
async fn a_running_scheduler_prunes_about_daily_and_delivers_on() {
    let mut world = World::new().await;
    world.settings.retention = Some(SignedDuration::from_hours(24));
    world.every("agent-a", "tick", "1h").await;
    let mut running = world.start();
    for _ in 0..60 {
        world.advance(3_600);
        running.until(State::Delivered).await;
    }
    // The pass of the third day has begun by now; its end is seen in the database.
    let kept = loop {
        let kept = world.occurrences().await.len();
        if kept < 60 {
            break kept;
        }
        tokio::task::yield_now().await;
    };
    assert!(kept >= 24, "{kept}");
    running.stop().await;
    let account = only_account(&world).await;
    assert_eq!(account.recorded(), 60);
}
