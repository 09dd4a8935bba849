//! Schedules are added, found, listed, changed and ended.

use jiff::SignedDuration;
use promptyoself::error::Code;
use promptyoself::models::{
    CatchUp, ChangeQuery, Lifecycle, Policy, ScheduleFilter, ScheduleType, ScheduleUpdate,
};
use promptyoself::service::{Changes, Registration};

use super::{agent, due, on_every_store, schedule, together};
use crate::world::World;

fn named(world: &World, name: &str) -> Registration {
    Registration {
        name: Some(name.into()),
        ..world.wish("agent-a", "hello", ScheduleType::Interval, "1h")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_registered_is_read_as_it_was_given() {
    on_every_store(async |world| {
        let mut wish = named(&world, "hourly 👋");
        wish.prompt = "line one\nline two '; -- \u{1F600}".into();
        wish.when.max_repetitions = Some(3);
        wish.when.timezone = Some("Europe/Berlin".into());
        wish.policy = Policy {
            catch_up: Some(CatchUp::Skip),
            grace: Some(SignedDuration::from_secs(5)),
            pause_on_failure: Some(2),
            ..Policy::default()
        };
        let made = world.service.register(&wish).await.unwrap();
        let read = schedule(&world, made.id).await;
        assert_eq!(read.agent_id, "agent-a");
        assert_eq!(read.prompt_text, wish.prompt);
        assert_eq!(read.name, wish.name);
        assert_eq!(read.timezone, wish.when.timezone);
        assert_eq!((read.max_repetitions, read.repetitions), (Some(3), 0));
        assert_eq!(read.policy, wish.policy);
        assert_eq!(read.next_run, Some(made.next_run));
        assert_eq!(read.created_at, Some(world.now()));
        assert_eq!(read.lifecycle, Lifecycle::Active);
        let db = &world.service.db;
        let by_name = async |whose: &str| {
            db.get_schedule_by_name(&crate::world::agent_at(whose), "hourly 👋")
                .await
                .unwrap()
        };
        assert_eq!(by_name("agent-a").await.unwrap().id, made.id);
        assert!(by_name("agent-b").await.is_none());
        let (by_uid, is_live) = db
            .get_schedule_by_uid(read.uid.unwrap())
            .await
            .unwrap()
            .unwrap();
        assert_eq!((by_uid.id, is_live), (made.id, true));
        assert!(db.get_schedule(made.id + 1).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_list_follow_the_next_run_and_leave_nothing_out() {
    on_every_store(async |world| {
        for n in [5, 3, 9, 1, 7, 3] {
            world.once("agent-a", "hello", n * 60).await;
        }
        world.once("agent-b", "hello", 60).await;
        let mut seen = Vec::new();
        for offset in [0, 2, 4, 6] {
            let filter = ScheduleFilter {
                agent: Some(agent("agent-a").into()),
                limit: Some(2),
                offset,
                ..ScheduleFilter::default()
            };
            let page = world.service.db.list_schedules(&filter).await.unwrap();
            assert_eq!(world.service.db.count_schedules(&filter).await.unwrap(), 6);
            seen.extend(page.into_iter().map(|s| (s.next_run.unwrap(), s.id)));
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.is_sorted(), "{seen:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_due_at_its_instant_and_not_before() {
    on_every_store(async |world| {
        world.once("agent-a", "hello", 60).await;
        let at = world.now() + SignedDuration::from_secs(60);
        let db = &world.service.db;
        assert_eq!(db.next_due(world.now()).await.unwrap(), Some(at));
        let just_before = at - SignedDuration::from_micros(1);
        assert_eq!(db.count_due(just_before).await.unwrap(), 0);
        assert!(db.get_due_schedules(just_before).await.unwrap().is_empty());
        let due = db.get_due_schedules(at).await.unwrap();
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].next_run, due[0].agent_id.as_str()), (at, "agent-a"));
        assert_eq!(db.count_due(at).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_due_come_first_and_no_more_than_were_asked_for() {
    on_every_store(async |world| {
        let mut by_time = Vec::new();
        for seconds in [30, 10, 20, 40] {
            by_time.push((seconds, world.once("agent-a", "hello", seconds).await.id));
        }
        by_time.sort_unstable();
        world.advance(100);
        let oldest = world.service.db.list_oldest_due(world.now(), 3);
        let (oldest, unreadable) = oldest.await.unwrap();
        assert!(unreadable.is_empty());
        let oldest: Vec<i64> = oldest.iter().map(|d| d.id).collect();
        let wanted: Vec<i64> = by_time.iter().map(|(_, id)| *id).take(3).collect();
        assert_eq!(oldest, wanted);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_schedule_is_never_due_and_only_shown_among_all() {
    on_every_store(async |world| {
        let id = world.every("agent-a", "hello", "1m").await.id;
        world.service.cancel(id).await.unwrap();
        world.advance(3_600);
        assert!(due(&world).await.is_empty());
        assert_eq!(world.active().await, 0);
        let all = ScheduleFilter {
            all: true,
            ..ScheduleFilter::default()
        };
        let listed = world.service.db.list_schedules(&all).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].lifecycle, Lifecycle::Cancelled);
        let again = world.service.cancel(id).await.unwrap_err();
        assert_eq!(again.code(), Code::ScheduleNotActive);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_cancellations_at_once_one_cancels() {
    on_every_store(async |world| {
        let id = world.every("agent-a", "hello", "1m").await.id;
        let done = together(&world, move |_, service| async move {
            service.cancel(id).await.is_ok()
        });
        assert_eq!(done.await.iter().filter(|done| **done).count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_one_live_schedules_of_its_agent_until_that_ends() {
    on_every_store(async |world| {
        let first = world.service.register(&named(&world, "x")).await.unwrap();
        let mut other = named(&world, "x");
        other.prompt = "something else".into();
        let taken = world.service.register(&other).await.unwrap_err();
        assert_eq!(taken.code(), Code::NameTaken);
        let of_another = Registration {
            agent_id: Some(agent("agent-b")),
            ..other.clone()
        };
        world.service.register(&of_another).await.unwrap();
        world.service.pause(first.id, None).await.unwrap();
        assert!(world.service.register(&other).await.is_err());
        world.service.cancel(first.id).await.unwrap();
        let next = world.service.register(&other).await.unwrap();
        assert_ne!(next.id, first.id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_registrations_of_one_name_at_once_one_makes_a_schedule() {
    on_every_store(async |world| {
        let wish = named(&world, "x");
        let done = together(&world, move |_, service| {
            let wish = wish.clone();
            async move { service.register(&wish).await.unwrap() }
        });
        let done = done.await;
        assert_eq!(
            done.iter()
                .filter(|made| made.existed == Some(false))
                .count(),
            1
        );
        assert!(done.iter().all(|made| made.id == done[0].id));
        assert_eq!(world.active().await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_what_it_names_and_nothing_else() {
    on_every_store(async |world| {
        let id = world
            .service
            .register(&named(&world, "x"))
            .await
            .unwrap()
            .id;
        let before = schedule(&world, id).await;
        let update = ScheduleUpdate {
            prompt_text: Some("new".into()),
            ..ScheduleUpdate::default()
        };
        world.advance(60);
        let db = &world.service.db;
        assert!(db.update_schedule(id, &update, world.now()).await.unwrap());
        let mut wanted = before;
        wanted.prompt_text = "new".into();
        let after = schedule(&world, id).await;
        assert_eq!(format!("{after:?}"), format!("{wanted:?}"));
        let none = db.update_schedule(id + 1, &update, world.now());
        assert!(!none.await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_updates_at_once_lose_none_of_each_other() {
    on_every_store(async |world| {
        let id = world
            .service
            .register(&named(&world, "x"))
            .await
            .unwrap()
            .id;
        let done = together(&world, move |n, service| async move {
            let mut changes = Changes::default();
            match n {
                0 => changes.prompt = Some("new".into()),
                1 => changes.name = Some("y".into()),
                2 => changes.policy.pause_on_failure = Some(4),
                _ => changes.policy.max_age = Some(SignedDuration::from_hours(2)),
            }
            service.update(id, &changes).await.map(|_| ())
        });
        assert!(done.await.iter().all(Result::is_ok));
        let after = schedule(&world, id).await;
        assert_eq!(after.prompt_text, "new");
        assert_eq!(after.name.as_deref(), Some("y"));
        assert_eq!(after.policy.pause_on_failure, Some(4));
        assert_eq!(after.policy.max_age, Some(SignedDuration::from_hours(2)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_in_the_record_with_the_latest_first() {
    on_every_store(async |world| {
        let id = world.every("agent-a", "hello", "1h").await.id;
        world.service.pause(id, None).await.unwrap();
        world.service.resume(id, false).await.unwrap();
        world.service.cancel(id).await.unwrap();
        let asked = ChangeQuery {
            schedule_id: Some(id),
            agent: None,
            since: None,
            limit: 10,
            offset: 0,
        };
        let changes = world.service.db.list_changes(&asked).await.unwrap();
        let operations: Vec<&str> = changes.iter().map(|c| c.operation.as_str()).collect();
        assert_eq!(operations, ["cancel", "resume", "pause", "register"]);
        assert!(changes.iter().all(|c| c.at == world.now()));
    })
    .await;
}
