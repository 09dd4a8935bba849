//! Schedulers die, hold targets and are halted.

use jiff::SignedDuration;
use promptyoself::models::{HeldTarget, State};
use uuid::Uuid;

use super::{
    claim, delivered, due, job, lane, on_every_store, only_occurrence, sending, terms, together,
};

const DEADLINE: SignedDuration = SignedDuration::from_mins(30);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_scheduler_was_sending_is_of_unknown_fate_and_its_verdict_is_lost() {
    on_every_store(async |world| {
        let job = sending(&world).await;
        let (db, now) = (&world.service.db, world.now());
        let owner = Uuid::from_u128(7).to_string();
        assert_eq!(
            db.list_dead_owners().await.unwrap(),
            std::slice::from_ref(&owner)
        );
        let nobodys = db.take_over("somebody else", DEADLINE, now).await;
        assert_eq!(nobodys.unwrap(), 0);
        assert_eq!(only_occurrence(&world).await.state, State::Sending);
        assert_eq!(db.take_over(&owner, DEADLINE, now).await.unwrap(), 1);
        assert_eq!(only_occurrence(&world).await.state, State::Unknown);
        let (id, fence) = (job.occurrence_id, job.fence);
        let late = db.settle(id, fence, &delivered(), now).await;
        assert!(late.unwrap().is_none());
        assert_eq!(db.take_over(&owner, DEADLINE, now).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_take_over_at_once_one_does() {
    on_every_store(async |world| {
        sending(&world).await;
        let (owner, now) = (Uuid::from_u128(7).to_string(), world.now());
        let taken = together(&world, move |_, service| {
            let owner = owner.clone();
            async move { service.db.take_over(&owner, DEADLINE, now).await.unwrap() }
        });
        assert_eq!(taken.await.iter().sum::<u64>(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_lives_is_listed_and_keeps_what_it_sends() {
    on_every_store(async |world| {
        let db = &world.service.db;
        let lock = db.lock_owner().unwrap();
        db.beat(lock.owner(), None, world.now()).await.unwrap();
        world.every("agent-a", "hello", "1h").await;
        world.advance(3_600);
        let seen = due(&world).await.remove(0);
        let (lane, terms) = (lane("agent-a"), terms(lock.owner()));
        let claimed = db.claim_due(&seen, &lane, &terms, world.now()).await;
        job(claimed.unwrap());
        db.beat(lock.owner(), Some("the disk is full"), world.now())
            .await
            .unwrap();
        let other = world.another().await;
        assert!(other.db.list_dead_owners().await.unwrap().is_empty());
        let living = other.db.list_schedulers().await.unwrap();
        assert_eq!(living.len(), 1);
        assert_eq!(living[0].owner, lock.owner());
        assert_eq!(living[0].heartbeat_at, world.now());
        assert_eq!(living[0].holding.as_deref(), Some("the disk is full"));
        let owner = lock.owner().to_string();
        drop(lock);
        assert!(other.db.list_schedulers().await.unwrap().is_empty());
        assert_eq!(
            other.db.list_dead_owners().await.unwrap(),
            std::slice::from_ref(&owner)
        );
        db.take_over(&owner, DEADLINE, world.now()).await.unwrap();
        db.forget_scheduler(&owner).await.unwrap();
        assert!(other.db.list_dead_owners().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halt_is_seen_by_everybody_until_it_is_lifted() {
    on_every_store(async |world| {
        let other = world.another().await;
        let since = world.now();
        world.service.halt(Some("first")).await.unwrap();
        world.advance(60);
        let halt = other.db.get_halt().await.unwrap().unwrap();
        assert_eq!((halt.since, halt.note.as_deref()), (since, Some("first")));
        let again = other.halt(Some("second")).await.unwrap();
        assert_eq!(again.since, Some(since));
        other.lift_halt().await.unwrap();
        assert!(world.service.db.get_halt().await.unwrap().is_none());
        let again = world.service.lift_halt().await.unwrap();
        assert_eq!(again.message, "Delivery was not halted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_held_once_until_it_is_released() {
    on_every_store(async |world| {
        let db = &world.service.db;
        for reason in ["it is down", "it is still down"] {
            let held = HeldTarget {
                target: "letta".into(),
                held_since: world.now(),
                code: "unreachable".into(),
                reason: reason.into(),
                by_lanes: false,
            };
            db.hold_target(&held).await.unwrap();
        }
        let held = world.another().await.db.list_held_targets().await.unwrap();
        assert_eq!(held.len(), 1);
        db.release_target("letta", world.now()).await.unwrap();
        assert!(db.list_held_targets().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_one_process_writes_another_sees_at_once() {
    on_every_store(async |world| {
        let other = world.another().await;
        let version = other.db.data_version().await.unwrap();
        let id = world.every("agent-a", "hello", "1h").await.id;
        assert!(other.db.get_schedule(id).await.unwrap().is_some());
        assert_ne!(other.db.data_version().await.unwrap(), version);
        world.advance(3_600);
        let seen = other.db.get_due_schedules(world.now()).await.unwrap();
        job(claim(&other.db, &seen[0], world.now()).await);
        assert_eq!(only_occurrence(&world).await.state, State::Sending);
    })
    .await;
}
