//! Several Letta servers, each by its name in the settings.

use std::process::Output;

use promptyoself::clock::Clock;
use promptyoself::models::AgentId;
use serde_json::Value;

use crate::client::raw::{Act, Raw};
use crate::fake_letta::FakeLetta;
use crate::ports::Port;
use crate::program::{Answer, World};

/// A world with a settings file that names two servers beside the one of the environment.
struct Scene {
    world: World,
    home: FakeLetta,
    work: FakeLetta,
    at_home: AgentId,
    at_work: AgentId,
}

impl Scene {
    async fn new() -> Scene {
        let world = World::new().await;
        let (home, work) = (FakeLetta::start().await, FakeLetta::start().await);
        let at_home = home.add_agent_with_id("agent-at-home");
        let at_work = work.add_agent_with_id("agent-at-work");
        let scene = Scene {
            world,
            home,
            work,
            at_home,
            at_work,
        };
        scene.write_settings("default_target = \"home\"\n", true);
        scene
    }

    fn write_settings(&self, first: &str, with_work: bool) {
        let mut text = format!(
            "{first}[targets.home]\nurl = \"{}\"\ntoken = \"pw-test\"\n",
            self.home.url()
        );
        if with_work {
            text.push_str(&format!(
                "[targets.work]\nurl = \"{}\"\ntoken = \"pw-test\"\n",
                self.work.url()
            ));
        }
        std::fs::write(self.world.dir().join("settings.toml"), text).unwrap();
    }

    fn run(&self, argv: &[&str]) -> Answer {
        Answer::read(self.output(argv))
    }

    fn output(&self, argv: &[&str]) -> Output {
        let mut command = self.world.command(argv);
        command.arg("--config").arg("settings.toml");
        command.env_remove("LETTA_BASE_URL");
        command.env_remove("LETTA_API_KEY");
        command.env_remove("LETTA_SERVER_PASSWORD");
        command.current_dir(self.world.dir()).output().unwrap()
    }

    fn register(&self, agent: &AgentId, flags: &[&str]) -> Answer {
        let mut argv = vec!["register", "--agent-id", agent.as_str(), "--prompt", "hi"];
        argv.extend(["--every", "1h", "--start-at", "2090-01-01T00:00:00Z"]);
        argv.extend(flags);
        self.run(&argv)
    }

    fn register_at_home(&self) -> Value {
        self.register(&self.at_home, &[]).succeeded()
    }

    fn register_at_work(&self) -> Value {
        let flags = ["--target", "work"];
        self.register(&self.at_work, &flags).succeeded()
    }

    fn run_now(&self, id: &Value) {
        self.run(&["run", "--id", &id.to_string()]).succeeded();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_prompt_goes_to_the_server_of_its_schedule() {
    let scene = Scene::new().await;
    let usual = scene.register_at_home();
    let named = scene.register_at_work();
    scene.run_now(&usual["id"]);
    scene.run_now(&named["id"]);
    scene.run(&["execute"]).succeeded();
    let agents = |fake: &FakeLetta| -> Vec<String> {
        fake.received().into_iter().map(|r| r.agent).collect()
    };
    assert_eq!(agents(&scene.home), ["agent-at-home"]);
    assert_eq!(agents(&scene.work), ["agent-at-work"]);
    let shown = scene.run(&["show", "--id", &named["id"].to_string()]);
    assert_eq!(shown.succeeded()["schedule"]["target"], "work");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_looked_for_on_the_server_of_its_schedule_only() {
    let scene = Scene::new().await;
    let refused = scene.register(&scene.at_work, &[]);
    assert_eq!(refused.code(), "agent_unknown");
    let refused = scene.register(&scene.at_home, &["--target", "work"]);
    assert_eq!(refused.code(), "agent_unknown");
    let refused = scene.register(&scene.at_home, &["--target", "moon"]);
    assert_eq!(refused.code(), "target_unknown");
    assert!(refused.error().contains("home, work"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_keeps_no_other_from_its_prompts() {
    let mut scene = Scene::new().await;
    let usual = scene.register_at_home();
    let named = scene.register_at_work();
    scene.run_now(&usual["id"]);
    scene.run_now(&named["id"]);
    scene.home.stop();
    scene.output(&["execute"]);
    assert_eq!(scene.work.received().len(), 1);
    scene.home.start_again().await;
    scene.run(&["execute"]).succeeded();
    assert_eq!(scene.home.received().len(), 1);
    assert_eq!(scene.work.received().len(), 1);
}

/// Prompts wait for a server that was taken out of the settings, and no other gets them.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_from_the_settings_is_waited_for() {
    let scene = Scene::new().await;
    let named = scene.register_at_work();
    scene.run_now(&named["id"]);
    scene.write_settings("", false);
    scene.output(&["execute"]);
    assert!(scene.home.received().is_empty() && scene.work.received().is_empty());
    let doctor = scene.output(&["doctor"]);
    let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(told.contains("work"), "{told}");
    scene.write_settings("default_target = \"home\"\n", true);
    scene.run(&["execute"]).succeeded();
    assert_eq!(scene.work.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_another_program_keeps_the_server_that_its_first_prompt_went_to() {
    let scene = Scene::new().await;
    scene.run(&["list"]).succeeded();
    let row = "INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, next_run, active) \
               VALUES ('agent-at-home', 'hi', 'interval', '1h', '2026-01-01 00:00:00', 1)";
    scene.world.sql(row).await;
    scene.run(&["execute"]).succeeded();
    assert_eq!(scene.home.received().len(), 1);
    let listed = scene.run(&["list"]).succeeded();
    assert_eq!(listed["schedules"][0]["target"], "home");
    scene.write_settings("default_target = \"work\"\n", true);
    scene.run_now(&listed["schedules"][0]["id"]);
    scene.run(&["execute"]).succeeded();
    assert_eq!(scene.home.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_and_test_tell_of_every_server() {
    let scene = Scene::new().await;
    let listed = scene.run(&["agents"]).succeeded();
    let agents: Vec<(&str, &str)> = (listed["agents"].as_array().unwrap().iter())
        .map(|a| (a["target"].as_str().unwrap(), a["id"].as_str().unwrap()))
        .collect();
    assert_eq!(
        agents,
        [("home", "agent-at-home"), ("work", "agent-at-work")]
    );
    let tested = scene.run(&["test"]).succeeded();
    assert_eq!(tested["letta_url"], scene.home.url());
    let other = &tested["other_targets"][0];
    assert_eq!(other["target"], "work");
    assert_eq!(other["error"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_say_which_of_several_servers_is_the_usual_one() {
    let scene = Scene::new().await;
    scene.write_settings("", true);
    let refused = scene.run(&["list"]);
    assert_eq!(refused.code(), "config_invalid");
    assert!(refused.error().contains("home, work"), "{refused:?}");
    scene.write_settings("default_target = \"moon\"\n", true);
    let refused = scene.run(&["list"]);
    assert_eq!(refused.code(), "config_invalid");
    assert!(refused.error().contains("\"moon\""), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_may_be_named_with_its_server() {
    let scene = Scene::new().await;
    scene.work.add_agent_with_id("agent-at-home");
    let named = AgentId::parse("agent-at-home").unwrap();
    for (written, target) in [
        ("work/agent-at-home", "work"),
        ("home/agent-at-home", "home"),
    ] {
        let argv = [
            "register",
            "--agent-id",
            written,
            "--prompt",
            "hi",
            "--every",
            "1h",
        ];
        let made = scene.run(&argv).succeeded();
        let shown = scene.run(&["show", &made["id"].to_string()]).succeeded();
        assert_eq!(shown["schedule"]["target"], target);
        assert_eq!(shown["schedule"]["agent_id"], named.as_str());
        let id = made["id"].to_string();
        let moved = scene.run(&["update", "--id", &id, "--agent-id", "work/agent-at-work"]);
        moved.succeeded();
        let shown = scene.run(&["show", &id]).succeeded();
        assert_eq!(shown["schedule"]["target"], "work");
    }
    let argv = [
        "register",
        "--agent-id",
        "work/agent-at-home",
        "--target",
        "home",
    ];
    let refused = scene.run(&[&argv[..], &["--prompt", "hi", "--every", "1h"]].concat());
    assert_eq!(refused.code(), "spec_conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_named_and_the_others_are_told_of() {
    let mut scene = Scene::new().await;
    let usual = scene.register_at_home();
    let named = scene.register_at_work();
    scene.work.stop();
    let listed = scene.run(&["agents"]).succeeded();
    assert_eq!(listed["agents"][0]["id"], "agent-at-home");
    assert_eq!(listed["count"], 1);
    let warning = listed["warning"].as_str().unwrap();
    assert!(warning.starts_with("target work: "), "{warning}");

    let told = scene.run(&["doctor"]).json;
    let findings = told["findings"].as_array().unwrap();
    let down: Vec<_> = findings
        .iter()
        .filter(|f| f["code"] == "letta_unreachable")
        .collect();
    assert_eq!(down.len(), 1, "{findings:?}");
    let problem = down[0]["problem"].as_str().unwrap();
    assert!(problem.starts_with("target work: "), "{problem}");

    // A pass finds that it does not answer, and holds it.
    scene.run_now(&named["id"]);
    scene.run(&["execute"]);
    let waiting = |made: &Value| {
        let shown = scene
            .run(&["run", "--id", &made["id"].to_string()])
            .succeeded();
        shown["warning"].as_str().unwrap_or_default().to_owned()
    };
    assert!(!waiting(&usual).contains("work"), "{}", waiting(&usual));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_server_gets_nothing_and_delays_no_other() {
    let scene = Scene::new().await;
    let usual = scene.register_at_home();
    let named = scene.register_at_work();
    let refused = scene.run(&["halt", "--target", "moon"]);
    assert_eq!(refused.code(), "target_unknown");
    let halt = ["halt", "--target", "work", "--note", "moving"];
    assert_eq!(scene.run(&halt).succeeded()["target"], "work");
    scene.run_now(&usual["id"]);
    scene.run_now(&named["id"]);
    let told = "delivery to work has been halted";
    let executed = scene.run(&["execute"]).succeeded();
    assert_eq!(executed["executed"].as_array().unwrap().len(), 1);
    assert!(executed["warning"].as_str().unwrap().contains(told));
    assert_eq!(
        (scene.home.received().len(), scene.work.received().len()),
        (1, 0)
    );

    let doctor = scene.run(&["doctor"]).json;
    let findings = doctor["findings"].as_array().unwrap();
    let halted: Vec<_> = findings.iter().filter(|f| f["code"] == "halted").collect();
    assert_eq!(halted.len(), 1, "{findings:?}");
    assert!(halted[0]["problem"].as_str().unwrap().starts_with(told));
    assert_eq!(halted[0]["mend"], "promptyoself halt --off --target work");

    // What all are halted for is another matter.
    scene.run(&["halt"]).succeeded();
    let lifted = scene.run(&["halt", "--off"]).succeeded();
    assert!(lifted["message"].as_str().unwrap().contains(told));
    scene.run(&["execute"]).succeeded();
    assert!(scene.work.received().is_empty());
    let lifted = scene.run(&["halt", "--off", "--target", "work"]);
    assert_eq!(lifted.succeeded()["halted"], false);
    scene.run(&["execute"]).succeeded();
    assert_eq!(scene.work.received().len(), 1);
}

/// Every answer that names an agent says of which server.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_an_agent_names_its_server() {
    let scene = Scene::new().await;
    let made = scene.register_at_work();
    scene.run_now(&made["id"]);
    scene.run(&["execute"]).succeeded();
    let history = scene.run(&["history"]).succeeded();
    assert_eq!(history["occurrences"][0]["target"], "work");
    let changes = scene.run(&["history", "--changes"]).succeeded();
    for change in changes["changes"].as_array().unwrap() {
        assert_eq!(change["target"], "work", "{change}");
    }
    let key = ["key", "create", "--agent-id", "work/agent-at-work"];
    let key = scene.run(&key).succeeded();
    assert_eq!(
        (&key["name"], &key["target"]),
        (&"work/agent-at-work".into(), &"work".into())
    );
    let refused = scene.run(&["key", "create", "--agent-id", "moon/agent-at-work"]);
    assert_eq!(refused.code(), "target_unknown");
    for (agent, count) in [
        ("agent-at-work", 1),
        ("work/agent-at-work", 1),
        ("home/agent-at-work", 0),
    ] {
        for command in [&["list"][..], &["history"], &["pause", "--dry-run"]] {
            let answer = scene
                .run(&[command, &["--agent-id", agent]].concat())
                .succeeded();
            assert_eq!(answer["count"], count, "{command:?} {agent}: {answer}");
        }
    }
}

/// A server that answers everything with this status and these headers.
async fn saying(head: &str) -> Raw {
    let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
    Raw::start(Clock::system(), move |_| Act::Say(answer.clone().into())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_named_server_is_told_by_the_settings_of_its_own() {
    let scene = Scene::new().await;
    let down = Port::new();
    let nobody = format!("http://{}", down.address());
    let moved = "301 Moved Permanently\r\nlocation: https://elsewhere.example/";
    let moved = saying(moved).await;
    let stranger = saying("404 Not Found").await;
    let refusing = FakeLetta::start().await;
    refusing.set_password(Some("another"));
    for (url, setting) in [
        (nobody.as_str(), "targets.work.url"),
        (moved.url().as_str(), "targets.work.url"),
        (stranger.url().as_str(), "targets.work.url"),
        (refusing.url().as_str(), "targets.work.token"),
    ] {
        let settings = format!("[targets.work]\nurl = \"{url}\"\ntoken = \"pw-test\"\n");
        std::fs::write(scene.world.dir().join("settings.toml"), settings).unwrap();
        let registering: &[&str] = &[
            "register",
            "--agent-id",
            "agent-at-work",
            "--prompt",
            "hi",
            "--every",
            "1h",
        ];
        for argv in [&["test"][..], &["agents"], &["doctor"], registering] {
            let output = scene.output(argv);
            let told = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(told.contains(setting), "{argv:?} {url}: {told}");
            assert!(!told.contains("LETTA_"), "{argv:?} {url}: {told}");
        }
    }
}
