//! The command line and the plugin with `PROMPTYOSELF_URL`: a server keeps the schedules.

mod waits;

use std::process::Command;

use serde_json::Value;

use crate::program::{Answer, World};

/// A world whose schedules are kept by a server, and a folder without a database.
struct Scene {
    world: World,
    url: String,
    key: String,
    elsewhere: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Scene {
        let world = World::new().await;
        let (url, key) = world.serve_with_key(None);
        Scene {
            world,
            url,
            key,
            elsewhere: tempfile::tempdir().unwrap(),
        }
    }

    fn remote(&self, mut command: Command, key: &str) -> Answer {
        command
            .env("PROMPTYOSELF_URL", &self.url)
            .env("PROMPTYOSELF_KEY", key)
            .current_dir(self.elsewhere.path());
        Answer::read(command.output().unwrap())
    }

    fn run(&self, argv: &[&str]) -> Answer {
        self.remote(self.world.command(argv), &self.key)
    }

    fn plugin(&self, argv: &[&str], key: &str) -> Answer {
        self.remote(self.world.plugin(argv), key)
    }
}

/// An answer without what differs from call to call.
fn timeless(mut json: Value) -> Value {
    json.as_object_mut().unwrap().remove("now");
    json
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_answers_as_it_does_beside_the_database() {
    let scene = Scene::new().await;
    let agent = scene.world.agent.as_str();
    let made = scene.run(&[
        "register",
        "--agent-id",
        agent,
        "--prompt",
        " p\n",
        "--every",
        "1h",
        "--name",
        "n",
        "--catch-up",
        "skip",
        "--grace",
        "90s",
        "--max-repetitions",
        "30",
    ]);
    let made = made.succeeded();
    assert_eq!(
        (&made["id"], &made["existed"]),
        (&Value::from(1), &Value::from(false))
    );
    for argv in [
        &["list"][..],
        &["list", "--full", "--limit", "100000"],
        &["show", "1"],
        &["history"],
        &["history", "--id", "1", "--since", "24h", "--state", "dead"],
        &["history", "--changes"],
        &["history", "--changes", "--id", "1", "--since", "24h"],
        &["agents"],
        &[
            "preview",
            "--cron",
            "0 9 * * *",
            "--timezone",
            "Asia/Tokyo",
            "--count",
            "3",
        ],
        &["test"],
        &["pause", "1", "--note", "n"],
        &["resume", "1"],
        &["update", "1", "--every", "2h"],
        &["run", "1"],
        &["halt", "--note", "n"],
        &["halt", "--off"],
        &["cancel", "1"],
    ] {
        let there = scene.run(argv);
        // What asks only, answers the same twice.
        if matches!(argv[0], "list" | "show" | "history" | "agents" | "test") {
            let there = timeless(there.succeeded());
            let here = timeless(scene.world.run(argv).succeeded());
            let heartbeats = |mut json: Value| {
                json.as_object_mut().unwrap().remove("schedulers");
                json
            };
            assert_eq!(heartbeats(there), heartbeats(here), "{argv:?}");
        } else {
            there.succeeded();
        }
    }
    let left = std::fs::read_dir(scene.elsewhere.path()).unwrap().count();
    assert_eq!(left, 0, "something was made where the schedules are not");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_server_reads_as_if_it_were_our_own() {
    let scene = Scene::new().await;
    let agent = scene.world.agent.as_str();
    for argv in [
        &["show", "99"][..],
        &[
            "register",
            "--agent-id",
            agent,
            "--prompt",
            "p",
            "--every",
            "soon",
        ],
        &[
            "register",
            "--agent-id",
            agent,
            "--prompt",
            "p",
            "--cron",
            "0 9 * *",
        ],
        &["register", "--prompt", "p", "--every", "1h"],
        &[
            "register",
            "--agent-id",
            "agent-nobody",
            "--prompt",
            "p",
            "--every",
            "1h",
        ],
        &["update", "99", "--every", "1h"],
        &["history", "--id", "99"],
    ] {
        let (there, here) = (scene.run(argv), scene.world.run(argv));
        assert_eq!(there.json, here.json, "{argv:?}");
        assert_eq!(
            (there.status, there.stderr),
            (here.status, here.stderr),
            "{argv:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_with_an_agents_key_sees_and_changes_only_that_agents_schedules() {
    let scene = Scene::new().await;
    let other = scene.world.letta.add_agent();
    let theirs = scene
        .world
        .register_for(&other, "SECRET-B", &["--every", "1h"]);
    let theirs = theirs.to_string();
    let key = scene.world.key(Some(&scene.world.agent));
    let made = scene.plugin(&["register", "--prompt", "mine", "--every", "1h"], &key);
    let made = made.succeeded();
    let listed = scene.plugin(&["list", "--all"], &key).succeeded();
    assert_eq!(listed["total"], 1);
    assert_eq!(listed["schedules"][0]["id"], made["id"]);
    assert_eq!(
        listed["schedules"][0]["agent_id"],
        scene.world.agent.as_str()
    );
    for argv in [
        &["show", &theirs][..],
        &["update", &theirs, "--prompt", "stolen"],
        &["pause", &theirs],
        &["resume", &theirs],
        &["run", &theirs],
        &["cancel", &theirs],
        &["history", "--id", &theirs],
    ] {
        let refused = scene.plugin(argv, &key);
        assert_eq!(
            refused.code(),
            "schedule_not_found",
            "{argv:?}: {refused:?}"
        );
    }
    for argv in [
        &["list", "--agent-id", other.as_str()][..],
        &["history", "--agent-id", other.as_str()],
        &[
            "register",
            "--agent-id",
            other.as_str(),
            "--prompt",
            "p",
            "--every",
            "1h",
        ],
        &["agents"],
    ] {
        let refused = scene.plugin(argv, &key);
        assert_eq!(refused.code(), "not_permitted", "{argv:?}: {refused:?}");
        assert!(!refused.json.to_string().contains("SECRET-B"));
    }
    let kept = scene.world.run(&["show", &theirs]).succeeded();
    assert_eq!(kept["schedule"]["prompt_text"], "SECRET-B");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_budget_binds_a_plugin_that_holds_the_operators_key() {
    let scene = Scene::new().await;
    let agent = scene.world.agent.as_str();
    let often = [
        "register",
        "--agent-id",
        agent,
        "--prompt",
        "p",
        "--every",
        "1m",
    ];
    let refused = scene.plugin(&often, &scene.key);
    assert_eq!(refused.code(), "budget_exceeded", "{refused:?}");
    scene.run(&often).succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_key_the_server_tells_nothing() {
    let scene = Scene::new().await;
    let key = format!("pys_{}", "0".repeat(64));
    for key in ["", key.as_str()] {
        let refused = scene.remote(scene.world.command(&["list"]), key);
        assert_eq!(refused.code(), "key_invalid", "{refused:?}");
        assert!(refused.error().contains("PROMPTYOSELF_KEY"), "{refused:?}");
        assert!(!format!("{refused:?}").contains("pys_00"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_reported_and_nothing_is_kept_elsewhere() {
    let scene = Scene::new().await;
    scene.world.stop_servers();
    let failed = scene.run(&["list"]);
    assert_eq!((failed.status, failed.code()), (1, "server_unreachable"));
    assert!(failed.error().contains(&scene.url), "{failed:?}");
    assert_eq!(
        std::fs::read_dir(scene.elsewhere.path()).unwrap().count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_and_a_server_are_never_chosen_between_silently() {
    let scene = Scene::new().await;
    let refused = scene.run(&["--db", "x.db", "list"]);
    assert_eq!(refused.code(), "config_invalid");
    assert!(refused.error().contains("--db"), "{refused:?}");
    let mut command = scene.world.command(&["list"]);
    command.env("PROMPTYOSELF_DB", "x.db");
    let refused = scene.remote(command, &scene.key);
    assert_eq!(refused.code(), "config_invalid");
    assert!(refused.error().contains("PROMPTYOSELF_DB"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_on_the_database_itself_is_refused() {
    let scene = Scene::new().await;
    for argv in [
        &["execute"][..],
        &["execute", "--loop"],
        &["serve"],
        &["doctor"],
        &["prune"],
        &["purge", "--id", "1"],
        &["backup", "x"],
        &["restore", "x"],
        &["key", "list"],
    ] {
        let refused = scene.run(argv);
        assert_eq!(refused.code(), "local_only", "{argv:?}: {refused:?}");
    }
}

/// A server that breaks off its answer to the first request, after that was carried out.
#[tokio::test(flavor = "multi_thread")]
async fn a_register_whose_answer_is_lost_is_sent_again_and_makes_one_schedule() {
    let scene = Scene::new().await;
    let cutting = cutting_proxy(scene.url.strip_prefix("http://").unwrap());
    let agent = scene.world.agent.as_str();
    let argv = [
        "register",
        "--agent-id",
        agent,
        "--prompt",
        "p",
        "--every",
        "1h",
    ];
    let mut command = scene.world.command(&argv);
    command
        .env("PROMPTYOSELF_URL", cutting)
        .env("PROMPTYOSELF_KEY", &scene.key)
        .current_dir(scene.elsewhere.path());
    let made = Answer::read(command.output().unwrap()).succeeded();
    assert_eq!(made["id"], 1);
    assert_eq!(scene.run(&["list", "--all"]).succeeded()["total"], 1);
}

/// The address of a proxy that reads the first answer whole, and passes nothing of it on.
fn cutting_proxy(server: &str) -> String {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = server.to_owned();
    std::thread::spawn(move || {
        for (n, client) in listener.incoming().flatten().enumerate() {
            let mut to_server = TcpStream::connect(&server).unwrap();
            let (mut from_client, mut back) = (client.try_clone().unwrap(), client);
            let mut onward = to_server.try_clone().unwrap();
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from_client, &mut onward);
            });
            if n == 0 {
                let _ = to_server.read(&mut [0; 65_536]);
                let _ = back.shutdown(Shutdown::Both);
            } else {
                std::thread::spawn(move || {
                    let mut buffer = [0; 65_536];
                    while let Ok(read @ 1..) = to_server.read(&mut buffer) {
                        let _ = back.write_all(&buffer[..read]);
                    }
                });
            }
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_at_letta_itself_is_refused_and_makes_no_database_here() {
    let scene = Scene::new().await;
    let agent = scene.world.agent.as_str();
    std::fs::write(
        scene.elsewhere.path().join("greet.py"),
        "def greet(): pass\n",
    )
    .unwrap();
    let asked = scene.world.letta.asked_in_all();
    for argv in [
        &["connect", "--agent-id", agent][..],
        &["connect", "--agent-id", agent, "--print"],
        &["upload", "--source-code", "greet.py"],
        &["rows"],
    ] {
        let refused = scene.run(argv);
        assert_eq!(
            (refused.status, refused.code()),
            (1, "local_only"),
            "{argv:?}"
        );
        assert!(refused.error().contains(&scene.url), "{refused:?}");
    }
    assert_eq!(scene.world.letta.asked_in_all(), asked);
    let left = std::fs::read_dir(scene.elsewhere.path()).unwrap().count();
    assert_eq!(left, 1, "something was made where the schedules are not");
}
