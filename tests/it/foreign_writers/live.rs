//! SQLAlchemy next to the real program, with the real clock and a fake Letta.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use serde_json::{Value, json};

use super::raw::Foreign;
use crate::daemon::Program;
use crate::fake_letta::FakeLetta;
use crate::python::{Peer, utc};

fn once(agent: &str, text: &str, next_run: Timestamp) -> Value {
    json!({
        "agent_id": agent, "prompt_text": text, "schedule_type": "once",
        "schedule_value": next_run.to_string(), "next_run": utc(next_run),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_daemon_delivers_what_sqlalchemy_inserts_changes_and_does_not_cancel() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shared.db");
    let letta = FakeLetta::start().await;
    let agent = letta.add_agent();
    let program = Program::new(&database, &letta.url(), "pw-test");
    let daemon = program.start(&["serve"], "serve");
    program.until_scheduled().await;
    let mut peer = Peer::start("paper.py", &database);

    let now = Clock::system().now();
    let after = |seconds| now + SignedDuration::from_secs(seconds);
    let mut add = |text: &str, seconds| peer.ask("add", once(agent.as_str(), text, after(seconds)));
    add("past", -10);
    letta.wait_for(1).await;
    add("soon", 3);
    let [cancelled, changed] = [add("cancelled", 100_000), add("before", 100_000)];
    peer.ask("cancel", json!({ "id": cancelled }));
    let change = json!({ "id": changed, "prompt_text": "after", "next_run": utc(after(1)) });
    peer.ask("update", change);
    let sent = letta.wait_for(3).await;
    let texts: Vec<String> = sent.iter().map(|r| r.text.clone()).collect();
    for text in ["past", "soon", "after"] {
        assert!(texts.iter().any(|t| t.ends_with(text)), "{texts:?}");
    }
    program
        .until(|history| history.iter().filter(|o| o["state"] == "delivered").count() == 3)
        .await;
    let listed = program.json(&["list", "--all"]);
    let stands: Vec<&str> = listed["schedules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["lifecycle"].as_str().unwrap())
        .collect();
    assert_eq!(
        stands.iter().filter(|s| **s == "finished").count(),
        3,
        "{listed}"
    );
    assert!(stands.contains(&"cancelled"), "{listed}");
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_side_by_side_are_never_told_that_the_database_is_locked() {
    const EACH: usize = 100;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shared.db");
    let letta = FakeLetta::start().await;
    let program = Program::new(&database, &letta.url(), "pw-test");
    let daemon = program.start(&["serve"], "serve");
    program.until_scheduled().await;
    let now = Clock::system().now();
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let agent = letta.add_agent();
            let mut peer = Peer::start("paper.py", &database);
            std::thread::spawn(move || {
                let mut columns = once(agent.as_str(), &format!("writer {writer}:"), now);
                columns["count"] = json!(EACH);
                peer.try_ask("add_many", columns)
            })
        })
        .collect();
    letta.wait_for(2 * EACH).await;
    for writer in writers {
        assert_eq!(writer.join().unwrap(), Ok(json!(EACH)));
    }
    program
        .until(|history| history.iter().filter(|o| o["state"] == "delivered").count() == 2 * EACH)
        .await;
    assert_eq!(letta.received().len(), 2 * EACH);
    let log = daemon.stop();
    assert!(!log.contains("locked") && !log.contains("ERROR"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_keeps_the_database_locked_for_a_while_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shared.db");
    let letta = FakeLetta::start().await;
    let agent = letta.add_agent();
    let program = Program::new(&database, &letta.url(), "pw-test");
    let daemon = program.start(&["serve"], "serve");
    program.until_scheduled().await;
    let mut foreign = Foreign::connect(&database).await;
    foreign.run("BEGIN IMMEDIATE").await;
    let soon = Clock::system().now().to_string();
    foreign.insert("once", "x", &soon).await;
    foreign
        .run(&format!("UPDATE schedules SET agent_id = '{agent}'"))
        .await;
    Clock::system().sleep(Duration::from_secs(2)).await;
    foreign.run("COMMIT").await;
    letta.wait_for(1).await;
    let log = daemon.stop();
    assert!(!log.contains("ERROR"), "{log}");
}
