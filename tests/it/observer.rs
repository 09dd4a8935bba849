//! The process that stays with our turns at an App Server: whoever is killed, stopped or restarted in
//! the middle of a turn leaves neither a cancelled turn nor a conversation that takes nothing more.

mod alone;
mod blocked;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use promptyoself::models::AgentId;
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Daemon, Program, pause};
use crate::fake_app_server::{FakeAppServer, Scope, Script};
use crate::fake_letta::FakeLetta;

/// The program beside a fake App Server with one agent.
struct Scene {
    _folder: TempDir,
    program: Program,
    fake: FakeAppServer,
    agent: AgentId,
}

impl Scene {
    async fn new() -> Self {
        let fake = FakeAppServer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("promptyoself.db");
        Scene {
            program: Program::new(&database, &fake.ws_url(), "pw-test")
                .with("PROMPTYOSELF_DRAIN", "1s"),
            _folder: folder,
            agent: fake.add_agent(),
            fake,
        }
    }

    /// Makes a prompt due in the default conversation, now.
    fn ask(&self, prompt: &str) {
        self.ask_in("default", prompt);
    }

    /// The same in any conversation.
    fn ask_in(&self, conversation: &str, prompt: &str) {
        let agent = self.agent.as_str();
        let made = self.program.json(&[
            "register",
            "--agent-id",
            agent,
            "--prompt",
            prompt,
            "--every",
            "1h",
            "--conversation",
            conversation,
        ]);
        self.program.json(&["run", "--id", &made["id"].to_string()]);
    }

    fn scope(&self) -> Scope {
        Scope::new(&self.agent, "default")
    }

    fn serve(&self) -> Daemon {
        self.program.start(&["serve", "--listen", "off"], "serve")
    }

    /// Starts the program and waits until it is in the middle of its first turn.
    async fn in_a_turn(&self) -> Daemon {
        self.fake.hold("default", true);
        self.ask("first");
        let daemon = self.serve();
        self.fake.wait_for_begun(1).await;
        self.fake.wait_for_clients(2).await;
        daemon
    }

    /// Everything went well: each prompt was sent once and its turn ended as it should.
    async fn both_prompts_arrive(&self, first_turn: &str) {
        self.ask("second");
        let daemon = self.serve();
        let history = self
            .program
            .until(|h| h.len() == 2 && is_all(h, "delivered"))
            .await;
        assert_eq!(history[1]["turn"], first_turn, "{history:#?}");
        assert_eq!(history[1]["reply"], "fake: first", "{history:#?}");
        assert_eq!(history[0]["turn"], "ok", "{history:#?}");
        assert_eq!(self.fake.begun().len(), 2);
        assert!(!self.fake.is_wedged("default"));
        let sent = self.fake.messages(&self.scope());
        let sent = sent.iter().filter(|m| m["message_type"] == "user_message");
        assert_eq!(sent.count(), 2);
        daemon.stop();
    }
}

fn is_all(history: &[Value], state: &str) -> bool {
    history.iter().all(|o| o["state"] == state)
}

/// The processes that another one has started and that are still there.
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let started = tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let started: Vec<String> = started.collect();
    let pids = started.iter().flat_map(|pids| pids.split_whitespace());
    pids.map(|pid| pid.parse().unwrap()).collect()
}

/// Whether a process is still there.
pub fn is_alive(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = state.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
    after_name.is_some_and(|rest| !rest.starts_with('Z'))
}

/// Waits until a process is gone; nobody tells, since it may be nobody's child any more.
pub async fn until_gone(pid: u32) {
    for _ in 0..300 {
        if !is_alive(pid) {
            return;
        }
        pause().await;
    }
    panic!("{pid} is still there");
}

/// Sends a signal to a process, or with `-` before its number to a group.
pub fn signal(name: &str, to: &str) {
    let sent = Command::new("kill").args(["-s", name, "--", to]).status();
    assert!(sent.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_in_a_turn_leaves_it_running_and_its_reply_arrives() {
    let scene = Scene::new().await;
    let mut daemon = scene.in_a_turn().await;
    let observer = children(daemon.pid());
    assert_eq!(observer.len(), 1);
    daemon.kill();
    scene.fake.wait_for_clients(1).await;
    assert!(is_alive(observer[0]));
    // Whoever comes next follows the turn to its end.
    let next = scene.serve();
    scene.fake.wait_for_clients(3).await;
    scene.fake.hold("default", false);
    scene.program.until(|h| is_all(h, "delivered")).await;
    until_gone(observer[0]).await;
    next.stop();
    scene.both_prompts_arrive("ok").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_ends_while_nobody_delivers_is_found_afterwards() {
    let scene = Scene::new().await;
    let mut daemon = scene.in_a_turn().await;
    daemon.kill();
    scene.fake.wait_for_clients(1).await;
    scene.fake.hold("default", false);
    scene.fake.wait_for_quiet().await;
    // When the turn is over, so is the observer's work.
    scene.fake.wait_for_clients(0).await;
    scene.both_prompts_arrive("interrupted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_a_turn_to_the_observer_instead_of_ending_it() {
    let scene = Scene::new().await;
    let daemon = scene.in_a_turn().await;
    daemon.stop();
    scene.fake.wait_for_clients(1).await;
    assert_eq!(scene.fake.asked("abort_message"), 0);
    scene.fake.hold("default", false);
    scene.fake.wait_for_clients(0).await;
    scene.both_prompts_arrive("interrupted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_to_the_whole_group_do_not_reach_the_observer() {
    for name in ["INT", "TERM", "HUP", "KILL"] {
        let scene = Scene::new().await;
        scene.fake.hold("default", true);
        scene.ask("first");
        let mut command = scene.program.command(&["serve", "--listen", "off"]);
        command
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut daemon = command.spawn().unwrap();
        scene.fake.wait_for_begun(1).await;
        let observer = children(daemon.id())[0];
        signal(name, &format!("-{}", daemon.id()));
        daemon.wait().unwrap();
        scene.fake.wait_for_clients(1).await;
        assert!(is_alive(observer), "{name}");
        scene.fake.hold("default", false);
        until_gone(observer).await;
        assert!(!scene.fake.is_wedged("default"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_observer_for_a_v1_server_nor_before_the_first_prompt() {
    let scene = Scene::new().await;
    let daemon = scene.serve();
    scene.program.until_scheduled().await;
    assert!(children(daemon.pid()).is_empty());
    scene.ask("first");
    scene
        .program
        .until(|h| !h.is_empty() && is_all(h, "delivered"))
        .await;
    assert_eq!(children(daemon.pid()).len(), 1);
    daemon.stop();

    let letta = FakeLetta::start().await;
    let agent = letta.add_agent();
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(&folder.path().join("p.db"), &letta.url(), "pw-test");
    let daemon = program.start(&["serve", "--listen", "off"], "serve");
    program.json(&[
        "register",
        "--agent-id",
        agent.as_str(),
        "--prompt",
        "p",
        "--every",
        "1h",
    ]);
    program.json(&["run", "--id", "1"]);
    program
        .until(|h| !h.is_empty() && is_all(h, "delivered"))
        .await;
    assert!(children(daemon.pid()).is_empty());
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_observer_prompts_are_sent_all_the_same_and_that_is_logged_once() {
    let scene = Scene::new().await;
    let daemon = scene.serve();
    scene.program.until_scheduled().await;
    for n in 1..=3 {
        scene.ask("one of several");
        let delivered = |h: &[Value]| h.len() == n && is_all(h, "delivered");
        if n == 1 {
            // It is stopped, so it answers nothing from now on.
            scene.program.until(delivered).await;
            signal("STOP", &children(daemon.pid())[0].to_string());
        }
        scene.program.until(delivered).await;
    }
    let observer = children(daemon.pid())[0];
    let log = daemon.stop();
    signal("KILL", &observer.to_string());
    assert_eq!(log.matches("no observer follows").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_a_restarted_server_takes_up_again_is_followed_by_the_observer_first() {
    let mut scene = Scene::new().await;
    let mut daemon = scene.in_a_turn().await;
    scene.fake.start_again().await;
    scene.fake.wait_for_begun(2).await;
    daemon.kill();
    scene.fake.hold("default", false);
    let next = scene.serve();
    scene.program.until(|h| is_all(h, "delivered")).await;
    next.stop();
    assert_eq!(
        scene.fake.record(|r| r.rerun_by.clone()),
        ["promptyoself observer"]
    );
    assert!(!scene.fake.is_wedged("default"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_that_was_killed_is_replaced() {
    let scene = Scene::new().await;
    let daemon = scene.serve();
    scene.ask("first");
    scene
        .program
        .until(|h| h.len() == 1 && is_all(h, "delivered"))
        .await;
    let observer = children(daemon.pid())[0];
    signal("KILL", &observer.to_string());
    until_gone(observer).await;
    scene.ask("second");
    scene
        .program
        .until(|h| h.len() == 2 && is_all(h, "delivered"))
        .await;
    assert_ne!(children(daemon.pid()), [observer]);
    let log = daemon.stop();
    assert!(!log.contains("WARN"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_waits_for_approval_keeps_no_observer() {
    let scene = Scene::new().await;
    scene.fake.script("default", Script::Asks);
    scene.ask("may I?");
    let daemon = scene.serve();
    scene
        .program
        .until(|h| h.len() == 1 && is_all(h, "delivered"))
        .await;
    let observer = children(daemon.pid())[0];
    daemon.stop();
    until_gone(observer).await;
    assert_eq!(scene.fake.asked("input"), 1);
}

/// `execute` ends as soon as it is told to, and whoever reads its output to the end is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_single_pass_that_is_stopped_leaves_its_turn_running_and_its_output_closed() {
    let scene = Scene::new().await;
    scene.fake.hold("default", true);
    scene.ask("first");
    let mut command = scene.program.command(&["execute"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let pass = command.spawn().unwrap();
    scene.fake.wait_for_begun(1).await;
    signal("TERM", &pass.id().to_string());
    let output = tokio::task::spawn_blocking(move || pass.wait_with_output().unwrap());
    let output = output.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    scene.fake.wait_for_clients(1).await;
    scene.fake.hold("default", false);
    scene.fake.wait_for_clients(0).await;
    scene.both_prompts_arrive("interrupted").await;
}
