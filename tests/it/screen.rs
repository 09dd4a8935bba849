//! What people see at a terminal: it fits its width, and colours only repeat what words say.

use jiff::Timestamp;
use promptyoself::cli::output::{
    Screen, Text, agents_table, changes_table, findings_text, keys_table, occurrences_table,
    runs_table, schedule_details, schedules_table,
};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::fake_letta::Script;
use crate::printed::OURS;
use crate::program::World;
use crate::terminal::without_colours;

fn now() -> Timestamp {
    "2026-02-01T12:05:00Z".parse().unwrap()
}

const PROMPT: &str = "Read the news of the day, 日本のニュースも, and tell me in three sentences what \
                      happened 👋🏽 since yesterday";

fn schedules() -> Value {
    let row = |id: i64, lifecycle: &str, name: Option<&str>, next: &str| {
        json!({
            "id": id, "agent_id": "agent-00000000-0000-4000-8000-00004182b013",
            "prompt_text": PROMPT, "schedule_type": "cron", "schedule_value": "0 9 * * mon-fri",
            "next_run": next, "next_run_local": "2026-02-02 09:00:00 +01:00 Europe/Berlin",
            "active": lifecycle == "active", "lifecycle": lifecycle, "name": name,
        })
    };
    let mut rows = vec![
        row(7, "active", Some("morning-news"), "2026-02-01T12:02:00Z"),
        row(12, "active", None, "2026-02-01T14:10:00Z"),
        row(3, "paused", Some("報告"), "2026-02-02T08:00:00Z"),
        row(104, "broken", None, "2026-02-02T08:00:00Z"),
        row(
            5,
            "finished",
            Some("once upon a time"),
            "2026-02-02T08:00:00Z",
        ),
    ];
    rows[0]["waiting_for"] = "the agent is busy with another prompt".into();
    rows[3]["broken_reason"] = "the pattern 61 * * * * never fires".into();
    rows.into()
}

fn occurrences() -> Value {
    json!([
        {
            "schedule_id": 7, "intended_at": "2026-02-01T12:02:00Z", "state": "waiting",
            "agent_id": "agent-00000000-0000-4000-8000-00004182b013", "count": 1,
            "error": "busy: the agent is in a turn", "attempts": [{ "repeats": 37 }],
        },
        {
            "schedule_id": 12, "intended_at": "2026-02-01T12:00:00Z", "state": "delivered",
            "agent_id": "agent-00000000-0000-4000-8000-00004182b013", "count": 1,
            "sent_at": "2026-02-01T12:00:00.040Z", "finished_at": "2026-02-01T12:00:12.9Z",
            "turn": "ok", "reply": "Good morning! 今日のニュースは三つあります: one, two and three 👋🏽",
        },
        {
            "schedule_id": 12, "intended_at": "2026-02-01T10:00:00Z", "state": "coalesced",
            "agent_id": "agent-00000000-0000-4000-8000-00004182b013", "count": 14,
        },
        {
            "schedule_id": 104, "intended_at": "2026-01-20T09:00:00Z", "state": "dead",
            "agent_id": "agent-gone", "count": 1, "sent_at": "2026-01-20T09:00:00.040Z",
            "finished_at": "2026-01-20T09:00:00.054Z",
            "error": "agent_unknown: HTTP 404: the server knows no agent of the id agent-gone, \
                      and nobody has renamed one",
        },
    ])
}

/// Everything that has a form for people, by name.
fn everything() -> Vec<(&'static str, Text)> {
    let rows = |value: Value| value.as_array().unwrap().clone();
    let mut shown = json!({
        "schedule": rows(schedules())[0], "last_runs": occurrences(),
        "next_runs": ["2026-02-02T08:00:00Z", "2026-02-03T08:00:00Z"],
        "notes": ["There is no 02:30 on 2026-03-29 in Europe/Berlin: it runs at 03:00 instead"],
        "account": { "states": { "delivered": 12, "missed": 1 } },
    });
    shown["schedule"]["policy"] = json!({ "catch_up": "latest", "pause_on_failure": 5 });
    vec![
        ("list", schedules_table(&rows(schedules()), now())),
        ("history", occurrences_table(&rows(occurrences()), now())),
        ("show", schedule_details(&shown, now())),
        (
            "changes",
            changes_table(
                &rows(json!([
                    { "at": "2026-02-01T12:04:58.123Z", "caller": "operator", "face": "cli",
                      "operation": "register", "schedule_id": 7, "agent_id": "agent-4182b013",
                      "what": "name: none -> morning-news, time: 0 8 * * * -> 0 9 * * mon-fri" },
                    { "at": "2026-01-01T12:00:00Z", "caller": "agent", "key": "laptop",
                      "face": "mcp", "operation": "pause", "schedule_id": 12,
                      "agent_id": "agent-4182b013", "what": "" },
                ])),
                now(),
            ),
        ),
        (
            "keys",
            keys_table(&rows(json!([
                { "id": 1, "name": "laptop", "agent_id": null,
                  "created_at": "2026-01-01T12:00:00.5Z", "revoked_at": null },
                { "id": 2, "name": "a key for the agent of the house",
                  "agent_id": "agent-00000000-0000-4000-8000-00004182b013",
                  "created_at": "2026-01-01T12:00:00Z", "revoked_at": "2026-01-03T12:00:00Z" },
            ]))),
        ),
        (
            "agents",
            agents_table(
                &rows(json!([
                    { "id": "agent-00000000-0000-4000-8000-00004182b013", "name": "秘書",
                      "created_at": "2026-01-31T12:00:00.123456+00:00" },
                ])),
                now(),
            ),
        ),
        (
            "preview",
            runs_table(
                &rows(json!([
                    { "utc": "2026-02-02T08:00:00Z",
                      "local": "2026-02-02 09:00:00 +01:00 Europe/Berlin" },
                    { "utc": "2026-02-13T08:00:00Z",
                      "local": "2026-02-13 09:00:00 +01:00 Europe/Berlin" },
                ])),
                now(),
            ),
        ),
        (
            "doctor",
            findings_text(&rows(json!([
                { "severity": "error", "code": "next_run_wrong",
                  "problem": "the next run of schedule 7, 2026-02-01T12:02:00Z, is not one of its \
                              instants",
                  "mend": "save its time again: promptyoself update 7 --cron '0 9 * * mon-fri'" },
                { "severity": "warning", "code": "nobody_delivers",
                  "problem": "no scheduler runs", "mend": "promptyoself serve" },
            ]))),
        ),
    ]
}

/// A text with its orders for colours written out.
fn with_marks(text: &str) -> String {
    text.replace('\u{1b}', "␛")
}

#[test]
fn what_people_see_at_each_width() {
    for width in [Some(60), Some(80), Some(140), None] {
        let mut seen = String::new();
        for (name, text) in everything() {
            let has_colours = false;
            let shown = text.render(Screen {
                width,
                has_colours,
                ..Screen::default()
            });
            seen.push_str(&format!("## {name}\n{shown}\n\n"));
        }
        let name = width.map_or("a_pipe".to_owned(), |width| format!("{width}_columns"));
        insta::assert_snapshot!(name, seen);
    }
    let mut seen = String::new();
    for (name, text) in everything() {
        let shown = text.render(Screen {
            width: Some(80),
            has_colours: true,
            ..Screen::default()
        });
        seen.push_str(&format!("## {name}\n{}\n\n", with_marks(&shown)));
    }
    insta::assert_snapshot!("colours", seen);
}

#[test]
fn at_every_width_lines_fit_and_what_matters_most_is_whole() {
    for width in 30..200 {
        for (name, text) in everything() {
            let [plain, coloured] = [false, true].map(|has_colours| {
                text.render(Screen {
                    width: Some(width),
                    has_colours,
                    ..Screen::default()
                })
            });
            for line in plain.lines() {
                assert!(line.width() <= width, "{name} at {width}: {line}");
            }
            let (without, orders) = without_colours(&coloured);
            assert_eq!(without, plain, "{name} at {width}");
            assert!(orders.iter().all(|order| OURS.contains(order)));
            let parts: &[&str] = match name {
                "list" => &[
                    "104",
                    "due for 3 min",
                    "in 2 h 5 min",
                    "active",
                    "paused",
                    "broken",
                    "finished",
                ],
                "history" => &[
                    "104",
                    "12 d ago",
                    "delivered",
                    "coalesced",
                    "dead",
                    "waiting",
                ],
                "changes" => &["2 s ago", "31 d ago", "register", "12"],
                _ => &[],
            };
            for part in parts {
                assert!(
                    plain.contains(part),
                    "{part} is not in {name} at {width}: {plain}"
                );
            }
        }
    }
}

#[test]
fn a_file_gets_whole_texts() {
    let whole = Screen::default();
    let list = schedules_table(schedules().as_array().unwrap(), now()).render(whole);
    assert!(list.contains(PROMPT), "{list}");
    assert!(!list.contains("… "), "{list}");
}

/// A world with schedules in every state, and with deliveries.
async fn world() -> World {
    let world = World::new().await;
    for every in ["1h", "2h", "3h"] {
        world.register(
            PROMPT,
            &["--every", every, "--name", &format!("every {every}")],
        );
    }
    world.run(&["pause", "2", "--note", PROMPT]).succeeded();
    world.run(&["cancel", "3"]).succeeded();
    world.run(&["key", "create", "--name", PROMPT]).succeeded();
    let refused = Script::Answer {
        status: 400,
        body: json!({ "detail": PROMPT }),
        headers: Default::default(),
    };
    world.make_due(1, 2).await;
    world.run(&["execute"]).succeeded();
    world.letta.script(&world.agent, refused);
    world.make_due(1, 2).await;
    world.run(&["execute"]).succeeded();
    world
}

const COMMANDS: [&[&str]; 10] = [
    &["list"],
    &["list", "--all"],
    &["show", "1"],
    &["show", "2"],
    &["preview", "--every", "1h"],
    &["history"],
    &["history", "--changes"],
    &["agents"],
    &["key", "list"],
    &["doctor"],
];

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_tables_fit_and_through_a_pipe_nothing_changes() {
    let world = world().await;
    for argv in COMMANDS {
        for columns in [60, 80, 140] {
            for colours in [true, false] {
                let no_colour = if colours { "" } else { "1" };
                let env = [("TERM", "xterm-256color"), ("NO_COLOR", no_colour)];
                let written = world.at_terminal_of(argv, columns, &env).finish();
                let (text, orders) = without_colours(&written.text);
                assert!(colours || orders.is_empty(), "{argv:?}: {orders:?}");
                for line in text.lines() {
                    // A message is one line, which a terminal wraps and a reader copies.
                    let is_message = ["Warning: ", "Note: ", "Checked "];
                    let is_message = is_message.iter().any(|word| line.starts_with(word));
                    let fits = line.width() <= usize::from(columns);
                    assert!(is_message || fits, "{argv:?} at {columns}: {line}");
                }
            }
        }
        let env = [("CLICOLOR_FORCE", "1"), ("TERM", "xterm-256color")];
        let forced = world.command(argv).envs(env).output().unwrap();
        assert!(!forced.stdout.contains(&0x1b), "{argv:?}");
        assert!(!forced.stderr.contains(&0x1b), "{argv:?}");
        let _: Value = serde_json::from_slice(&forced.stdout).unwrap();
    }
}

/// Flags, an environment, and whether there are colours then.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], bool);

#[tokio::test(flavor = "multi_thread")]
async fn colours_come_when_they_are_wanted_and_only_then() {
    let world = world().await;
    let term = ("TERM", "xterm-256color");
    let cases: &[Case<'_>] = &[
        (&[], &[term], true),
        (&[], &[term, ("NO_COLOR", "1")], false),
        (&[], &[term, ("NO_COLOR", "")], true),
        (&[], &[term, ("CLICOLOR", "0")], false),
        (&[], &[("TERM", "dumb")], false),
        (&[], &[], false),
        (&[], &[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], true),
        (&["--color", "never"], &[term], false),
        (&["--color=never"], &[term, ("CLICOLOR_FORCE", "1")], false),
        (
            &["--color", "always"],
            &[("TERM", "dumb"), ("NO_COLOR", "1")],
            true,
        ),
        (&["--color", "auto"], &[term], true),
        (&["--json"], &[term, ("CLICOLOR_FORCE", "1")], false),
    ];
    for (flags, env, wanted) in cases {
        for argv in [
            &["list"][..],
            &["history"],
            &["show", "77"],
            &["list", "--wrong"],
        ] {
            let argv = [argv, flags].concat();
            let written = world.at_terminal_of(&argv, 80, env).finish();
            let is_coloured = written.text.contains('\u{1b}');
            assert_eq!(is_coloured, *wanted, "{argv:?} {env:?}: {}", written.text);
        }
    }
    let wrong = world.run(&["list", "--color", "purple"]);
    assert_eq!(wrong.code(), "usage");
    assert!(
        wrong.error().contains("auto, always, never"),
        "{}",
        wrong.error()
    );
}
