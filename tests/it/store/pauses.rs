//! Pauses, and runs that pass during them.

use promptyoself::models::{Claim, Lifecycle, State};

use super::{claim, delivered, due, job, on_every_store, schedule, settle, together};
use crate::world::World;

/// A schedule of ten seconds that was paused for half a minute.
async fn paused(world: &World) -> i64 {
    let id = world.every("agent-a", "tick", "10s").await.id;
    world.advance(5);
    world.service.pause(id, Some("on holiday")).await.unwrap();
    world.advance(30);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_schedule_is_not_due_and_says_since_when_and_why() {
    on_every_store(async |world| {
        let id = world.every("agent-a", "tick", "10s").await.id;
        world.advance(10);
        let seen = due(&world).await.remove(0);
        world.service.pause(id, Some("on holiday")).await.unwrap();
        let since = world.now();
        world.advance(60);
        assert!(due(&world).await.is_empty());
        let refused = claim(&world.service.db, &seen, world.now()).await;
        assert!(matches!(refused, Claim::Gone), "{refused:?}");
        let schedule = schedule(&world, id).await;
        assert_eq!(schedule.lifecycle, Lifecycle::Paused);
        assert_eq!(schedule.paused_at, Some(since));
        assert_eq!(schedule.pause_note.as_deref(), Some("on holiday"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passed_in_a_pause_is_skipped() {
    on_every_store(async |world| {
        let id = paused(&world).await;
        let resumed = world.service.resume(id, false).await.unwrap();
        assert!(resumed.next_run.unwrap() > world.now());
        assert!(due(&world).await.is_empty());
        assert_eq!(world.account().await, [(State::Skipped, 3)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passed_in_a_pause_is_replayed_if_that_is_asked_for() {
    on_every_store(async |world| {
        let id = paused(&world).await;
        world.service.resume(id, true).await.unwrap();
        let seen = due(&world).await.remove(0);
        let sent = job(claim(&world.service.db, &seen, world.now()).await);
        settle(&world, &sent, &delivered()).await;
        assert_eq!(
            world.account().await,
            [(State::Coalesced, 2), (State::Delivered, 1)]
        );
        assert_eq!(schedule(&world, id).await.lifecycle, Lifecycle::Active);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_resume_at_once_one_does() {
    on_every_store(async |world| {
        let id = paused(&world).await;
        let resumed = together(&world, move |_, service| async move {
            service.resume(id, false).await.is_ok()
        });
        assert_eq!(resumed.await.iter().filter(|done| **done).count(), 1);
        assert_eq!(world.account().await, [(State::Skipped, 3)]);
    })
    .await;
}
