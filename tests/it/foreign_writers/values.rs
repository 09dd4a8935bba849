//! Whatever another program writes into any column that a scheduler or a face reads, other
//! schedules are delivered, and each face still answers.

use std::time::Duration;

use promptyoself::letta_client::{Answer, Doubt, ErrorClass, Refusal, RefusalKind, Target};
use promptyoself::models::{AgentId, Channel, Payload, PingUrl, ScheduleType};
use promptyoself::scheduler::Mode;
use promptyoself::service::{AccountQuery, HistoryQuery, ListQuery};
use serde_json::json;

use crate::fake_target::{Act, FakeTarget};
use crate::foreign_writers::raw::Foreign;
use crate::world::World;

/// What is written, each into a row of its own.
const VALUES: [&str; 8] = [
    "'zebra'",
    "x'fffe00'",
    "NULL",
    "9223372036854775807",
    "-9223372036854775808",
    "1e300",
    "'2026-13-45 99:99:99'",
    "''",
];

/// How long anything may hang before it counts as such.
const HANGING: Duration = Duration::from_secs(300);

/// A program that keeps to no rule.
struct Vandal(Foreign);

impl Vandal {
    async fn connect(world: &World) -> Self {
        let mut foreign = Foreign::connect(&world.path()).await;
        foreign.run("PRAGMA foreign_keys = OFF").await;
        Vandal(foreign)
    }

    async fn numbers(&mut self, sql: String) -> Vec<i64> {
        self.0.all(&sql, ()).await
    }

    /// The columns of a table that may hold anything: SQLite itself keeps row numbers in order.
    async fn columns(&mut self, table: &str) -> Vec<String> {
        let sql = "SELECT name FROM pragma_table_info(?1) \
                   WHERE NOT (pk = 1 AND type = 'INTEGER' AND name IN ('id', 'only_row'))";
        self.0.all(sql, [table]).await
    }

    /// Writes something, unless SQLite refuses it.
    async fn write(&mut self, sql: String) {
        let _ = self.0.try_to_run(&sql).await;
    }
}

fn refused(kind: RefusalKind, class: ErrorClass) -> Act {
    Act::Answer(Answer::Refused(Refusal::new(kind, class, "as scripted")))
}

fn cut() -> Act {
    Act::Answer(Answer::Unknown(Doubt {
        class: ErrorClass::Cut,
        text: "the connection ended".into(),
        run_id: None,
    }))
}

async fn work_off(world: &World, what: &str) {
    let running = world.start_on(&world.service, Mode::Once);
    let ended = tokio::time::timeout(HANGING, running.ended()).await;
    assert!(ended.is_ok(), "{what}: a scheduler hangs");
}

/// A schedule whose rows are spoilt: one prompt of it was delivered, one waits for a person or is
/// of unknown fate, and the next is due in an hour.
async fn victim(world: &World, name: &str, is_unknown: bool) -> i64 {
    let mut wish = world.wish(name, "x", ScheduleType::Interval, "1h");
    wish.ping_url = Some(PingUrl::parse("http://127.0.0.1:9/ping").unwrap());
    let message = json!({ "messages": [{ "role": "user", "content": name }] });
    wish.payload = Some(Payload::read(message.as_object().unwrap()).unwrap());
    let id = world.service.register(&wish).await.unwrap().id;
    world
        .target
        .script(name, Act::Run("run-1", FakeTarget::delivered("well")));
    world.target.script(
        name,
        match is_unknown {
            true => cut(),
            false => refused(RefusalKind::NeedsHuman, ErrorClass::PendingApproval),
        },
    );
    let dead = refused(RefusalKind::Permanent, ErrorClass::AgentUnknown);
    world.target.script(name, dead);
    id
}

/// Which rows of a table belong to a schedule.
fn rows_of(table: &str, id: i64) -> String {
    let uid = format!("(SELECT uid FROM schedules WHERE id = {id})");
    let occurrences = format!("(SELECT id FROM occurrences WHERE uid = {uid})");
    match table {
        "schedules" => format!("id = {id}"),
        "occurrences" | "schedule_revisions" | "pruned_sums" | "deleted_schedules" => {
            format!("uid = {uid}")
        }
        "attempts" => format!("occurrence_id IN {occurrences}"),
        "payloads" => format!(
            "hash IN (SELECT payload FROM occurrences WHERE uid = {uid} \
             UNION SELECT payload FROM schedules WHERE id = {id})"
        ),
        "incidents" => format!(
            "(subject = {uid} OR subject IN (SELECT lane FROM occurrences WHERE uid = {uid}))"
        ),
        "outbox" => format!(
            "lane = 'schedule:' || {uid} OR lane IN \
             (SELECT 'incident:' || id FROM incidents WHERE subject = {uid} \
              OR subject IN (SELECT lane FROM occurrences WHERE uid = {uid}))"
        ),
        other => panic!("whose are the rows of {other}?"),
    }
}

/// Every face answers, whatever it says.
async fn check_faces(world: &World, victims: &[i64], what: &str) {
    let service = &world.service;
    service
        .overview()
        .await
        .unwrap_or_else(|e| panic!("{what}: overview: {}", e.chain()));
    let all = ListQuery {
        all: true,
        full: true,
        limit: 1_000,
        ..ListQuery::default()
    };
    service
        .list(&all)
        .await
        .unwrap_or_else(|e| panic!("{what}: list: {}", e.chain()));
    for id in victims.iter().map(|id| Some(*id)).chain([None]) {
        let asked = HistoryQuery {
            id,
            limit: 1_000,
            ..HistoryQuery::default()
        };
        service
            .history(&asked)
            .await
            .unwrap_or_else(|e| panic!("{what}: history of {id:?}: {}", e.chain()));
        let asked = AccountQuery {
            id,
            limit: 100,
            offset: 0,
        };
        service
            .accounts(&asked)
            .await
            .unwrap_or_else(|e| panic!("{what}: account of {id:?}: {}", e.chain()));
        let Some(id) = id else { continue };
        service
            .show(id)
            .await
            .unwrap_or_else(|e| panic!("{what}: show {id}: {}", e.chain()));
        let schedule = service.db.get_schedule(id).await.unwrap().unwrap();
        let Ok(agent) = AgentId::parse(&schedule.agent_id) else {
            continue;
        };
        // Letta's schedule API is about agents of the usual target.
        if (schedule.target).is_some_and(|target| target != Target::name(&*world.target)) {
            continue;
        }
        service
            .scheduled_messages(&agent, None, 100)
            .await
            .unwrap_or_else(|e| panic!("{what}: messages of {agent}: {}", e.chain()));
        if let Some(uid) = schedule.uid {
            service
                .sent_of_message(&agent, &uid.to_string(), 100, 0)
                .await
                .unwrap_or_else(|e| panic!("{what}: sent to {agent}: {}", e.chain()));
        }
    }
    let diagnosis = service.diagnose(64).await;
    diagnosis.unwrap_or_else(|e| panic!("{what}: doctor: {}", e.chain()));
}

/// Others are delivered at once, by a scheduler that runs on.
async fn check_others(world: &World, name: &str, what: &str) {
    let mut running = world.start();
    for n in 0..2 {
        let agent = format!("{name}-{n}");
        let id = world.once(&agent, "hello", 1).await.id;
        world.advance(1);
        world.service.db.notify_all();
        let delivered = async {
            while !world.target.sent().iter().any(|s| s.agent == agent) {
                running.outcome().await;
            }
        };
        let delivered = tokio::time::timeout(HANGING, delivered).await;
        assert!(delivered.is_ok(), "{what}: {agent} ({id}) is not delivered");
    }
    running.stop().await;
}

/// Writes every value into every column of the rows of some table.
async fn spoil(table: &str) {
    let world = World::new().await;
    let db = &world.service.db;
    db.listen(&[Channel::Url], world.now()).await.unwrap();
    let mut vandal = Vandal::connect(&world).await;
    for column in vandal.columns(table).await {
        let mut victims = Vec::new();
        for (n, value) in VALUES.iter().enumerate() {
            for is_unknown in [false, true] {
                let name = format!("{column}-{n}-{is_unknown}");
                victims.push((victim(&world, &name, is_unknown).await, *value));
            }
        }
        let ids: Vec<i64> = victims.iter().map(|(id, _)| *id).collect();
        for _ in 0..2 {
            for id in &ids {
                world.service.run(*id).await.unwrap();
            }
            work_off(&world, table).await;
            world.advance(1);
        }
        let mut rows = Vec::new();
        for (id, value) in &victims {
            let of_it = rows_of(table, *id);
            let sql = format!("SELECT rowid FROM {table} WHERE {of_it}");
            rows.extend(
                vandal
                    .numbers(sql)
                    .await
                    .into_iter()
                    .map(|row| (row, *value)),
            );
        }
        assert!(rows.len() >= VALUES.len(), "{table}: {} rows", rows.len());
        for (row, value) in rows {
            let sql = format!("UPDATE {table} SET \"{column}\" = {value} WHERE rowid = {row}");
            vandal.write(sql).await;
        }
        let what = format!("{table}.{column}");
        check_faces(&world, &ids, &what).await;
        check_others(&world, &format!("good-{column}"), &what).await;
        // The next prompt of each is due, and what waited for a person is tried again.
        world.advance(3_600);
        check_others(&world, &format!("better-{column}"), &what).await;
        check_faces(&world, &ids, &what).await;
        for id in &ids {
            let _ = world.service.run(*id).await;
        }
        work_off(&world, &what).await;
        for id in ids {
            vandal
                .write(format!("DELETE FROM schedules WHERE id = {id}"))
                .await;
        }
        work_off(&world, &what).await;
    }
}

/// The same of tables with a row for each scheduler, each target, or one row only: `make` makes it.
async fn spoil_one(table: &str, make: &str) {
    let world = World::new().await;
    let mut vandal = Vandal::connect(&world).await;
    for column in vandal.columns(table).await {
        for (n, value) in VALUES.iter().enumerate() {
            vandal.write(format!("DELETE FROM {table}")).await;
            vandal.write(make.to_owned()).await;
            let sql = format!("UPDATE {table} SET \"{column}\" = {value}");
            vandal.write(sql).await;
            let what = format!("{table}.{column} = {value}");
            check_faces(&world, &[], &what).await;
            // It is held, or halted, as long as the row is there.
            work_off(&world, &what).await;
            world.service.lift_halt().await.unwrap();
            let name = format!("good-{table}-{column}-{n}");
            check_others(&world, &name, &what).await;
            check_faces(&world, &[], &what).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stands_in_a_held_target_stops_nobody() {
    let hold = "INSERT INTO held_targets VALUES ('letta', '2026-02-01 11:00:00.000000', 'x', 'x')";
    spoil_one("held_targets", hold).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stands_in_a_halt_it_holds_until_it_is_lifted() {
    let halt = "INSERT INTO halt VALUES (1, '2026-02-01 11:00:00.000000', 'x')";
    spoil_one("halt", halt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stands_in_a_schedulers_row_stops_no_other_one() {
    let left = "INSERT INTO schedulers (owner, pid, started_at, heartbeat_at) VALUES \
                ('11111111-1111-4111-8111-111111111111', 1, '2026-02-01 11:00:00.000000', \
                 '2026-02-01 11:00:00.000000')";
    spoil_one("schedulers", left).await;
}

macro_rules! whatever_stands_in {
    ($($name:ident: $table:literal,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                spoil($table).await;
            }
        )+
    };
}

whatever_stands_in! {
    whatever_stands_in_a_schedule_stops_nobody_else: "schedules",
    whatever_stands_in_an_occurrence_stops_nobody_else: "occurrences",
    whatever_stands_in_an_attempt_stops_nobody_else: "attempts",
    whatever_stands_in_a_payload_stops_nobody_else: "payloads",
    whatever_stands_in_a_revision_stops_nobody_else: "schedule_revisions",
    whatever_stands_in_an_incident_stops_nobody_else: "incidents",
    whatever_stands_in_the_outbox_stops_nobody_else: "outbox",
}
