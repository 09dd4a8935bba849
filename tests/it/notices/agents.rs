//! Trouble of an agent is one incident, however many of its schedules meet it.

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
    for key in ["schedule_id", "name"] {
        assert_eq!(closed[key], Value::Null, "{key}");
    }
    assert_eq!(closed["target"], "letta");
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
            // It is told only when it lasts.
            if (kind, class) == (RefusalKind::NeedsHuman, ErrorClass::PaymentRequired) {
                continue;
            }
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
                // It may turn out to hit every agent: only what lasts is told of one.
                (true, _) if class == ErrorClass::PaymentRequired => vec![],
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
        (&3.into(), &"its schedules send nothing more".into())
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

/// Each of so many agents has a prompt, which is refused since Letta does not know it.
async fn unknown_agents(world: &World, from: usize, n: usize, once: bool) {
    for i in from..from + n {
        let agent = format!("agent-made-up-{i}");
        match once {
            true => world.once(&agent, "p", 3_600).await,
            false => world.every(&agent, "p", "1h").await,
        };
        world.target.script(&agent, final_refusal());
    }
    world.advance(3_600);
    deliver(world).await;
}

#[tokio::test]
async fn many_agents_that_letta_does_not_know_are_told_of_one_by_one_at_first_and_then_together() {
    for once in [true, false] {
        let (world, recorder) = (World::new().await, Recorder::start().await);
        let telling = Telling::start(&world, &world.service, &posting_to(&recorder)).await;
        unknown_agents(&world, 0, MANY, once).await;
        let shared = |count| (IncidentKind::UnknownAgents, count, None);
        let many = i64::try_from(MANY - 5).unwrap();
        let found = open(&world).await;
        assert_eq!(found.last(), Some(&shared(many)), "once {once}");
        // One-shots are over at once.
        assert_eq!(found.len(), if once { 1 } else { 6 }, "{found:?}");
        let mut events = told(&world, &recorder).await;
        events.sort();
        let mut wanted = pairs(&[("opened", "dead"); 5]);
        wanted.extend(pairs(&[("opened", "unknown_agents")]));
        assert_eq!(events, wanted, "once {once}");

        // More of them are counted, and a day later they are told of anew.
        unknown_agents(&world, MANY, 3, true).await;
        assert!(open(&world).await.contains(&shared(many + 3)));
        let events = told(&world, &recorder).await;
        let shared = events.iter().filter(|event| event.1 == "unknown_agents");
        assert_eq!(shared.count(), 1);
        world.advance(25 * 3_600);
        world
            .service
            .db
            .review_incidents(world.now())
            .await
            .unwrap();
        assert!(
            !open(&world)
                .await
                .iter()
                .any(|i| i.0 == IncidentKind::UnknownAgents)
        );
        telling.stop().await;
    }
}

#[tokio::test]
async fn schedules_that_are_paused_for_one_of_many_unknown_agents_are_not_told_one_by_one() {
    let world = World::new().await;
    unknown_agents(&world, 0, MANY, false).await;
    for _ in 0..4 {
        for i in 0..MANY {
            world
                .target
                .script(&format!("agent-made-up-{i}"), final_refusal());
        }
        world.advance(3_600);
        deliver(&world).await;
    }
    assert_eq!(world.active().await, 0, "all are paused");
    let paused = open(&world).await;
    let paused = paused.iter().filter(|i| i.0 == IncidentKind::Paused);
    assert_eq!(paused.count(), 5);
}
