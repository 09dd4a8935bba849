//! Every SQL statement of the program, each of which stands in a list of all.

mod list;
mod values;

use std::collections::BTreeMap;

use promptyoself::db::STATEMENTS;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

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

#[test]
fn every_statement_of_the_sources_is_in_the_list() {
    assert_eq!(STATEMENTS.len(), list::in_sources());
}

#[tokio::test]
async fn every_statement_is_understood_and_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filled.db");
    let mut foreign = fill_with(&path, Maker::Promptyoself, ROWS).await;
    foreign.run(SMALL).await;
    let kinds = Kinds::read(&mut foreign).await;
    let mut faults: BTreeMap<&str, String> = BTreeMap::new();
    for sql in STATEMENTS {
        let places = match foreign.places(sql).await {
            Ok(places) => places,
            Err(e) => {
                faults.insert(sql, e.to_string());
                continue;
            }
        };
        let Some(numbers) = numbers_of(&places) else {
            faults.insert(sql, format!("its values are {places:?}"));
            continue;
        };
        let values = kinds.values(sql, numbers.len());
        let in_order: Vec<&Value> = numbers.iter().map(|n| &values[n - 1]).collect();
        foreign.run("BEGIN IMMEDIATE").await;
        let done = foreign.try_to_run_with(sql, params_from_iter(&in_order));
        if let Err(e) = done.await {
            faults.insert(sql, format!("{e} with {values:?}"));
        }
        foreign.run("ROLLBACK").await;
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The numbers of the places for values, if those are $1 to the last one, each of them used.
fn numbers_of(places: &[String]) -> Option<Vec<usize>> {
    let number = |place: &String| place.strip_prefix('$')?.parse().ok();
    let numbers: Vec<usize> = places.iter().map(number).collect::<Option<_>>()?;
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.into_iter().eq(1..=places.len()).then_some(numbers)
}

#[test]
fn a_gap_in_the_numbers_is_seen() {
    let places = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).into()).collect() };
    assert_eq!(numbers_of(&places(&["$2", "$1"])), Some(vec![2, 1]));
    for wrong in [
        &["$1", "$3"][..],
        &["$2"],
        &["?1"],
        &["$name"],
        &["$0", "$1"],
    ] {
        assert_eq!(numbers_of(&places(wrong)), None, "{wrong:?}");
    }
}
