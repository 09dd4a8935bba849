//! Every statement, run on a large database.

use std::collections::{BTreeMap, BTreeSet};

use promptyoself::db::STATEMENTS;

use super::filled::Statistics;
use super::large::Large;
use super::{SORTS, fault_of};
use crate::statements::values::Kinds;

/// When a statement may go through a whole table, or sort.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum May {
    /// It may always read a whole table, but not sort: the connection that writes sorts in memory.
    GoThrough,
    /// It may always do both.
    Sort,
    /// Only while SQLite goes by statistics of another time: there is no way to tell it better.
    Outdated,
}

/// The statements that may go through a whole table, or sort, by a part that no other one above it
/// has.
const MAY: [(&str, May); 37] = [
    // The account of every schedule, and of one: it goes through what became of that.
    (
        "UNION SELECT uid FROM schedule_revisions UNION SELECT uid FROM occurrences",
        May::Sort,
    ),
    ("state, 0 AS pruned, sum(", May::Sort),
    // The oldest of one schedule, in the order in which they stand in the index.
    (
        "SELECT first_at, intended_at FROM occurrences WHERE uid = $1",
        May::GoThrough,
    ),
    // Lists and their sizes are asked for by a person or a tool, page by page, in the order of the
    // next run.
    ("agent_id = coalesce($1, agent_id)", May::GoThrough),
    // The newest changes, down to a time.
    ("FROM changes  ORDER BY id DESC", May::GoThrough),
    ("FROM changes WHERE at >= $3 ORDER BY id DESC", May::Sort),
    // A look at everything, by `doctor`.
    ("o.run_id AS run_id, o.owner AS owner", May::Sort),
    ("'waiting' AS state, s.next_run AS since", May::Sort),
    ("SELECT owner, count(*) AS n FROM occurrences", May::Sort),
    // There are few schedulers.
    ("FROM schedulers ORDER BY started_at", May::Sort),
    // The counts of the gauges are counted again where they can't be right.
    ("AS broken FROM schedules", May::GoThrough),
    // A backup is looked through, and what is restored is settled before anything is sent.
    (
        "SELECT (SELECT count(*) FROM schedules) AS n",
        May::GoThrough,
    ),
    (
        "WHERE lifecycle = 'active' AND next_run <= $1 ORDER BY id",
        May::GoThrough,
    ),
    (
        "SET state = 'skipped', reason = $1, finished_at = $2",
        May::GoThrough,
    ),
    ("ON i.subject = s.uid OR i.agent_id = s.agent_id", May::Sort),
    // A purge, which a person asks for.
    (
        "WHERE (closed_at IS NOT NULL OR NOT EXISTS (SELECT 1 FROM schedules s",
        May::GoThrough,
    ),
    (
        "WHERE (lifecycle IS NULL OR lifecycle NOT IN ('finished', 'cancelled')) AND",
        May::GoThrough,
    ),
    ("SELECT count(*) FROM payloads", May::GoThrough),
    (
        "WHERE lifecycle IN ('finished', 'cancelled') AND touched = 0 AND prompt_text <> ''",
        May::Outdated,
    ),
    (
        "SELECT id FROM occurrences WHERE state NOT IN ('waiting', 'sending', 'unknown')",
        May::Outdated,
    ),
    // After a clock that was wrong, all that was written by it is put right, once.
    (
        "SELECT uid FROM occurrences WHERE finished_at > $1 UNION",
        May::Sort,
    ),
    ("(SELECT from_at FROM schedule_revisions r", May::Outdated),
    (
        "UPDATE attempts SET finished_at = $1 WHERE finished",
        May::GoThrough,
    ),
    ("UPDATE attempts SET started_at = $1", May::GoThrough),
    ("UPDATE incidents SET opened_at = $1", May::GoThrough),
    ("UPDATE occurrences SET doubted_at = $1", May::GoThrough),
    (
        "UPDATE occurrences SET sent_at = $1 WHERE finished",
        May::Outdated,
    ),
    ("UPDATE outbox SET created_at = $1", May::GoThrough),
    (
        "SET expires_at = $1 WHERE expires_at > $1 AND channel <> ",
        May::GoThrough,
    ),
    (
        "SET expires_at = $1 WHERE expires_at > $1 AND channel = ",
        May::GoThrough,
    ),
    ("UPDATE outbox SET not_before = $1", May::GoThrough),
    (
        "paused_at = CASE WHEN paused_at > $1 THEN $1",
        May::GoThrough,
    ),
    // Rows whose numbers are known: SQLite takes no hint to look them up by those.
    (
        "DELETE FROM incidents WHERE id IN (SELECT value",
        May::Outdated,
    ),
    ("AND channel = 'ping' RETURNING id", May::Outdated),
    (
        "DELETE FROM outbox WHERE id IN (SELECT value",
        May::Outdated,
    ),
    ("UPDATE outbox SET given_up_at = $2", May::Outdated),
    // How many there are.
    ("SELECT count(*) FROM schedules", May::GoThrough),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_goes_through_a_large_table_or_sorts_unless_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let large = Large::fill(folder.path()).await;
    let mut faults: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for statistics in [Statistics::None, Statistics::Fresh, Statistics::Stale] {
        let mut foreign = large.with(statistics).await;
        let kinds = Kinds::read(&mut foreign).await;
        for sql in STATEMENTS {
            let places = foreign.places(sql).await.unwrap();
            let values = kinds.values(sql, &places).unwrap();
            // What SQLite knows of some values may change its mind.
            let plans = [
                foreign.plan(sql).await,
                foreign.plan_with(sql, &values).await,
            ];
            for step in plans.concat() {
                let Some(fault) = fault_of(sql, &step) else {
                    continue;
                };
                match MAY.iter().find(|(part, _)| sql.contains(part)) {
                    Some((part, may)) if may_now(*may, fault, statistics) => {
                        if *may != May::Sort || fault == SORTS {
                            used.insert((*part, *may));
                        }
                    }
                    _ => {
                        let fault = format!("{fault}: {step}\n  {sql}");
                        let of = format!("{statistics:?} statistics");
                        faults.entry(fault).or_default().insert(of);
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    let known: BTreeSet<(&str, May)> = MAY.into_iter().collect();
    let idle: Vec<_> = known.difference(&used).map(|(part, _)| part).collect();
    assert!(idle.is_empty(), "no statement needs {idle:#?}");
}

fn may_now(may: May, fault: &str, statistics: Statistics) -> bool {
    match may {
        May::GoThrough => fault != SORTS,
        May::Sort => true,
        May::Outdated => matches!(statistics, Statistics::Stale),
    }
}
