//! Bad input gets a clear error, and nothing is lost: neither existing schedules nor a byte of a
//! prompt.

mod databases;
mod prompts;

use serde_json::json;

use crate::program::{Answer, World};

/// Calls that must fail: the flags beside agent and prompt, the code, and a word of the text.
const REGISTRATIONS: &[(&[&str], &str, &str)] = &[
    (&[], "spec_missing", "--time"),
    (
        &["--cron", "0 9 * * *", "--every", "5m"],
        "spec_conflict",
        "0 9 * * *",
    ),
    (
        &[
            "--time",
            "2099-01-01 09:00",
            "--cron",
            "@daily",
            "--every",
            "5m",
        ],
        "spec_conflict",
        "--time",
    ),
    (&["--time", "2020-01-01 09:00"], "time_past", "it is now"),
    (
        &["--time", "2026-02-30"],
        "time_invalid",
        "check the month and the day",
    ),
    (
        &["--time", "2099-01-01 25:00"],
        "time_invalid",
        "hours go from 00 to 23",
    ),
    (
        &["--cron", "61 * * * *"],
        "cron_invalid",
        "minute field '61'",
    ),
    (&["--cron", "0 25 * * *"], "cron_invalid", "hour field '25'"),
    (
        &["--cron", "0 9 32 * *"],
        "cron_invalid",
        "day-of-month field '32'",
    ),
    (
        &["--cron", "0 9 * 13 *"],
        "cron_invalid",
        "month field '13'",
    ),
    (
        &["--cron", "0 9 * * monday-fry"],
        "cron_invalid",
        "day-of-week field 'monday-fry'",
    ),
    (&["--cron", "5 0 9 * * *"], "cron_invalid", "6 fields"),
    (&["--cron", "0 0 9 * * * 2030"], "cron_invalid", "7 fields"),
    (&["--cron", "0 0 31 2 *"], "cron_never", "never fires"),
    (
        &["--cron", "0 9 * * *", "--cron", "0 0 31 2 *"],
        "cron_never",
        "pattern 2 of 2: the cron pattern \"0 0 31 2 *\" never fires",
    ),
    (
        &["--cron", "0 9 * * *; 0 25 * * *"],
        "cron_invalid",
        "pattern 2 of 2: the hour field '25'",
    ),
    (
        &["--every", "1h", "--except", "christmas"],
        "except_invalid",
        "\"christmas\" is neither a date",
    ),
    (
        &["--time", "2099-01-01 09:00", "--except", "2099-01-02"],
        "spec_conflict",
        "a prompt that is sent once leaves out no dates: drop --except",
    ),
    (&["--every", "0"], "interval_invalid", "is zero"),
    (&["--every", "-5m"], "interval_invalid", "is negative"),
    (&["--every", "5x"], "interval_invalid", "\"5x\""),
    (
        &["--every", "99999999999999999999d"],
        "interval_invalid",
        "too long",
    ),
    (
        &["--every", "5m", "--max-repetitions", "0"],
        "repetitions_invalid",
        "\"0\"",
    ),
    (
        &["--every", "5m", "--max-repetitions", "-3"],
        "repetitions_invalid",
        "\"-3\"",
    ),
    (
        &["--every", "5m", "--max-repetitions", "ten"],
        "repetitions_invalid",
        "\"ten\"",
    ),
    (
        &["--cron", "0 9 1 1 *", "--end-at", "2020-01-01 09:00"],
        "end_before_first",
        "it is now",
    ),
    (
        &["--every", "5m", "--timezone", "Mars/Olympus"],
        "timezone_unknown",
        "Mars/Olympus",
    ),
];

/// Whole command lines that must fail.
const COMMANDS: &[(&[&str], &str, &str)] = &[
    (
        &["register", "--prompt", "p", "--every", "5m"],
        "agent_missing",
        "--agent-id",
    ),
    (
        &[
            "register",
            "--agent-id",
            "",
            "--prompt",
            "p",
            "--every",
            "5m",
        ],
        "agent_missing",
        "--agent-id",
    ),
    (
        &[
            "register",
            "--agent-id",
            " \n",
            "--prompt",
            "p",
            "--every",
            "5m",
        ],
        "agent_missing",
        "--agent-id",
    ),
    (
        &["register", "--agent-id", "a", "--every", "5m"],
        "prompt_missing",
        "no prompt",
    ),
    (
        &[
            "register",
            "--agent-id",
            "a",
            "--prompt",
            "",
            "--every",
            "5m",
        ],
        "prompt_missing",
        "empty",
    ),
    (
        &[
            "register",
            "--agent-id",
            "a",
            "--prompt",
            " \t\n",
            "--every",
            "5m",
        ],
        "prompt_missing",
        "empty",
    ),
    (
        &[
            "register",
            "--agent-id",
            "agent-nobody",
            "--prompt",
            "p",
            "--every",
            "5m",
        ],
        "agent_unknown",
        "agent-nobody",
    ),
    (&["cancel"], "id_invalid", "--id"),
    (&["cancel", "--id", "5.5"], "id_invalid", "\"5.5\""),
    (
        &["cancel", "--id", "five"],
        "schedule_not_found",
        "\"five\"",
    ),
    (&["show", "--id", "-1"], "id_invalid", "\"-1\""),
    (&["cancel", "--id", "99"], "schedule_not_found", "99"),
    (&["history", "--id", "99"], "schedule_not_found", "99"),
    (
        &["cancel", "--id", "2"],
        "schedule_not_active",
        "cancelled already",
    ),
];

/// A world with a live schedule, 1, and a cancelled one, 2.
async fn world_with_schedules() -> World {
    let world = World::new().await;
    assert_eq!(world.register("keep me", &["--every", "1h"]), 1);
    assert_eq!(world.register("gone", &["--every", "1h"]), 2);
    world.run(&["cancel", "--id", "2"]).succeeded();
    world
}

async fn assert_refused(world: &World, argv: &[&str], code: &str, says: &str) {
    let before = world.dump().await;
    for command in [&mut world.command(argv), &mut world.plugin(argv)] {
        let answer = Answer::read(command.output().unwrap());
        assert_eq!(
            (answer.status, answer.code()),
            (1, code),
            "{argv:?}: {answer:?}"
        );
        assert!(
            answer.error().contains(says),
            "{argv:?}: {says:?}: {answer:?}"
        );
        assert_eq!(
            answer.stderr.trim_end(),
            format!("error: {}", answer.error())
        );
    }
    assert_eq!(world.dump().await, before, "{argv:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_cannot_be_meant_is_refused_and_changes_nothing() {
    let world = world_with_schedules().await;
    for (flags, code, says) in REGISTRATIONS {
        let mut argv = vec![
            "register",
            "--agent-id",
            world.agent.as_str(),
            "--prompt",
            "p",
        ];
        argv.extend(*flags);
        assert_refused(&world, &argv, code, says).await;
    }
    let list = world.run(&["list"]).succeeded();
    assert_eq!(
        (list["count"].clone(), list["schedules"][0]["id"].clone()),
        (json!(1), json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_be_meant_is_refused_and_changes_nothing() {
    let world = world_with_schedules().await;
    for (argv, code, says) in COMMANDS {
        assert_refused(&world, argv, code, says).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_agent_may_be_registered_for_without_asking_letta() {
    let world = World::new().await;
    let flags = [
        "--agent-id",
        "agent-later",
        "--prompt",
        "p",
        "--every",
        "5m",
        "--skip-validation",
    ];
    world.run(&[&["register"], &flags[..]].concat()).succeeded();
    assert_eq!(world.letta.asked("/v1/agents/agent-later"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_believed_about_an_agent_only_while_letta_does_not_answer() {
    let world = World::new().await;
    let register = [
        "register",
        "--agent-id",
        "agent-later",
        "--prompt",
        "p",
        "--every",
        "5m",
        "--skip-validation",
    ];
    let refused = Answer::read(world.plugin(&register).output().unwrap());
    assert_eq!(refused.code(), "agent_unknown", "{refused:?}");
    let id = world.register("p", &["--every", "1h"]).to_string();
    let update = [
        "update",
        &id,
        "--agent-id",
        "agent-later",
        "--skip-validation",
    ];
    let refused = Answer::read(world.plugin(&update).output().unwrap());
    assert_eq!(refused.code(), "agent_unknown", "{refused:?}");
    let output = world
        .plugin(&register)
        .env("LETTA_BASE_URL", "http://127.0.0.1:9")
        .output()
        .unwrap();
    Answer::read(output).succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_id_that_is_no_agent_id_never_reaches_the_network() {
    let world = World::new().await;
    for id in [
        "agent/../../tools?a=1#",
        "../tools",
        "agent-1/messages",
        "a%2fb",
        "-a",
        "é",
        "a\nb",
    ] {
        for flags in [
            &["--every", "5m"][..],
            &["--every", "5m", "--skip-validation"],
        ] {
            let argv = [&["register", "--agent-id", id, "--prompt", "p"], flags].concat();
            assert_eq!(world.run(&argv).code(), "agent_invalid", "{id:?}");
        }
        assert_eq!(
            world.run(&["list", "--agent-id", id]).code(),
            "agent_invalid",
            "{id:?}"
        );
    }
    assert_eq!(world.letta.asked_in_all(), 0);
    // An argument can't hold NUL, but what an SMCP server packs into one can.
    let kwargs = "{'agent_id': 'a\\x00b', 'prompt': 'p', 'every': '5m'}";
    let output = world
        .plugin(&["register", "--kwargs", kwargs])
        .output()
        .unwrap();
    let answer = Answer::read(output);
    assert!(
        answer.status != 0 && !answer.error().is_empty(),
        "{answer:?}"
    );
    assert_eq!(world.letta.asked_in_all(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letta_that_is_absent_strange_or_locked_fails_every_question_to_it() {
    let world = world_with_schedules().await;
    let page = crate::program::web_page();
    let before = world.dump().await;
    for (name, value, code) in [
        ("LETTA_BASE_URL", "http://127.0.0.1:9", "letta_unreachable"),
        ("LETTA_BASE_URL", page.as_str(), "letta_wrong_server"),
        ("LETTA_API_KEY", "not-hunter2", "letta_unauthorized"),
    ] {
        let agent = world.agent.as_str();
        let register = [
            "register",
            "--agent-id",
            agent,
            "--prompt",
            "p",
            "--every",
            "5m",
        ];
        for argv in [&["test"][..], &["agents"], &register] {
            for command in [&mut world.command(argv), &mut world.plugin(argv)] {
                let answer = Answer::read(command.env(name, value).output().unwrap());
                assert_eq!(
                    (answer.status, answer.code()),
                    (1, code),
                    "{argv:?}: {answer:?}"
                );
            }
        }
    }
    assert_eq!(world.dump().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_while_letta_cannot_be_used_stays_due_and_is_delivered_once() {
    let world = World::new().await;
    let page = crate::program::web_page();
    let id = world.register_due(&world.agent, "p", 1).await;
    for (name, value, code) in [
        ("LETTA_BASE_URL", "http://127.0.0.1:9", "letta_unreachable"),
        ("LETTA_BASE_URL", page.as_str(), "letta_wrong_server"),
        ("LETTA_API_KEY", "not-hunter2", "letta_unauthorized"),
    ] {
        let output = world
            .command(&["execute"])
            .env(name, value)
            .output()
            .unwrap();
        let answer = Answer::read(output);
        assert_eq!((answer.status, answer.code()), (1, code), "{answer:?}");
    }
    let executed = world.run(&["execute"]).succeeded();
    assert_eq!(executed["executed"][0]["delivered"], true, "{executed}");
    assert_eq!(world.last_delivery(id)["state"], "delivered");
    assert_eq!(world.letta.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_never_advises_what_it_refuses() {
    let world = World::new().await;
    for (name, value) in [
        ("PROMPTYOSELF_DB", "/nowhere/at/all/p.db"),
        ("PROMPTYOSELF_CONFIG", "/nowhere/at/all.toml"),
        ("PROMPTYOSELF_TIMEZONE", "Mars/Olympus"),
        ("LETTA_BASE_URL", "localhost:8283"),
    ] {
        let output = world.plugin(&["list"]).env(name, value).output().unwrap();
        let answer = Answer::read(output);
        assert_eq!(answer.status, 1, "{answer:?}");
        let text = answer.json["example"].as_str().unwrap_or_default();
        assert!(
            !text.contains("--db") && !text.contains("--config") && !text.contains('='),
            "{answer:?}"
        );
    }
}
