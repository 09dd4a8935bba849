//! What is due, and what becomes due next. Written so that the index of what may run is used, and
//! not the one of active schedules, which nearly all are.

use jiff::Timestamp;

use super::rows;
use super::schedules::change_schedule;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{AgentId, DueSchedule};

/// The due schedules, oldest first, up to a number; for one that can't be read, its id.
pub(in crate::db) fn list(
    tx: &Tx<'_>,
    now: Timestamp,
    most: i64,
) -> sql::Result<Vec<Result<DueSchedule, i64>>> {
    statement!(
        "SELECT id, uid, agent_id, next_run FROM schedules INDEXED BY ix_schedules_due \
         WHERE active = 1 AND touched = 0 AND next_run <= $1 ORDER BY next_run, id LIMIT $2"
    )
    .bind(DbTime(now))
    .bind(most)
    .map(tx, |row| {
        let id = row.get("id")?;
        Ok(due(id, row).ok_or(id))
    })
}

fn due(id: i64, row: &Row) -> Option<DueSchedule> {
    Some(DueSchedule {
        id,
        uid: rows::uuid(row, "uid").ok()?,
        agent_id: AgentId::parse(&rows::text(row, "agent_id")?).ok()?,
        next_run: rows::lenient_time(row, "next_run")?,
    })
}

/// How many schedules are due.
pub(in crate::db) fn count(tx: &Tx<'_>, now: Timestamp) -> sql::Result<i64> {
    statement!(
        "SELECT count(*) FROM schedules INDEXED BY ix_schedules_due \
         WHERE active = 1 AND touched = 0 AND next_run <= $1"
    )
    .bind(DbTime(now))
    .one(tx)
}

/// When the next schedule becomes due after now.
pub(in crate::db) fn next(tx: &Tx<'_>, now: Timestamp) -> sql::Result<Option<Timestamp>> {
    let row = statement!(
        "SELECT min(next_run) AS next FROM schedules INDEXED BY ix_schedules_due \
         WHERE active = 1 AND touched = 0 AND next_run > $1"
    )
    .bind(DbTime(now))
    .fetch_one(tx)?;
    Ok(rows::lenient_time(&row, "next"))
}

/// Marks a schedule as changed by another program, so that it is adopted.
pub(in crate::db) fn mark_touched(tx: &Tx<'_>, id: i64) -> sql::Result<()> {
    statement!(change_schedule!("touched = 1", " WHERE id = $1"))
        .bind(id)
        .execute(tx)?;
    Ok(())
}
