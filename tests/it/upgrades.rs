//! Databases of older programs, and files that aren't ours.

mod bad_files;
mod going_on;
mod killed;
mod release_0_1_0;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use promptyoself::db::Db;
use promptyoself::models::{Lifecycle, PromptSchedule, UpgradeReport};
use promptyoself::schedule::Zone;
use serde_json::{Value, json};

use crate::foreign_writers::raw::Foreign;
use crate::python::make_older;

const NINE: &str = "id, agent_id, prompt_text, schedule_type, schedule_value, next_run, \
                    created_at, active, last_run";

fn now() -> Timestamp {
    "2026-02-01T12:00:00Z".parse().unwrap()
}

fn utc(time: &str) -> Value {
    json!({ "utc": format!("2026-02-01T{time}") })
}

async fn open(path: &Path) -> promptyoself::error::Result<(Db, Option<UpgradeReport>)> {
    // Another zone than UTC, in which the older programs calculated.
    Db::open(path, &Zone::parse("Europe/Berlin").unwrap(), now()).await
}

async fn rows(path: &Path, sql: &str) -> Vec<Vec<String>> {
    let rows = Foreign::connect(path).await.texts(sql).await;
    let text = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
    let row = |cells: Vec<Option<String>>| cells.into_iter().map(text).collect();
    rows.into_iter().map(row).collect()
}

async fn run(path: &Path, sql: &str) {
    Foreign::connect(path).await.run(sql).await;
}

/// Everything in a database, as text.
async fn dump(path: &Path) -> Vec<Vec<String>> {
    let mut all = rows(path, "SELECT name, sql FROM sqlite_master ORDER BY name").await;
    for table in rows(
        path,
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
    )
    .await
    {
        all.push(table.clone());
        all.extend(rows(path, &format!("SELECT * FROM \"{}\" ORDER BY 1", table[0])).await);
    }
    all
}

fn backups(path: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|p| p.to_string_lossy().contains(".before-upgrade-"))
        .collect()
}

async fn schedule(db: &Db, id: i64) -> PromptSchedule {
    db.get_schedule(id).await.unwrap().unwrap()
}

/// Opens it again: nothing may change.
async fn check_second_start(path: &Path, db: Db) {
    db.close().await;
    let before = dump(path).await;
    let (db, report) = open(path).await.unwrap();
    assert_eq!(report, None);
    assert!(
        db.adopt_touched(&Zone::utc(), now())
            .await
            .unwrap()
            .is_empty()
    );
    db.close().await;
    assert_eq!(dump(path).await, before);
    assert_eq!(backups(path).len(), 1);
}

fn row(id: i64, kind: &str, value: &str, next_run: &str, active: bool, last_run: Value) -> Value {
    json!({
        "id": id, "agent_id": "agent-a", "prompt_text": format!("prompt {id} 👋"),
        "schedule_type": kind, "schedule_value": value, "next_run": utc(next_run),
        "created_at": utc("01:02:03.000004"), "active": active, "last_run": last_run,
    })
}

fn paper_rows() -> Vec<Value> {
    let past = "11:20:00";
    vec![
        row(1, "once", "2026-02-01 11:20:00", past, true, Value::Null),
        row(
            2,
            "once",
            "2026-02-01 13:20:00",
            "13:20:00",
            true,
            Value::Null,
        ),
        row(3, "cron", "0 9 * * *", past, true, utc(past)),
        row(5, "interval", "1h", past, true, utc(past)),
        row(7, "interval", "30s", "12:00:07.250000", true, Value::Null),
        row(8, "once", "x", past, false, utc(past)),
        row(9, "cron", "0 9 * * *", past, false, utc(past)),
        row(11, "cron", "0 0 31 2 *", past, true, Value::Null),
        row(12, "simple", "daily", past, true, Value::Null),
    ]
}

#[tokio::test]
async fn the_bare_table_is_kept_row_for_row_and_nothing_of_its_past_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    make_older("paper", &path, &json!({ "schedules": paper_rows() }));
    // What programs without SQLAlchemy may have written.
    run(
        &path,
        "UPDATE schedules SET created_at = NULL WHERE id = 2; \
         UPDATE schedules SET next_run = '2026-02-01T14:20:00+01:00' WHERE id = 2; \
         UPDATE schedules SET active = NULL WHERE id = 9; \
         UPDATE schedules SET created_at = '2026-01-01T00:00:00' WHERE id = 8",
    )
    .await;
    let before = dump(&path).await;
    let nine = rows(&path, &format!("SELECT {NINE} FROM schedules ORDER BY id")).await;
    let (db, report) = open(&path).await.unwrap();
    let report = report.unwrap();
    assert_eq!(report.kept, 9);
    assert_eq!(report.missed, [1]);
    assert_eq!(report.restarted, [3, 5]);
    let broken: Vec<i64> = report.broken.iter().map(|(id, _)| *id).collect();
    assert_eq!(broken, [11, 12]);
    assert!(report.renumbered.is_empty());

    let backup = report.backup.unwrap();
    assert_eq!(backup.parent(), path.parent());
    assert_eq!(dump(&backup).await, before);

    let mut wanted = nine;
    for row in &mut wanted {
        match row[0].as_str() {
            "2" => row[5] = "2026-02-01 13:20:00.000000".into(),
            "3" => row[5] = "2026-02-02 09:00:00.000000".into(),
            "5" => row[5] = "2026-02-01 12:20:00.000000".into(),
            "8" => row[6] = "2026-01-01 00:00:00.000000".into(),
            _ => {}
        }
        if ["1", "9", "11", "12"].contains(&row[0].as_str()) {
            row[7] = "0".into();
        }
    }
    assert_eq!(
        rows(&path, &format!("SELECT {NINE} FROM schedules ORDER BY id")).await,
        wanted
    );
    for (id, lifecycle) in [
        (1, Lifecycle::Finished),
        (2, Lifecycle::Active),
        (3, Lifecycle::Active),
        (7, Lifecycle::Active),
        (8, Lifecycle::Finished),
        (9, Lifecycle::Cancelled),
        (11, Lifecycle::Broken),
    ] {
        assert_eq!(schedule(&db, id).await.lifecycle, lifecycle, "{id}");
    }
    assert_eq!(schedule(&db, 3).await.timezone.as_deref(), Some("UTC"));
    assert!(db.get_due_schedules(now()).await.unwrap().is_empty());
    let history = rows(&path, "SELECT state, intended_at FROM occurrences").await;
    assert_eq!(history, [["missed", "2026-02-01 11:20:00.000000"]]);
    check_second_start(&path, db).await;
}

#[tokio::test]
async fn both_tables_of_the_python_program_are_brought_over_and_it_sends_nothing_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unified.sqlite3");
    let counted = |row: Value, max: Value, count: Value| {
        let mut row = row;
        row["max_repetitions"] = max;
        row["repetition_count"] = count;
        row
    };
    let reminder = |row: Value| {
        let mut row = row;
        row["message"] = row["prompt_text"].take();
        row.as_object_mut().unwrap().remove("prompt_text");
        row
    };
    let soon = || row(1, "interval", "5m", "12:01:00", true, Value::Null);
    let with_id = |id: i64| {
        let mut row = soon();
        row["id"] = json!(id);
        row["prompt_text"] = json!(format!("prompt {id}"));
        row
    };
    let mut web = reminder(with_id(4));
    web["agent_id"] = Value::Null;
    web["task_id"] = json!(17);
    let mut simple = reminder(with_id(5));
    simple["schedule_type"] = json!("simple");
    simple["schedule_value"] = Value::Null;
    simple["recurrence"] = json!("daily");
    let older = json!({
        "schedules": [
            counted(soon(), json!(5), json!(2)),
            counted(with_id(2), json!(3), json!(3)),
            counted(with_id(9), json!(0), Value::Null),
        ],
        "unified_reminders": [
            reminder(with_id(1)), counted(reminder(with_id(3)), json!(4), json!(1)), web, simple,
            counted(reminder(with_id(6)), json!(1), json!(1)),
            reminder(row(10, "once", "x", "11:00:00", true, Value::Null)),
        ],
    });
    make_older("original", &path, &older);
    let (db, report) = open(&path).await.unwrap();
    let report = report.unwrap();
    assert_eq!(report.kept, 8);
    // Only the reminder whose number was taken gets another.
    assert_eq!(report.renumbered, [(1, 11)]);
    assert_eq!(report.missed, [10]);
    assert_eq!(report.broken.len(), 1);
    for (id, max, count, lifecycle) in [
        (1, Some(5), 2, Lifecycle::Active),
        (2, Some(3), 3, Lifecycle::Finished),
        (9, None, 0, Lifecycle::Active),
        (3, Some(4), 1, Lifecycle::Active),
        (5, None, 0, Lifecycle::Broken),
        (6, Some(1), 1, Lifecycle::Finished),
        (11, None, 0, Lifecycle::Active),
    ] {
        let schedule = schedule(&db, id).await;
        let seen = (
            schedule.max_repetitions,
            schedule.repetitions,
            schedule.lifecycle,
        );
        assert_eq!(seen, (max, count, lifecycle), "{id}");
    }
    assert_eq!(schedule(&db, 11).await.prompt_text, "prompt 1");
    assert!(db.get_schedule(4).await.unwrap().is_none());
    let on = rows(&path, "SELECT id FROM unified_reminders WHERE active = 1").await;
    assert_eq!(on, [["4"]]);
    check_second_start(&path, db).await;
}

#[tokio::test]
async fn an_upgrade_that_fails_half_way_changes_nothing_and_completes_once_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    make_older("paper", &path, &json!({ "schedules": paper_rows() }));
    // Stands in the way of one of our tables, after the older one was set aside.
    run(&path, "CREATE TABLE payloads (x)").await;
    let before = dump(&path).await;
    let error = open(&path).await.unwrap_err();
    assert_eq!(error.code().as_str(), "database_invalid");
    assert_eq!(dump(&path).await, before);
    assert!(backups(&path).is_empty());
    run(&path, "DROP TABLE payloads").await;
    let (db, report) = open(&path).await.unwrap();
    assert_eq!(report.unwrap().kept, 9);
    check_second_start(&path, db).await;
}

#[tokio::test]
async fn rows_and_views_that_refer_to_the_older_table_go_on_doing_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    make_older("paper", &path, &json!({ "schedules": paper_rows() }));
    run(
        &path,
        "CREATE TABLE notes (schedule INTEGER NOT NULL REFERENCES schedules (id)); \
         INSERT INTO notes VALUES (7); CREATE VIEW prompts AS SELECT prompt_text FROM schedules",
    )
    .await;
    open(&path).await.unwrap();
    assert_eq!(rows(&path, "SELECT * FROM prompts").await.len(), 9);
    assert!(rows(&path, "PRAGMA foreign_key_check").await.is_empty());
    assert_eq!(rows(&path, "SELECT * FROM notes").await, [["7"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_that_start_together_one_makes_or_upgrades_the_database() {
    let folder = tempfile::tempdir().unwrap();
    for older in [false, true] {
        let path = folder.path().join(format!("{older}.db"));
        if older {
            make_older("paper", &path, &json!({ "schedules": paper_rows() }));
        }
        let starts: Vec<_> = (0..6)
            .map(|_| {
                let path = path.clone();
                tokio::spawn(async move { open(&path).await })
            })
            .collect();
        let mut upgraded = 0;
        let mut ids = Vec::new();
        for start in starts {
            let (db, report) = start.await.unwrap().unwrap();
            upgraded += usize::from(report.is_some());
            ids.push(db.install_id());
        }
        ids.dedup();
        assert_eq!((ids.len(), upgraded), (1, usize::from(older)));
        assert_eq!(backups(&path).len(), usize::from(older));
    }
}
