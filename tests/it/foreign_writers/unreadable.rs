//! What can't be read stops nothing else.

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::models::{Lifecycle, State};
use promptyoself::scheduler::Mode;
use promptyoself::service::{HistoryQuery, ListQuery};
use uuid::Uuid;

use super::adoption::{adopt, at, execute, schedule, stands, world};
use super::raw::Foreign;
use crate::daemon::Program;
use crate::fake_letta::FakeLetta;

/// Puts an occurrence into the database that is open and whose `column` can't be read.
async fn damaged_occurrence(foreign: &mut Foreign, column: &str, value: &str) {
    let uid = Uuid::new_v4();
    let hour = "'2026-02-01 11:00:00.000000'";
    foreign
        .run(&format!(
            "INSERT INTO occurrences (uid, agent_id, \"trigger\", first_at, intended_at, state, \
             lane) VALUES ('{uid}', 'agent-z', 'schedule', {hour}, {hour}, 'unknown', '{uid}'); \
             UPDATE occurrences SET {column} = {value} WHERE id = last_insert_rowid()"
        ))
        .await;
}

#[tokio::test]
async fn history_shows_what_became_of_an_agent_that_cannot_exist() {
    let (world, mut foreign) = world().await;
    let id = world.every("agent-a", "tick", "10m").await.id;
    world.advance(35 * 60);
    foreign
        .run("UPDATE schedules SET agent_id = 'agent/a'")
        .await;
    adopt(&world, &mut foreign).await;
    assert_eq!(stands(&world, id).await.1, Lifecycle::Broken);
    let service = &world.service;
    for of in [None, Some(id)] {
        let history = service
            .history(&HistoryQuery {
                id: of,
                limit: 10,
                ..HistoryQuery::default()
            })
            .await
            .unwrap()
            .occurrences;
        assert_eq!(history.len(), 1);
        assert_eq!(
            (
                history[0].agent_id.as_str(),
                history[0].state.as_str(),
                history[0].count
            ),
            ("agent/a", "skipped", 3)
        );
    }
    let shown = service.show(id).await.unwrap();
    assert_eq!(shown.last_runs[0].agent_id, "agent/a");
}

#[tokio::test]
async fn a_schedule_whose_identity_cannot_be_read_gets_a_new_one_and_goes_on() {
    for uid in [
        "'not a uid'",
        "''",
        "upper(uid)",
        "CAST(uid AS BLOB)",
        "uid || ' '",
    ] {
        let (world, mut foreign) = world().await;
        let id = world.every("agent-a", "tick", "10m").await.id;
        let other = world.every("agent-b", "tock", "10m").await.id;
        let before = schedule(&world, id).await.uid.unwrap();
        world.advance(600);
        assert_eq!(execute(&world).await.len(), 2);
        foreign
            .run(&format!("UPDATE schedules SET uid = {uid} WHERE id = {id}"))
            .await;
        // Whoever looks before it is adopted is not stopped either.
        assert_eq!(
            world
                .service
                .history(&HistoryQuery {
                    limit: 10,
                    ..HistoryQuery::default()
                })
                .await
                .unwrap()
                .count,
            2
        );
        world.advance(600);
        assert_eq!(execute(&world).await.len(), 4, "{uid}");
        foreign.check().await;
        let after = schedule(&world, id).await.uid.unwrap();
        assert_ne!(after, before, "{uid}");
        assert_eq!(foreign.column(id, "uid").await, after.to_string());
        for id in [id, other] {
            assert_eq!(
                stands(&world, id).await,
                (at("12:30:00"), Lifecycle::Active)
            );
        }
    }
}

#[tokio::test]
async fn a_copy_of_another_schedules_identity_is_none() {
    let (world, mut foreign) = world().await;
    let [first, second] = [
        world.every("agent-a", "tick", "10m").await.id,
        world.every("agent-b", "tock", "10m").await.id,
    ];
    let uid = schedule(&world, first).await.uid;
    foreign
        .run(&format!(
            "UPDATE schedules SET uid = (SELECT upper(uid) FROM schedules WHERE id = {first}) \
             WHERE id = {second}"
        ))
        .await;
    adopt(&world, &mut foreign).await;
    assert_eq!(schedule(&world, first).await.uid, uid);
    assert_ne!(schedule(&world, second).await.uid, uid);
    world.advance(600);
    assert_eq!(execute(&world).await.len(), 2);
}

#[tokio::test]
async fn a_planned_time_that_cannot_be_read_leaves_next_run_to_say_when() {
    let (world, mut foreign) = world().await;
    let id = world.every("agent-a", "tick", "10m").await.id;
    foreign
        .run("UPDATE schedules SET planned_next_run = 'never'")
        .await;
    adopt(&world, &mut foreign).await;
    assert_eq!(
        stands(&world, id).await,
        (at("12:10:00"), Lifecycle::Active)
    );
}

#[tokio::test]
async fn an_open_occurrence_that_cannot_be_read_stops_no_other() {
    let (world, mut foreign) = world().await;
    for (column, value) in [
        ("uid", "'not a uid'"),
        ("agent_id", "'agent/z'"),
        ("intended_at", "'some day'"),
        ("\"trigger\"", "'whim'"),
    ] {
        damaged_occurrence(&mut foreign, column, value).await;
    }
    world.every("agent-a", "tick", "10m").await;
    world.advance(600);
    world.start_on(&world.service, Mode::Once).ended().await;
    let db = &world.service.db;
    assert!(db.list_open_occurrences().await.unwrap().is_empty());
    let settled = world.occurrences().await;
    assert!(settled.iter().any(|o| o.state == State::Delivered));
    let listed = ListQuery {
        limit: 10,
        ..ListQuery::default()
    };
    let listing = world.service.list(&listed).await.unwrap();
    assert_eq!(listing.total, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_reported_once_not_with_each_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shared.db");
    let letta = FakeLetta::start().await;
    let agent = letta.add_agent();
    let program = Program::new(&database, &letta.url(), "pw-test");
    let daemon = program.start(&["serve"], "serve");
    program.until_scheduled().await;
    let mut foreign = Foreign::connect(&database).await;
    damaged_occurrence(&mut foreign, "uid", "'not a uid'").await;
    for n in 1..=3 {
        let due = (Clock::system().now() - SignedDuration::from_secs(1)).to_string();
        let id = foreign.insert("once", "x", &due).await;
        foreign
            .run(&format!(
                "UPDATE schedules SET agent_id = '{agent}' WHERE id = {id}"
            ))
            .await;
        letta.wait_for(n).await;
        program
            .until(|history| history.iter().filter(|o| o["state"] == "delivered").count() == n)
            .await;
    }
    let log = daemon.stop();
    let told = log.lines().filter(|line| line.contains("occurrence 1 in"));
    assert_eq!(told.count(), 1, "{log}");
}
