//! Makes a copy a database of its own.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows::{self, schedule_columns};
use crate::db::sql::{self, Tx, in_lane, statement};
use crate::db::time::DbTime;
use crate::models::PromptSchedule;

/// Records the identity that the database had until now.
pub(in crate::db) fn keep_identity(
    tx: &Tx<'_>,
    install_id: Uuid,
    until: Timestamp,
) -> sql::Result<()> {
    statement!(
        "INSERT INTO former_installs (install_id, until) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    )
    .bind(install_id.to_string())
    .bind(DbTime(until))
    .execute(tx)?;
    Ok(())
}

/// Sets the identity of the database.
pub(in crate::db) fn write_identity(tx: &Tx<'_>, install_id: Uuid) -> sql::Result<()> {
    statement!("UPDATE install SET install_id = $1")
        .bind(install_id.to_string())
        .execute(tx)?;
    Ok(())
}

/// Deletes every clock reading.
pub(in crate::db) fn forget_readings(tx: &Tx<'_>) -> sql::Result<()> {
    statement!("DELETE FROM clock_readings").execute(tx)?;
    Ok(())
}

/// Stores a time at which the clock was trusted, of an unknown boot.
pub(in crate::db) fn trust(tx: &Tx<'_>, now: Timestamp) -> sql::Result<()> {
    statement!("INSERT INTO clock_readings (trusted, at, uptime) VALUES (1, $1, 0)")
        .bind(DbTime(now))
        .execute(tx)?;
    Ok(())
}

/// Every row that another program has created or changed.
pub(in crate::db) fn list_touched(tx: &Tx<'_>) -> sql::Result<Vec<i64>> {
    statement!("SELECT id FROM schedules WHERE touched <> 0").all(tx)
}

/// The active schedules with an instant that has passed or waits.
pub(in crate::db) fn list_passed(tx: &Tx<'_>, now: Timestamp) -> sql::Result<Vec<PromptSchedule>> {
    statement!(
        "SELECT ",
        schedule_columns!(),
        " FROM schedules WHERE lifecycle = 'active' AND next_run <= $1 ORDER BY id"
    )
    .bind(DbTime(now))
    .map(tx, rows::schedule)
}

/// Skips everything that waits.
pub(in crate::db) fn skip_waiting(tx: &Tx<'_>, reason: &str, now: Timestamp) -> sql::Result<()> {
    statement!(
        "UPDATE occurrences SET state = 'skipped', reason = $1, finished_at = $2, \
         not_before = NULL, fence = fence + 1 WHERE state = 'waiting'"
    )
    .bind(reason)
    .bind(DbTime(now))
    .execute(tx)?;
    Ok(())
}

/// The schedules with an open incident.
pub(in crate::db) fn list_troubled(tx: &Tx<'_>) -> sql::Result<Vec<i64>> {
    statement!(
        "SELECT s.id FROM schedules s JOIN incidents i \
         ON i.subject = s.uid OR i.agent_id = s.agent_id AND ",
        in_lane!("s.target", "i.subject", "$1"),
        " WHERE i.closed_at IS NULL GROUP BY s.id"
    )
    .bind(tx.targets().default.as_str())
    .all(tx)
}

/// How many schedules there are.
pub(in crate::db) fn count_schedules(tx: &Tx<'_>) -> sql::Result<i64> {
    statement!("SELECT count(*) FROM schedules").one(tx)
}
