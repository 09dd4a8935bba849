//! Text from others is one printable line, on a terminal and in the log.

use std::collections::{BTreeMap, BTreeSet};

use promptyoself::cli::definitions::definitions;
use promptyoself::operations;
use promptyoself::printable::is_seen;
use serde_json::{Value, json};

use crate::daemon::pause;
use crate::fake_letta::Script;
use crate::program::World;
use crate::terminal::without_colours;

/// What begins a line, moves a cursor, orders text anew or hides.
pub const HOSTILE: &str = "H\nFORGED\r\u{1b}[31m\u{9b}31m\u{7f}\u{85}\u{202e}\u{2066}\u{200b}\u{2028}\u{ad}\u{feff}\u{e0041}E";

/// The orders for colours that are ours: an end, and what `Tone` says.
pub const OURS: [&str; 6] = ["0", "1", "2", "31", "32", "35"];

/// Nothing of it is there as it is. Colours are ours, and only these.
pub fn check(what: &str, printed: &str) {
    // A slow machine is told that work goes on.
    let printed = printed.replace("\r\u{1b}[K", "\n");
    let (printed, colours) = without_colours(&printed);
    let others = colours.iter().find(|order| !OURS.contains(order));
    assert_eq!(others, None, "{what}: {printed:?}");
    let unseen = printed.chars().find(|c| *c != '\n' && !is_seen(*c));
    assert_eq!(unseen, None, "{what}: {printed:?}");
    let forged = printed.lines().find(|l| l.starts_with("FORGED"));
    assert_eq!(forged, None, "{what}: {printed:?}");
}

fn answer(status: u16, body: Value) -> Script {
    Script::Answer {
        status,
        body,
        headers: BTreeMap::new(),
    }
}

/// A world in which every text that others can write is hostile.
pub async fn hostile_world() -> World {
    let world = World::new().await;
    for every in ["1h", "2h", "3h", "4h"] {
        world.register(HOSTILE, &["--every", every, "--name", every]);
    }
    world.run(&["pause", "2", "--note", HOSTILE]).succeeded();
    world.run(&["key", "create", "--name", HOSTILE]).succeeded();
    let refused = json!({ "detail": HOSTILE });
    world.letta.script(&world.agent, answer(400, refused));
    world.make_due(3, 2).await;
    world.run(&["execute"]);
    world.run(&["halt", "--note", HOSTILE]).succeeded();
    // As another program may write them.
    world
        .sql(&format!(
            "UPDATE schedules SET name = name || '{HOSTILE}'; \
             UPDATE schedules SET lifecycle = 'broken', active = 0, broken_reason = '{HOSTILE}' \
             WHERE id = 4; \
             UPDATE occurrences SET reason = '{HOSTILE}', reply = '{HOSTILE}', error = '{HOSTILE}', \
             stop_reason = '{HOSTILE}', run_id = '{HOSTILE}'; \
             UPDATE attempts SET error = '{HOSTILE}', error_code = '{HOSTILE}', run_id = '{HOSTILE}'; \
             INSERT INTO held_targets (target, held_since, code, reason) \
             VALUES ('letta', '2026-02-01 12:00:00.000000', '{HOSTILE}', '{HOSTILE}')"
        ))
        .await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_shows_anybodys_text_but_as_one_printable_line() {
    let world = hostile_world().await;
    let agent = world.agent.as_str();
    std::fs::write(world.dir().join("tool.py"), HOSTILE).unwrap();
    let commands: &[&[&str]] = &[
        &[
            "register",
            "--agent-id",
            agent,
            "--prompt",
            HOSTILE,
            "--every",
            "5h",
        ],
        &[
            "register",
            "--agent-id",
            agent,
            "--prompt",
            "p",
            "--every",
            HOSTILE,
        ],
        &[
            "register",
            "--agent-id",
            agent,
            "--prompt",
            "p",
            "--every",
            "5h",
            "--name",
            HOSTILE,
        ],
        &[
            "register",
            "--agent-id",
            HOSTILE,
            "--prompt",
            "p",
            "--every",
            "5h",
        ],
        &["remind", HOSTILE, HOSTILE, HOSTILE],
        &["remind", agent, "in 2 hours", HOSTILE],
        &["list"],
        &["list", "--all"],
        &["list", "--all", "--full"],
        &["show", "1"],
        &["show", "2"],
        &["show", "3"],
        &["show", HOSTILE],
        &["update", "1", "--name", HOSTILE],
        &["update", "1", "--cron", HOSTILE],
        &["pause", "1", "--note", HOSTILE],
        &["resume", "1"],
        &["run", "1"],
        &["preview", "--time", HOSTILE],
        &["execute"],
        &["history"],
        &["history", "--id", "3"],
        &["history", "--changes"],
        &["history", "--state", HOSTILE],
        &["test"],
        &["agents"],
        &["connect", "--agent-id", agent],
        &["connect", "--agent-id", agent, "--print"],
        &["import", "--letta-code-cron"],
        &["import", "--letta-code-cron", "--target", HOSTILE],
        &["upload", "--source-code", "tool.py"],
        &["doctor"],
        &["backup", HOSTILE],
        &["restore", HOSTILE],
        &["cancel", "1"],
        &["cancel", "--all", "--dry-run"],
        &["prune", "--before", HOSTILE],
        &["purge", "--id", "1"],
        &["halt", "--note", HOSTILE],
        &["halt", "--off"],
        &["key", "create", "--name", HOSTILE],
        &["key", "list"],
        &["plugin", "install", HOSTILE],
        &["serve", "--listen", HOSTILE],
        &["mcp", HOSTILE],
        &[HOSTILE],
    ];
    let known: BTreeSet<&str> = commands.iter().map(|argv| argv[0]).collect();
    // A hidden one answers other programs, and in JSON alone.
    for command in definitions(operations::ALL, false)
        .get_subcommands()
        .filter(|c| !c.is_hide_set())
    {
        assert!(known.contains(command.get_name()), "{}", command.get_name());
    }
    let letta: &[&[(&str, Script)]] = &[
        &[],
        &[
            (
                "/v1/health/",
                answer(200, json!({ "version": HOSTILE, "status": HOSTILE })),
            ),
            (
                "/v1/agents/",
                answer(
                    200,
                    json!([{ "id": HOSTILE, "name": HOSTILE, "created_at": HOSTILE }]),
                ),
            ),
        ],
        &[
            ("/v1/health/", answer(500, json!({ "detail": HOSTILE }))),
            ("/v1/agents/", answer(401, json!(HOSTILE))),
            (
                "/v1/mcp-servers/",
                answer(422, json!({ "detail": [{ "msg": HOSTILE }] })),
            ),
        ],
    ];
    for (n, scripts) in letta.iter().enumerate() {
        for (path, script) in *scripts {
            world.letta.script_path(path, script.clone());
        }
        for argv in commands {
            for json in [false, true] {
                if json && n > 0 {
                    continue;
                }
                let argv = [*argv, if json { &["--json"] } else { &[] }].concat();
                let printed = world.at_terminal(&argv).finish().text;
                assert!(!printed.is_empty(), "{argv:?}");
                check(&format!("{argv:?}, answers {n}"), &printed);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_for_a_program_is_exact_and_json_on_a_terminal_the_same_data() {
    let world = hostile_world().await;
    let shown = world.run(&["show", "1"]).succeeded();
    assert_eq!(shown["schedule"]["prompt_text"], HOSTILE);
    let written = world.at_terminal(&["show", "1", "--json"]).finish();
    let on_terminal: Value = serde_json::from_str(&written.text).unwrap();
    assert_eq!(on_terminal["schedule"]["prompt_text"], HOSTILE);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_forge_a_line_of_the_log() {
    let world = hostile_world().await;
    world.run(&["halt", "--off"]).succeeded();
    world.sql("DELETE FROM held_targets").await;
    let refused = answer(400, json!({ "detail": HOSTILE }));
    world.letta.script(&world.agent, refused);
    world.make_due(3, 2).await;
    let key = world.key(None);
    let env = [("PROMPTYOSELF_LOG", "promptyoself=trace,info")];
    let daemon = world.start(&["serve", "--listen", "127.0.0.1:0"], &env);
    let address = daemon.address().await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": HOSTILE, "version": "x".repeat(50_000) } } });
    let begun = http
        .post(format!("http://{address}/mcp"))
        .header("accept", "application/json, text/event-stream")
        .bearer_auth(key)
        .json(&hello)
        .send();
    assert_eq!(begun.await.unwrap().status(), 200);
    for _ in 0..600 {
        if world.run(&["history", "--id", "3"]).json["count"] == 2 {
            break;
        }
        pause().await;
    }
    let log = daemon.stop();
    check("the log", &log);
    let longest = log.lines().map(str::len).max().unwrap();
    assert!(longest < 10_000, "{longest}");
    assert!(
        !log.contains("xxxxxxxxxx"),
        "who begins a session is not logged"
    );
}
