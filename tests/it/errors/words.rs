//! An error is worded in the terms of the face that asked, and the caller's own words come back
//! unchanged, whatever they look like.

use serde_json::{Map, Value, json};

use crate::mcp::Raw;
use crate::program::{Answer, World};

/// What callers may write and what an error of some face might say by itself.
const WORDS: [&str; 8] = [
    "run promptyoself list daily",
    "promptyoself update --id 5",
    "list shows it, and show says it",
    "agents lists, test says",
    "--time",
    "--max-repetitions 5",
    "GET /api/v1/schedules",
    "schedule_id include_cancelled",
];

/// Wrong registrations whose errors repeat `word`; the prompt is the same word.
fn wrong(agent: &str, word: &str) -> Vec<Map<String, Value>> {
    let every = |field: &str, value: &str| json!({ "every": "5m", field: value });
    let mut calls = vec![
        json!({ "time": word }),
        json!({ "cron": word }),
        json!({ "every": word }),
        json!({ "every": "7m", "name": word }),
    ];
    let fields = [
        "agent_id", "timezone", "start_at", "end_at", "catch_up", "grace", "envelope", "max_age",
    ];
    calls.extend(fields.map(|field| every(field, word)));
    let whole = |call| match call {
        Value::Object(mut call) => {
            call.insert("prompt".to_owned(), word.into());
            call.entry("agent_id").or_insert_with(|| agent.into());
            call
        }
        other => panic!("{other}"),
    };
    calls.into_iter().map(whole).collect()
}

/// A registration on a command line.
fn flags(call: &Map<String, Value>) -> Vec<String> {
    let mut argv = vec!["register".to_owned()];
    for (field, value) in call {
        let flag = format!("--{}", field.replace('_', "-"));
        argv.extend([flag, value.as_str().unwrap().to_owned()]);
    }
    argv
}

/// A registration as the call of a tool.
fn tool_call(call: &Map<String, Value>) -> Value {
    let kind = ["time", "cron", "every"]
        .into_iter()
        .find(|k| call.contains_key(*k));
    let name = format!("promptyoself_schedule_{}", kind.unwrap());
    json!({ "name": name, "arguments": call })
}

#[track_caller]
fn repeats(face: &str, word: &str, text: &str) {
    let quoted = format!("{word:?}");
    assert!(text.contains(&quoted), "{face}: {quoted} is not in {text}");
}

fn ask(raw: &mut Raw, call: Value) -> Value {
    let answer = raw.ask("tools/call", call);
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    answer["result"]["structuredContent"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_own_words_come_back_untouched_on_every_face() {
    let world = World::new().await;
    let agent = world.agent.as_str().to_owned();
    for word in WORDS {
        world.register("p", &["--every", "6m", "--name", word]);
    }
    let url = world.serve();
    let client = crate::rest::client();
    let mut here = Raw::start(&world);
    let mut elsewhere = Raw::start_with(&world, &[("PROMPTYOSELF_URL", &url)]);
    for (nth_word, word) in WORDS.into_iter().enumerate() {
        for (nth, call) in wrong(&agent, word).into_iter().enumerate() {
            let argv = flags(&call);
            let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
            let typed = [
                ("command line", world.command(&argv), None),
                ("plugin", world.plugin(&argv), None),
                ("another server", world.command(&argv), Some(&url)),
            ];
            // Processes take their time: each call is typed on every face, though not with every word.
            let chosen = (nth + nth_word) % typed.len();
            for (face, mut command, url) in typed.into_iter().skip(chosen).take(1) {
                command.envs(url.map(|url| ("PROMPTYOSELF_URL", url)));
                let answer = Answer::read(command.output().unwrap());
                assert_ne!(answer.status, 0, "{face}: {answer:?}");
                repeats(face, word, answer.error());
            }
            let request = client.post(format!("{url}/api/v1/schedules")).json(&call);
            let answer: Value = request.send().await.unwrap().json().await.unwrap();
            repeats("REST", word, answer["detail"].as_str().unwrap());
            assert_eq!(answer.get("parts"), None, "{answer}");

            for (face, raw) in [("MCP", &mut here), ("MCP elsewhere", &mut elsewhere)] {
                let answer = ask(raw, tool_call(&call));
                repeats(face, word, answer["error"].as_str().unwrap());
                if let Some(example) = answer.get("example") {
                    let prompt = example["arguments"].get("prompt");
                    assert!(prompt.is_none_or(|p| p == word), "{face}: {answer}");
                }
            }
        }
        // What belongs to other operations.
        let text = client
            .get(format!("{url}/api/v1/occurrences"))
            .query(&[("since", word)]);
        let answer: Value = text.send().await.unwrap().json().await.unwrap();
        repeats("REST", word, answer["detail"].as_str().unwrap());
        for argv in [
            ["history", "--since", word],
            ["history", "--state", word],
            ["list", "--limit", word],
            ["preview", "--every", word],
        ] {
            repeats("command line", word, world.run(&argv).error());
        }
        for (tool, argument) in [
            ("promptyoself_history", "since"),
            ("promptyoself_list", "agent_id"),
            ("promptyoself_preview", "every"),
        ] {
            let call = json!({ "name": tool, "arguments": { argument: word } });
            let answer = ask(&mut here, call);
            repeats(tool, word, answer["error"].as_str().unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_refuses_is_told_in_the_words_of_the_face_that_asked() {
    let world = World::new().await;
    let url = world.serve();
    let mut elsewhere = Raw::start_with(&world, &[("PROMPTYOSELF_URL", &url)]);
    let call = json!({ "name": "promptyoself_cancel", "arguments": { "schedule_id": 99 } });
    let answer = ask(&mut elsewhere, call);
    assert_eq!(
        answer["error"],
        "there is no schedule 99: promptyoself_list shows the ids that exist"
    );
    assert_eq!(
        answer["example"],
        json!({ "tool": "promptyoself_list", "arguments": { "include_cancelled": true } })
    );
    let mut command = world.command(&["cancel", "--id", "99"]);
    let answer = Answer::read(command.env("PROMPTYOSELF_URL", &url).output().unwrap());
    assert_eq!(answer.json["example"], "promptyoself list --all");

    // A client of the version before asks in the same way, and reads the text alone.
    let client = crate::rest::client();
    let request = client.get(format!("{url}/api/v1/schedules/99"));
    let request = request.header("x-promptyoself-wording", "flags");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        answer["detail"],
        "there is no schedule 99: list shows the ids that exist"
    );
    assert_eq!(answer["example"], "promptyoself list --all");
}
