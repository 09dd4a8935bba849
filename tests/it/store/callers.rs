//! Callers: their keys, their requests and their budgets.

use std::sync::Arc;

use promptyoself::error::Code;
use promptyoself::models::{Budget, RequestKey, RequestStatus, ScheduleType, StoredAnswer};
use promptyoself::service::{Credentials, Service};

use super::{on_every_store, together};
use crate::world::{agent_at, known_agent};

fn request() -> RequestKey {
    RequestKey {
        caller: "operator".into(),
        key: "k1".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_what_is_its_agents_until_it_is_revoked() {
    on_every_store(async |world| {
        let (id, key) = world
            .service
            .create_key("laptop", Some(&agent_at("agent-a")))
            .await
            .unwrap();
        let other = world.another().await;
        let shown = Credentials {
            key: Some(key),
            agent: None,
        };
        let caller = other.identify(&shown).await.unwrap();
        assert_eq!(caller, known_agent("agent-a"));
        let kept = other.list_keys().await.unwrap();
        assert_eq!((kept.len(), kept[0].name.as_str()), (1, "laptop"));
        assert_eq!(kept[0].created_at, world.now());
        other.revoke_key(id).await.unwrap();
        let refused = world.service.identify(&shown).await.unwrap_err();
        assert_eq!(refused.code(), Code::KeyInvalid);
        assert!(world.service.revoke_key(id).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_gets_the_answer_it_got() {
    on_every_store(async |world| {
        let (db, now) = (&world.service.db, world.now());
        let begin = async |hash: &str| db.begin_request(&request(), hash, now).await.unwrap();
        assert_eq!(begin("asked").await, RequestStatus::Unanswered);
        let answer = StoredAnswer {
            status: 201,
            body: "{\"id\":1}".into(),
        };
        db.answer_request(&request(), &answer).await.unwrap();
        assert_eq!(begin("asked").await, RequestStatus::Answered(answer));
        assert_eq!(begin("something else").await, RequestStatus::Other);
        let another = RequestKey {
            caller: "agent-a".into(),
            ..request()
        };
        let anothers = db.begin_request(&another, "something else", now).await;
        assert_eq!(anothers.unwrap(), RequestStatus::Unanswered);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_made_nothing_can_be_forgotten() {
    on_every_store(async |world| {
        let (db, now) = (&world.service.db, world.now());
        db.begin_request(&request(), "asked", now).await.unwrap();
        db.forget_request(&request()).await.unwrap();
        let begun = db.begin_request(&request(), "something else", now).await;
        assert_eq!(begun.unwrap(), RequestStatus::Unanswered);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_that_arrives_many_times_at_once_makes_one_schedule() {
    on_every_store(async |world| {
        let (db, now) = (&world.service.db, world.now());
        db.begin_request(&request(), "asked", now).await.unwrap();
        let wish = world.wish("agent-a", "hello", ScheduleType::Interval, "1h");
        let made = together(&world, move |_, service| {
            let wish = wish.clone();
            let service = Service {
                request: Some(Arc::new(request())),
                ..service
            };
            async move { service.register(&wish).await.unwrap().id }
        });
        let made = made.await;
        assert!(made.iter().all(|id| *id == made[0]), "{made:?}");
        assert_eq!(world.active().await, 1);
        let effect = world.service.db.request_effect(&request()).await;
        assert_eq!(effect.unwrap(), Some(made[0]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_registers_many_times_at_once_gets_no_more_than_its_budget() {
    on_every_store(async |mut world| {
        world.service.budget = Budget {
            schedules: 3,
            ..Budget::default()
        };
        world.service = world.service.for_caller(known_agent("agent-a"));
        let wish = world.wish("agent-a", "hello", ScheduleType::Interval, "1h");
        let made = together(&world, move |_, service| {
            let wish = wish.clone();
            async move { service.register(&wish).await.map_err(|e| e.code()) }
        });
        let (made, refused): (Vec<_>, Vec<_>) = made.await.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 3, "{refused:?}");
        let is_budget = |code: &Code| *code == Code::BudgetExceeded;
        assert!(refused.iter().all(|r| r.as_ref().is_err_and(is_budget)));
        assert_eq!(world.active().await, 3);
    })
    .await;
}
