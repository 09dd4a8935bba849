//! The whole program notifies its operator.

use serde_json::Value;

use crate::program::World;

#[tokio::test(flavor = "multi_thread")]
async fn execute_tells_before_it_returns_and_test_shows_what_is_wrong() {
    let world = World::new().await;
    let told = world.dir().join("told");
    let nobody = promptyoself::models::AgentId::parse("agent-nobody").unwrap();
    let flags = ["--every", "1h", "--skip-validation"];
    let id = world.register_for(&nobody, "hello", &flags);
    world.make_due(id, 5).await;
    let line = format!("cat >> {}", told.display());
    let mut command = world.command(&["execute"]);
    command.env("PROMPTYOSELF_NOTIFY_COMMAND", &line);
    let answer = crate::program::Answer::read(command.output().unwrap());
    assert_eq!(answer.succeeded()["executed"][0]["state"], "dead");
    let told = std::fs::read_to_string(told).unwrap();
    let notice: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(notice["kind"], "dead");
    assert_eq!(notice["schedule_id"], id);

    let shown = world.run(&["test"]).succeeded();
    assert_eq!(shown["incidents"][0]["kind"], "dead");
    assert_eq!(shown["notices"]["pending"], 0);
    assert_eq!(world.run(&["list"]).succeeded()["incidents"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_for_notices_is_never_printed() {
    let world = World::new().await;
    let nobody = promptyoself::models::AgentId::parse("agent-nobody").unwrap();
    let flags = ["--every", "1h", "--skip-validation"];
    let id = world.register_for(&nobody, "hello", &flags);
    world.make_due(id, 5).await;
    let mut command = world.command(&["execute"]);
    command
        .env("PROMPTYOSELF_LOG", "debug,promptyoself=trace")
        .env(
            "PROMPTYOSELF_NOTIFY_URL",
            "http://me:hunter2@127.0.0.1:9/hunter2?token=hunter2",
        );
    let answer = crate::program::Answer::read(command.output().unwrap());
    assert!(answer.stderr.contains("http://127.0.0.1:9"), "{answer:?}");
    answer.succeeded();
    let shown = world.run(&["test"]);
    assert!(shown.json["notices"]["last_error"].is_string(), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_for_notices_inherits_no_key_of_ours() {
    let world = World::new().await;
    let told = world.dir().join("environment");
    let nobody = promptyoself::models::AgentId::parse("agent-nobody").unwrap();
    let flags = ["--every", "1h", "--skip-validation"];
    let id = world.register_for(&nobody, "hello", &flags);
    world.make_due(id, 5).await;
    let mut command = world.command(&["execute"]);
    // What a setting marks as a secret, whichever it is.
    for name in promptyoself::config::secret_variables() {
        if ![
            "LETTA_API_KEY",
            "PROMPTYOSELF_NOTIFY_COMMAND",
            "PROMPTYOSELF_NOTIFY_URL",
        ]
        .contains(&name)
        {
            command.env(name, "hunter3");
        }
    }
    command
        .env("PROMPTYOSELF_NOTIFY_URL", "http://me:hunter3@127.0.0.1:9/")
        .env(
            "PROMPTYOSELF_NOTIFY_COMMAND",
            format!("env > {}; : hunter3", told.display()),
        );
    crate::program::Answer::read(command.output().unwrap()).succeeded();
    let inherited = std::fs::read_to_string(told).unwrap();
    assert!(
        inherited.contains("PROMPTYOSELF_NOTICE_KIND=dead"),
        "{inherited}"
    );
    assert!(!inherited.contains("hunter"), "{inherited}");
    for name in ["LETTA_API_KEY", "LETTA_SERVER_PASSWORD", "PROMPTYOSELF_KEY"] {
        assert!(!inherited.contains(name), "{inherited}");
    }
}
