//! A row that can't be read is reported, what depends on it ends, and nobody else is stopped.

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::models::{HistoryFilter, IncidentKind, Lifecycle, Occurrence, State};
use promptyoself::scheduler::Mode;

use super::adoption::{execute, schedule, world};
use super::raw::Foreign;
use crate::daemon::Program;
use crate::fake_letta::FakeLetta;
use crate::fake_target::{Act, FakeTarget};
use crate::world::World;

/// What becomes of a stored request in the hands of another program.
const REQUESTS: [&str; 6] = [
    "DELETE FROM payloads",
    "UPDATE payloads SET body = 'no JSON'",
    "UPDATE payloads SET body = '[1, 2, 3]'",
    "UPDATE payloads SET body = '{\"messages\": 5}'",
    "UPDATE payloads SET body = x'fffe00'",
    "UPDATE payloads SET hash = 'another'",
];

async fn spoil(foreign: &mut Foreign, sql: &str) {
    foreign
        .run(&format!("PRAGMA foreign_keys = OFF; {sql}"))
        .await;
}

async fn history_of(world: &World, id: i64) -> Vec<Occurrence> {
    let filter = HistoryFilter {
        uid: schedule(world, id).await.uid,
        limit: 10,
        ..HistoryFilter::default()
    };
    let past = world.service.db.list_history(&filter).await.unwrap();
    past.into_iter().map(|p| p.occurrence).collect()
}

async fn open_kinds(world: &World) -> Vec<IncidentKind> {
    let open = world.service.db.list_open_incidents().await.unwrap();
    open.iter().map(|i| i.kind).collect()
}

#[tokio::test]
async fn a_schedule_whose_request_cannot_be_read_is_broken_and_the_others_go_on() {
    for request in REQUESTS {
        let (world, mut foreign) = world().await;
        let id = world.every("agent-a", "tick", "10m").await.id;
        foreign
            .run(&format!(
                "INSERT INTO payloads (hash, body) VALUES ('h', '{{}}'); \
                 UPDATE schedules SET payload = 'h', row_version = row_version + 1 WHERE id = {id}"
            ))
            .await;
        spoil(&mut foreign, request).await;
        world.every("agent-b", "tock", "10m").await;
        world.advance(600);
        assert_eq!(execute(&world).await, ["tock"], "{request}");
        let broken = schedule(&world, id).await;
        assert_eq!(broken.lifecycle, Lifecycle::Broken, "{request}");
        assert!(broken.broken_reason.is_some(), "{request}");
        assert_eq!(
            open_kinds(&world).await,
            [IncidentKind::Broken],
            "{request}"
        );
        // It is mended by whoever says what to send.
        foreign
            .run(&format!(
                "UPDATE schedules SET prompt_text = 'again', active = 1 WHERE id = {id}"
            ))
            .await;
        execute(&world).await;
        world.advance(600);
        execute(&world).await;
        assert!(
            world
                .target
                .sent()
                .iter()
                .any(|s| s.text.ends_with("again")),
            "{request}"
        );
    }
}

#[tokio::test]
async fn a_waiting_prompt_whose_request_cannot_be_read_is_given_up_and_the_next_one_is_sent() {
    for request in REQUESTS {
        let (world, mut foreign) = world().await;
        let id = world.every("agent-a", "tick", "10m").await.id;
        world
            .target
            .script("agent-a", Act::Answer(FakeTarget::busy()));
        world.advance(600);
        execute(&world).await;
        spoil(&mut foreign, request).await;
        world.advance(600);
        execute(&world).await;
        let history = history_of(&world, id).await;
        let states: Vec<State> = history.iter().map(|o| o.state).collect();
        assert_eq!(states, [State::Delivered, State::Dead], "{request}");
        let error = history[1].error.as_deref().unwrap();
        assert!(error.starts_with("unreadable: "), "{error}");
        world.assert_balanced().await;
    }
}

#[tokio::test]
async fn text_in_the_count_of_failures_keeps_no_lane_closed() {
    for value in ["'many'", "x'ff'", "1e300", "9223372036854775807"] {
        let (world, mut foreign) = world().await;
        let id = world.every("agent-a", "tick", "10m").await.id;
        world.target.hold("agent-a");
        world.advance(600);
        let mut running = world.start();
        world.target.wait_for_sent(1).await;
        foreign
            .run(&format!(
                "UPDATE schedules SET dead_in_row = {value} WHERE id = {id}"
            ))
            .await;
        world.target.release("agent-a");
        running.until(State::Delivered).await;
        world.advance(600);
        running.until(State::Delivered).await;
        running.stop().await;
        assert_eq!(
            schedule(&world, id).await.lifecycle,
            Lifecycle::Active,
            "{value}"
        );
    }
}

#[tokio::test]
async fn an_open_prompt_that_cannot_be_read_keeps_neither_its_lane_nor_its_schedule() {
    for column in [
        "generation",
        "fence",
        "agent_id",
        "intended_at",
        "first_at",
        "\"trigger\"",
        "uid",
    ] {
        for state in ["waiting", "unknown", "sending"] {
            let (world, mut foreign) = world().await;
            world.every("agent-a", "tick", "10m").await;
            world
                .target
                .script("agent-a", Act::Answer(FakeTarget::busy()));
            world.advance(600);
            execute(&world).await;
            foreign
                .run(&format!(
                    "UPDATE occurrences SET state = '{state}', {column} = 'zebra/?', owner = 'nobody'"
                ))
                .await;
            world.every("agent-a", "tock", "10m").await;
            for _ in 0..4 {
                world.advance(600);
                world.start_on(&world.service, Mode::Once).ended().await;
            }
            let what = format!("{column} of one that is {state}");
            let sent = world.target.sent();
            let times = |text: &str| sent.iter().filter(|s| s.text.ends_with(text)).count();
            assert!(times("tick") >= 3 && times("tock") >= 3, "{what}: {sent:?}");
            let open = world.service.db.list_open_occurrences().await.unwrap();
            assert!(open.is_empty(), "{what}: {open:?}");
        }
    }
}

#[tokio::test]
async fn what_says_how_often_or_until_when_is_not_guessed() {
    for (change, reason) in [
        (
            "max_repetitions = 'few'",
            "max_repetitions \"few\" is not a whole number",
        ),
        (
            "max_repetitions = 5, repetitions = 'x'",
            "repetitions \"x\" is not a whole number",
        ),
        (
            "end_at = 'some day'",
            "end_at \"some day\" is not a date and time in UTC",
        ),
        (
            "timezone = 'Mars/Olympus'",
            "timezone \"Mars/Olympus\" is not a time zone",
        ),
    ] {
        let (world, mut foreign) = world().await;
        let id = world.every("agent-a", "tick", "10m").await.id;
        foreign.run(&format!("UPDATE schedules SET {change}")).await;
        world.advance(600);
        assert!(execute(&world).await.is_empty(), "{change}");
        let broken = schedule(&world, id).await;
        assert_eq!(broken.broken_reason.as_deref(), Some(reason));
    }
}

#[tokio::test]
async fn a_claim_that_the_database_refuses_again_and_again_stops_nobody_else() {
    let (world, mut foreign) = world().await;
    let refused = world.every("agent-a", "tick", "1m").await.id;
    foreign
        .run(
            "CREATE TRIGGER refuse BEFORE INSERT ON occurrences WHEN NEW.agent_id = 'agent-a' \
             BEGIN SELECT RAISE(ABORT, 'not this one'); END",
        )
        .await;
    let mut running = world.start();
    for n in 0..5 {
        world.once(&format!("other-{n}"), "hello", 60).await;
        world.advance(60);
        world.service.db.notify_all();
        running.until(State::Delivered).await;
    }
    assert_eq!(schedule(&world, refused).await.lifecycle, Lifecycle::Active);
    foreign.run("DROP TRIGGER refuse").await;
    world.advance(600);
    let delivered = running.until(State::Delivered).await;
    assert_eq!(delivered.schedule_id, Some(refused));
    running.stop().await;
    world.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_is_told_once_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shared.db");
    let letta = FakeLetta::start().await;
    let agent = letta.add_agent();
    let program = Program::new(&database, &letta.url(), "pw-test");
    let daemon = program.start(&["serve"], "serve");
    program.until_scheduled().await;
    let mut foreign = Foreign::connect(&database).await;
    let due = |id: i64, agent: &str, payload: &str| {
        let at = (Clock::system().now() - SignedDuration::from_secs(1)).to_string();
        format!(
            "PRAGMA foreign_keys = OFF; INSERT INTO schedules (id, agent_id, prompt_text, \
             schedule_type, schedule_value, next_run, active, payload) \
             VALUES ({id}, '{agent}', 'x', 'once', 'x', '{at}', 1, {payload})"
        )
    };
    let agent = agent.to_string();
    foreign
        .run("INSERT INTO payloads (hash, body) VALUES ('h', 'no JSON')")
        .await;
    foreign.run(&due(1, "agent-a", "'h'")).await;
    for n in 1..=3 {
        let id = i64::try_from(n).unwrap() + 1;
        foreign.run(&due(id, &agent, "NULL")).await;
        letta.wait_for(n).await;
    }
    let log = daemon.stop();
    let told = |line: &&str| line.contains("schedule 1 is broken");
    assert_eq!(log.lines().filter(told).count(), 1, "{log}");
    let errors = log.lines().filter(|line| line.contains("ERROR")).count();
    assert_eq!(errors, 1, "{log}");
}
