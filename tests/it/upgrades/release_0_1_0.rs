//! Databases of version 0.1.0 are upgraded in place, with every row and account.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use promptyoself::db::Db;
use promptyoself::error::Code;
use promptyoself::letta_client::{Answer, Evidence};
use promptyoself::models::{HistoryFilter, State};
use promptyoself::scheduler::Mode;
use promptyoself::service::Service;
use sha2::{Digest, Sha384};

use super::{dump, open, rows, run};
use crate::fake_target::FakeTarget;
use crate::world::World;

macro_rules! scripts {
    ($($name:literal)+) => {
        [$(($name, include_str!(concat!("0.1.0/", $name, ".sql"))),)+]
    };
}

/// Its migrations.
const SCRIPTS: [(&str, &str); 9] = scripts!(
    "0001_foundation" "0002_pause" "0003_policies" "0004_notices" "0005_keeping" "0006_copies"
    "0007_keys" "0008_payloads" "0009_idempotency"
);

/// Makes a file as it did, with the first so many of its migrations.
pub async fn make(path: &Path, migrations: usize) {
    std::fs::write(path, "").unwrap();
    run(
        path,
        "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);",
    )
    .await;
    for (name, script) in &SCRIPTS[..migrations] {
        let (version, description) = name.split_once('_').unwrap();
        let checksum = Sha384::digest(script);
        run(
            path,
            &format!(
                "{script}; INSERT INTO _sqlx_migrations \
                 (version, description, success, checksum, execution_time) \
                 VALUES ({version}, '{description}', 1, x'{checksum:x}', 4711)"
            ),
        )
        .await;
    }
}

/// A file in which it was at work until it was killed.
pub async fn make_filled(path: &Path) {
    make(path, SCRIPTS.len()).await;
    run(path, include_str!("0.1.0/filled.sql")).await;
}

/// A script as its text was meant: without comments, and with one way to space it.
fn normal(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap());
    let spaced = ["(", ")", ","]
        .iter()
        .fold(lines.collect::<Vec<_>>().join(" "), |sql, sign| {
            sql.replace(sign, &format!(" {sign} "))
        });
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All that SQLite knows of the tables, and what they say of migrations.
async fn schema(path: &Path) -> Vec<Vec<String>> {
    let mut all = rows(
        path,
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master ORDER BY type, name",
    )
    .await;
    for part in &mut all {
        part[3] = normal(&part[3]);
    }
    for of_each in [
        "pragma_table_xinfo(m.name)",
        "pragma_index_list(m.name)",
        "pragma_foreign_key_list(m.name)",
        "pragma_index_xinfo(m.name)",
    ] {
        let sql = format!(
            "SELECT m.name, x.* FROM sqlite_master m JOIN {of_each} x ORDER BY m.name, x.rowid"
        );
        all.extend(rows(path, &sql).await);
    }
    let noted = "SELECT version, name, checksum FROM migrations";
    all.extend(rows(path, noted).await);
    let marked = "SELECT version, description, success, checksum FROM _sqlx_migrations";
    all.extend(rows(path, marked).await);
    all
}

#[tokio::test]
async fn the_tables_of_0_1_0_become_exactly_those_of_a_new_database() {
    let folder = tempfile::tempdir().unwrap();
    let [new, older, filled] = ["new", "older", "filled"].map(|name| folder.path().join(name));
    make(&older, SCRIPTS.len()).await;
    make_filled(&filled).await;
    let mut all = Vec::new();
    for path in [&new, &older, &filled] {
        open(path).await.unwrap().0.close().await;
        all.push(schema(path).await);
    }
    assert!(all[0].len() > 400, "{}", all[0].len());
    for (there, wanted) in all[1].iter().zip(&all[0]) {
        assert_eq!(there, wanted);
    }
    assert!(all.iter().all(|schema| *schema == all[0]));
}

/// The rows of each table of a file, but of those by which migrations are noted.
async fn rows_of(path: &Path, columns: &[(String, String)]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (table, columns) in columns {
        all.push(vec![table.clone()]);
        all.extend(rows(path, &format!("SELECT {columns} FROM {table} ORDER BY 1")).await);
    }
    all
}

/// The columns of each table of 0.1.0. Which occurrences were made before it kept accounts is noted
/// no more: none were.
async fn columns_of_0_1_0(path: &Path) -> Vec<(String, String)> {
    let columns = rows(
        path,
        "SELECT m.name, group_concat('\"' || c.name || '\"') FROM sqlite_master m \
         JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' \
         AND m.name <> '_sqlx_migrations' AND c.name NOT IN ('early', 'early_occurrences') \
         GROUP BY m.name ORDER BY m.name",
    );
    let columns = columns.await.into_iter();
    columns
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect()
}

#[tokio::test]
async fn every_row_of_0_1_0_is_kept_and_a_second_start_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filled.db");
    make_filled(&path).await;
    let columns = columns_of_0_1_0(&path).await;
    let before = rows_of(&path, &columns).await;
    for table in before.windows(2).filter(|two| two[0].len() == 1) {
        assert!(table[1].len() > 1, "nothing in {}", table[0][0]);
    }
    // Sent after the takeover as before it.
    let mut wanted = before;
    for row in wanted
        .iter_mut()
        .filter(|row| row.contains(&"{\"n\":2}".to_owned()))
    {
        let lease = row.iter().position(|cell| cell.contains("09:31:00"));
        row[lease.unwrap()] = "NULL".to_owned();
    }
    let (db, report) = open(&path).await.unwrap();
    assert_eq!(report, None);
    assert_eq!(rows_of(&path, &columns).await, wanted);
    for account in db.accounts().await.unwrap() {
        assert!(
            account.balanced && account.expected.is_some(),
            "{account:?}"
        );
    }
    db.close().await;
    let once = dump(&path).await;
    let (db, report) = open(&path).await.unwrap();
    assert_eq!(report, None);
    db.close().await;
    assert_eq!(dump(&path).await, once);
}

async fn service(world: &World, path: &Path) -> Service {
    let target: Arc<FakeTarget> = world.target.clone();
    let opened = Service::open(path, "UTC", target, world.clock.clone()).await;
    opened.unwrap().0
}

async fn states(service: &Service) -> Vec<(i64, State)> {
    let filter = HistoryFilter {
        limit: 1_000,
        ..HistoryFilter::default()
    };
    let past = service.db.list_history(&filter).await.unwrap();
    let mut states: Vec<_> = (past.iter())
        .map(|past| (past.occurrence.id, past.occurrence.state))
        .collect();
    states.sort_unstable_by_key(|(id, _)| *id);
    states
}

/// A prompt that was on its way is in the history of its agent.
fn is_found(world: &World, agent: &str) {
    let Answer::Delivered(delivery) = FakeTarget::delivered("found") else {
        unreachable!("it is delivered");
    };
    world.target.evidence(agent, Evidence::Found(delivery));
}

#[tokio::test]
async fn a_scheduler_goes_on_where_that_of_0_1_0_was_killed() {
    let world = World::new().await;
    let path = world.path().with_file_name("filled.db");
    make_filled(&path).await;
    let service = service(&world, &path).await;
    is_found(&world, "agent-f");
    is_found(&world, "agent-g");
    // Nothing is sent as long as all of it is halted.
    world.start_on(&service, Mode::Once).ended().await;
    assert!(world.target.sent().is_empty());
    let halt = service.db.get_halt().await.unwrap().unwrap();
    service.lift_halt().await.unwrap();
    assert_eq!(halt.note.as_deref(), Some("for the move"));

    let running = world.start_on(&service, Mode::Forever);
    world.advance(31);
    world.target.wait_for_answered(5).await;
    while states(&service)
        .await
        .iter()
        .any(|(_, state)| state.is_open())
    {
        tokio::task::yield_now().await;
    }
    running.stop().await;
    let mut sent: Vec<_> = (world.target.sent().into_iter())
        .map(|sent| (sent.agent, sent.text))
        .collect();
    sent.sort();
    assert_eq!(
        sent.iter()
            .map(|(agent, _)| agent.as_str())
            .collect::<Vec<_>>(),
        ["agent-a", "agent-c", "agent-h", "agent-i", "agent-j"]
    );
    for (agent, otid) in [
        ("agent-f", "a0000000-0000-4000-8000-000000000141"),
        ("agent-g", "a0000000-0000-4000-8000-000000000151"),
    ] {
        let mut finds = world.target.finds().into_iter();
        let find = finds.find(|lookup| lookup.recipient.agent.to_string() == agent);
        assert!(find.unwrap().otids.contains(&otid.parse().unwrap()));
    }
    for (id, state) in states(&service).await {
        let wanted = match id {
            3 => State::Coalesced,
            5 => State::Missed,
            8 => State::Dead,
            12 => State::Skipped,
            13 => State::Cancelled,
            // Of a schedule that another program deleted.
            19.. if state == State::Cancelled => State::Cancelled,
            _ => State::Delivered,
        };
        assert_eq!(state, wanted, "{id}");
    }
    for account in service.db.accounts().await.unwrap() {
        assert!(
            account.balanced && account.expected.is_some(),
            "{account:?}"
        );
    }
    let diagnosis = service.diagnose(4).await.unwrap();
    let codes: Vec<_> = diagnosis.findings.iter().map(|f| f.code).collect();
    assert!(
        !codes.contains(&"account_wrong") && !codes.contains(&"account_unproved"),
        "{codes:?}"
    );
}

#[tokio::test]
async fn a_backup_of_0_1_0_is_restored_and_what_was_on_its_way_is_looked_for() {
    let world = World::new().await;
    let [backup, place] = ["backup", "place"].map(|name| world.path().with_file_name(name));
    make_filled(&backup).await;
    let before = dump(&backup).await;
    let zone = &world.service.zone;
    let restored = Db::restore(&backup, &place, zone, false, world.now())
        .await
        .unwrap();
    assert_eq!(restored.schedules, 14);
    assert_eq!(dump(&backup).await, before);
    let service = service(&world, &place).await;
    let open = service.db.list_open_occurrences().await.unwrap();
    let mut open: Vec<i64> = open.iter().map(|open| open.id).collect();
    open.sort_unstable();
    assert_eq!(open, [14, 15]);
    service.lift_halt().await.unwrap();
    is_found(&world, "agent-f");
    is_found(&world, "agent-g");
    world.start_on(&service, Mode::Once).ended().await;
    assert!(world.target.sent().is_empty(), "{:?}", world.target.sent());
    for account in service.db.accounts().await.unwrap() {
        assert!(account.balanced, "{account:?}");
    }
}

/// Checks that a file is refused in words, and stays as it is to the last byte.
async fn refused(path: &Path, why: &str) {
    run(path, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let before = std::fs::read(path).unwrap();
    let error = open(path).await.unwrap_err();
    assert_eq!(error.code(), Code::DatabaseInvalid);
    let text = error.to_string();
    for said in [
        why,
        "development version",
        "version 0.1.0",
        path.to_str().unwrap(),
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(std::fs::read(path).unwrap() == before, "{path:?}");
}

/// A file of 0.1.0 on which something else was done.
async fn changed(folder: &Path, name: &str, migrations: usize, change: &str) -> PathBuf {
    let path = folder.join(name);
    make(&path, migrations).await;
    run(&path, change).await;
    path
}

#[tokio::test]
async fn a_file_of_a_commit_around_0_1_0_is_refused_in_words_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for migrations in 1..SCRIPTS.len() {
        let path = changed(folder, &format!("{migrations}"), migrations, "").await;
        refused(&path, "it has the migrations 1").await;
    }
    let applied = |version: i64| {
        format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES ({version}, 'looks', 1, x'00', 0)"
        )
    };
    for version in 10..=18 {
        let path = changed(folder, &format!("{version}"), 9, &applied(version)).await;
        refused(&path, &format!("1, 2, 3, 4, 5, 6, 7, 8, 9, {version}")).await;
    }
    let change = "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 4";
    let path = changed(folder, "checksum", 9, change).await;
    refused(&path, "not those of version 0.1.0").await;
    let change = "UPDATE _sqlx_migrations SET success = 0 WHERE version = 9";
    let path = changed(folder, "half", 9, change).await;
    refused(&path, "its migration 9 is half done").await;
    let change = "INSERT INTO install VALUES (1, '10000000-0000-4000-8000-000000000000', 7)";
    let path = changed(folder, "begun", 9, change).await;
    refused(&path, "created before version 0.1.0").await;

    let path = folder.join("today");
    for change in [
        "UPDATE migrations SET checksum = 'x'".to_owned(),
        applied(11),
    ] {
        let _ = std::fs::remove_file(&path);
        open(&path).await.unwrap().0.close().await;
        run(&path, &change).await;
        refused(&path, "migration 1").await;
    }
}

#[tokio::test]
async fn what_another_program_has_put_into_the_file_does_not_stand_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filled.db");
    make_filled(&path).await;
    run(
        &path,
        "CREATE VIEW gone AS SELECT * FROM nowhere; CREATE VIEW sums AS SELECT * FROM pruned_sums; \
         CREATE TABLE notes (schedule INTEGER REFERENCES schedules (id)); \
         INSERT INTO notes VALUES (1); DROP INDEX ix_schedules_touched",
    )
    .await;
    open(&path).await.unwrap().0.close().await;
    assert_eq!(rows(&path, "SELECT count(*) FROM sums").await, [["2"]]);
    assert_eq!(rows(&path, "SELECT * FROM notes").await, [["1"]]);
    assert!(rows(&path, "PRAGMA foreign_key_check").await.is_empty());
}
