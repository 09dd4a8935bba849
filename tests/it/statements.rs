//! Every SQL statement of the program, each of which is in the list of all.

mod list;
pub mod values;

use std::collections::BTreeMap;

use promptyoself::db::STATEMENTS;
use rusqlite::params_from_iter;

use self::values::Kinds;
use crate::plans::filled::{Maker, fill_with};

/// How many rows there are in each table that grows.
const ROWS: i64 = 2_000;

/// Rows of the tables that have one for each scheduler, target, listener, key or caller.
const SMALL: &str = "\
    INSERT INTO schedulers (owner, pid, started_at, heartbeat_at) VALUES \
        ('00000001-0000-4000-8000-000000000001', 1, '2026-02-01 11:00:00.000000', \
         '2026-02-01 11:59:00.000000'); \
    INSERT INTO held_targets (target, held_since, code, reason) VALUES \
        ('letta', '2026-02-01 11:00:00.000000', 'unhealthy', 'down'); \
    INSERT INTO halt (only_row, since) VALUES (1, '2026-02-01 11:00:00.000000'); \
    INSERT INTO channels (name, wanted_until) VALUES ('url', '2026-02-02 12:00:00.000000'); \
    INSERT INTO clock_readings (trusted, at, uptime) VALUES \
        (0, '2026-02-01 11:00:00.000000', 0), (1, '2026-02-01 11:00:00.000000', 0); \
    INSERT INTO keys (name, hash, created_at) VALUES ('k', 'h', '2026-02-01 11:00:00.000000'); \
    INSERT INTO former_installs (install_id, until) VALUES \
        ('00000009-0000-4000-8000-000000000009', '2026-02-02 12:00:00.000000'); \
    INSERT INTO registrations (uid, agent_id, made_at, chose_agent) \
        SELECT uid, agent_id, '2026-02-01 11:00:00.000000', 1 FROM schedules";

/// The statements that a table refuses while what another one removes before is still there, by a
/// part that no other has: they were understood.
const REFUSED: [(&str, &str); 2] = [
    (
        "DELETE FROM occurrences WHERE id = $1 RETURNING ",
        "FOREIGN KEY constraint failed",
    ),
    (
        "INSERT INTO clock_readings (trusted, at, uptime) VALUES (1, $1, 0)",
        "UNIQUE constraint failed: clock_readings.trusted",
    ),
];

#[test]
fn every_statement_of_the_sources_is_in_the_list() {
    assert_eq!(STATEMENTS.len(), list::in_sources());
}

#[test]
fn no_statement_deletes_a_whole_table_without_sqlite_telling_of_it() {
    let watched = ["schedules", "occurrences", "halt", "outbox"];
    let silent = watched.map(|table| format!("DELETE FROM {table}"));
    let is_silent = |sql: &&&str| silent.iter().any(|silent| silent == **sql);
    let found: Vec<&&str> = STATEMENTS.iter().filter(is_silent).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn every_statement_is_understood_and_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filled.db");
    let mut foreign = fill_with(&path, Maker::Promptyoself, ROWS).await;
    foreign.run(SMALL).await;
    let kinds = Kinds::read(&mut foreign).await;
    let mut faults: BTreeMap<&str, String> = BTreeMap::new();
    let mut refused = Vec::new();
    for sql in STATEMENTS {
        let places = match foreign.places(sql).await {
            Ok(places) => places,
            Err(e) => {
                faults.insert(sql, e.to_string());
                continue;
            }
        };
        let Some(values) = kinds.values(sql, &places) else {
            faults.insert(sql, format!("its values are {places:?}"));
            continue;
        };
        foreign.run("BEGIN IMMEDIATE").await;
        let done = foreign.try_to_run_with(sql, params_from_iter(&values));
        if let Err(e) = done.await {
            let text = e.to_string();
            let known = |(part, why): &&(&str, &str)| sql.contains(part) && text == *why;
            match REFUSED.iter().find(known) {
                Some(known) => refused.push(*known),
                None => drop(faults.insert(sql, format!("{e} with {values:?}"))),
            }
        }
        foreign.run("ROLLBACK").await;
    }
    assert!(faults.is_empty(), "{faults:#?}");
    refused.sort_unstable();
    assert_eq!(refused, REFUSED);
}
