//! Heartbeats of schedulers, and held targets.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{HeldTarget, RunningScheduler};

/// Writes the heartbeat of a scheduler.
pub(in crate::db) fn upsert_heartbeat(
    tx: &Tx<'_>,
    owner: Uuid,
    pid: u32,
    holding: Option<&str>,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "INSERT INTO schedulers (owner, pid, started_at, heartbeat_at, holding) \
         VALUES ($1, $2, $3, $3, $4) \
         ON CONFLICT (owner) DO UPDATE SET heartbeat_at = $3, holding = $4"
    )
    .bind(owner.to_string())
    .bind(i64::from(pid))
    .bind(DbTime(now))
    .bind(holding)
    .execute(tx)?;
    Ok(())
}

/// Deletes the heartbeat of a scheduler, whatever its name.
pub(in crate::db) fn delete_heartbeat(tx: &Tx<'_>, owner: &str) -> sql::Result<()> {
    statement!("DELETE FROM schedulers WHERE CAST(owner AS TEXT) = $1")
        .bind(owner)
        .execute(tx)?;
    Ok(())
}

/// Every scheduler with a heartbeat, the longest running first. Without a name it belongs to
/// nobody.
pub(in crate::db) fn list_heartbeats(tx: &Tx<'_>) -> sql::Result<Vec<RunningScheduler>> {
    let rows = statement!(
        "SELECT owner, pid, started_at, heartbeat_at, holding FROM schedulers ORDER BY started_at"
    )
    .fetch_all(tx)?;
    Ok(rows.iter().filter_map(scheduler).collect())
}

/// The owners of heartbeats and of prompts being sent, as stored; one without a name is empty.
pub(in crate::db) fn list_owners(tx: &Tx<'_>) -> sql::Result<Vec<String>> {
    // The state is given twice, so that SQLite sees that it can use the index of open ones.
    statement!(
        "SELECT owner FROM schedulers UNION ALL \
         SELECT owner FROM occurrences INDEXED BY ix_occurrences_open \
         WHERE state = 'sending' AND state IN ('waiting', 'sending', 'unknown')"
    )
    .map(tx, |row| Ok(rows::text(row, "owner").unwrap_or_default()))
}

/// Records that a target is held, and why; the start time stays as first recorded.
pub(in crate::db) fn upsert_held(tx: &Tx<'_>, held: &HeldTarget) -> sql::Result<()> {
    statement!(
        "INSERT INTO held_targets (target, held_since, code, reason, by_lanes) \
         VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (target) DO UPDATE SET code = $3, reason = $4, by_lanes = $5"
    )
    .bind(&held.target)
    .bind(DbTime(held.held_since))
    .bind(&held.code)
    .bind(&held.reason)
    .bind(held.by_lanes)
    .execute(tx)?;
    Ok(())
}

/// Since when a target had been held that was released.
pub(in crate::db) struct Released {
    /// `None` if that can't be read.
    pub(in crate::db) held_since: Option<Timestamp>,
}

/// Releases a target; `None` if it was not held.
pub(in crate::db) fn delete_held(tx: &Tx<'_>, target: &str) -> sql::Result<Option<Released>> {
    let row = statement!("DELETE FROM held_targets WHERE target = $1 RETURNING held_since")
        .bind(target)
        .fetch_optional(tx)?;
    Ok(row.map(|row| Released {
        held_since: rows::lenient_time(&row, "held_since"),
    }))
}

/// Whether a target is held.
pub(in crate::db) fn is_held(tx: &Tx<'_>, target: &str) -> sql::Result<bool> {
    let held: Option<i64> = statement!("SELECT 1 FROM held_targets WHERE target = $1")
        .bind(target)
        .optional(tx)?;
    Ok(held.is_some())
}

/// The targets that are held.
pub(in crate::db) fn list_held(tx: &Tx<'_>) -> sql::Result<Vec<HeldTarget>> {
    statement!("SELECT target, held_since, code, reason, by_lanes FROM held_targets").map(tx, held)
}

/// The targets that have been held since a time or longer.
pub(in crate::db) fn list_held_since(
    tx: &Tx<'_>,
    since: Timestamp,
) -> sql::Result<Vec<HeldTarget>> {
    statement!(
        "SELECT target, held_since, code, reason, by_lanes FROM held_targets \
         WHERE held_since <= $1"
    )
    .bind(DbTime(since))
    .map(tx, held)
}

fn scheduler(row: &Row) -> Option<RunningScheduler> {
    let heartbeat_at = rows::lenient_time(row, "heartbeat_at").unwrap_or_default();
    Some(RunningScheduler {
        owner: rows::uuid(row, "owner").ok()?,
        pid: rows::number(row, "pid").unwrap_or_default(),
        started_at: rows::lenient_time(row, "started_at").unwrap_or(heartbeat_at),
        heartbeat_at,
        holding: rows::text(row, "holding"),
    })
}

fn held(row: &Row) -> sql::Result<HeldTarget> {
    Ok(HeldTarget {
        target: rows::text(row, "target").unwrap_or_default(),
        held_since: rows::lenient_time(row, "held_since").unwrap_or_default(),
        code: rows::text(row, "code").unwrap_or_default(),
        reason: rows::text(row, "reason").unwrap_or_default(),
        by_lanes: rows::flag(row, "by_lanes"),
    })
}
