//! What a scheduler asks of the database costs the same, whatever else is in it.
//!
//! Every statement is recorded while schedulers work, so that none can be forgotten, and SQLite is
//! asked for its query plan in databases with a lot of data.

mod every;
pub mod filled;
mod large;
mod statements;
mod work;

use std::collections::{BTreeMap, BTreeSet};

use self::filled::{Maker, Statistics, fill};
pub use self::statements::by_scheduler;
use self::statements::statements_of;
use crate::foreign_writers::raw::Foreign;

/// The tables that grow without end.
const BIG: [&str; 10] = [
    "schedules",
    "occurrences",
    "attempts",
    "incidents",
    "payloads",
    "schedule_revisions",
    "outbox",
    "pruned_sums",
    "requests",
    "changes",
];

/// The indexes that only hold what concerns somebody now: they may be gone through.
const SMALL: [&str; 8] = [
    "ix_schedules_touched",
    "ix_occurrences_open",
    "ix_occurrences_open_uid",
    "ix_occurrences_one_in_flight_per_lane",
    "ix_incidents_one_open",
    "ix_incidents_open",
    "ix_incidents_untold",
    "ix_outbox_leased",
];

/// Searches that find too much: nearly every schedule is active, and each has a long history.
const VAGUE: [&str; 6] = [
    "INDEX ix_schedules_active (active=?",
    "INDEX ix_schedules_next_run (",
    "INDEX ix_schedules_agent_id (agent_id=?)",
    "INDEX ix_schedules_name (agent_id=?)",
    "INDEX sqlite_autoindex_occurrences_1 (uid=?)",
    "INDEX sqlite_autoindex_occurrences_1 (uid=? AND trigger=?)",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scheduler_asks_costs_the_same_whatever_lies_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let statements = statements_of(work::all()).await;
    let statements: Vec<&String> = statements.iter().filter(|sql| is_planned(sql)).collect();
    assert!(statements.len() > 50, "{statements:#?}");
    let mut faults: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for maker in [Maker::Promptyoself, Maker::SqlAlchemy] {
        for statistics in [Statistics::None, Statistics::Fresh, Statistics::Stale] {
            let path = fill(folder.path(), maker, statistics).await;
            let mut foreign = Foreign::connect(&path).await;
            for sql in &statements {
                for step in foreign.plan(sql).await {
                    if let Some(fault) = fault_of(sql, &step) {
                        let fault = format!("{fault}: {step}\n  {sql}");
                        let of = format!("{maker:?} with {statistics:?} statistics");
                        faults.entry(fault).or_default().push(of);
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Whether SQLite plans it: a transaction's beginning and end need none.
fn is_planned(sql: &str) -> bool {
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"]
        .iter()
        .any(|verb| sql.starts_with(verb))
}

/// The fault of a step that sorts.
const SORTS: &str = "sorts";

/// What is wrong with a step of a plan.
fn fault_of(sql: &str, step: &str) -> Option<&'static str> {
    let table = step.strip_prefix("SCAN ").map(|rest| {
        let name = rest.split(' ').next().unwrap_or_default();
        table_of(sql, name)
    });
    let is_small = SMALL
        .iter()
        .any(|index| step.ends_with(&format!("INDEX {index}")));
    // The newest of all, up to a number of them; and of what is open, which is not much.
    let is_page = step.ends_with("INDEX ix_occurrences_intended_at")
        || step.contains("TEMP B-TREE") && sql.contains("INDEXED BY ix_occurrences_open");
    if is_page && sql.contains(" LIMIT ") {
        return None;
    }
    if table.is_some_and(|table| BIG.contains(&table.as_str())) && !is_small {
        return Some("goes through a whole table");
    }
    if step.contains("TEMP B-TREE") {
        return Some(SORTS);
    }
    if VAGUE.iter().any(|search| step.contains(search)) {
        return Some("uses the wrong index");
    }
    None
}

/// The table that a name stands for in a statement.
fn table_of(sql: &str, name: &str) -> String {
    let words: Vec<&str> = sql
        .split(|c: char| c.is_whitespace() || "(),".contains(c))
        .filter(|word| !word.is_empty())
        .collect();
    let named = words.windows(3).find_map(|w| match w {
        [table, "AS", alias] | [table, alias, _] if *alias == name && BIG.contains(table) => {
            Some(*table)
        }
        _ => None,
    });
    named.unwrap_or(name).to_owned()
}

/// What the schedulers ask of the database, by name. A new one belongs into [`work`].
const ASKED: [&str; 33] = [
    "adopt_touched",
    "beat",
    "claim_due",
    "claim_waiting",
    "data_version",
    "end_pauses",
    "forget_scheduler",
    "get_halt",
    "give_up",
    "hold_target",
    "known_times",
    "list_dead_owners",
    "list_halted_targets",
    "list_held_targets",
    "list_oldest_due",
    "lock_owner",
    "next_due",
    "next_resume",
    "note_doubt",
    "replan",
    "prune",
    "pull_forward",
    "readopt",
    "record_conversation",
    "record_run",
    "release_target",
    "review_incidents",
    "settle",
    "settle_deleted",
    "sort_open_occurrences",
    "take_over",
    "trust_clock",
    "wait_for_others",
];

#[test]
fn no_question_of_a_scheduler_is_left_out() {
    let mut asked = BTreeSet::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scheduler")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source: String = std::fs::read_to_string(path).unwrap();
            let source: String = source.split_whitespace().collect();
            for call in source.split("db.").skip(1) {
                let name: String = call
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                    .collect();
                // Those that ask nothing of the database.
                let is_nothing = ["clone", "subscribe", "notify_all"].contains(&name.as_str());
                if call[name.len()..].starts_with('(') && !is_nothing {
                    asked.insert(name);
                }
            }
        }
    }
    let known: BTreeSet<String> = ASKED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(asked, known);
}
