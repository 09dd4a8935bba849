//! Cancelling, pausing and resuming many schedules at once.

use promptyoself::models::AgentId;
use serde_json::{Value, json};

use crate::program::{Answer, World};

/// What each schedule is by now, by its id.
fn lifecycles(world: &World) -> Vec<(i64, String)> {
    let listed = world.run(&["list", "--all"]).succeeded();
    let mut all: Vec<(i64, String)> = (listed["schedules"].as_array().unwrap().iter())
        .map(|s| {
            let lifecycle = s["lifecycle"].as_str().unwrap().to_owned();
            (s["id"].as_i64().unwrap(), lifecycle)
        })
        .collect();
    all.sort();
    all
}

fn words(all: &[(i64, String)]) -> Vec<&str> {
    all.iter()
        .map(|(_, lifecycle)| lifecycle.as_str())
        .collect()
}

/// A world with two schedules of its agent and one of another.
async fn world() -> (World, AgentId) {
    let world = World::new().await;
    let other = world.letta.add_agent();
    world.register("first", &["--every", "1h"]);
    world.register("second", &["--every", "2h"]);
    world.register_for(&other, "third", &["--every", "3h"]);
    (world, other)
}

fn assert_accounts_are_right(world: &World) {
    let findings = world.run(&["doctor"]).json["findings"].to_string();
    assert!(!findings.contains("account"), "{findings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_schedules_are_only_touched_once_somebody_has_agreed() {
    let (world, _) = world().await;
    let agent = world.agent.as_str();
    let before = world.dump().await;
    for argv in [
        &["cancel", "--agent-id", agent][..],
        &["pause", "--agent-id", agent],
        &["cancel", "--all"],
    ] {
        let n = if argv.contains(&"--all") { 3 } else { 2 };
        let asked = world.run(argv);
        // A script that goes on as if it were done would be wrong.
        assert_eq!(asked.status, 1, "{asked:?}");
        assert_eq!(asked.json["dry_run"], true);
        assert_eq!(
            (&asked.json["status"], &asked.json["count"]),
            (&json!("error"), &json!(n))
        );
        assert_eq!(asked.json["schedules"].as_array().unwrap().len(), n);
        assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
        // Whoever only wants to know is answered.
        let dry: Vec<&str> = argv.iter().copied().chain(["--dry-run"]).collect();
        let told = world.run(&dry).succeeded();
        assert_eq!(told["count"], n);
        assert_eq!(told["schedules"], asked.json["schedules"]);
    }
    assert_eq!(world.dump().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_an_agent_are_paused_resumed_and_cancelled_and_nobody_elses() {
    let (world, other) = world().await;
    let agent = world.agent.as_str();
    let to_agents = |verb: &str| world.run(&[verb, "--agent-id", agent, "--yes"]).succeeded();
    for (verb, done) in [
        ("pause", "paused"),
        ("resume", "active"),
        ("cancel", "cancelled"),
    ] {
        let answer = to_agents(verb);
        assert_eq!(
            (&answer["ids"], &answer["operation"]),
            (&json!([1, 2]), &json!(verb))
        );
        assert_eq!(words(&lifecycles(&world)), [done, done, "active"]);
        // There is nothing left to do then.
        assert_eq!(to_agents(verb)["count"], 0);
        assert_accounts_are_right(&world);
    }
    let noted = world
        .run(&["pause", "--all", "--yes", "--note", "moving house"])
        .succeeded();
    assert_eq!(noted["ids"], json!([3]));
    let shown = world.run(&["show", "3"]).succeeded();
    assert_eq!(shown["schedule"]["pause_note"], "moving house");
    assert_eq!(shown["schedule"]["agent_id"], other.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_it_is_asked_for_and_only_a_yes_is_one() {
    let (world, _) = world().await;
    let answered = |argv: &[&str], said: &str| {
        let mut terminal = world.at_terminal(argv);
        terminal.type_in(said);
        let written = terminal.finish();
        (written.status, written.text)
    };
    for said in ["n\n", "\n", "never\n"] {
        let (status, shown) = answered(&["pause", "--all"], said);
        assert_eq!(status, Some(1), "{shown}");
        for part in [
            "first",
            "second",
            "third",
            "Pause 3 schedules? [y/N]",
            "Nothing was paused",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
        assert_eq!(words(&lifecycles(&world)), ["active"; 3]);
    }
    let (status, shown) = answered(&["pause", "--all"], "y\n");
    assert_eq!(status, Some(0), "{shown}");
    assert_eq!(words(&lifecycles(&world)), ["paused"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_can_not_be_resumed_is_told_and_keeps_nobody_back() {
    let (world, _) = world().await;
    let once = world.register("once", &["--time", "2099-01-01T00:00:00Z"]);
    world.run(&["pause", "--all", "--yes"]).succeeded();
    // It passed while it was paused.
    world
        .sql(&format!(
            "UPDATE schedules SET next_run = '2020-01-01 00:00:00', planned_next_run = '2020-01-01 00:00:00', \
             row_version = row_version + 1 WHERE id = {once}"
        ))
        .await;
    let answer = world.run(&["resume", "--all", "--yes"]);
    assert_eq!(answer.status, 1);
    assert_eq!(answer.json["ids"].as_array().unwrap().len(), 3);
    assert_eq!(answer.json["failed"][0]["id"], once);
    assert_eq!(answer.json["failed"][0]["code"], "time_past");
    assert!(
        answer.stderr.contains(&format!("schedule {once} ")),
        "{}",
        answer.stderr
    );
    assert_eq!(
        words(&lifecycles(&world)),
        ["active", "active", "active", "paused"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_schedules_are_cancelled_with_the_others() {
    let (world, _) = world().await;
    world
        .sql("UPDATE schedules SET schedule_value = 'soon' WHERE id = 2")
        .await;
    world.run(&["execute"]);
    assert_eq!(words(&lifecycles(&world))[1], "broken");
    let paused = world.run(&["pause", "--all", "--dry-run"]).succeeded();
    assert_eq!(paused["count"], 2);
    let answer = world.run(&["cancel", "--all", "--yes"]).succeeded();
    assert_eq!(answer["count"], 3);
    assert_eq!(words(&lifecycles(&world)), ["cancelled"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_on_every_page_are_found() {
    let world = World::new().await;
    world.run(&["list"]).succeeded();
    world
        .sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
             INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, next_run, active) \
             SELECT 'agent-a', 'p', 'interval', '1h', '2099-01-01 00:00:00', 1 FROM n",
        )
        .await;
    let told = world
        .run(&["cancel", "--agent-id", "agent-a", "--dry-run"])
        .succeeded();
    assert_eq!(told["count"], 2500);
    assert_eq!(told["schedules"].as_array().unwrap().len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_elsewhere_does_it_for_those_that_the_key_opens() {
    let (world, other) = world().await;
    let (url, operators) = world.serve_with_key(None);
    let agents = world.key(Some(&world.agent.clone()));
    let from_afar = |key: &str, argv: &[&str]| {
        let mut command = world.command(argv);
        command
            .env("PROMPTYOSELF_URL", &url)
            .env("PROMPTYOSELF_KEY", key);
        Answer::read(command.output().unwrap())
    };
    let foreign = from_afar(&agents, &["pause", "--agent-id", other.as_str(), "--yes"]);
    assert_eq!(foreign.code(), "not_permitted");
    let own = from_afar(&agents, &["pause", "--all", "--yes"]).succeeded();
    assert_eq!(own["ids"], json!([1, 2]));
    let rest = from_afar(&operators, &["cancel", "--all", "--yes"]).succeeded();
    assert_eq!(rest["count"], 3);
    world.stop_servers();
    assert_eq!(words(&lifecycles(&world)), ["cancelled"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn through_the_plugin_it_is_one_agent_at_a_time() {
    let (world, _) = world().await;
    let plugin = |argv: &[&str]| Answer::read(world.plugin(argv).output().unwrap());
    for verb in ["cancel", "pause", "resume"] {
        assert_eq!(
            plugin(&[verb, "--all", "--yes"]).code(),
            "refused_in_plugin"
        );
    }
    let agent = world.agent.as_str();
    assert_eq!(
        plugin(&["cancel", "--agent-id", agent]).json["dry_run"],
        true
    );
    assert_eq!(words(&lifecycles(&world)), ["active"; 3]);
    let answer: Value = plugin(&["cancel", "--agent-id", agent, "--yes"]).succeeded();
    assert_eq!(answer["ids"], json!([1, 2]));
    assert_eq!(
        words(&lifecycles(&world)),
        ["cancelled", "cancelled", "active"]
    );
}
