//! The daemon under load, killed as by SIGKILL again and again: at random moments, and between any
//! two steps of claim, send and record. Nothing may be lost or doubled.
//!
//! By default 100 kills, half of them with a Letta that knows otids and half without. With
//! `PROMPTYOSELF_LONG=1` 1,000 kills and 20,000 occurrences. `PROMPTYOSELF_SEED` repeats the
//! random part of an earlier run.

mod account;
mod app_server;
mod kills;
mod load;

use std::io::Write;
use std::time::Duration;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::models::{AgentId, Conversation};
use serde_json::json;

use crate::daemon::Program;
use crate::fake_letta::{FakeLetta, Load, Options, Script, Spell};
use crate::fake_target::FakeTarget;
use account::Account;
use kills::{Kills, Plan};
use load::Schedules;

const AGENTS: usize = 32;

/// How much is asked of one of the two runs.
struct Size {
    kills: usize,
    occurrences: usize,
}

fn size() -> Size {
    match std::env::var_os("PROMPTYOSELF_LONG").is_some_and(|v| v == "1") {
        false => Size {
            kills: 50,
            occurrences: 0,
        },
        true => Size {
            kills: 500,
            occurrences: 10_000,
        },
    }
}

fn seed() -> u64 {
    let given = std::env::var("PROMPTYOSELF_SEED").ok();
    given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap())
}

/// What a server under load does wrong to some of a thousand prompts. Every turn is far shorter
/// than the age at which a run counts as orphaned.
fn mishaps() -> Vec<(u32, Script)> {
    let answer = |status, body: &str, after: Option<&str>| Script::Answer {
        status,
        body: json!({ "detail": body }),
        headers: after
            .map(|after| ("retry-after".to_owned(), after.to_owned()))
            .into_iter()
            .collect(),
    };
    vec![
        (20, answer(429, "Too many requests", Some("1"))),
        (20, answer(500, "An unknown error occurred", None)),
        (10, Script::CutMidStream),
        (10, Script::CutAfter),
        (2, Script::CutBefore),
        (
            5,
            Script::AnswerAfter {
                status: 502,
                body: "<html>Bad Gateway</html>".into(),
            },
        ),
        (3, Script::Orphan),
        // Something between us and the server, which refuses one prompt or lets no answer through.
        (5, page(403)),
        (3, page(404)),
        (3, page(302)),
        (3, page(451)),
        (5, Script::Stall),
        (
            10,
            Script::Ends {
                stop_reason: "llm_api_error".into(),
                kept: false,
                error_type: Some("llm_error".into()),
                detail: "INTERNAL_SERVER_ERROR: the model is away".into(),
            },
        ),
    ]
}

/// An answer of a proxy's own.
fn page(status: u16) -> Script {
    Script::Answer {
        status,
        body: json!("<html>this is not for you</html>"),
        headers: [("location".to_owned(), "/login".to_owned())].into(),
    }
}

/// What the whole server goes through between the kills and under them.
fn every_spell() -> Vec<Spell> {
    vec![
        Spell::HiddenRuns,
        Spell::Frozen,
        Spell::OddStatus(json!("queued")),
        Spell::Unwell,
        Spell::OddStatus(json!([])),
        Spell::KeyRefused,
    ]
}

/// One kill in so many finds the server in a spell, or begins one.
const KILLS_OF_A_SPELL: usize = 3;

async fn every_occurrence_survives(redis: bool) {
    let (seed, size) = (seed(), size());
    say(&format!(
        "crash, redis {redis}: PROMPTYOSELF_SEED={seed} repeats its random part"
    ));
    let letta = FakeLetta::start_with(Options {
        redis,
        // What a run that died leaves locked: else its agent would do nothing for five minutes.
        lock: SignedDuration::from_secs(15),
        ..Options::default()
    })
    .await;
    letta.set_load(Load {
        random: fastrand::Rng::with_seed(seed ^ 1),
        before: 0..80,
        long_before: 1_000..4_000,
        turn: 100..700,
        mishaps: mishaps(),
    });
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("promptyoself.db");
    let agents: Vec<AgentId> = (0..AGENTS).map(|_| letta.add_agent()).collect();
    let program = Program::new(&database, &letta.url(), "pw-test")
        .with("PROMPTYOSELF_RETRY_FIRST", "0.3")
        .with("PROMPTYOSELF_ORPHANED_RUN_AGE", "10s")
        .with("PROMPTYOSELF_IDLE_TIMEOUT", "10s");

    // Every other prompt is sent in a conversation of its own.
    let conversation = |_: &AgentId, n| (n % 2 == 1).then_some(Conversation::New);
    let target = FakeTarget::new();
    let mut schedules = Schedules::new(&database, target, agents, conversation, seed ^ 2).await;
    let mut plan = Plan::new(seed ^ 3, size.kills);
    let mut kills = Kills::default();
    let mut spells = every_spell().into_iter().cycle();
    let mut random = fastrand::Rng::with_seed(seed ^ 4);
    while let Some(kill) = plan.next() {
        schedules.top_up().await;
        if kills.all.is_multiple_of(KILLS_OF_A_SPELL) {
            let time = Duration::from_millis(random.u64(300..1_500));
            letta.go_through(spells.next().unwrap(), time);
        }
        let reached = kills.kill(&kill, &program, &letta, &database).await;
        plan.note(kill, reached);
    }
    let daemon = loop {
        schedules.top_up().await;
        let daemon = program.start(&["serve"], "serve");
        if schedules.instants() >= size.occurrences {
            break daemon;
        }
        pause_between_top_ups().await;
        daemon.stop();
    };
    schedules.until_all_is_settled().await;
    let log = daemon.stop();
    assert!(!log.contains("ERROR"), "{log}");

    let account = Account::read_with(&database, &letta).await;
    account.is_what_was_asked_for(schedules.wishes());
    schedules.are_balanced().await;
    let figures = account.holds_each_prompt_once();
    account.keeps_the_order_of_each_lane(|o| &o.agent);
    assert_eq!(letta.overlaps(), 0);
    // A server that knows otids would forgive it, but nothing may rely on that.
    assert_eq!(letta.repeats(), 0);
    account.never_has_two_turns_of_one_agent();
    let met = letta.spells_met();
    say(&format!(
        "crash, redis {redis}: {kills}, {figures}, requests under spells {met:?}"
    ));
    for spell in every_spell() {
        assert!(met.contains_key(&format!("{spell:?}")), "no {spell:?}");
    }
    assert_eq!(plan.unreached(), [], "these points were never died at");
    assert!(
        kills.in_flight * 10 >= kills.all * 8,
        "too few kills found work in flight: {kills}"
    );
}

/// The load of some seconds.
async fn pause_between_top_ups() {
    Clock::system().sleep(Duration::from_secs(2)).await;
}

/// Says something that is seen whether or not the test fails.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_daemon_is_killed_each_prompt_arrives_once_or_is_reported() {
    every_occurrence_survives(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_too_each_prompt_arrives_once_whenever_the_daemon_is_killed() {
    every_occurrence_survives(false).await;
}
