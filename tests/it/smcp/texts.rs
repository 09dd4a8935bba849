//! What an agent reads: errors in the terms of the plugin's tools and in the form of its own call,
//! and lists of a limited size.

use serde_json::{Value, json};

use super::loader::{Generation, Plugin};
use super::{answer, words};
use crate::program::{Answer, World};

#[test]
fn an_example_stands_in_the_form_in_which_the_call_was_written() {
    let plugin = Plugin::of_this_repository();
    for (kwargs, example) in [
        (
            "--agent-id a --prompt 'Stand up' --every '1d12h'",
            "--every 36h",
        ),
        (
            "agent_id=a prompt=\"Stand up\" every=\"1d12h\"",
            "every=36h",
        ),
        (
            "agent_id='a', prompt='Stand up', every='1d12h'",
            "every=36h",
        ),
        (
            "{'agent_id': 'a', 'prompt': 'Stand up', 'every': '1d12h'}",
            "{'every': '36h'}",
        ),
        (
            r#"{"agent_id": "a", "prompt": "Stand up", "every": "1d12h"}"#,
            r#"{"every":"36h"}"#,
        ),
    ] {
        let (_, told, _) = answer(&plugin, &["register", "--kwargs", kwargs]);
        assert_eq!(told["code"], "interval_invalid", "{kwargs}: {told}");
        assert_eq!(told["example"], example, "{kwargs}");
        // What the example says is understood in its turn.
        let (_, told, _) = answer(&plugin, &["register", "--kwargs", example]);
        assert_eq!(told["code"], "prompt_missing", "{example}: {told}");
    }
}

#[test]
fn a_text_that_is_nearly_right_is_shown_right() {
    let plugin = Plugin::of_this_repository();
    let (status, told, stderr) = answer(
        &plugin,
        &["register", "--kwargs", "prompt=Stand up every=30m"],
    );
    assert_eq!((status, &told["code"]), (2, &json!("usage")));
    assert_eq!(told["example"], "prompt=\"Stand up\" every=30m");
    assert!(stderr.contains("every=30m"), "{stderr}");
    for kwargs in ["prompt=don't every=5m", "--prompt \"a", "42", "{'a': "] {
        let (_, told, _) = answer(&plugin, &["register", "--kwargs", kwargs]);
        assert_eq!(told["code"], "usage", "{kwargs}");
        assert_eq!(told.get("example"), None, "{kwargs}");
    }
}

#[test]
fn a_text_in_kwargs_opens_nothing_that_flags_do_not() {
    let plugin = Plugin::of_this_repository();
    for kwargs in [
        "--db other.db",
        "db=other.db",
        "{'db': 'other.db'}",
        "--config x",
        "config=x",
        "--prompt-file /etc/passwd --agent-id a --every 5m",
        "prompt_file=/etc/passwd agent_id=a every=5m",
    ] {
        let (_, told, _) = answer(&plugin, &["register", "--kwargs", kwargs]);
        assert_eq!(told["code"], "refused_in_plugin", "{kwargs}: {told}");
    }
}

#[test]
fn no_error_names_a_shell_command_where_there_is_a_tool() {
    let plugin = super::calls::plugin();
    let calls = [
        ("show", json!({ "id": 999 })),
        ("show", json!({ "id": "five" })),
        ("cancel", json!({ "id": 999 })),
        ("update", json!({ "id": 999, "every": "5m" })),
        ("update", json!({ "id": 1 })),
        ("resume", json!({ "id": 1 })),
        ("history", json!({ "id": 999 })),
        ("history", json!({ "state": "failed" })),
        ("list", json!({ "limit": "many" })),
        (
            "register",
            json!({ "agent_id": "a b", "prompt": "p", "every": "5m" }),
        ),
        ("test", json!({})),
        ("agents", json!({})),
    ];
    super::calls::register(&plugin, Generation::Scraped, "p");
    for (command, arguments) in calls {
        let Err(told) = plugin.call(Generation::Scraped, command, &arguments) else {
            continue;
        };
        for tool in super::COMMANDS {
            let shell = format!("promptyoself {tool}");
            assert!(!told.contains(&shell), "{command} {arguments}: {told}");
        }
    }
}

#[test]
fn whoever_starts_the_loop_is_told_what_runs_the_scheduler_on_both_streams() {
    let plugin = Plugin::of_this_repository();
    let (status, told, stderr) = answer(&plugin, &["execute", "--loop"]);
    assert_eq!(status, 1);
    let text = told["error"].as_str().unwrap();
    assert!(text.contains("promptyoself serve"), "{text}");
    assert!(stderr.contains("promptyoself serve"), "{stderr}");
}

#[test]
fn what_doctor_finds_is_read_by_every_generation() {
    let plugin = super::calls::plugin();
    super::calls::register(&plugin, Generation::Scraped, "p");
    let output = plugin.run(&words(&["doctor"]));
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let findings = told["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    for finding in findings {
        let problem = finding["problem"].as_str().unwrap();
        assert!(stderr.contains(problem), "{problem} is not in {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_answered_in_pages_that_tell_how_many_there_are() {
    let world = World::new().await;
    world.register("first", &["--every", "1h"]);
    let large = "x".repeat(30_000);
    world
        .sql(&format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 249) \
             INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, next_run, active) \
             SELECT 'agent-a', '{large}', 'interval', '1h', '2099-01-01 00:00:00.000000', 1 FROM n"
        ))
        .await;
    let call = |argv: &[&str]| Answer::read(world.plugin(argv).output().unwrap());
    let listed = call(&["list"]).succeeded();
    assert_eq!(
        (&listed["count"], &listed["total"], &listed["next_offset"]),
        (&json!(100), &json!(250), &json!(100))
    );
    let refused = call(&["list", "--limit", "1001"]);
    assert_eq!((refused.status, refused.code()), (2, "usage"));
    let refused = call(&["history", "--limit", "1001"]);
    assert_eq!((refused.status, refused.code()), (2, "usage"));
    // Whole prompts fill a page sooner, and the pages hold everything once.
    let mut seen = Vec::new();
    let mut offset = 0;
    loop {
        let from = offset.to_string();
        let mut command = world.plugin(&["list", "--full", "--limit", "1000", "--offset", &from]);
        let output = command.output().unwrap();
        assert!(output.stdout.len() < 1_200_000, "{}", output.stdout.len());
        let page = Answer::read(output).succeeded();
        let ids = page["schedules"].as_array().unwrap();
        seen.extend(ids.iter().map(|s| s["id"].as_i64().unwrap()));
        match page["next_offset"].as_i64() {
            Some(next) => offset = next,
            None => break,
        }
    }
    assert_eq!(seen.len(), 250);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 250);
    // A shell is told everything.
    assert_eq!(world.run(&["list"]).succeeded()["count"], 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn test_and_agents_have_the_keys_of_the_python_original() {
    let world = World::new().await;
    world.letta.add_agent();
    for answer in [
        Answer::read(world.plugin(&["test"]).output().unwrap()),
        world.run(&["test"]),
    ] {
        assert_eq!(answer.succeeded()["agent_count"], 2);
    }
    let agents = Answer::read(world.plugin(&["agents"]).output().unwrap()).succeeded();
    for agent in agents["agents"].as_array().unwrap() {
        for key in ["id", "name", "created_at", "last_updated"] {
            assert!(agent[key].is_string(), "{key}: {agent}");
        }
    }
}
