//! The history of occurrences. Each kind of query has an index of its own, so that the cost of a
//! page doesn't depend on the size of the database.

use jiff::Timestamp;

use super::rows::{self, occurrence_columns};
use crate::db::sql::{self, Row, Tx, at_target, statement};
use crate::db::time::DbTime;
use crate::models::{Attempt, HistoryFilter, Occurrence, State, UnreadableOccurrence};

/// An occurrence to be shown.
pub(in crate::db) struct Shown {
    /// The occurrence.
    pub(in crate::db) occurrence: Occurrence,
    /// The id of its schedule, if that still exists.
    pub(in crate::db) schedule_id: Option<i64>,
}

/// The query for a page of the history by an index: otherwise SQLite follows outdated statistics.
macro_rules! page_text {
    ($index:literal, [$($which:tt)+], $since:literal) => {
        concat!(
            "SELECT ",
            occurrence_columns!(),
            ", (SELECT s.id FROM schedules s INDEXED BY ix_schedules_uid \
             WHERE s.uid = occurrences.uid) AS schedule_id FROM occurrences INDEXED BY ",
            $index,
            " WHERE ",
            $($which)+,
            $since,
            " ORDER BY intended_at DESC, id DESC LIMIT $1 OFFSET $2"
        )
    };
}

/// The same query with and without a start time.
macro_rules! page {
    ($since:expr, $index:literal, [$($which:tt)+], $from:literal) => {
        match $since {
            None => statement!(page_text!($index, [$($which)+], "")),
            Some(_) => statement!(page_text!($index, [$($which)+], $from)),
        }
    };
}

/// The latest occurrences matching a filter, newest first, each one read or unreadable.
pub(in crate::db) fn list(
    tx: &Tx<'_>,
    filter: &HistoryFilter,
) -> sql::Result<Vec<Result<Shown, UnreadableOccurrence>>> {
    if let Some(settled_since) = filter.settled_since {
        return list_settled(tx, filter, settled_since);
    }
    use State::{
        Cancelled, Coalesced, Dead, Delivered, Missed, Sending, Skipped, Unknown, Waiting,
    };
    let since = filter.since;
    // The conditions of the partial indexes have to be repeated literally.
    let question = match (filter.uid, &filter.agent, filter.state) {
        (Some(_), _, _) => page!(
            since,
            "ix_occurrences_of_schedule",
            [
                "uid = $7 AND ($4 IS NULL OR agent_id = $4) AND ($3 IS NULL OR state = $3) AND ",
                at_target!("$5", "$6")
            ],
            " AND intended_at >= $8"
        ),
        (None, Some(_), _) => page!(
            since,
            "ix_occurrences_of_agent",
            [
                "agent_id = $4 AND ($3 IS NULL OR state = $3) AND ",
                at_target!("$5", "$6")
            ],
            " AND intended_at >= $7"
        ),
        (None, None, Some(Dead | Missed | Skipped | Cancelled)) => page!(
            since,
            "ix_occurrences_not_sent",
            ["state = $3 AND state IN ('dead', 'missed', 'skipped', 'cancelled')"],
            " AND intended_at >= $4"
        ),
        (None, None, Some(Waiting | Sending | Unknown)) => page!(
            since,
            "ix_occurrences_open",
            ["state = $3 AND state IN ('waiting', 'sending', 'unknown')"],
            " AND intended_at >= $4"
        ),
        (None, None, Some(Delivered | Coalesced) | None) => page!(
            since,
            "ix_occurrences_intended_at",
            ["($3 IS NULL OR state = $3)"],
            " AND intended_at >= $4"
        ),
    };
    let question = question
        .bind(i64::from(filter.limit))
        .bind(i64::from(filter.offset))
        .bind(filter.state.map(State::as_str));
    let agent = filter.agent.as_ref();
    let question = match (agent, filter.uid) {
        (None, None) => question,
        (agent, _) => question
            .bind(agent.map(|agent| agent.id.as_str()))
            .bind_target(tx, agent.and_then(|agent| agent.target.as_ref())),
    };
    let question = question.bind_given(filter.uid.map(|uid| uid.to_string()));
    let rows = question.bind_given(since.map(DbTime)).fetch_all(tx)?;
    Ok(rows::read_each(&rows, shown))
}

/// Those that were settled at a time or later, the first to settle first.
fn list_settled(
    tx: &Tx<'_>,
    filter: &HistoryFilter,
    settled_since: Timestamp,
) -> sql::Result<Vec<Result<Shown, UnreadableOccurrence>>> {
    let agent = filter.agent.as_ref();
    let rows = statement!(concat!(
        "SELECT ",
        occurrence_columns!(),
        ", (SELECT s.id FROM schedules s INDEXED BY ix_schedules_uid \
         WHERE s.uid = occurrences.uid) AS schedule_id \
         FROM occurrences INDEXED BY ix_occurrences_finished_at \
         WHERE finished_at >= $3 AND ($4 IS NULL OR uid = $4) AND ($5 IS NULL OR agent_id = $5) \
         AND ($6 IS NULL OR state = $6) AND ($7 IS NULL OR intended_at >= $7) AND ",
        at_target!("$8", "$9"),
        " ORDER BY finished_at, id LIMIT $1 OFFSET $2"
    ))
    .bind(i64::from(filter.limit))
    .bind(i64::from(filter.offset))
    .bind(DbTime(settled_since))
    .bind(filter.uid.map(|uid| uid.to_string()))
    .bind(agent.map(|agent| agent.id.as_str()))
    .bind(filter.state.map(State::as_str))
    .bind(filter.since.map(DbTime))
    .bind_target(tx, agent.and_then(|agent| agent.target.as_ref()))
    .fetch_all(tx)?;
    Ok(rows::read_each(&rows, shown))
}

fn shown(row: &Row) -> sql::Result<Shown> {
    Ok(Shown {
        occurrence: rows::occurrence(row)?,
        schedule_id: rows::number(row, "schedule_id"),
    })
}

/// The attempts of an occurrence, oldest first, without those that can't be read.
pub(in crate::db) fn list_attempts(tx: &Tx<'_>, occurrence_id: i64) -> sql::Result<Vec<Attempt>> {
    let rows = statement!(
        "SELECT n, otid, started_at, finished_at, repeats, error_code, error, run_id \
         FROM attempts WHERE occurrence_id = $1 ORDER BY n"
    )
    .bind(occurrence_id)
    .fetch_all(tx)?;
    Ok(rows.iter().enumerate().filter_map(attempt).collect())
}

fn attempt((place, row): (usize, &Row)) -> Option<Attempt> {
    Some(Attempt {
        n: rows::number(row, "n").or_else(|| i64::try_from(place + 1).ok())?,
        otid: rows::uuid(row, "otid").ok()?,
        started_at: rows::lenient_time(row, "started_at")?,
        finished_at: rows::lenient_time(row, "finished_at"),
        repeats: rows::number(row, "repeats").unwrap_or(0),
        error_code: rows::text(row, "error_code"),
        error: rows::text(row, "error"),
        run_id: rows::text(row, "run_id"),
    })
}
