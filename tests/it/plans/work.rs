//! Everything that schedulers do with the database.

use std::collections::HashSet;

use jiff::SignedDuration;
use promptyoself::letta_client::{
    Answer, Delivery, Doubt, ErrorClass, Evidence, Refusal, RefusalKind,
};
use promptyoself::models::{
    CatchUp, Channel, NamedAgent, PingUrl, Policy, ScheduleType, State, Turn,
};
use promptyoself::scheduler::Mode;
use promptyoself::service::HistoryQuery;

use super::by_scheduler;
use crate::fake_target::{Act, FakeTarget};
use crate::foreign_writers::raw::Foreign;
use crate::simulation;
use crate::world::World;

/// How many seeds of the simulation are run. In none of them was the clock so wrong that schedules are
/// planned anew: that goes through everything, once.
const SEEDS: u64 = 11;

/// Works through everything.
pub async fn all() {
    endings().await;
    foreign_changes().await;
    holds().await;
    housekeeping().await;
    looks_at_the_history().await;
    for seed in 1..=SEEDS {
        simulation::law_of(seed).await.unwrap();
    }
}

/// Every way to ask for the history: whoever looks keeps a processor from the schedulers.
async fn looks_at_the_history() {
    let (world, _foreign) = told().await;
    let id = register(&world, "agent-a", Policy::default()).await;
    let states: Vec<Option<State>> = State::ALL.iter().copied().map(Some).collect();
    for id in [None, Some(id)] {
        for agent in [None, Some(NamedAgent::parse("agent-a").unwrap())] {
            for state in [&[None], &states[..]].concat() {
                for since in [None, Some(world.now())] {
                    for settled_since in [None, Some(world.now())] {
                        let asked = HistoryQuery {
                            id,
                            agent: agent.clone(),
                            state,
                            since,
                            settled_since,
                            limit: 5,
                            offset: 0,
                        };
                        by_scheduler(world.service.history(&asked)).await.unwrap();
                    }
                }
            }
        }
    }
}

fn refused(kind: RefusalKind, class: ErrorClass) -> Act {
    Act::Answer(Answer::Refused(Refusal::new(kind, class, "as scripted")))
}

/// A world in which somebody listens, and each schedule has its dead-man service.
async fn told() -> (World, Foreign) {
    let world = World::new().await;
    let channels = [Channel::Command, Channel::Url];
    world
        .service
        .db
        .listen(&channels, world.now())
        .await
        .unwrap();
    let foreign = Foreign::connect(&world.path()).await;
    (world, foreign)
}

async fn register(world: &World, agent: &str, policy: Policy) -> i64 {
    let mut wish = world.wish(agent, "hello", ScheduleType::Interval, "1m");
    wish.policy = policy;
    wish.ping_url = Some(PingUrl::parse("http://127.0.0.1:9/ping").unwrap());
    world.service.register(&wish).await.unwrap().id
}

/// Has a scheduler do all that is due.
async fn work_off(world: &World) {
    let done = world.start_on(&world.service, Mode::Once);
    done.ended().await;
}

/// Every verdict, a pause after failures, and every way to catch up.
async fn endings() {
    let (world, _foreign) = told().await;
    let policy = |catch_up| Policy {
        catch_up: Some(catch_up),
        pause_on_failure: Some(2),
        ..Policy::default()
    };
    for catch_up in [CatchUp::Latest, CatchUp::All, CatchUp::Skip] {
        register(&world, catch_up.as_str(), policy(catch_up)).await;
    }
    register(&world, "dead", policy(CatchUp::Latest)).await;
    let human = register(&world, "human", policy(CatchUp::Latest)).await;
    world.once("too-late", "hello", 1).await;
    let dead = || refused(RefusalKind::Permanent, ErrorClass::AgentUnknown);
    let delivered = || Act::Run("run-1", FakeTarget::delivered("well"));
    for act in [dead(), delivered(), dead(), dead()] {
        world.target.script("dead", act);
    }
    let needs_human = refused(RefusalKind::NeedsHuman, ErrorClass::PendingApproval);
    for act in [needs_human, delivered(), Act::Answer(cut()), delivered()] {
        world.target.script("human", act);
    }
    world.advance(8 * 86_400);
    for _ in 0..6 {
        work_off(&world).await;
        let _ = world.service.run(human).await;
        world.advance(90);
    }
    let states: HashSet<State> = world.occurrences().await.iter().map(|o| o.state).collect();
    for state in [
        State::Delivered,
        State::Dead,
        State::Missed,
        State::Coalesced,
    ] {
        assert!(states.contains(&state), "{states:?}");
    }
}

fn cut() -> Answer {
    Answer::Unknown(Doubt {
        class: ErrorClass::Cut,
        text: "the connection ended".into(),
        run_id: Some("run-1".into()),
    })
}

/// What other programs do to the schedules.
async fn foreign_changes() {
    let (world, mut foreign) = told().await;
    let changes = [
        "active = 0",
        "schedule_value = '2m'",
        "next_run = '2026-02-01 11:00:00'",
        "schedule_value = 'nonsense'",
        "prompt_text = char(65533)",
        "name = 'other'",
        "end_at = '2027-01-01 00:00:00.000000'",
        "payload = 'gone'",
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let id = register(&world, &format!("agent-{n}"), Policy::default()).await;
        if n % 2 == 0 {
            world.service.pause(id, None).await.unwrap();
        }
        let busy = Act::Answer(FakeTarget::busy());
        world.target.script(&format!("agent-{n}"), busy);
        world.advance(61);
        work_off(&world).await;
        let change =
            format!("PRAGMA foreign_keys = OFF; UPDATE schedules SET {change} WHERE id = {id}");
        foreign.run(&change).await;
        work_off(&world).await;
        let again =
            format!("UPDATE schedules SET active = 1, schedule_value = '3m' WHERE id = {id}");
        foreign.run(&again).await;
        world.advance(200);
        work_off(&world).await;
        foreign
            .run(&format!("DELETE FROM schedules WHERE id = {id}"))
            .await;
        work_off(&world).await;
    }
    foreign
        .insert("interval", "1h", "2026-02-01 11:00:00")
        .await;
    foreign
        .insert("cron", "0 0 31 2 *", "2026-02-01 11:00:00")
        .await;
    work_off(&world).await;
}

/// What keeps prompts from being sent, and schedulers that die.
async fn holds() {
    let (world, mut foreign) = told().await;
    let id = register(&world, "agent-a", Policy::default()).await;
    let paused = world.service.pause_until(id, None, "in 60 seconds").await;
    paused.unwrap();
    world.advance(61);
    work_off(&world).await;
    let down = Refusal::new(RefusalKind::TargetTrouble, ErrorClass::Unhealthy, "down");
    world.target.set_down(Some(down));
    for _ in 0..4 {
        world.advance(400);
        work_off(&world).await;
    }
    world.target.set_down(None);
    work_off(&world).await;
    let down = world.service.db.list_held_targets().await.unwrap();
    assert!(down.is_empty(), "{down:?}");
    world.service.halt(None).await.unwrap();
    world.advance(61);
    work_off(&world).await;
    world.service.lift_halt().await.unwrap();
    world.target.script("agent-a", Act::Hang("run-1"));
    let killed = world.start();
    world
        .target
        .wait_for_sent(world.target.sent().len() + 1)
        .await;
    killed.kill().await;
    let found = Evidence::Found(Delivery {
        run_id: None,
        stop_reason: None,
        turn: Turn::Ok,
        tokens: None,
        reply: None,
        error: None,
    });
    world.target.evidence("agent-a", found);
    work_off(&world).await;
    foreign
        .run("UPDATE occurrences SET not_before = '2030-01-01 00:00:00.000000' WHERE state = 'waiting'")
        .await;
    work_off(&world).await;
}

/// What is done beside deliveries.
async fn housekeeping() {
    let (world, _foreign) = told().await;
    register(&world, "agent-a", Policy::default()).await;
    world.advance(61);
    work_off(&world).await;
    let db = &world.service.db;
    // Whoever watches asks every few seconds.
    by_scheduler(db.gauges(world.now())).await.unwrap();
    by_scheduler(db.prune(
        world.now() + SignedDuration::from_secs(1),
        world.now(),
        |_| (),
    ))
    .await
    .unwrap();
    by_scheduler(db.data_version()).await.unwrap();
}
