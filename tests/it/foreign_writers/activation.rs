//! Rows that another program deactivates, activates, ends and replaces.

use promptyoself::models::{Lifecycle, State};

use super::adoption::{adopt, at, execute, schedule, stands, world};
use crate::fake_target::{Act, FakeTarget};

#[tokio::test]
async fn deactivating_cancels_what_waits_and_activating_sends_nothing_of_the_meantime() {
    let (world, mut foreign) = world().await;
    let id = foreign
        .insert("interval", "10m", "2026-02-01 12:00:00")
        .await;
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    execute(&world).await;
    assert_eq!(world.account().await, [(State::Waiting, 1)]);
    foreign.run("UPDATE schedules SET active = 0").await;
    adopt(&world, &mut foreign).await;
    assert_eq!(world.account().await, [(State::Cancelled, 1)]);
    assert_eq!(stands(&world, id).await.1, Lifecycle::Cancelled);

    world.advance(3_600 + 60);
    // Whatever is changed while it is inactive is no wish to have the past sent.
    foreign
        .run("UPDATE schedules SET next_run = '2026-02-01 12:05:00'")
        .await;
    adopt(&world, &mut foreign).await;
    foreign.run("UPDATE schedules SET active = 1").await;
    adopt(&world, &mut foreign).await;
    assert_eq!(
        stands(&world, id).await,
        (at("13:05:00"), Lifecycle::Active)
    );
    assert_eq!(execute(&world).await.len(), 1);
}

#[tokio::test]
async fn a_value_changed_while_inactive_counts_from_the_activation() {
    let (world, mut foreign) = world().await;
    let id = foreign
        .insert("interval", "1h", "2026-02-01 12:30:00")
        .await;
    adopt(&world, &mut foreign).await;
    foreign.run("UPDATE schedules SET active = 0").await;
    adopt(&world, &mut foreign).await;
    foreign
        .run("UPDATE schedules SET schedule_value = '20m'")
        .await;
    adopt(&world, &mut foreign).await;
    world.advance(60);
    foreign.run("UPDATE schedules SET active = 1").await;
    adopt(&world, &mut foreign).await;
    assert_eq!(
        stands(&world, id).await,
        (at("12:21:00"), Lifecycle::Active)
    );
}

#[tokio::test]
async fn a_null_in_active_reads_as_0() {
    let (world, mut foreign) = world().await;
    let id = foreign.insert("once", "x", "2026-02-01 11:00:00").await;
    foreign.run("UPDATE schedules SET active = NULL").await;
    adopt(&world, &mut foreign).await;
    assert_eq!(stands(&world, id).await.1, Lifecycle::Cancelled);
    assert!(execute(&world).await.is_empty());
}

#[tokio::test]
async fn a_change_of_something_else_leaves_a_paused_schedule_paused() {
    let (world, mut foreign) = world().await;
    let id = world.every("agent-a", "tick", "10m").await.id;
    foreign
        .run("UPDATE schedules SET lifecycle = 'paused', active = 0, row_version = row_version + 1")
        .await;
    foreign
        .run("UPDATE schedules SET prompt_text = 'tock'")
        .await;
    adopt(&world, &mut foreign).await;
    assert_eq!(stands(&world, id).await.1, Lifecycle::Paused);
    world.advance(1_230);
    foreign.run("UPDATE schedules SET active = 1").await;
    adopt(&world, &mut foreign).await;
    assert_eq!(
        stands(&world, id).await,
        (at("12:30:00"), Lifecycle::Active)
    );
}

#[tokio::test]
async fn a_finished_once_runs_again_only_at_a_new_time() {
    let (world, mut foreign) = world().await;
    let id = foreign.insert("once", "x", "2026-02-01 11:59:59").await;
    assert_eq!(execute(&world).await.len(), 1);
    world.advance(60);
    for _ in 0..2 {
        foreign.run("UPDATE schedules SET active = 1").await;
        adopt(&world, &mut foreign).await;
        assert_eq!(stands(&world, id).await.1, Lifecycle::Finished);
    }
    assert_eq!(schedule(&world, id).await.repetitions, 1);
    assert_eq!(execute(&world).await.len(), 1);

    let again = "active = 1, next_run = '2026-02-01 12:01:00'";
    foreign.run(&format!("UPDATE schedules SET {again}")).await;
    assert_eq!(execute(&world).await.len(), 2);
    assert_eq!(stands(&world, id).await.1, Lifecycle::Finished);
    let otids: Vec<_> = world.target.sent().iter().map(|s| s.otid).collect();
    assert_ne!(otids[0], otids[1]);
}

#[tokio::test]
async fn a_row_under_a_deleted_ones_number_is_another_schedule() {
    let (world, mut foreign) = world().await;
    let due = "2026-02-01 12:00:00";
    let id = foreign.insert("once", "x", due).await;
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    execute(&world).await;
    let old = schedule(&world, id).await.uid;
    foreign.run("DELETE FROM schedules").await;
    assert_eq!(foreign.insert("once", "x", due).await, id);
    // The same prompt at the same instant for the same agent, and yet another one.
    assert_eq!(execute(&world).await.len(), 2);
    assert_ne!(schedule(&world, id).await.uid, old);
    let mut account = world.account().await;
    account.sort_by_key(|(state, _)| state.as_str());
    assert_eq!(account, [(State::Cancelled, 1), (State::Delivered, 1)]);
    let sent = world.target.sent();
    assert_ne!(sent[0].otid, sent[1].otid);
}
