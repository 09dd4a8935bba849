//! Databases that can't be used, and rows that can't be read.

use serde_json::Value;

use crate::program::{Answer, World};

/// Every command that opens the database, with arguments that are right.
const COMMANDS: [&[&str]; 6] = [
    &["list"],
    &["show", "1"],
    &["cancel", "1"],
    &["execute"],
    &["history"],
    &["test"],
];

/// Checks that every command fails with this code and that the file stays as it is.
fn assert_untouched(world: &World, path: &std::path::Path, code: &str) {
    let before = std::fs::read(path).ok();
    for argv in COMMANDS {
        for mut command in [world.command(argv), world.plugin(argv)] {
            let output = command.env("PROMPTYOSELF_DB", path).output().unwrap();
            let answer = Answer::read(output);
            assert_eq!(
                (answer.status, answer.code()),
                (1, code),
                "{argv:?}: {answer:?}"
            );
            assert!(
                answer.error().contains(&path.display().to_string()),
                "{answer:?}"
            );
        }
    }
    assert_eq!(std::fs::read(path).ok(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_cannot_be_written_is_reported() {
    let world = World::new().await;
    assert_untouched(
        &world,
        "/nowhere/at/all/p.db".as_ref(),
        "database_unavailable",
    );
    // Not even root may make files here.
    assert_untouched(&world, "/proc/p.db".as_ref(), "database_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_stays_as_it_is() {
    let world = World::new().await;
    let path = world.dir().join("letter.txt");
    std::fs::write(&path, "Dear Ada, this is no database.\n".repeat(200)).unwrap();
    assert_untouched(&world, &path, "database_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_stays_as_it_is() {
    let world = World::new().await;
    world.register("keep me", &["--every", "1h"]);
    world
        .sql(
            "INSERT INTO migrations SELECT 9999, 'of the future', applied_at, checksum FROM migrations",
        )
        .await;
    let before = world.dump().await;
    assert_untouched(&world, &world.database(), "database_newer");
    assert_eq!(world.dump().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_limit_that_is_reached_loses_nothing_and_passes() {
    let world = World::new().await;
    world.register("keep me", &["--every", "1h"]);
    let before = world.dump().await;
    let large = world.dir().join("large.txt");
    std::fs::write(&large, "x".repeat(1_000_000)).unwrap();
    let flags = [
        "--agent-id",
        world.agent.as_str(),
        "--every",
        "1h",
        "--prompt-file",
        "large.txt",
    ];
    let argv = [&["register"], &flags[..]].concat();
    // Writes beyond 256 KiB fail, with an error instead of the usual signal.
    let limited = world.command(&argv);
    let mut shell = std::process::Command::new("bash");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "bash"])
        .arg(limited.get_program())
        .args(limited.get_args())
        .env_clear()
        .envs(
            limited
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(world.dir());
    let answer = Answer::read(shell.output().unwrap());
    assert_eq!(
        (answer.status, answer.code()),
        (1, "database_unavailable"),
        "{answer:?}"
    );
    assert!(answer.error().contains("nothing was lost"), "{answer:?}");
    assert_eq!(world.dump().await, before);
    world.run(&argv).succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_is_shown_beside_the_rest_and_stops_nothing() {
    let world = World::new().await;
    let good = world.register_due(&world.agent, "good", 1).await;
    let unreadable = [
        (
            "agent-1",
            "'interval', 'banana'",
            "'2026-01-01 09:00:00'",
            "'p'",
        ),
        (
            "agent-1",
            "'cron', '0 0 31 2 *'",
            "'2026-01-01 09:00:00'",
            "'p'",
        ),
        (
            "agent-1",
            "'sometimes', '5m'",
            "'2026-01-01 09:00:00'",
            "'p'",
        ),
        ("agent-1", "'interval', '5m'", "'soon'", "'p'"),
        ("agent-1", "'interval', '5m'", "x'ff00'", "'p'"),
        ("agent-1", "'interval', '5m'", "'2026-01-01 09:00:00'", "''"),
        (
            "agent-1",
            "'interval', '5m'",
            "'2026-01-01 09:00:00'",
            "x'ff41'",
        ),
        (
            "agent/../x",
            "'interval', '5m'",
            "'2026-01-01 09:00:00'",
            "'p'",
        ),
    ];
    for (agent, spec, next_run, prompt) in unreadable {
        world
            .sql(&format!(
                "INSERT INTO schedules (agent_id, schedule_type, schedule_value, next_run, \
                 prompt_text, active) VALUES ('{agent}', {spec}, {next_run}, {prompt}, 1)"
            ))
            .await;
    }
    let ids = |list: &Value| list["schedules"].as_array().unwrap().len();
    // Before any scheduler has looked at them, and after.
    assert_eq!(ids(&world.run(&["list"]).succeeded()), 1 + unreadable.len());
    let executed = world.run(&["execute"]).succeeded();
    assert_eq!(
        executed["executed"].as_array().unwrap().len(),
        1,
        "{executed}"
    );
    assert_eq!(executed["executed"][0]["id"], good);
    let list = world.run(&["list", "--all"]).succeeded();
    assert_eq!(ids(&list), 1 + unreadable.len());
    for row in list["schedules"].as_array().unwrap() {
        let broken = row["id"].as_i64() != Some(good);
        assert_eq!(row["lifecycle"] == "broken", broken, "{row}");
        assert_eq!(row["broken_reason"].is_string(), broken, "{row}");
        // Each of them can be shown, and cancelled.
        let id = row["id"].to_string();
        world.run(&["show", &id]).succeeded();
        world.run(&["cancel", &id]).succeeded();
    }
    assert_eq!(world.letta.received().len(), 1);
}
