//! Incidents are opened once, and notified once.

use jiff::SignedDuration;
use promptyoself::db::Db;
use promptyoself::models::{Channel, IncidentKind, NextMessage, OutboxMessage, ScheduleType};

use super::{claim, dead, delivered, due, job, on_every_store, sending, settle, together};
use crate::world::World;

/// One prompt for an agent fails for good, and somebody listens.
async fn failed(world: &World) {
    let db = &world.service.db;
    db.listen(&[Channel::Url], world.now()).await.unwrap();
    let sent = sending(world).await;
    settle(world, &sent, &dead()).await;
}

async fn take(db: &Db, world: &World) -> Option<OutboxMessage> {
    match db
        .lease_message(Channel::Url, &[], world.now())
        .await
        .unwrap()
    {
        NextMessage::Due(message) => Some(*message),
        NextMessage::Nothing => None,
        NextMessage::TooOld(old) => panic!("{old:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_opened_once_however_often_it_happens_and_closed_by_a_delivery() {
    on_every_store(async |world| {
        let mut wish = world.wish("agent-a", "hello", ScheduleType::Interval, "1h");
        wish.policy.pause_on_failure = Some(0);
        world.service.register(&wish).await.unwrap();
        let db = &world.service.db;
        for n in 1..=3 {
            world.advance(3_600);
            let seen = due(&world).await.remove(0);
            let sent = job(claim(db, &seen, world.now()).await);
            settle(&world, &sent, &dead()).await;
            let open = db.list_open_incidents().await.unwrap();
            assert_eq!(open.len(), 1, "{open:?}");
            assert_eq!((open[0].kind, open[0].count), (IncidentKind::Dead, n));
        }
        world.advance(3_600);
        let seen = due(&world).await.remove(0);
        let sent = job(claim(db, &seen, world.now()).await);
        settle(&world, &sent, &delivered()).await;
        assert!(db.list_open_incidents().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_notifiers_at_once_one_gets_a_message() {
    on_every_store(async |world| {
        failed(&world).await;
        let now = world.now();
        let taken = together(&world, move |_, service| async move {
            let taken = service.db.lease_message(Channel::Url, &[], now).await;
            matches!(taken.unwrap(), NextMessage::Due(_))
        });
        assert_eq!(taken.await.iter().filter(|taken| **taken).count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_could_not_be_delivered_is_taken_again_at_its_time() {
    on_every_store(async |world| {
        failed(&world).await;
        let db = &world.service.db;
        let message = take(db, &world).await.unwrap();
        assert_eq!((message.event.as_str(), message.tries), ("opened", 1));
        let later = world.now() + SignedDuration::from_secs(30);
        db.return_message(&message, Some("nobody was there"), later)
            .await
            .unwrap();
        assert!(take(db, &world).await.is_none());
        world.advance(30);
        let again = take(db, &world).await.unwrap();
        assert_eq!((again.id, again.tries), (message.id, 2));
        assert_eq!(again.error.as_deref(), Some("nobody was there"));
        db.delete_delivered_message(&again).await.unwrap();
        world.advance(3_600);
        assert!(take(db, &world).await.is_none());
        assert_eq!(db.outbox_status(world.now()).await.unwrap().pending, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_its_notifier_died_with_is_taken_again_when_its_lease_ends() {
    on_every_store(async |world| {
        failed(&world).await;
        let db = &world.service.db;
        let message = take(db, &world).await.unwrap();
        assert!(take(db, &world).await.is_none());
        world.advance(600);
        assert_eq!(take(db, &world).await.unwrap().id, message.id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_incident_is_told_after_its_beginning() {
    on_every_store(async |world| {
        failed(&world).await;
        world.advance(3_600);
        let db = &world.service.db;
        let seen = due(&world).await.remove(0);
        let sent = job(claim(db, &seen, world.now()).await);
        settle(&world, &sent, &delivered()).await;
        let opened = take(db, &world).await.unwrap();
        assert_eq!(opened.event, "opened");
        // Not before whoever has the first one is done with it.
        assert!(take(db, &world).await.is_none());
        db.delete_delivered_message(&opened).await.unwrap();
        let closed = take(db, &world).await.unwrap();
        assert_eq!(closed.event, "closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_listener_nothing_is_written_for_one() {
    on_every_store(async |world| {
        let sent = sending(&world).await;
        settle(&world, &sent, &dead()).await;
        let db = &world.service.db;
        assert_eq!(db.list_open_incidents().await.unwrap().len(), 1);
        assert!(take(db, &world).await.is_none());
    })
    .await;
}
