//! Databases with a lot of data, from us or from another program, with and without statistics.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use promptyoself::db::Db;
use promptyoself::schedule::Zone;
use serde_json::json;

use crate::foreign_writers::raw::Foreign;
use crate::python::make_older;

/// Who made the table `schedules`.
#[derive(Clone, Copy, Debug)]
pub enum Maker {
    Promptyoself,
    SqlAlchemy,
}

/// What the database knows of its own tables.
#[derive(Clone, Copy, Debug)]
pub enum Statistics {
    None,
    /// `ANALYZE` was run just now.
    Fresh,
    /// `ANALYZE` was run when there was next to nothing in it.
    Stale,
}

/// Makes a database with thousands of rows in each table of which few matter now.
pub async fn fill(folder: &Path, maker: Maker, statistics: Statistics) -> PathBuf {
    let path = folder.join(format!("{maker:?}-{statistics:?}.db"));
    let mut foreign = make(&path, maker).await;
    foreign.run(&rows(1..=2)).await;
    if let Statistics::Stale = statistics {
        foreign.run("ANALYZE").await;
    }
    foreign.run(&rows(3..=20_000)).await;
    if let Statistics::Fresh = statistics {
        foreign.run("ANALYZE").await;
    }
    path
}

/// Makes a database with so many rows in each table.
pub async fn fill_with(path: &Path, maker: Maker, most: i64) -> Foreign {
    let mut foreign = make(path, maker).await;
    foreign.run(&rows(1..=most)).await;
    foreign
}

/// An empty database.
pub async fn make(path: &Path, maker: Maker) -> Foreign {
    if let Maker::SqlAlchemy = maker {
        let schedule = json!({
            "id": 1, "agent_id": "agent-a", "prompt_text": "x", "schedule_type": "once",
            "schedule_value": "x", "next_run": { "utc": "2030-01-01T00:00:00" }, "active": true,
        });
        make_older("paper", path, &json!({ "schedules": [schedule] }));
    }
    let now: Timestamp = "2026-02-01T12:00:00Z".parse().unwrap();
    let (db, _) = Db::open(path, &Zone::utc(), now).await.unwrap();
    db.close().await;
    Foreign::connect(path).await
}

/// Dormant schedules, and as many settled occurrences with all that belongs to them: a quarter of
/// them is one schedule's. One in a thousand is open, due or changed by another program.
pub fn rows(numbers: std::ops::RangeInclusive<i64>) -> String {
    let (first, last) = numbers.into_inner();
    let each = format!(
        "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}), \
         r AS (SELECT i, printf('%08x-0000-4000-8000-%012x', i, i) AS uid, \
             printf('%08x-0000-4000-8000-%012x', i % 4 * i, i % 4 * i) AS whose, \
             'agent-' || i % 500 AS agent, i % 1000 = 7 AS odd, printf('%064x', i) AS hash, \
             '2026-01-01 00:00:00.' || printf('%06d', i) AS past, \
             '2030-01-01 00:00:00.' || printf('%06d', i) AS future FROM n) "
    );
    [
        "INSERT INTO payloads (hash, body) SELECT hash, '{}' FROM r",
        "INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, next_run, \
         active, uid, name, timezone, anchor, lifecycle, planned_next_run, row_version, touched, \
         payload) SELECT agent, 'x', 'interval', '1h', iif(odd, past, future), 1, uid, 'n' || i, \
         'UTC', past, 'active', future, 1, odd AND i % 2000 > 1000, iif(i % 3, NULL, hash) FROM r",
        "INSERT INTO schedule_revisions (uid, from_at, schedule_type, schedule_value, timezone, \
         anchor, first_instant) SELECT uid, past, 'interval', '1h', 'UTC', past, past FROM r",
        "INSERT INTO occurrences (id, uid, agent_id, \"trigger\", first_at, intended_at, state, lane, \
         payload, not_before, finished_at, owner) SELECT i, iif(odd, uid, whose), agent, 'schedule', \
         past, past, \
         CASE WHEN NOT odd THEN 'delivered' WHEN i % 2000 > 1000 THEN 'sending' ELSE 'waiting' END, \
         'letta/' || agent || iif(odd, i, ''), hash, iif(odd, past, NULL), iif(odd, NULL, past), \
         iif(odd, uid, NULL) FROM r",
        "INSERT INTO attempts (occurrence_id, n, otid, started_at) \
         SELECT i, 1, uid, past FROM r",
        "INSERT INTO incidents (kind, subject, reason, opened_at, closed_at, told) \
         SELECT 'dead', uid, 'x', past, iif(odd, NULL, past), 1 FROM r",
        "INSERT INTO outbox (channel, lane, kind, event, body, created_at, not_before, expires_at) \
         SELECT 'url', 'incident:' || i, 'dead', 'opened', '{}', past, past, future FROM r",
        "INSERT INTO pruned_sums (uid, \"trigger\", state, count, first_at, last_at) \
         SELECT uid, 'schedule', 'delivered', 1, past, past FROM r",
        "INSERT INTO deleted_schedules (uid, agent_id, repetitions) SELECT uid || 'x', agent, 0 \
         FROM r",
        "INSERT INTO changes (at, caller, face, operation, schedule_id, uid, agent_id) \
         SELECT past, 'operator', 'cli', 'update', i, uid, agent FROM r",
        "INSERT INTO requests (caller, key, hash, created_at) SELECT 'c', hash, hash, past FROM r",
    ]
    .map(|insert| {
        let (into, select) = insert.split_once(" SELECT").unwrap();
        format!("{into} {each} SELECT{select};")
    })
    .concat()
}

/// More settled occurrences of the first so many schedules.
pub fn more_occurrences(numbers: std::ops::RangeInclusive<i64>, schedules: i64) -> String {
    let (first, last) = numbers.into_inner();
    format!(
        "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}), \
         r AS (SELECT i, printf('%08x-0000-4000-8000-%012x', i % {schedules}, i % {schedules}) \
             AS uid, '2026-01-02 00:00:00.' || printf('%06d', i % 1000000) AS past FROM n) \
         INSERT INTO occurrences (id, uid, agent_id, \"trigger\", first_at, intended_at, state, \
             lane, finished_at) \
         SELECT i, uid, 'agent-' || i % 500, 'schedule', past, past, 'delivered', \
             'letta/agent-' || i % 500, past FROM r;"
    )
}
