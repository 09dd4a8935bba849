//! The simulation: the scheduler's real core and store against a model of Letta, with everything
//! that can go wrong, and with time and chance determined by the seed.
//!
//! `PROMPTYOSELF_SEED=7` shows the run of one seed, `PROMPTYOSELF_SEED=1000..2000` runs those,
//! `PROMPTYOSELF_LONG=1` runs thousands.

mod directory;
mod disturbances;
mod faults;
mod invariants;
mod model_letta;
mod operations;
mod process;
mod searches;
mod talks;
mod trace;
mod world;

use promptyoself::ids;

use self::trace::Law;
use self::world::World;

/// The first seed of every run.
const FIRST_SEED: u64 = 151;

/// How many seeds are run by default.
const SEEDS: u64 = 150;

/// How many seeds the long form runs.
const LONG_SEEDS: u64 = 5_000;

/// How many lines are shown of a run that broke a law.
const SHOWN: usize = 40;

/// Runs one seed where it is called: the law that it broke, if it did.
pub async fn law_of(seed: u64) -> Result<(), String> {
    let run = async { World::new(seed).await.run().await };
    ids::drawn_from(seed, run).await.map_err(|law| law.0)
}

/// Runs one seed: whether the laws held, and what happened.
fn run(seed: u64, loud: bool) -> (Law, World) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(ids::drawn_from(seed, async {
        let mut world = World::new(seed).await;
        world.trace.loud = loud;
        let law = world.run().await;
        (law, world)
    }))
}

fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("PROMPTYOSELF_SEED").unwrap_or_default();
    if let Ok(seed) = asked.parse() {
        return seed..seed + 1;
    }
    if let Some((first, end)) = asked.split_once("..") {
        return first.parse().unwrap()..end.parse().unwrap();
    }
    let long = std::env::var_os("PROMPTYOSELF_LONG").is_some_and(|v| v == "1");
    FIRST_SEED..FIRST_SEED + if long { LONG_SEEDS } else { SEEDS }
}

/// What has to happen in some seed, or the simulation proves nothing about it.
const HAPPENS: [&str; 30] = [
    "is killed before send",
    "is killed before that is written",
    "is killed before it hears of that",
    "finishes",
    "its answer is lost",
    "the database fails when",
    "the database can't be read",
    "the server dies",
    "the server can't be reached",
    "the whole server says no",
    "hides Run",
    "hides All",
    "hides Dates",
    "the clock is set",
    "in doubt: ",
    "schedules were planned anew",
    "sleeps until",
    "joins run-",
    "somebody speaks with",
    "is deleted",
    "PENDING_APPROVAL",
    "it never ended",
    "state: coalesced",
    "state: missed",
    "state: skipped",
    "state: dead",
    "state: cancelled",
    "delivery_unknown",
    "claimed: Gone",
    "halt",
];

#[test]
fn every_prompt_is_accounted_for_whatever_goes_wrong() {
    let seeds = seeds();
    let loud = seeds.end - seeds.start == 1;
    let mut broken = Vec::new();
    let mut absent = HAPPENS.to_vec();
    for seed in seeds {
        let (law, world) = run(seed, loud);
        absent.retain(|what| !world.trace.lines().iter().any(|line| line.contains(what)));
        if let Err(law) = law {
            println!("{}\n\nseed {seed}: {}\n", world.trace.tail(SHOWN), law.0);
            broken.push(seed);
        }
    }
    assert!(
        broken.is_empty(),
        "seeds {broken:?} broke a law; PROMPTYOSELF_SEED={} shows all of one",
        broken[0]
    );
    assert!(loud || absent.is_empty(), "in no seed: {absent:?}");
}

#[test]
fn the_same_seed_leads_to_the_same_events() {
    for seed in [3, 4, 5] {
        let (a, b) = (run(seed, false).1, run(seed, false).1);
        let (a, b) = (a.trace.lines(), b.trace.lines());
        let differ = a.iter().zip(b).find(|(a, b)| a != b);
        assert_eq!(differ, None);
        assert_eq!(a.len(), b.len());
    }
}
