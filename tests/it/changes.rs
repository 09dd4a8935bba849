//! The record of changes: who changed what, when, and through which face.

use promptyoself::cli::definitions::definitions;
use promptyoself::error::Code;
use promptyoself::letta_client::{self as target, ErrorClass, Refusal, RefusalKind};
use promptyoself::models::ChangeQuery;
use promptyoself::models::{AgentId, Caller, Change, Face, Operation, ScheduleType};
use promptyoself::operations;
use promptyoself::scheduler::Mode;
use promptyoself::service::Changes;
use reqwest::Method;
use serde_json::{Value, json};
use utoipa::PartialSchema;

use crate::fake_target::Act;
use crate::foreign_writers::raw::Foreign;
use crate::mcp::raw::Raw;
use crate::program::{self, Answer};
use crate::rest::api::{Api, send};
use crate::world::World;

async fn all(world: &World) -> Vec<Change> {
    let filter = ChangeQuery {
        limit: 1_000,
        ..ChangeQuery::default()
    };
    let mut changes = world.service.db.list_changes(&filter).await.unwrap();
    changes.reverse();
    changes
}

/// What was noted, the oldest first, as `who face operation schedule what`.
fn told(changes: &[Value]) -> Vec<String> {
    let word = |c: &Value, key: &str| match &c[key] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = |c: &Value| {
        ["caller", "face", "operation", "schedule_id", "what"]
            .map(|key| word(c, key))
            .join(" ")
    };
    changes.iter().rev().map(line).collect()
}

fn noted(world: &program::World) -> Vec<String> {
    let log = world.run(&["history", "--changes"]).succeeded();
    told(log["changes"].as_array().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_changes_something_is_noted_and_no_other() {
    let world = program::World::new().await;
    let agent = world.agent.as_str().to_owned();
    world.run(&["list"]).succeeded();
    let register = [
        "register",
        "--agent-id",
        &agent,
        "--prompt",
        "SECRET",
        "--every",
        "1h",
    ];
    let connected = format!("create_key - key 2, connect {agent}, for {agent}");
    // A command, and what is noted of it.
    let calls: Vec<(Vec<&str>, Vec<String>)> = [
        (&register[..], &["register 1 interval"][..]),
        (&["list"], &[]),
        (&["show", "1"], &[]),
        (&["preview", "--every", "1h"], &[]),
        (&["test"], &[]),
        (&["agents"], &[]),
        (&["doctor"], &[]),
        (&["execute"], &[]),
        (
            &[
                "update",
                "1",
                "--prompt",
                "SECRET2",
                "--every",
                "2h",
                "--max-repetitions",
                "9",
                "--catch-up",
                "all",
                "--name",
                "n",
            ],
            &["update 1 prompt, name, catch_up, every, max_repetitions"],
        ),
        // It is like this already.
        (&["update", "1", "--every", "120m"], &[]),
        (&["pause", "1", "--note", "SECRET3"], &["pause 1 -"]),
        (&["pause", "1"], &[]),
        (&["resume", "1"], &["resume 1 -"]),
        (&["pause", "--all", "--yes"], &["pause 1 -"]),
        (&["resume", "1", "--replay"], &["resume 1 replay"]),
        (&["resume", "1"], &[]),
        (&["halt", "--note", "SECRET4"], &["halt - note"]),
        // What it was halted for already.
        (&["halt"], &[]),
        (&["run", "1"], &["run 1 occurrence 1"]),
        // It waits already.
        (&["run", "1"], &[]),
        (&["halt", "--off"], &["lift_halt - -"]),
        (&["halt", "--off"], &[]),
        (&["cancel", "--all"], &[]),
        (&["cancel", "1"], &["cancel 1 -"]),
        (&["cancel", "1"], &[]),
        (
            &["purge", "--id", "1"],
            &["purge 1 texts of 1 deliveries, 1 prompts"],
        ),
        // It looks at the same deliveries again.
        (
            &["purge", "--id", "1"],
            &["purge 1 texts of 1 deliveries, 0 prompts"],
        ),
        (
            &["key", "create", "--name", "laptop"],
            &["create_key - key 1, laptop"],
        ),
        (&["key", "list"], &[]),
        (
            &["key", "revoke", "--id", "1"],
            &["revoke_key - key 1, laptop"],
        ),
        (&["history", "--changes"], &[]),
        (&["remind", "in 2 hours", "p"], &[]),
        (&["backup", "copy.db"], &[]),
        (&["prune"], &[]),
        (
            &["connect", "--agent-id", &agent, "--print"],
            &[connected.as_str()],
        ),
        (&["upload", "--source-code", "none.py"], &[]),
        (&["import", "--letta-code-cron"], &[]),
        (&["plugin", "install", "nowhere"], &[]),
    ]
    .into_iter()
    .map(|(argv, noted)| {
        let noted = noted.iter().map(|n| format!("operator cli {n}")).collect();
        (argv.to_vec(), noted)
    })
    .collect();
    let mut expected: Vec<String> = Vec::new();
    for (argv, now) in &calls {
        let mut command = world.command(argv);
        command.stdin(std::process::Stdio::null());
        let made = Answer::read(command.output().unwrap());
        expected.extend(now.clone());
        assert_eq!(noted(&world), expected, "{argv:?}: {made:?}");
    }
    let dump = world.run(&["history", "--changes"]).json.to_string();
    assert!(!dump.contains("SECRET"), "{dump}");
    let known: Vec<&str> = calls.iter().map(|(argv, _)| argv[0]).collect();
    for command in definitions(operations::ALL, false).get_subcommands() {
        let name = command.get_name();
        // What they do is a scheduler's, an agent's, another program's or said below.
        let elsewhere = ["serve", "mcp", "rows", "restore", "help"].contains(&name);
        assert!(elsewhere || known.contains(&name), "is {name} noted?");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_face_and_every_key_is_told_apart() {
    let world = program::World::new().await;
    let agent = world.agent.as_str().to_owned();
    let id = world.register("p", &["--every", "1h"]).to_string();
    let plugin = |argv: &[&str]| Answer::read(world.plugin(argv).output().unwrap()).succeeded();
    plugin(&["pause", &id]);
    let mut raw = Raw::start(&world);
    let call = json!({ "name": "promptyoself_resume", "arguments": { "schedule_id": 1 } });
    raw.ask("tools/call", call);
    drop(raw);
    let url = world.serve();
    let operators = {
        let made = world
            .run(&["key", "create", "--name", "laptop"])
            .succeeded();
        made["key"].as_str().unwrap().to_owned()
    };
    let agents = world.key(Some(&world.agent));
    let from_afar = |key: &str, argv: &[&str]| {
        let mut command = world.command(argv);
        command
            .env("PROMPTYOSELF_URL", &url)
            .env("PROMPTYOSELF_KEY", key);
        Answer::read(command.output().unwrap()).succeeded()
    };
    from_afar(&operators, &["pause", &id]);
    from_afar(&agents, &["resume", &id]);
    let client = crate::rest::api::client();
    let through_letta = client
        .post(format!("{url}/v1/agents/{agent}/schedule"))
        .header("x-promptyoself-key", &operators)
        .json(&json!({
            "messages": [{ "role": "user", "content": "p" }],
            "schedule": { "type": "recurring", "cron_expression": "0 9 * * *" },
        }));
    let made = send(through_letta).await;
    assert!(made.status < 300, "{made:?}");
    let narrowed = client
        .delete(format!("{url}/api/v1/schedules/{id}"))
        .header("x-promptyoself-key", &operators)
        .header("x-agent-id", &agent);
    send(narrowed).await.is(200);
    let log = world.run(&["history", "--changes"]).succeeded();
    let log = log["changes"].as_array().unwrap();
    let of_schedules: Vec<String> = told(log)
        .into_iter()
        .filter(|line| !line.contains("_key"))
        .collect();
    assert_eq!(
        of_schedules,
        [
            "operator cli register 1 interval".to_owned(),
            "agent plugin pause 1 -".to_owned(),
            "agent mcp resume 1 -".to_owned(),
            "operator rest pause 1 -".to_owned(),
            format!("{agent} rest resume 1 -"),
            "operator letta-api register 2 cron".to_owned(),
            format!("{agent} rest cancel 1 -"),
        ]
    );
    // The name of a key, never the key, and to the operator alone.
    let text = Value::from(log.clone()).to_string();
    assert!(
        text.contains("\"key\":\"laptop\"") && !text.contains("pys_"),
        "{text}"
    );
    let own = from_afar(&agents, &["history", "--changes"]).to_string();
    assert!(
        own.contains("letta-api") && !own.contains("laptop"),
        "{own}"
    );
    world.stop_servers();
}

#[tokio::test]
async fn what_another_program_does_in_the_table_is_noted_as_such() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "1h").await.id;
    let mut foreign = Foreign::connect(&world.path()).await;
    for statement in [
        "UPDATE schedules SET prompt_text = 'SECRET' WHERE id = $",
        "UPDATE schedules SET schedule_value = '2h' WHERE id = $",
        "UPDATE schedules SET active = 0 WHERE id = $",
        "UPDATE schedules SET active = 1 WHERE id = $",
        "UPDATE schedules SET schedule_value = 'SECRET' WHERE id = $",
        "INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, next_run, active) \
         VALUES ('agent-b', 'SECRET', 'interval', '1h', '2030-01-01 00:00:00', 1)",
        "DELETE FROM schedules WHERE id = $",
    ] {
        foreign.run(&statement.replace('$', &id.to_string())).await;
        world.start_on(&world.service, Mode::Once).ended().await;
    }
    let changes = all(&world).await;
    let told: Vec<String> = changes
        .iter()
        .map(|c| {
            let what = c.what.as_deref().unwrap_or("-");
            let agent = c.agent_id.as_deref().unwrap_or("-");
            format!(
                "{} {} {agent} {what}",
                c.operation,
                c.schedule_id.unwrap_or(0)
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "register 1 agent-a interval",
            "update 1 agent-a other columns",
            "update 1 agent-a schedule_value",
            "cancel 1 agent-a active",
            "resume 1 agent-a active",
            "update 1 agent-a schedule_value; it can't be read",
            "register 2 agent-b interval",
            "delete 1 agent-a -",
        ]
    );
    assert!(changes[1..].iter().all(|c| c.face == Face::Table.as_str()));
    assert!(changes[1..].iter().all(|c| c.caller == "another program"));
    let uids: Vec<_> = changes.iter().map(|c| c.uid.clone()).collect();
    assert!(uids[0].is_some() && uids[7] == uids[0] && uids[6] != uids[0]);
    // Of one that is gone it is still told.
    let asked = ChangeQuery {
        schedule_id: Some(id),
        limit: 10,
        ..ChangeQuery::default()
    };
    assert_eq!(world.service.changes(&asked).await.unwrap().count, 7);
    let never = ChangeQuery {
        schedule_id: Some(77),
        ..asked
    };
    let refused = world.service.changes(&never).await.unwrap_err();
    assert_eq!(refused.code(), Code::ScheduleNotFound);
}

#[tokio::test]
async fn a_pause_that_nobody_asked_for_is_the_schedulers() {
    let world = World::new().await;
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, "1m");
    wish.policy.pause_on_failure = Some(1);
    world.service.register(&wish).await.unwrap();
    let class = ErrorClass::AgentUnknown;
    let refused = Refusal::new(RefusalKind::Permanent, class, "no such agent");
    world
        .target
        .script("agent-a", Act::Answer(target::Answer::Refused(refused)));
    world.advance(60);
    world.start_on(&world.service, Mode::Once).ended().await;
    let paused = all(&world).await.pop().unwrap();
    assert_eq!(
        (paused.caller.as_str(), paused.face.as_str()),
        ("scheduler", "scheduler")
    );
    assert_eq!(
        (paused.operation.as_str(), paused.schedule_id),
        ("pause", Some(1))
    );
    assert_eq!(paused.what.unwrap(), "1 prompts in a row were given up");
}

#[tokio::test]
async fn an_agent_is_told_of_its_own_schedules_and_of_no_others() {
    let api = Api::new().await;
    let world = &api.world;
    let own = world.every("agent-a", "mine", "1h").await.id;
    let other = world.every("agent-b", "theirs", "1h").await.id;
    let moved = Changes {
        agent_id: Some(AgentId::parse("agent-a").unwrap()),
        conversation: None,
        target: None,
        skip_validation: true,
        ..Changes::default()
    };
    world.service.halt(None).await.unwrap();
    world.service.update(other, &moved).await.unwrap();
    let key = api.key(Some("agent-a")).await;
    let request = |query: &str| {
        let path = format!("/api/v1/changes{query}");
        send(api.request(Method::GET, &path).bearer_auth(&key))
    };
    let seen = request("").await.is(200);
    assert_eq!(
        told(seen["changes"].as_array().unwrap()),
        [format!("operator cli register {own} interval")]
    );
    // It has come to it, but what it was before is another's.
    let of_moved = request(&format!("?schedule_id={other}")).await.is(200);
    assert_eq!(of_moved["count"], 0);
    request("?agent_id=agent-b")
        .await
        .is_problem(403, Code::NotPermitted);
    request("?schedule_id=77")
        .await
        .is_problem(404, Code::ScheduleNotFound);
    let service = world.service.for_caller(Caller::Operator);
    let all = ChangeQuery {
        limit: 2,
        ..ChangeQuery::default()
    };
    let first = service.changes(&all).await.unwrap();
    let next = ChangeQuery { offset: 2, ..all };
    let rest = service.changes(&next).await.unwrap();
    let ids: Vec<i64> = first
        .changes
        .iter()
        .chain(&rest.changes)
        .map(|c| c.id)
        .collect();
    assert!(ids.len() == 4 && ids.is_sorted_by(|a, b| a > b), "{ids:?}");
}

#[tokio::test]
async fn changes_are_kept_for_the_retention() {
    let world = World::new().await;
    let id = world.every("agent-a", "tick", "1h").await.id;
    world.advance(3_600);
    world.service.pause(id, None).await.unwrap();
    let now = world.now();
    let since = ChangeQuery {
        since: Some(now),
        limit: 10,
        ..ChangeQuery::default()
    };
    assert_eq!(world.service.changes(&since).await.unwrap().count, 1);
    world.service.prune(now).await.unwrap();
    let kept = all(&world).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].operation, "pause");
    world.service.resume(id, true).await.unwrap();
    world.start_on(&world.service, Mode::Once).ended().await;
    world.advance(1);
    world.service.prune(world.now()).await.unwrap();
    // What removed the rest is told.
    let kept = all(&world).await;
    assert_eq!(kept.len(), 1);
    let line = format!("{} {}", kept[0].operation, kept[0].what.as_ref().unwrap());
    let expected = format!("prune before {}: 1 deliveries, 0 schedules", world.now());
    assert_eq!(line, expected);
}

#[test]
fn every_operation_has_a_place_in_these_tests() {
    let source = include_str!("changes.rs");
    let copies = include_str!("keeping/copies.rs");
    let schema = serde_json::to_value(Operation::schema()).unwrap();
    for word in schema["enum"].as_array().unwrap() {
        let word = word.as_str().unwrap();
        let is_tried =
            source.contains(&format!("{word} ")) || copies.contains(&format!("\"{word}\""));
        assert!(is_tried, "{word} is noted by nothing that is tried");
    }
}
