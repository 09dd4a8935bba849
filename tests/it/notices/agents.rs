//! A trouble of an agent is one incident, however many of its schedules meet it.

use jiff::SignedDuration;
use promptyoself::letta_client::{ErrorClass, RefusalKind};
use promptyoself::models::{IncidentKind, ScheduleType};
use promptyoself::scheduler::Mode;
use promptyoself::service::Changes;
use serde_json::Value;

use super::recorder::Recorder;
use super::{Telling, final_refusal, posting_to, refused, until_outbox};
use crate::fake_target::{Act, FakeTarget};
use crate::foreign_writers::raw::Foreign;
use crate::world::World;

const MANY: usize = 30;

/// Hourly schedules of one agent, and their numbers.
async fn hourly(world: &World, n: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for i in 0..n {
        ids.push(world.every("agent-a", &format!("tick {i}"), "1h").await.id);
    }
    ids
}

/// An hour passes, in which the next `n` prompts for the agent are answered like this.
async fn an_hour(world: &World, n: usize, act: impl Fn() -> Act) {
    for _ in 0..n {
        world.target.script("agent-a", act());
    }
    world.advance(3_600);
    deliver(world).await;
}

async fn deliver(world: &World) {
    world.start_on(&world.service, Mode::Once).ended().await;
}

/// Kind, count and schedule of what is open.
async fn open(world: &World) -> Vec<(IncidentKind, i64, Option<i64>)> {
    let open = world.service.db.list_open_incidents().await.unwrap();
    open.iter()
        .map(|i| (i.kind, i.count, i.schedule_id))
        .collect()
}

async fn told(world: &World, recorder: &Recorder) -> Vec<(String, String)> {
    until_outbox(world, |o| o.pending == 0).await;
    recorder.events()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    pairs.iter().map(own).collect()
}

#[tokio::test]
async fn a_deleted_agent_with_many_schedules_is_told_once_and_its_pauses_once() {
    let (world, recorder) = (World::new().await, Recorder::start().await);
    let telling = Telling::start(&world, &world.service, &posting_to(&recorder)).await;
    let ids = hourly(&world, MANY).await;
    for _ in 0..5 {
        an_hour(&world, MANY, final_refusal).await;
    }
    let many = i64::try_from(MANY).unwrap();
    assert_eq!(
        open(&world).await,
        [
            (IncidentKind::Dead, 5 * many, None),
            (IncidentKind::Paused, many, None)
        ]
    );
    let begun = pairs(&[("opened", "dead"), ("opened", "paused")]);
    let mut events = told(&world, &recorder).await;
    events.sort();
    assert_eq!(events, begun);
    for incident in world.service.status().await.unwrap().incidents {
        assert_eq!(incident.agent_id.as_deref(), Some("agent-a"));
        assert!(
            incident.text.contains(&format!("{}", incident.count)),
            "{incident:?}"
        );
        assert!(!incident.text.contains("schedule 1"), "{incident:?}");
    }
    // It is there again: one delivery ends the first, the last resumed or ended one the second.
    let [first, others @ .., last] = ids.as_slice() else {
        panic!()
    };
    world.service.resume(*first, false).await.unwrap();
    an_hour(&world, 0, final_refusal).await;
    assert_eq!(open(&world).await, [(IncidentKind::Paused, many, None)]);
    for id in others {
        world.service.resume(*id, false).await.unwrap();
    }
    assert_eq!(open(&world).await.len(), 1);
    world.service.cancel(*last).await.unwrap();
    assert_eq!(open(&world).await, []);
    let events = told(&world, &recorder).await;
    assert_eq!(
        events[2..],
        pairs(&[("closed", "dead"), ("closed", "paused")])
    );
    telling.stop().await;
    let all = recorder.all();
    let keys = |n: usize| -> Vec<String> {
        let json = all[n].json();
        json.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(0), keys(2));
    let closed = all[2].json();
    assert_eq!(closed["count"], 5 * many);
    for key in ["schedule_id", "name", "target"] {
        assert_eq!(closed[key], Value::Null, "{key}");
    }
    assert_eq!(
        all[3].json()["outcome"],
        "its schedules were resumed or have ended"
    );
}

#[tokio::test]
async fn every_fault_is_the_agents_or_the_prompts() {
    let classes = [
        ErrorClass::Unauthorized,
        ErrorClass::ServerError,
        ErrorClass::LlmError,
        ErrorClass::LlmAuthentication,
        ErrorClass::PaymentRequired,
        ErrorClass::PendingApproval,
        ErrorClass::AgentUnknown,
        ErrorClass::InvalidRequest,
    ];
    for class in classes {
        for kind in [RefusalKind::Permanent, RefusalKind::NeedsHuman] {
            let world = World::new().await;
            let ids = hourly(&world, 2).await;
            an_hour(&world, 2, || refused(kind, class)).await;
            // What waits for a person keeps the other from being sent: it is over, the other's turn.
            if kind == RefusalKind::NeedsHuman {
                world.service.pause(ids[0], None).await.unwrap();
                deliver(&world).await;
            }
            let is_agents = kind == RefusalKind::NeedsHuman || class == ErrorClass::AgentUnknown;
            let open = open(&world).await;
            let expected: Vec<_> = match (is_agents, kind) {
                (true, RefusalKind::Permanent) => vec![(IncidentKind::Dead, 2, None)],
                (true, _) => vec![(IncidentKind::NeedsHuman, 2, None)],
                (false, _) => ids
                    .iter()
                    .map(|id| (IncidentKind::Dead, 1, Some(*id)))
                    .collect(),
            };
            assert_eq!(open, expected, "{kind:?} {class}");
        }
    }
}

#[tokio::test]
async fn an_agent_that_takes_nothing_for_a_day_is_one_incident() {
    let world = World::new().await;
    for i in 0..3 {
        world
            .register(
                "agent-a",
                &format!("tick {i}"),
                ScheduleType::Interval,
                "1d",
            )
            .await;
    }
    for _ in 0..100 {
        let busy = Act::Answer(FakeTarget::busy());
        world.target.script("agent-a", busy);
    }
    for _ in 0..4 {
        world.advance(24 * 3_600);
        deliver(&world).await;
    }
    let open = open(&world).await;
    let [(IncidentKind::Dead, count, None)] = open.as_slice() else {
        panic!("{open:?}")
    };
    assert!(*count >= 2, "{count}");
}

#[tokio::test]
async fn an_incident_of_an_agent_goes_on_until_nothing_more_comes_of_its_schedules() {
    let (world, recorder) = (World::new().await, Recorder::start().await);
    let telling = Telling::start(&world, &world.service, &posting_to(&recorder)).await;
    for n in 1..=3 {
        world.once("agent-a", "hello", 3_600 * n).await;
    }
    an_hour(&world, 1, final_refusal).await;
    an_hour(&world, 1, final_refusal).await;
    assert_eq!(open(&world).await, [(IncidentKind::Dead, 2, None)]);
    an_hour(&world, 1, final_refusal).await;
    assert_eq!(open(&world).await, []);
    assert_eq!(
        told(&world, &recorder).await,
        pairs(&[("opened", "dead"), ("closed", "dead")])
    );
    telling.stop().await;
    let closed = recorder.all()[1].json();
    assert_eq!(
        (&closed["count"], &closed["outcome"]),
        (&3.into(), &"nothing more comes of its schedules".into())
    );
}

#[tokio::test]
async fn an_agent_without_schedules_has_no_incident_however_it_lost_them() {
    for (how, sql) in [
        ("deleted", "DELETE FROM schedules"),
        ("moved", "UPDATE schedules SET agent_id = 'agent-b'"),
        ("deactivated", "UPDATE schedules SET active = 0"),
        ("ours", ""),
    ] {
        for kind in [RefusalKind::NeedsHuman, RefusalKind::Permanent] {
            let world = World::new().await;
            let ids = hourly(&world, 2).await;
            let act = || refused(kind, ErrorClass::AgentUnknown);
            an_hour(&world, 2, act).await;
            assert_eq!(open(&world).await.len(), 1);
            let db = &world.service.db;
            if sql.is_empty() {
                let other = promptyoself::models::AgentId::parse("agent-b").ok();
                let changes = Changes {
                    agent_id: other,
                    ..Changes::default()
                };
                world.service.update(ids[0], &changes).await.unwrap();
                world.service.cancel(ids[1]).await.unwrap();
                // What is on its way to the agent still is.
                world.service.cancel(ids[0]).await.unwrap();
            } else {
                Foreign::connect(&world.path()).await.run(sql).await;
                db.adopt_touched(&world.service.zone, world.now())
                    .await
                    .unwrap();
                db.settle_deleted(world.now()).await.unwrap();
                let waiting = "UPDATE occurrences SET state = 'dead' WHERE state = 'waiting'";
                Foreign::connect(&world.path()).await.run(waiting).await;
            }
            db.review_incidents(world.now()).await.unwrap();
            assert_eq!(open(&world).await, [], "{how} {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_prompts_own_trouble_stays_its_schedules() {
    let world = World::new().await;
    let ids = hourly(&world, 2).await;
    let mut strict = world.wish("agent-a", "strict", ScheduleType::Interval, "1h");
    strict.policy.pause_on_failure = Some(1);
    strict.policy.max_age = Some(SignedDuration::from_hours(1));
    let strict = world.service.register(&strict).await.unwrap().id;
    an_hour(&world, 3, || {
        refused(RefusalKind::Permanent, ErrorClass::InvalidRequest)
    })
    .await;
    assert_eq!(open(&world).await.len(), 4);
    // A delivery of one is no delivery of the others.
    world.service.cancel(ids[1]).await.unwrap();
    an_hour(&world, 0, final_refusal).await;
    assert_eq!(
        open(&world).await,
        [
            (IncidentKind::Dead, 1, Some(strict)),
            (IncidentKind::Paused, 1, Some(strict))
        ]
    );
}
