//! Every face understands times in words, says what it has understood, and refuses what leaves a
//! doubt with its readings.

use promptyoself::error::Code;
use promptyoself::models::ScheduleType;
use promptyoself::schedule::Asked;
use promptyoself::service::{Changes, Wish};
use reqwest::Method;
use serde_json::{Value, json};

use crate::mcp::raw::Raw;
use crate::program::World;
use crate::rest::api::Api;

/// What is given in a field, and the words for it in the answer, in Berlin.
const UNDERSTOOD: &[(&str, &str, &str)] = &[
    ("time", "2099-02-01 9am", "2099-02-01 09:00 Europe/Berlin"),
    (
        "cron",
        "every weekday at 9am",
        "every weekday at 09:00 Europe/Berlin",
    ),
    (
        "cron",
        "0 9 * * mon-fri",
        "every weekday at 09:00 Europe/Berlin",
    ),
    ("cron", "every 90 minutes", "every 90 minutes"),
    (
        "every",
        "weekdays at 9 and 17",
        "every weekday at 09:00 and 17:00 Europe/Berlin",
    ),
    (
        "cron",
        "0 9 * * 1-5; 30 17 * * 1-5",
        "every weekday at 09:00 and 17:30 Europe/Berlin",
    ),
    (
        "every",
        "every weekday at 9:00 and 17:30",
        "every weekday at 09:00 and 17:30 Europe/Berlin",
    ),
    (
        "when",
        "mondays at 9 and fridays at 16:30",
        "every monday at 09:00 and every friday at 16:30 Europe/Berlin",
    ),
    (
        "when",
        "CRON_TZ=Europe/Berlin 0 9,12,15 * * 1; 30 16 * * 5",
        "every monday at 09:00, 12:00 and 15:00; every friday at 16:30 Europe/Berlin",
    ),
    ("every", "2h", "every 2 hours"),
    ("when", "2099-02-01 9am", "2099-02-01 09:00 Europe/Berlin"),
    (
        "when",
        "first monday of the month at 10",
        "on the first monday of every month at 10:00 Europe/Berlin",
    ),
    ("when", "every 2 hours", "every 2 hours"),
    ("when", "30 8 * * *", "every day at 08:30 Europe/Berlin"),
    (
        "when",
        "CRON_TZ=Europe/Berlin 30 8 * * *",
        "every day at 08:30 Europe/Berlin",
    ),
];

/// What leaves a doubt, and a part of the error.
const REFUSED: &[(&str, &str, &str)] = &[
    ("time", "every monday at 9am", "is a single time"),
    (
        "cron",
        "2099-02-01 9am",
        "is a single time, \"2099-02-01 09:00 Europe/Berlin\"",
    ),
    (
        "every",
        "every day at 7",
        "\"every day at 07:00 Europe/Berlin\" or",
    ),
    (
        "cron",
        "0 9 * * *; 0 25 * * *",
        "pattern 2 of 2: the hour field '25'",
    ),
    ("when", "every day at 7", "\"every day at 07:00"),
    ("when", "30m", "once or again and again"),
    ("when", "gibberish", "is not understood"),
];

fn said(answer: &Value) -> &str {
    answer["understood"].as_str().unwrap_or_default()
}

/// The words may name the zone even if it goes without saying.
fn is_said(answer: &Value, words: &str) -> bool {
    let without = |text: &str| text.trim_end_matches(" Europe/Berlin").to_owned();
    without(said(answer)) == without(words)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_and_the_plugin_understand_words_and_say_what_they_understood() {
    let world = World::new().await;
    for (field, value, words) in UNDERSTOOD {
        let flag = format!("--{field}");
        let zone = ["--timezone", "Europe/Berlin"];
        let mut argv = vec!["preview", &flag, value];
        argv.extend(zone);
        let previewed = world.run(&argv).succeeded();
        assert!(is_said(&previewed, words), "{value}: {previewed}");
        let mut argv = vec![
            "register",
            "--agent-id",
            world.agent.as_str(),
            "--prompt",
            "p",
            &flag,
            value,
        ];
        argv.extend(zone);
        let made = world.run(&argv).succeeded();
        assert!(is_said(&made, words), "{value}: {made}");
        assert!(!made["next_runs"].as_array().unwrap().is_empty());
        let id = made["id"].to_string();
        let shown = world.run(&["show", &id]).succeeded();
        assert!(is_said(&shown, words), "{value}: {shown}");
        // Given back as any time, the words change nothing.
        let again = ["update", &id, "--when", said(&shown)];
        let saved = world.run(&again).succeeded();
        assert_eq!(saved["changed"], false, "{value}: {saved}");
        world.run(&["cancel", &id]).succeeded();
    }
    for (field, value, told) in REFUSED {
        let flag = format!("--{field}");
        let argv = ["preview", &flag, value, "--timezone", "Europe/Berlin"];
        let error = world.run(&argv);
        let told = told.replace(" Europe/Berlin", "");
        let text = error.error().replace(" Europe/Berlin", "");
        assert!(text.contains(&told), "{value}: {text}");
        let output = world.plugin(&argv).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = answer["error"]
            .as_str()
            .unwrap()
            .replace(" Europe/Berlin", "");
        assert!(
            text.contains(&told.replace("--", "")) || text.contains(&told),
            "{value}: {text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mcp_has_one_tool_for_every_kind_of_time() {
    let world = World::new().await;
    let mut raw = Raw::start(&world);
    let mut call = |tool: &str, arguments: Value| -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        raw.ask("tools/call", params)["result"]["structuredContent"].take()
    };
    for (_, value, words) in UNDERSTOOD.iter().filter(|(field, ..)| *field == "when") {
        let arguments = json!({
            "prompt": "p", "when": value, "agent_id": world.agent.as_str(), "timezone": "Europe/Berlin",
        });
        let made = call("promptyoself_schedule", arguments);
        assert!(is_said(&made, words), "{value}: {made}");
        let shown = call("promptyoself_get", json!({ "schedule_id": made["id"] }));
        assert!(is_said(&shown, words), "{value}: {shown}");
    }
    for (field, value, words) in UNDERSTOOD.iter().filter(|(field, ..)| *field != "when") {
        let mut arguments = json!({
            "prompt": "p", "agent_id": world.agent.as_str(), "timezone": "Europe/Berlin",
        });
        arguments[field] = json!(value);
        let made = call(&format!("promptyoself_schedule_{field}"), arguments);
        assert!(is_said(&made, words), "{value}: {made}");
    }
    // An error names the tool that takes what was meant, and its example works.
    let wrong = json!({
        "prompt": "p", "time": "every weekday at 9am", "agent_id": world.agent.as_str(),
    });
    let refused = call("promptyoself_schedule_time", wrong);
    let example = refused["example"].clone();
    assert_eq!(example["tool"], "promptyoself_schedule_cron", "{refused}");
    let made = call(
        example["tool"].as_str().unwrap(),
        example["arguments"].clone(),
    );
    assert_eq!(said(&made), "every weekday at 09:00 UTC", "{made}");
}

#[tokio::test]
async fn rest_understands_words_in_every_time_of_a_body() {
    let api = Api::new().await;
    for (field, value, words) in UNDERSTOOD {
        let mut body = json!({ "agent_id": "agent-a", "prompt": "p", "timezone": "Europe/Berlin" });
        body[field] = json!(value);
        let made = api.post("/api/v1/schedules", body.clone()).await.is(201);
        assert!(is_said(&made, words), "{value}: {made}");
        let path = format!("/api/v1/schedules/{}", made["id"]);
        let shown = api.get(&path).await.is(200);
        assert!(is_said(&shown, words), "{value}: {shown}");
        let again = json!({ "when": said(&shown) });
        let saved = api.send(Method::PATCH, &path, again).await.is(200);
        assert_eq!(saved["changed"], false, "{value}: {saved}");
        api.send(Method::DELETE, &path, Value::Null).await;
    }
    let body = json!({
        "agent_id": "agent-a", "prompt": "p", "every": "1h",
        "start_at": "tomorrow at 9am", "end_at": "end of next year",
    });
    let refused = api.post("/api/v1/schedules", body).await;
    assert!(refused.detail().contains("end_at"), "{}", refused.detail());
}

#[tokio::test]
async fn a_repeated_call_under_a_name_is_the_same_as_long_as_the_words_mean_the_same() {
    let world = crate::world::World::new().await;
    let ask = async |when: &str| {
        let mut asked = world.wish("agent-a", "p", ScheduleType::Once, when);
        asked.when.wish.asked = Asked::AsAny;
        asked.name = Some("tea".to_owned());
        world.service.register(&asked).await
    };
    for (when, seconds) in [
        ("every other day at 8", 86_400),
        ("every weekday at 9am", 86_400),
        ("tomorrow at 9am", 60),
    ] {
        let first = ask(when).await.unwrap();
        world.advance(seconds);
        let second = ask(when).await.unwrap();
        assert_eq!(
            (second.id, second.existed),
            (first.id, Some(true)),
            "{when}"
        );
        assert_eq!(second.understood, first.understood, "{when}");
        world.service.cancel(first.id).await.unwrap();
    }
    let first = ask("in 20 minutes").await.unwrap();
    world.advance(60);
    let error = ask("in 20 minutes").await.unwrap_err();
    assert_eq!(error.code(), Code::NameTaken);
    assert!(
        error.to_string().contains(&format!("it is {}", first.id)),
        "{error}"
    );
    // To move it is what update is for.
    let changes = Changes {
        wish: Some(Wish {
            asked: Asked::AsAny,
            value: "in 20 minutes".to_owned(),
        }),
        ..Changes::default()
    };
    let moved = world.service.update(first.id, &changes).await.unwrap();
    assert_eq!(moved.changed, Some(true));
    assert_eq!(moved.next_run.duration_since(first.next_run).as_secs(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn remind_registers_in_the_order_of_a_sentence() {
    let world = World::new().await;
    let agent = world.agent.as_str();
    let whole = [
        "remind",
        agent,
        "every weekday at 18:30",
        "Write the report",
        "--name",
        "report",
    ];
    let made = world.run(&whole).succeeded();
    let shown = world.run(&["show", "report"]).succeeded();
    assert_eq!(shown["schedule"]["id"], made["id"]);
    assert_eq!(shown["schedule"]["agent_id"], agent);
    assert_eq!(shown["schedule"]["prompt_text"], "Write the report");
    assert_eq!(shown["schedule"]["schedule_value"], "30 18 * * 1-5");
    let short = [
        "remind",
        "in 20 minutes",
        "Call Ada",
        "--timezone",
        "Asia/Tokyo",
    ];
    let mut command = world.command(&short);
    let output = command.env("LETTA_AGENT_ID", agent).output().unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["timezone"], "Asia/Tokyo", "{made}");
    let nobody = world.run(&["remind", "in 20 minutes", "Call Ada"]);
    assert_eq!(nobody.code(), "agent_missing");
    let flag = ["--agent-id", agent];
    let made = world.run(&[&["remind", "in 20 minutes", "Call Ada"], &flag[..]].concat());
    let id = made.succeeded()["id"].to_string();
    assert_eq!(
        world.run(&["show", &id]).json["schedule"]["agent_id"],
        agent
    );
    let twice = world.run(&[&["remind", agent, "in 20 minutes", "Call Ada"], &flag[..]].concat());
    assert_eq!((twice.status, twice.code()), (2, "usage"));
    let unclear = world.run(&["remind", agent, "friday at 5", "Call Ada"]);
    assert_eq!(unclear.code(), "time_invalid");
    assert_eq!(world.run(&["remind", "tomorrow at 9am"]).status, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_the_same_is_noted() {
    let world = World::new().await;
    let first = world.register("p", &["--cron", "0 9 * * mon-fri"]);
    let again = [
        "register",
        "--agent-id",
        world.agent.as_str(),
        "--prompt",
        "p",
        "--when",
        "every weekday at 9am",
    ];
    let second = world.run(&again).succeeded();
    let note = format!("schedule {first} of this agent sends the same prompt at the same times");
    let notes = second["notes"].as_array().unwrap();
    assert!(notes.contains(&json!(note)), "{second}");
    let shown = world.run(&["show", &second["id"].to_string()]).succeeded();
    assert!(
        shown["notes"].as_array().unwrap().contains(&json!(note)),
        "{shown}"
    );
    let other = [
        "register",
        "--agent-id",
        world.agent.as_str(),
        "--prompt",
        "q",
        "--when",
        "every weekday at 9:00",
    ];
    let other = world.run(&other).succeeded();
    let notes = other["notes"].as_array().cloned().unwrap_or_default();
    assert!(
        !notes
            .iter()
            .any(|n| n.as_str().unwrap().contains("same prompt")),
        "{other}"
    );
}
