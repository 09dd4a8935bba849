//! The real program, with every fault at once.

use jiff::SignedDuration;
use promptyoself::models::AgentId;
use serde_json::Value;

use super::every_fault;
use crate::daemon::{Program, pause};
use crate::fake_letta::{FakeLetta, Options};
use crate::foreign_writers::raw::Foreign;

/// How many prompts each agent without a fault gets.
const PROMPTS: usize = 25;

fn every_second(program: &Program, agent: &AgentId, prompt: &str, times: usize) {
    program.json(&[
        "register",
        "--agent-id",
        agent.as_str(),
        "--prompt",
        prompt,
        "--every",
        "1s",
        "--max-repetitions",
        &times.to_string(),
        "--skip-validation",
    ]);
}

fn settled(history: &[Value]) -> i64 {
    let ended = history.iter().filter(|o| o["finished_at"].is_string());
    ended.map(|o| o["count"].as_i64().unwrap()).sum()
}

fn kept(letta: &FakeLetta, agent: &AgentId) -> usize {
    let messages = letta.messages(agent);
    messages
        .iter()
        .filter(|m| m["message_type"] == "user_message")
        .count()
}

async fn every_fault_at_once(redis: bool) {
    let mut letta = FakeLetta::start_with(Options {
        redis,
        lock: SignedDuration::from_secs(10),
        ..Options::default()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("promptyoself.db");
    let program = Program::new(&database, &letta.url(), "pw-test")
        .with("PROMPTYOSELF_RETRY_FIRST", "0.3")
        .with("PROMPTYOSELF_APPROVAL_POLL", "1s")
        .with("PROMPTYOSELF_IDLE_TIMEOUT", "20s")
        // Longer than it can take, on a busy machine too, until the last fault is put right.
        .with("PROMPTYOSELF_ORPHANED_RUN_AGE", "40s");
    let well: Vec<AgentId> = (0..4).map(|_| letta.add_agent()).collect();
    let mut hit = Vec::new();
    let provable = every_fault().into_iter().filter(|(_, f)| !f.hides_runs);
    for (name, fault) in provable {
        let agent = letta.add_agent();
        (fault.before)(&letta, &agent);
        letta.script(&agent, fault.script);
        every_second(&program, &agent, name, 1);
        hit.push((name, agent, fault.relief));
    }
    for agent in &well {
        every_second(&program, agent, "work on", PROMPTS);
    }
    let daemon = program.start(&["serve"], "serve");
    let all = hit.len() + well.len() * PROMPTS;
    let is_hit = |history: &[Value], agent: &AgentId| {
        history.iter().any(|o| o["agent_id"] == agent.as_str())
    };
    program
        .until(|history| hit.iter().all(|(_, agent, _)| is_hit(history, agent)))
        .await;
    for (_, agent, relief) in &hit {
        if let Some((_, relieve)) = relief {
            relieve(&letta, agent);
        }
    }
    // And all of them lose their server for a while, until that was met: by a prompt, or by a search,
    // which holds it before any prompt is sent.
    letta.stop();
    let mut db = Foreign::connect(&database).await;
    let mut is_met = false;
    for _ in 0..600 {
        let held: i64 = db.one("SELECT count(*) FROM held_targets").await;
        let unreachable = |o: &Value| o["error"].to_string().contains("unreachable");
        is_met = held > 0 || program.history().iter().any(unreachable);
        if is_met {
            break;
        }
        pause().await;
    }
    assert!(is_met, "nobody met that the server is away");
    letta.start_again().await;
    let history = program
        .until(|history| settled(history) == all as i64)
        .await;
    let log = daemon.stop();
    assert!(!log.contains("ERROR"), "{log}");

    assert_eq!(letta.overlaps(), 0);
    for (name, agent, _) in &hit {
        assert_eq!(kept(&letta, agent), 1, "{name}");
    }
    for agent in &well {
        let of: Vec<&Value> = history
            .iter()
            .filter(|o| o["agent_id"] == agent.as_str())
            .collect();
        let delivered = of.iter().filter(|o| o["state"] == "delivered").count();
        let rest: Vec<_> = of.iter().filter(|o| o["state"] != "delivered").collect();
        assert!(rest.iter().all(|o| o["state"] == "coalesced"), "{rest:#?}");
        assert_eq!(kept(&letta, agent), delivered);
    }
    assert!(
        history
            .iter()
            .all(|o| o["state"] == "delivered" || o["state"] == "coalesced")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_once_loses_nothing_and_doubles_nothing() {
    every_fault_at_once(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_too_every_fault_at_once_loses_nothing_and_doubles_nothing() {
    every_fault_at_once(false).await;
}
