//! What every store promises, whatever database it is, tested through what the program itself
//! calls.

mod callers;
mod claims;
mod keeping;
mod notices;
mod pauses;
mod schedules;
mod takeover;

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use promptyoself::db::Db;
use promptyoself::models::{
    AgentId, Claim, ClaimTerms, DueSchedule, Fault, Job, Lane, Occurrence, PromptSchedule, State,
    Turn, Verdict,
};
use promptyoself::service::Service;
use uuid::Uuid;

use crate::world::World;

/// How many do something at the same time, each with connections of its own.
const MANY: usize = 8;

/// A kind of database.
#[derive(Clone, Copy, Debug)]
enum Store {
    Sqlite,
}

impl Store {
    const ALL: [Store; 1] = [Store::Sqlite];

    /// An empty one.
    async fn world(self) -> World {
        match self {
            Store::Sqlite => World::new().await,
        }
    }
}

/// Tries a law on every store.
async fn on_every_store(law: impl AsyncFn(World)) {
    for store in Store::ALL {
        println!("on {store:?}");
        law(store.world().await).await;
    }
}

/// Several processes do something at the same time; what it came to for each.
async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    world: &World,
    work: impl Fn(usize, Service) -> F,
) -> Vec<T> {
    let mut services = Vec::new();
    for _ in 0..MANY {
        services.push(Service {
            caller: world.service.caller.clone(),
            budget: world.service.budget,
            ..world.another().await
        });
    }
    let start = Arc::new(tokio::sync::Barrier::new(MANY));
    let tasks = services.into_iter().enumerate().map(|(n, service)| {
        let (start, work) = (start.clone(), work(n, service));
        tokio::spawn(async move {
            start.wait().await;
            work.await
        })
    });
    let done = join_all(tasks.collect::<Vec<_>>()).await;
    done.into_iter().map(Result::unwrap).collect()
}

fn agent(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

fn lane(agent: &str) -> Lane {
    Lane::new(format!("letta/{agent}"))
}

/// The terms of a scheduler.
fn terms(owner: Uuid) -> ClaimTerms {
    ClaimTerms {
        owner,
        max_age: SignedDuration::from_hours(24),
        once_max_lateness: SignedDuration::from_hours(24),
    }
}

/// Somebody's terms.
fn anybodys() -> ClaimTerms {
    terms(Uuid::from_u128(7))
}

/// The schedules that are due.
async fn due(world: &World) -> Vec<DueSchedule> {
    world
        .service
        .db
        .get_due_schedules(world.now())
        .await
        .unwrap()
}

/// Claims a due schedule in its agent's lane.
async fn claim(db: &Db, due: &DueSchedule, now: Timestamp) -> Claim {
    let lane = lane(due.agent_id.as_str());
    db.claim_due(due, &lane, &anybodys(), now).await.unwrap()
}

/// The job of a claim that must be ours.
fn job(claim: Claim) -> Job {
    match claim {
        Claim::Job(job) => *job,
        other => panic!("{other:?}"),
    }
}

/// An hourly prompt whose first time has come and that is on its way.
async fn sending(world: &World) -> Job {
    world.every("agent-a", "hello", "1h").await;
    world.advance(3_600);
    let due = due(world).await.remove(0);
    job(claim(&world.service.db, &due, world.now()).await)
}

fn delivered() -> Verdict {
    Verdict::Delivered {
        run_id: Some("run-1".into()),
        stop_reason: Some("end_turn".into()),
        turn: Turn::Ok,
        tokens: Some(3),
        reply: Some("yes".into()),
        error: None,
    }
}

fn busy(not_before: Timestamp) -> Verdict {
    Verdict::Waiting {
        not_before,
        fault: Fault::new("busy", "in another turn"),
        counts: true,
        fresh_otid: false,
    }
}

fn dead() -> Verdict {
    Verdict::Dead {
        fault: Fault::new("refused", "it was refused for good"),
    }
}

/// Settles a job, which must be ours still, and gives the state it comes to.
async fn settle(world: &World, job: &Job, verdict: &Verdict) -> State {
    let (id, fence) = (job.occurrence_id, job.fence);
    let settled = world.service.db.settle(id, fence, verdict, world.now());
    settled.await.unwrap().unwrap().state
}

/// The only occurrence.
async fn only_occurrence(world: &World) -> Occurrence {
    let all = world.occurrences().await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().unwrap()
}

async fn schedule(world: &World, id: i64) -> PromptSchedule {
    let found = world.service.db.get_schedule(id).await;
    found.unwrap().unwrap()
}
