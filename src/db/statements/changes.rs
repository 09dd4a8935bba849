//! The record of changes.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows;
use crate::db::sql::{self, Row, Tx, at_target, statement};
use crate::db::time::DbTime;
use crate::models::{By, Change, ChangeQuery, Operation, TargetName};

/// A change to be recorded.
pub(in crate::db) struct Made<'a> {
    /// Who makes it.
    pub(in crate::db) by: &'a By,
    /// What is done.
    pub(in crate::db) operation: Operation,
    /// The id of the schedule it is about.
    pub(in crate::db) schedule_id: Option<i64>,
    /// That schedule's uid.
    pub(in crate::db) uid: Option<Uuid>,
    /// That schedule's agent.
    pub(in crate::db) agent_id: Option<&'a str>,
    /// The target that knows that agent.
    pub(in crate::db) target: Option<&'a TargetName>,
    /// The names of the changed parts.
    pub(in crate::db) what: Option<&'a str>,
}

/// Records a change. Returns its id.
pub(in crate::db) fn insert(tx: &Tx<'_>, made: &Made<'_>, now: Timestamp) -> sql::Result<i64> {
    statement!(
        "INSERT INTO changes (at, caller, key_name, face, operation, schedule_id, uid, agent_id, \
         what, target) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id"
    )
    .bind(DbTime(now))
    .bind(made.by.who(tx.targets()))
    .bind(made.by.key.as_deref())
    .bind(made.by.face.as_str())
    .bind(made.operation.as_str())
    .bind(made.schedule_id)
    .bind(made.uid.map(|u| u.to_string()))
    .bind(made.agent_id)
    .bind(made.what)
    .bind(made.target.map(TargetName::as_str))
    .one(tx)
}

/// Replaces the description of a change.
pub(in crate::db) fn set_what(tx: &Tx<'_>, id: i64, what: &str) -> sql::Result<()> {
    statement!("UPDATE changes SET what = $2 WHERE id = $1")
        .bind(id)
        .bind(what)
        .execute(tx)?;
    Ok(())
}

/// A query for changes with conditions, whose values come after those of the page.
macro_rules! changes {
    ($($bounds:tt)+) => {
        statement!(
            "SELECT id, at, caller, key_name, face, operation, schedule_id, uid, agent_id, what, \
             target FROM changes ",
            $($bounds)+,
            " ORDER BY id DESC LIMIT $1 OFFSET $2"
        )
    };
}

/// The changes matching a filter, newest first.
pub(in crate::db) fn list(tx: &Tx<'_>, asked: &ChangeQuery) -> sql::Result<Vec<Change>> {
    // Each condition has an index, and a condition that is not used must not keep another from
    // using its own.
    let question = match (asked.schedule_id, &asked.agent, asked.since) {
        (None, None, None) => changes!(""),
        (None, None, Some(_)) => changes!("WHERE at >= $3"),
        (None, Some(_), None) => changes!(
            "INDEXED BY ix_changes_agent_id WHERE agent_id = $3 AND ",
            at_target!("$4", "$5")
        ),
        (None, Some(_), Some(_)) => changes!(
            "INDEXED BY ix_changes_agent_id WHERE agent_id = $3 AND at >= $6 AND ",
            at_target!("$4", "$5")
        ),
        (Some(_), None, None) => {
            changes!("INDEXED BY ix_changes_schedule_id WHERE schedule_id = $3")
        }
        (Some(_), None, Some(_)) => {
            changes!("INDEXED BY ix_changes_schedule_id WHERE schedule_id = $3 AND at >= $4")
        }
        (Some(_), Some(_), None) => changes!(
            "INDEXED BY ix_changes_schedule_id WHERE schedule_id = $6 AND agent_id = $3 AND ",
            at_target!("$4", "$5")
        ),
        (Some(_), Some(_), Some(_)) => changes!(
            "INDEXED BY ix_changes_schedule_id \
             WHERE schedule_id = $6 AND agent_id = $3 AND at >= $7 AND ",
            at_target!("$4", "$5")
        ),
    };
    let question = question
        .bind(i64::from(asked.limit))
        .bind(i64::from(asked.offset));
    let question = match &asked.agent {
        Some(agent) => question
            .bind(agent.id.as_str())
            .bind_target(tx, agent.target.as_ref()),
        None => question,
    };
    let rows = question
        .bind_given(asked.schedule_id)
        .bind_given(asked.since.map(DbTime))
        .fetch_all(tx)?;
    rows.iter().map(|row| change(tx, row)).collect()
}

/// The ids of some changes made before a time.
pub(in crate::db) fn list_before(
    tx: &Tx<'_>,
    before: Timestamp,
    most: i64,
) -> sql::Result<Vec<i64>> {
    statement!("SELECT id FROM changes INDEXED BY ix_changes_at WHERE at < $1 LIMIT $2")
        .bind(DbTime(before))
        .bind(most)
        .all(tx)
}

/// Deletes a change.
pub(in crate::db) fn delete(tx: &Tx<'_>, id: i64) -> sql::Result<()> {
    statement!("DELETE FROM changes WHERE id = $1")
        .bind(id)
        .execute(tx)?;
    Ok(())
}

fn change(tx: &Tx<'_>, row: &Row) -> sql::Result<Change> {
    let agent_id = rows::text(row, "agent_id");
    let usual = agent_id.as_ref().map(|_| &tx.targets().default);
    let target = rows::target(row).or_else(|| usual.cloned());
    Ok(Change {
        id: row.get("id")?,
        at: rows::lenient_time(row, "at").unwrap_or_default(),
        caller: rows::text(row, "caller").unwrap_or_default(),
        key: rows::text(row, "key_name"),
        face: rows::text(row, "face").unwrap_or_default(),
        operation: rows::text(row, "operation").unwrap_or_default(),
        schedule_id: rows::number(row, "schedule_id"),
        uid: rows::text(row, "uid"),
        target: target.map(|target| target.to_string()),
        agent_id,
        what: rows::text(row, "what"),
    })
}
