//! Doctor finds what is wrong, says how to fix it, and changes nothing.

use promptyoself::db::OwnerLock;
use promptyoself::service::{Diagnosis, Service, Severity};

use crate::fake_target::{Act, FakeTarget};
use crate::foreign_writers::raw::Foreign;
use crate::program;
use crate::world::World;

async fn diagnose(world: &World) -> Diagnosis {
    let (path, clock) = (world.path(), world.clock.clone());
    let opened = Service::open_to_look(&path, "UTC", world.target.clone(), clock).await;
    let service = opened.unwrap();
    let diagnosis = service.diagnose(64).await.unwrap();
    service.db.close().await;
    diagnosis
}

async fn codes(world: &World) -> Vec<(Severity, &'static str)> {
    let diagnosis = diagnose(world).await;
    for finding in &diagnosis.findings {
        assert!(
            finding.problem.len() > 20 && finding.mend.len() > 5,
            "{finding:?}"
        );
    }
    (diagnosis.findings.iter())
        .map(|f| (f.severity, f.code))
        .collect()
}

/// A database in which three prompts were delivered, and a scheduler that lives and does nothing:
/// so it mends no damage before that is looked for.
async fn healthy() -> (World, Foreign, OwnerLock) {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    let mut running = world.start();
    for _ in 0..3 {
        world.advance(10);
        running.outcome().await;
    }
    running.stop().await;
    let db = &world.service.db;
    let alive = db.lock_owner().unwrap();
    db.beat(alive.owner(), None, world.now()).await.unwrap();
    let foreign = Foreign::connect(&world.path()).await;
    (world, foreign, alive)
}

#[tokio::test]
async fn where_all_is_well_nothing_is_found() {
    let (world, _foreign, _alive) = healthy().await;
    let diagnosis = diagnose(&world).await;
    assert_eq!(diagnosis.findings, []);
    assert_eq!((diagnosis.accounts, diagnosis.instants), (1, 3));
}

#[tokio::test]
async fn each_damage_is_found() {
    use Severity::{Error, Warning};
    for (damage, found) in [
        (
            "DELETE FROM attempts; DELETE FROM occurrences WHERE id = 2",
            (Error, "account_wrong"),
        ),
        (
            "INSERT INTO pruned_sums SELECT uid, 'schedule', 'delivered', 5, first_at, \
             intended_at FROM occurrences WHERE id = 1",
            (Error, "account_wrong"),
        ),
        (
            "UPDATE schedule_revisions SET schedule_value = 'soon'",
            (Warning, "account_unproved"),
        ),
        (
            "UPDATE occurrences SET \"trigger\" = 'whim' WHERE id = 2",
            (Error, "occurrence_unreadable"),
        ),
        (
            "PRAGMA foreign_keys = OFF; INSERT INTO attempts (occurrence_id, n, otid, started_at) \
             VALUES (99, 1, 'x', '2026-02-01 12:00:00.000000')",
            (Error, "database_damaged"),
        ),
        (
            "DROP TRIGGER schedules_touched",
            (Error, "database_incomplete"),
        ),
        (
            "UPDATE schedules SET next_run = '2026-02-01 12:00:47.000000', \
             planned_next_run = '2026-02-01 12:00:47.000000', row_version = row_version + 1",
            (Error, "next_run_wrong"),
        ),
        (
            "UPDATE schedules SET lifecycle = 'broken', active = 0, broken_reason = 'odd', \
             row_version = row_version + 1",
            (Error, "schedule_broken"),
        ),
        (
            "UPDATE attempts SET started_at = '2026-03-01 00:00:00.000000' WHERE n = 1",
            (Warning, "clock_behind"),
        ),
        (
            "UPDATE schedulers SET heartbeat_at = '2026-02-01 11:00:00.000000'",
            (Error, "heartbeat_stale"),
        ),
        (
            "UPDATE schedulers SET holding = 'the clock jumped'",
            (Warning, "scheduler_holding"),
        ),
        (
            "INSERT INTO halt (only_row, since) VALUES (1, '2026-02-01 12:00:00.000000')",
            (Warning, "halted"),
        ),
        (
            "INSERT INTO held_targets (target, held_since, code, reason) VALUES ('letta', '2026-02-01 12:00:00.000000', \
             'unreachable', 'no route')",
            (Error, "target_held"),
        ),
        (
            "UPDATE occurrences SET state = 'unknown', finished_at = NULL, \
             reconcile_until = '2026-02-01 11:00:00.000000' WHERE id = 3",
            (Error, "search_overdue"),
        ),
        (
            "UPDATE occurrences SET state = 'waiting', finished_at = NULL, \
             not_before = '2026-02-01 11:00:00.000000' WHERE id = 3",
            (Error, "lane_stuck"),
        ),
        (
            "UPDATE occurrences SET state = 'sending', finished_at = NULL, \
             owner = '00000000-0000-4000-8000-000000000000' WHERE id = 3",
            (Error, "left_by_the_dead"),
        ),
    ] {
        let (world, mut foreign, _alive) = healthy().await;
        foreign.run(damage).await;
        let codes = codes(&world).await;
        assert!(codes.contains(&found), "{damage}: {codes:?}");
    }
}

#[tokio::test]
async fn a_lane_in_which_something_is_on_its_way_is_not_stuck() {
    let world = World::new().await;
    world.every("agent-a", "tick", "10s").await;
    world.target.hold("agent-a");
    let running = world.start();
    world.advance(10);
    world.target.wait_for_sent(1).await;
    world.advance(3_600);
    world
        .target
        .script("agent-b", Act::Answer(FakeTarget::busy()));
    let found = codes(&world).await;
    assert!(!found.iter().any(|(_, c)| *c == "lane_stuck"), "{found:?}");
    running.kill().await;
}

#[tokio::test]
async fn without_a_scheduler_live_schedules_are_an_error_and_an_empty_database_a_warning() {
    let world = World::new().await;
    assert_eq!(codes(&world).await, [(Severity::Warning, "no_scheduler")]);
    world.every("agent-a", "tick", "10s").await;
    assert_eq!(codes(&world).await, [(Severity::Error, "no_scheduler")]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_that_others_may_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let (world, _foreign, _alive) = healthy().await;
    let wide = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(world.path(), wide).unwrap();
    let diagnosis = diagnose(&world).await;
    let found = &diagnosis.findings[0];
    assert_eq!(
        (found.severity, found.code),
        (Severity::Warning, "permissions_wide")
    );
    assert!(found.mend.starts_with("chmod 600 "), "{found:?}");
    assert!(!diagnosis.has_errors());
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_answers_programs_and_exits_with_1_only_for_errors() {
    let world = program::World::new().await;
    let none = world.run(&["doctor"]);
    assert_eq!((none.status, none.code()), (1, "database_unavailable"));
    assert!(!world.database().exists());
    world.run(&["list"]).succeeded();
    let fine = world.run(&["doctor"]).succeeded();
    assert_eq!(fine["findings"][0]["code"], "no_scheduler");
    assert_eq!(fine["findings"][0]["severity"], "warning");
    let version = world.command(&["--version"]).output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let said = format!("promptyoself {}\n", fine["version"].as_str().unwrap());
    assert_eq!(said, version);
    world.register("tick", &["--every", "1h"]);
    let before = std::fs::read(world.database()).unwrap();
    let sick = world.run(&["doctor"]);
    assert_eq!((sick.status, &sick.json["status"]), (1, &"error".into()));
    assert_eq!(sick.json["findings"][0]["code"], "no_scheduler");
    assert_eq!(std::fs::read(world.database()).unwrap(), before);
    // It is the one of these commands that an agent may call.
    let plugin = |argv: &[&str]| program::Answer::read(world.plugin(argv).output().unwrap());
    assert_eq!(
        plugin(&["doctor"]).json["findings"][0]["code"],
        "no_scheduler"
    );
    for argv in [
        &["prune"][..],
        &["purge", "--id", "1"],
        &["backup", "x"],
        &["restore", "x"],
    ] {
        assert_eq!(plugin(argv).code(), "refused_in_plugin", "{argv:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_is_shown_with_the_schedule() {
    let world = program::World::new().await;
    let id = world.register("tick", &["--every", "1h"]).to_string();
    let account = &world.run(&["show", "--id", &id]).succeeded()["account"];
    assert_eq!(account["balanced"], true);
    assert_eq!(account["expected"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_that_keep_the_database_work_from_the_shell() {
    let world = program::World::new().await;
    let id = world.register("tick", &["--every", "1h"]).to_string();
    let made = world.run(&["backup", "copy.db"]).succeeded();
    assert_eq!(made["schedules"], 1);
    world.run(&["cancel", "--id", &id]).succeeded();
    let pruned = world.run(&["prune", "--before", "1d"]).succeeded();
    assert_eq!(pruned["pruned"]["occurrences"], 0);
    let purged = world.run(&["purge", "--id", &id]).succeeded();
    assert_eq!(purged["purged"]["schedules"], 1);
    assert_eq!(world.run(&["purge"]).code(), "usage");
    let restored = world.run(&["restore", "copy.db"]).succeeded();
    assert_eq!(restored["restored"]["schedules"], 1);
    assert!(restored["restored"]["set_aside"].is_string());
    let list = world.run(&["list"]).succeeded();
    assert_eq!(list["schedules"][0]["prompt_text"], "tick");
    assert_eq!(
        world.run(&["doctor"]).json["findings"][0]["code"],
        "no_scheduler"
    );
}

#[tokio::test]
async fn a_prompt_that_is_being_sent_for_longer_than_any_wait_is_found() {
    // With the usual settings: an hour and five minutes, or a day once a run is known, and to spare.
    for (since, run, found) in [
        ("10:50", "NULL", false),
        ("10:39", "NULL", true),
        ("02:00", "'run-7'", false),
    ] {
        let (world, mut foreign, alive) = healthy().await;
        let owner = alive.owner();
        let sending = format!(
            "UPDATE occurrences SET state = 'sending', finished_at = NULL, owner = '{owner}', \
             sent_at = '2026-02-01 {since}:00.000000', run_id = {run} WHERE id = 3"
        );
        foreign.run(&sending).await;
        let diagnosis = diagnose(&world).await;
        let stalled = diagnosis
            .findings
            .iter()
            .find(|f| f.code == "sending_stalled");
        assert_eq!(stalled.is_some(), found, "{since} {run}: {diagnosis:?}");
        if let Some(stalled) = stalled {
            assert_eq!(stalled.severity, Severity::Error);
            let kill = format!("kill {}, then promptyoself serve", std::process::id());
            assert!(stalled.mend.starts_with(&kill), "{}", stalled.mend);
        }
        let later = sending.replace("2026-02-01", "2026-01-31");
        foreign.run(&later).await;
        let found = codes(&world).await;
        assert!(
            found.contains(&(Severity::Error, "sending_stalled")),
            "{found:?}"
        );
    }
}
