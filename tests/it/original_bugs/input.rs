//! What the command line accepted, lost or misunderstood.

use serde_json::json;

use crate::program::{Answer, World};

fn registration<'a>(world: &'a World, flags: &[&'a str]) -> Vec<&'a str> {
    let mut argv = vec![
        "register",
        "--agent-id",
        world.agent.as_str(),
        "--prompt",
        "p",
    ];
    argv.extend(flags);
    argv
}

#[tokio::test(flavor = "multi_thread")]
async fn stdout_is_exactly_one_json_value_however_much_is_logged() {
    let world = World::new().await;
    let due = world.register_due(&world.agent, "p", 1).await.to_string();
    let mut logged = String::new();
    for argv in [
        &registration(&world, &["--every", "5m"])[..],
        &["list"],
        &["execute"],
        &["history"],
        &["test"],
        &["agents"],
        &["cancel", "--id", &due],
        &["cancel", "--id", &due],
        &["show", "--id", "99"],
    ] {
        let output = world
            .command(argv)
            .env("PROMPTYOSELF_LOG", "trace")
            .output()
            .unwrap();
        // This checks too that no secret is logged.
        logged.push_str(&Answer::read(output).stderr);
    }
    assert!(logged.contains("TRACE"), "nothing was logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interval_of_nothing_or_less_is_refused() {
    let world = World::new().await;
    for every in ["0s", "0", "-5m", "-1", "0h0m"] {
        let answer = world.run(&registration(&world, &["--every", every]));
        assert_eq!(answer.code(), "interval_invalid", "{every}: {answer:?}");
    }
    assert_eq!(world.run(&["list", "--all"]).succeeded()["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_repetitions_at_all_is_refused_rather_than_taken_for_endless() {
    let world = World::new().await;
    let answer = world.run(&registration(
        &world,
        &["--every", "5m", "--max-repetitions", "0"],
    ));
    assert_eq!(answer.code(), "repetitions_invalid");
    assert_eq!(world.run(&["list", "--all"]).succeeded()["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_id_never_leaves_its_place_in_a_url() {
    let world = World::new().await;
    let id = "agent/../../tools?a=1#";
    let argv = [
        "register",
        "--agent-id",
        id,
        "--prompt",
        "p",
        "--every",
        "5m",
        "--skip-validation",
    ];
    assert_eq!(world.run(&argv).code(), "agent_invalid");
    // Nor does one that another program wrote.
    world.run(&["list"]).succeeded();
    world
        .sql(&format!(
            "INSERT INTO schedules (agent_id, schedule_type, schedule_value, next_run, \
             prompt_text, active) VALUES ('{id}', 'interval', '5m', '2026-01-01 09:00:00', 'p', 1)"
        ))
        .await;
    assert_eq!(world.run(&["execute"]).succeeded()["executed"], json!([]));
    assert_eq!(world.letta.asked_in_all(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_agent_is_seen_however_many_there_are() {
    let world = World::new().await;
    for _ in 0..260 {
        world.letta.add_agent();
    }
    let agents = world.run(&["agents"]).succeeded();
    assert_eq!(agents["count"], 261);
    let mut ids: Vec<String> = agents["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| agent["id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 261);
}

#[tokio::test(flavor = "multi_thread")]
async fn test_and_agents_fail_when_letta_is_down() {
    let mut world = World::new().await;
    world.letta.stop();
    for argv in [["test"], ["agents"]] {
        let answer = world.run(&argv);
        assert_eq!(
            (answer.status, answer.code()),
            (1, "letta_unreachable"),
            "{argv:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_twice_is_an_error() {
    let world = World::new().await;
    let id = world.register("p", &["--every", "5m"]).to_string();
    let first = world.run(&["cancel", "--id", &id]).succeeded();
    assert_eq!(first["cancelled_id"].to_string(), id);
    let second = world.run(&["cancel", "--id", &id]);
    assert_eq!((second.status, second.code()), (1, "schedule_not_active"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_cannot_be_read_is_blamed_on_the_start() {
    let world = World::new().await;
    for spec in [["--every", "5m"], ["--cron", "0 9 * * *"]] {
        let answer = world.run(&registration(
            &world,
            &[spec[0], spec[1], "--start-at", "garbage"],
        ));
        assert_eq!(answer.code(), "time_invalid", "{answer:?}");
        assert!(
            answer.error().starts_with("--start-at: \"garbage\""),
            "{answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_holds_for_cron_too() {
    let world = World::new().await;
    let argv = registration(
        &world,
        &["--cron", "*/5 * * * *", "--start-at", "2099-01-01 09:02"],
    );
    let made = world.run(&argv).succeeded();
    assert_eq!(made["next_run"], "2099-01-01T09:05:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_begins_with_a_hyphen_is_a_prompt() {
    let world = World::new().await;
    for (at, prompt) in ["--evil", "-5", "--help", "-"].into_iter().enumerate() {
        world.register_due(&world.agent, prompt, 1).await;
        world.run(&["execute"]).succeeded();
        assert_eq!(world.letta.received()[at].text, prompt);
    }
}
