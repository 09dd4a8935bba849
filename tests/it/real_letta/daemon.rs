//! The real program and a real Letta, each stopped and killed in the middle of a turn.

use promptyoself::models::AgentId;
use serde_json::Value;
use tempfile::TempDir;

use super::{Alone, RealLetta};
use crate::daemon::Program;

/// The program on a new database, with the server's address and password.
fn program(real: &RealLetta) -> (Program, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("promptyoself.db");
    (Program::new(&database, &real.url, &real.password), folder)
}

/// Schedules a prompt to be sent once, a second from now.
fn soon(program: &Program, agent: &AgentId, prompt: &str) -> i64 {
    every(program, agent, prompt, "1s", "1")
}

fn every(program: &Program, agent: &AgentId, prompt: &str, interval: &str, times: &str) -> i64 {
    let answer = program.json(&[
        "register",
        "--agent-id",
        agent.as_str(),
        "--prompt",
        prompt,
        "--every",
        interval,
        "--max-repetitions",
        times,
    ]);
    answer["id"].as_i64().unwrap()
}

fn all_delivered(n: usize) -> impl Fn(&[Value]) -> bool {
    move |history| history.len() >= n && history.iter().all(|o| o["state"] == "delivered")
}

/// How many user messages of the agent hold this text, and under which otids.
async fn copies(real: &RealLetta, agent: &AgentId, text: &str) -> Vec<Option<String>> {
    let messages = real.messages(agent).await;
    messages
        .iter()
        .filter(|m| m["message_type"] == "user_message")
        .filter(|m| m["content"].to_string().contains(text))
        .map(|m| m["otid"].as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn prompts_are_delivered_answered_and_found_under_their_otids() {
    let real = RealLetta::get().await;
    let agent = real.new_agent().await;
    let (program, _folder) = program(&real);
    let daemon = program.start(&["serve"], "serve");
    program.until_scheduled().await;
    every(
        &program,
        &agent,
        "an interval \"quoted\" – ünïcödé 👋🏽",
        "1s",
        "3",
    );
    soon(&program, &agent, "--once");
    // Two schedules of one agent may coalesce while its turn goes on, so wait for what is open.
    let history = program
        .until(|h| {
            let settled: i64 = h
                .iter()
                .filter(|o| o["finished_at"].is_string())
                .map(|o| o["count"].as_i64().unwrap())
                .sum();
            settled == 4
        })
        .await;
    for delivery in history.iter().filter(|o| o["state"] == "delivered") {
        assert!(
            delivery["reply"].as_str().unwrap().starts_with("stub: "),
            "{delivery:#}"
        );
        let otid: uuid::Uuid = delivery["attempts"][0]["otid"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(real.count(&agent, otid).await, 1);
    }
    assert_eq!(copies(&real, &agent, "--once").await.len(), 1);
    daemon.stop();
}

#[tokio::test]
async fn a_wrong_password_holds_the_target_and_a_right_one_delivers() {
    let real = RealLetta::get().await;
    let agent = real.new_agent().await;
    let (program, _folder) = program(&real);
    soon(&program, &agent, "patient");
    let wrong = program.clone().with("LETTA_API_KEY", "wrong");
    let test = wrong.run(&["test"]);
    assert_eq!(test.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&test.stdout).unwrap();
    assert_eq!(answer["code"], "letta_unauthorized");

    let daemon = wrong.start(&["serve"], "wrong");
    program
        .until(|h| {
            h.iter()
                .any(|o| o["error"].to_string().contains("unauthorized"))
        })
        .await;
    let listed = program.json(&["list", "--all"]);
    assert!(
        listed["warning"].as_str().unwrap().contains("on hold"),
        "{listed}"
    );
    daemon.stop();

    let daemon = program.start(&["serve"], "right");
    program.until(all_delivered(1)).await;
    assert_eq!(copies(&real, &agent, "patient").await.len(), 1);
    daemon.stop();
}

#[tokio::test]
async fn an_unknown_agent_is_refused_at_registration_and_dead_at_delivery() {
    let real = RealLetta::get().await;
    let (program, _folder) = program(&real);
    let nobody = "agent-00000000-0000-4000-8000-000000000000";
    let words = [
        "register",
        "--agent-id",
        nobody,
        "--prompt",
        "hi",
        "--every",
        "1s",
    ];
    let refused = program.run(&words);
    assert_eq!(refused.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(answer["code"], "agent_unknown");

    let unchecked: Vec<&str> = words
        .into_iter()
        .chain(["--skip-validation", "--max-repetitions", "1"])
        .collect();
    program.json(&unchecked);
    let daemon = program.start(&["serve"], "serve");
    let history = program
        .until(|h| h.iter().any(|o| o["state"] == "dead"))
        .await;
    assert!(
        history[0]["error"]
            .as_str()
            .unwrap()
            .starts_with("agent_unknown"),
        "{history:#?}"
    );
    daemon.stop();
}

#[tokio::test]
async fn a_long_turn_is_waited_for_and_holds_up_no_other_agent() {
    let real = RealLetta::get().await;
    let (slow, quick) = (real.new_agent().await, real.new_agent().await);
    let (program, _folder) = program(&real);
    // Silence that lasts longer than the program bears without a sign of life from the server.
    let program = program.with("PROMPTYOSELF_IDLE_TIMEOUT", "40s");
    let daemon = program.start(&["serve"], "serve");
    soon(&program, &slow, "[[sleep 75]] slow");
    real.wait_for_model("slow").await;
    soon(&program, &quick, "quick");
    let history = program
        .until(|h| h.iter().any(|o| o["state"] == "delivered"))
        .await;
    let slow_one = history
        .iter()
        .find(|o| o["agent_id"] == slow.as_str())
        .unwrap();
    assert_eq!(slow_one["state"], "sending");
    program.until(all_delivered(2)).await;
    assert_eq!(copies(&real, &slow, "slow").await.len(), 1);
    assert_eq!(copies(&real, &quick, "quick").await.len(), 1);
    daemon.stop();
}

#[tokio::test]
async fn a_daemon_killed_in_the_middle_of_a_turn_sends_nothing_twice_and_loses_nothing() {
    let real = RealLetta::get().await;
    killed_mid_turn(&real).await;
}

#[tokio::test]
async fn without_redis_too_a_killed_daemon_sends_nothing_twice_and_loses_nothing() {
    let real = RealLetta::without_redis().await;
    killed_mid_turn(&real).await;
}

async fn killed_mid_turn(real: &RealLetta) {
    let agent = real.new_agent().await;
    let (program, _folder) = program(real);
    let mut daemon = program.start(&["serve"], "killed");
    let text = format!("[[sleep 8]] {}", uuid::Uuid::new_v4());
    soon(&program, &agent, &text);
    soon(&program, &agent, "the next one");
    real.wait_for_model(&text).await;
    daemon.kill();
    assert_eq!(program.history()[0]["state"], "sending");

    let daemon = program.start(&["serve"], "next");
    program.until(all_delivered(2)).await;
    daemon.stop();
    assert_eq!(copies(real, &agent, &text).await.len(), 1);
    assert_eq!(copies(real, &agent, "the next one").await.len(), 1);
}

#[tokio::test]
async fn a_stopped_letta_is_waited_for_and_then_everything_is_delivered_once() {
    let real = RealLetta::alone().await;
    let agent = real.new_agent().await;
    let other = real.new_agent().await;
    let (program, _folder) = program(&real);
    let daemon = program.start(&["serve"], "serve");
    program.until_scheduled().await;
    soon(&program, &agent, "before");
    program.until(all_delivered(1)).await;

    real.stop_letta().await;
    for (agent, prompt) in [(&agent, "meanwhile"), (&other, "elsewhere")] {
        program.json(&[
            "register",
            "--agent-id",
            agent.as_str(),
            "--prompt",
            prompt,
            "--every",
            "1s",
            "--max-repetitions",
            "1",
            "--skip-validation",
        ]);
    }
    let held = |h: &[Value]| {
        h.iter()
            .any(|o| o["error"].to_string().contains("unreachable"))
    };
    program.until(held).await;
    real.start_letta().await;
    program.until(all_delivered(3)).await;
    daemon.stop();
    for (agent, prompt) in [
        (&agent, "before"),
        (&agent, "meanwhile"),
        (&other, "elsewhere"),
    ] {
        assert_eq!(copies(&real, agent, prompt).await.len(), 1, "{prompt}");
    }
}

#[tokio::test]
async fn a_letta_killed_in_the_middle_of_a_turn_gets_the_prompt_again_only_with_proof() {
    letta_killed_mid_turn(&RealLetta::alone().await).await;
}

#[tokio::test]
async fn without_redis_too_a_killed_letta_gets_the_prompt_again_only_with_proof() {
    letta_killed_mid_turn(&RealLetta::alone_without_redis().await).await;
}

async fn letta_killed_mid_turn(real: &Alone) {
    let agent = real.new_agent().await;
    let (program, _folder) = program(real);
    // A run that the dead server left behind never ends; here it counts as orphaned soon.
    let program = program.with("PROMPTYOSELF_ORPHANED_RUN_AGE", "20s");
    let daemon = program.start(&["serve"], "serve");
    let text = format!("[[sleep 15]] {}", uuid::Uuid::new_v4());
    soon(&program, &agent, &text);
    real.wait_for_model(&text).await;
    // With Redis left alone the dead turn would keep its lock for five minutes, and the prompt
    // would wait for that too.
    real.stop_everything().await;
    program.until(|h| h[0]["state"] == "unknown").await;
    real.start_letta().await;
    let history = program.until(all_delivered(1)).await;
    daemon.stop();
    let attempts = history[0]["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{history:#?}");
    assert_ne!(attempts[0]["otid"], attempts[1]["otid"]);
    assert_eq!(copies(real, &agent, &text).await.len(), 1);
}
