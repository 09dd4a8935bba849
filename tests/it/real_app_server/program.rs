//! The program beside a real App Server: everything arrives once, whoever is killed, frozen or in the
//! way meanwhile.

use std::time::Duration;

use promptyoself::clock::Clock;
use promptyoself::letta_client::Target;
use promptyoself::models::AgentId;
use serde_json::Value;

use super::RealAppServer;
use crate::app_server::{prompt_in, send};
use crate::client::delivered;
use crate::daemon::{Daemon, Program, pause};
use crate::observer::{children, until_gone};

/// The program beside a real App Server.
struct Scene {
    _folder: tempfile::TempDir,
    program: Program,
    real: RealAppServer,
}

impl Scene {
    async fn new() -> Self {
        Self::on(RealAppServer::start().await)
    }

    fn on(real: RealAppServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("promptyoself.db");
        let url = real.url.replace("http://", "ws://");
        let token = real.token.clone().unwrap_or_default();
        Scene {
            program: Program::new(&database, &url, &token)
                .with("PROMPTYOSELF_DRAIN", "1s")
                .with("PROMPTYOSELF_RETRY_FIRST", "1s"),
            _folder: folder,
            real,
        }
    }

    fn serve(&self) -> Daemon {
        self.program.start(&["serve", "--listen", "off"], "serve")
    }

    /// Makes a prompt due in a conversation of an agent, now.
    fn ask(&self, agent: &AgentId, conversation: &str, prompt: &str) {
        let made = self.program.json(&[
            "register",
            "--agent-id",
            agent.as_str(),
            "--conversation",
            conversation,
            "--prompt",
            prompt,
            "--every",
            "1h",
            "--skip-validation",
        ]);
        self.program.json(&["run", "--id", &made["id"].to_string()]);
    }

    /// Waits until so many prompts are delivered, and gives the history by prompt.
    async fn until_delivered(&self, n: usize) -> Vec<Value> {
        let is_delivered = |o: &&Value| o["state"] == "delivered";
        self.program
            .until(|h| h.iter().filter(is_delivered).count() == n)
            .await
    }

    /// A prompt was stored under one id, and its model asked so often.
    async fn was_sent_once(&self, agent: &AgentId, conversation: &str, text: &str, asked: usize) {
        let mut ids = self.real.stored(agent, conversation, text).await;
        ids.dedup();
        assert_eq!(ids.len(), 1, "{text}: {ids:?}");
        assert_eq!(self.real.asked_model(text).await, asked, "{text}");
    }
}

/// What became of a prompt.
fn of<'a>(history: &'a [Value], prompt: &str) -> &'a Value {
    let is_it = |o: &&Value| {
        o["reply"]
            .as_str()
            .is_some_and(|reply| reply.contains(prompt))
    };
    history
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("{prompt}: {history:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_or_stands_still_in_a_turn_loses_and_doubles_nothing() {
    let scene = Scene::new().await;
    let (real, agent) = (&scene.real, &scene.real.agent);
    let named = real.client().create_conversation(agent).await.unwrap();
    let daemon = scene.serve();

    scene.ask(agent, &named, "[[sleep 4]] killed");
    real.wait_for_model("killed").await;
    real.restart().await;
    scene.until_delivered(1).await;
    // The server itself runs again what it had not finished.
    scene.was_sent_once(agent, &named, "killed", 2).await;

    scene.ask(agent, &named, "[[sleep 4]] frozen");
    real.wait_for_model("frozen").await;
    real.signal("STOP");
    Clock::system().sleep(Duration::from_secs(10)).await;
    real.signal("CONT");
    let history = scene.until_delivered(2).await;
    assert_eq!(of(&history, "frozen")["turn"], "ok");
    scene.was_sent_once(agent, &named, "frozen", 1).await;
    for delivery in &history {
        assert_eq!(
            delivery["attempts"].as_array().map(Vec::len).unwrap_or(1),
            1,
            "{delivery}"
        );
    }
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_of_the_program_the_turn_ends_well_and_the_conversation_takes_the_next_prompt()
{
    let scene = Scene::new().await;
    let (real, agent) = (&scene.real, &scene.real.agent);
    for (n, comes_back_at_once) in [(0, true), (1, false)] {
        let text = format!("[[sleep 6]] survivor {n}");
        let mut daemon = scene.serve();
        scene.ask(agent, "default", &text);
        real.wait_for_model(&text).await;
        let observer = children(daemon.pid())[0];
        daemon.kill();
        if !comes_back_at_once {
            until_gone(observer).await;
        }
        let daemon = scene.serve();
        let history = scene.until_delivered(2 * n + 1).await;
        assert_eq!(history[0]["reply"], format!("stub: {text}"));
        if comes_back_at_once {
            assert_eq!(history[0]["turn"], "ok", "{history:#?}");
        }
        scene.was_sent_once(agent, "default", &text, 1).await;
        scene.ask(agent, "default", &format!("next {n}"));
        scene.until_delivered(2 * n + 2).await;
        daemon.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_wrong_or_missing_holds_the_server_until_it_is_right() {
    let scene = Scene::on(RealAppServer::start_with(Some("right")).await);
    let (real, agent) = (&scene.real, &scene.real.agent);
    scene.ask(agent, "default", "with a token");
    for token in ["wrong", ""] {
        let program = scene.program.clone().with("LETTA_API_KEY", token);
        let daemon = program.start(&["serve", "--listen", "off"], "refused");
        loop {
            let test = program.run(&["test"]);
            if String::from_utf8_lossy(&test.stdout).contains("token") {
                break;
            }
            pause().await;
        }
        daemon.stop();
        assert_eq!(real.asked_model("with a token").await, 0);
    }
    let daemon = scene.serve();
    scene.until_delivered(1).await;
    assert_eq!(real.asked_model("with a token").await, 1);
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_run_side_by_side_and_each_takes_one_prompt_at_a_time() {
    let scene = Scene::new().await;
    let real = &scene.real;
    let (agent, other) = (&real.agent, &real.other);
    let client = real.client();
    let mut conversations = Vec::new();
    for _ in 0..13 {
        conversations.push(client.create_conversation(agent).await.unwrap());
    }
    let [long, ordered, shared, ten @ ..] = &conversations[..] else {
        panic!()
    };
    // Somebody else is in the middle of a turn in one of them.
    let theirs = prompt_in(
        agent,
        shared,
        super::otid(),
        "[[sleep 8]] from somebody else",
    );
    let theirs = tokio::spawn(async move { send(&client, &theirs).await });
    real.wait_for_model("from somebody else").await;

    scene.ask(agent, long, "[[sleep 75]] a long turn");
    let nobody = AgentId::parse("agent-local-none").unwrap();
    scene.ask(&nobody, "default", "to nobody");
    scene.ask(agent, "default", "[[sleep 2]] default of one");
    scene.ask(other, "default", "[[sleep 2]] default of another");
    scene.ask(agent, ordered, "[[sleep 2]] the first of two");
    scene.ask(agent, ordered, "the second of two");
    scene.ask(agent, shared, "behind somebody else");
    for (n, conversation) in ten.iter().enumerate() {
        scene.ask(agent, conversation, &format!("[[sleep 15]] beside {n}."));
    }
    let daemon = scene.serve();
    real.until(async || real.asked_model("] beside").await == 10)
        .await;
    let history = scene.program.history();
    assert!(
        history
            .iter()
            .all(|o| !o["reply"].to_string().contains("beside")),
        "{history:#?}"
    );
    delivered(theirs.await.unwrap().0);

    let history = scene.until_delivered(16).await;
    let dead: Vec<&Value> = history.iter().filter(|o| o["state"] == "dead").collect();
    assert_eq!((dead.len(), history.len()), (1, 17));
    assert!(
        dead[0]["error"].as_str().unwrap().contains("agent_unknown"),
        "{dead:#?}"
    );
    for delivery in history.iter().filter(|o| o["state"] == "delivered") {
        assert_eq!(delivery["turn"], "ok", "{delivery}");
    }
    for text in [
        "a long turn",
        "default of one",
        "default of another",
        "the first of two",
        "the second of two",
        "behind somebody else",
        "beside 3.",
    ] {
        assert_eq!(real.asked_model(text).await, 1, "{text}");
    }
    let at = |text: &str| {
        of(&history, text)["finished_at"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(at("the first of two") < at("the second of two"));
    daemon.stop();
}
