//! Agents of a real App Server schedule for themselves: in their shell, and over MCP. Their model only
//! says which command it wants to run.

use std::path::Path;
use std::process::Command;

use promptyoself::letta_client::Target;
use serde_json::{Value, json};

use super::{RealAppServer, otid};
use crate::app_server::{prompt_in, send};
use crate::client::delivered;
use crate::program::{Answer, World};

/// The real server, and a folder for what we keep.
struct Scene {
    real: RealAppServer,
    world: World,
}

impl Scene {
    async fn new() -> Scene {
        Scene {
            real: RealAppServer::start().await,
            world: World::new().await,
        }
    }

    /// The home folder of the server's user.
    fn home(&self) -> std::path::PathBuf {
        self.real.folder().join("home")
    }

    /// A command of the operator, who is that user.
    fn command(&self, argv: &[&str]) -> Command {
        let mut command = self.world.command(argv);
        command
            .env("HOME", self.home())
            .env("LETTA_BASE_URL", self.real.url.replace("http://", "ws://"))
            .env_remove("LETTA_API_KEY");
        command
    }

    fn run(&self, argv: &[&str]) -> Value {
        Answer::read(self.command(argv).output().unwrap()).succeeded()
    }

    /// Writes the files of the server as its operator does.
    async fn connect(&self, flags: &[&str]) -> Value {
        let mut argv = vec![
            "connect",
            "--app-server",
            "--agent-id",
            self.real.agent.as_str(),
        ];
        argv.extend(flags);
        let connected = self.run(&argv);
        self.real.restart().await;
        connected
    }

    /// Lets the agent run a command in a conversation, and gives what it printed.
    async fn agent_runs(&self, conversation: &str, command: &str) -> String {
        let call = json!({ "command": command, "description": "schedule" });
        let prompt = format!("[[call Bash {call}]]");
        let outgoing = prompt_in(&self.real.agent, conversation, otid(), &prompt);
        let reply = delivered(send(&self.real.client(), &outgoing).await.0).reply;
        reply.unwrap()
    }

    /// Waits until a prompt came back, and gives its delivery.
    async fn comes_back(&self, text: &str) -> Value {
        let mut found = Value::Null;
        self.real
            .until(async || {
                let history = self.run(&["history", "--state", "delivered"]);
                found = history["occurrences"][0].clone();
                !found.is_null()
            })
            .await;
        assert_eq!(found["reply"], format!("stub: {text}"));
        assert_eq!(found["turn"], "ok");
        found
    }
}

/// The command that the skill teaches, without what follows the program's settings.
fn taught(skill: &Path) -> String {
    let text = std::fs::read_to_string(skill).unwrap();
    let (before, _) = text.split_once(" register ").unwrap();
    before.lines().last().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_registers_in_its_shell_comes_back_to_the_same_conversation() {
    let scene = Scene::new().await;
    scene.connect(&[]).await;
    let skill = scene.home().join(".letta/skills/promptyoself/SKILL.md");
    let command = taught(&skill);
    let server = scene.real.client();
    let named = server.create_conversation(&scene.real.agent).await.unwrap();

    let read = "[[call Skill {\"skill\": \"promptyoself\"}]]";
    let outgoing = prompt_in(&scene.real.agent, &named, otid(), read);
    delivered(send(&server, &outgoing).await.0);
    assert!(scene.real.asked_model(" register --prompt ").await > 0);

    for (n, conversation) in [named.as_str(), "default"].into_iter().enumerate() {
        let text = format!("remind me {n}");
        let registering =
            format!("{command} register --prompt '{text}' --every 1s --max-repetitions 1");
        let said = scene.agent_runs(conversation, &registering).await;
        assert!(said.contains("Prompt scheduled with ID"), "{said}");
        let listed = scene.run(&["list", "--all"]);
        let made = listed["schedules"].as_array().unwrap();
        let made = made.iter().find(|s| s["prompt_text"] == *text).unwrap();
        assert_eq!(made["agent_id"], scene.real.agent.as_str());
        assert_eq!(made["conversation"], conversation);
        scene
            .real
            .until(async || {
                scene.run(&["execute"]);
                let history = scene.run(&["history", "--state", "delivered"]);
                history["occurrences"].as_array().unwrap().len() == n + 1
            })
            .await;
        let back = scene.comes_back(&text).await;
        assert_eq!(back["conversation"], conversation);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_schedules_over_mcp_comes_back_to_the_same_conversation() {
    let scene = Scene::new().await;
    let ws = scene.real.url.replace("http://", "ws://");
    let address = scene
        .world
        .serve_with(&[("LETTA_BASE_URL", &ws), ("LETTA_API_KEY", "")]);
    scene.connect(&["--url", &format!("{address}/mcp")]).await;
    let server = scene.real.client();
    let named = server.create_conversation(&scene.real.agent).await.unwrap();
    let call = scene.world.dir().join("call.json");
    let arguments = json!({ "prompt": "over mcp", "every": "1s", "max_repetitions": 1 });
    std::fs::write(&call, arguments.to_string()).unwrap();
    let tool = "mcp__promptyoself__promptyoself_schedule_every";
    let command = format!("letta mcp call {tool} --args-file {}", call.display());
    let said = scene.agent_runs(&named, &command).await;
    assert!(said.contains("Prompt scheduled with ID"), "{said}");
    let back = scene.comes_back("over mcp").await;
    assert_eq!(back["agent_id"], scene.real.agent.as_str());
    assert_eq!(back["conversation"], named);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_schedules_are_taken_over_and_run_in_one_place() {
    let scene = Scene::new().await;
    let agent = scene.real.agent.as_str();
    let letta = |argv: &[&str]| {
        let output = Command::new(scene.real.folder().join("bin/letta"))
            .args(argv)
            .env("HOME", scene.home())
            .env("LETTA_LOCAL_BACKEND_EXPERIMENTAL", "1")
            .env("LETTA_HOME", scene.home().join(".letta"))
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    letta(&[
        "cron",
        "add",
        "--agent",
        agent,
        "--name",
        "report",
        "--description",
        "daily",
        "--prompt",
        "Write the report",
        "--cron",
        "0 9 * * *",
    ]);
    assert_eq!(scene.run(&["list"])["total"], 0);
    let found = scene.command(&["doctor"]).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    assert!(found.contains("letta_code_cron"), "{found}");
    let shown = scene.run(&["import", "--letta-code-cron", "--dry-run"]);
    assert_eq!(shown["imported"].as_array().unwrap().len(), 1);
    assert_eq!(scene.run(&["list"])["total"], 0);

    let taken = scene.run(&["import", "--letta-code-cron"]);
    let made = &taken["imported"][0];
    let schedule = scene.run(&["show", &made["schedule_id"].to_string()]);
    let schedule = &schedule["schedule"];
    assert_eq!(schedule["agent_id"], agent);
    assert_eq!(schedule["conversation"], "new");
    assert_eq!(schedule["prompt_text"], "Write the report");
    assert_eq!(schedule["schedule_value"], "0 9 * * *");
    assert!(letta(&["cron", "list"]).contains("paused"));
    let again = scene.run(&["import", "--letta-code-cron"]);
    assert_eq!(again["imported"], json!([]));
    assert_eq!(again["skipped"].as_array().unwrap().len(), 1);
    assert_eq!(scene.run(&["list"])["total"], 1);
}
