//! After an upgrade, schedules of older programs continue: future runs are sent, nothing of the
//! past is, and every account is proved.

use std::path::Path;
use std::sync::Arc;

use promptyoself::models::State;
use promptyoself::scheduler::Mode;
use promptyoself::service::Service;
use serde_json::{Value, json};

use super::{dump, make_older, paper_rows, row, rows};
use crate::fake_target::FakeTarget;
use crate::world::World;

async fn open(world: &World, path: &Path) -> (Service, bool) {
    let target: Arc<FakeTarget> = world.target.clone();
    let opened = Service::open(path, "Europe/Berlin", target, world.clock.clone());
    let (service, report) = opened.await.unwrap();
    (service, report.is_some())
}

async fn check_accounts(service: &Service) {
    for account in service.db.accounts().await.unwrap() {
        let proved = account.balanced && account.expected.is_some();
        assert!(proved, "{account:?}");
    }
    let diagnosis = service.diagnose(4).await.unwrap();
    let wrong = |code: &str| code.starts_with("account") || code.starts_with("database");
    let found: Vec<_> = diagnosis
        .findings
        .iter()
        .filter(|f| wrong(f.code))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Opens a file of an older program at noon, and runs a scheduler at once and at 13:20.
async fn go_on(program: &str, tables: Value, kept: &str, wanted: &[&str]) {
    let world = World::new().await;
    let path = world.path().with_file_name("older.db");
    make_older(program, &path, &tables);
    let (service, is_upgraded) = open(&world, &path).await;
    assert!(is_upgraded);
    check_accounts(&service).await;
    let texts = "SELECT id, prompt_text FROM schedules ORDER BY id";
    let before = rows(&path, texts).await;
    assert_eq!(before.len().to_string(), kept);
    world.start_on(&service, Mode::Once).ended().await;
    assert!(world.target.sent().is_empty(), "{:?}", world.target.sent());

    world.advance(80 * 60);
    world.start_on(&service, Mode::Once).ended().await;
    let sent: Vec<String> = world.target.sent().into_iter().map(|s| s.text).collect();
    let mut prompts: Vec<&str> = sent.iter().map(|text| prompt(text)).collect();
    prompts.sort_unstable();
    assert_eq!(prompts, wanted);
    assert!(!world.target.overlapped());
    assert_eq!(rows(&path, texts).await, before);
    let states = rows(&path, "SELECT DISTINCT state FROM occurrences").await;
    for state in states {
        let state = State::from_word(&state[0]).unwrap();
        assert!(!state.is_open(), "{state:?}");
    }
    check_accounts(&service).await;

    service.db.close().await;
    let settled = dump(&path).await;
    let (service, is_upgraded) = open(&world, &path).await;
    assert!(!is_upgraded);
    service.db.close().await;
    assert_eq!(dump(&path).await, settled);
}

/// The prompt without the line before it.
fn prompt(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or(text)
}

#[tokio::test]
async fn the_prompts_of_the_paper_go_on_and_none_of_its_past_is_sent() {
    let wanted = ["prompt 2 👋", "prompt 5 👋", "prompt 7 👋"];
    go_on("paper", json!({ "schedules": paper_rows() }), "9", &wanted).await;
}

#[tokio::test]
async fn the_prompts_of_both_python_tables_go_on_and_none_of_their_past_is_sent() {
    let older = |id: i64, kind: &str, value: &str, next: &str, limit: Value, count: Value| {
        let mut row = row(id, kind, value, next, true, Value::Null);
        row["agent_id"] = json!(format!("agent-{id}"));
        row["max_repetitions"] = limit;
        row["repetition_count"] = count;
        row
    };
    let reminder = |mut row: Value| {
        row["message"] = row["prompt_text"].take();
        row.as_object_mut().unwrap().remove("prompt_text");
        row
    };
    let none = || Value::Null;
    let tables = json!({
        "schedules": [
            // It has three left, and then none.
            older(1, "interval", "5m", "12:01:00", json!(5), json!(2)),
            older(2, "interval", "5m", "12:01:00", json!(3), json!(3)),
            older(3, "cron", "15 13 * * *", "11:15:00", json!(0), none()),
            older(4, "once", "2026-02-01 11:00:00", "11:00:00", none(), none()),
        ],
        "unified_reminders": [
            reminder(older(5, "once", "2026-02-01 13:00:00", "13:00:00", none(), none())),
            reminder(older(6, "interval", "1h", "11:30:00", json!(4), json!(1))),
            reminder(older(7, "once", "2026-02-01 10:00:00", "10:00:00", none(), none())),
        ],
    });
    let wanted = ["prompt 1 👋", "prompt 3 👋", "prompt 5 👋", "prompt 6 👋"];
    go_on("original", tables, "7", &wanted).await;
}
