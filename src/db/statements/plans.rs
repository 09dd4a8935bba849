//! Instants that are accounted for without being sent.

use jiff::Timestamp;
use uuid::Uuid;

use super::schedules::change_schedule;
use crate::db::sql::{self, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{State, TargetName, Trigger};

/// Counts used repetitions of a schedule.
pub(in crate::db) fn add_repetitions(tx: &Tx<'_>, uid: Uuid, taken: i64) -> sql::Result<()> {
    statement!(change_schedule!(
        "repetitions = repetitions + $2",
        " WHERE uid = $1"
    ))
    .bind(uid.to_string())
    .bind(taken)
    .execute(tx)?;
    Ok(())
}

/// A range of instants of one schedule with a common outcome.
pub(in crate::db) struct SettledRange<'a> {
    /// Its schedule.
    pub(in crate::db) uid: Uuid,
    /// Their agent.
    pub(in crate::db) agent_id: &'a str,
    /// The target that knows the agent; `None` is the default target.
    pub(in crate::db) target: Option<&'a TargetName>,
    /// The first instant.
    pub(in crate::db) first: Timestamp,
    /// The last instant.
    pub(in crate::db) newest: Timestamp,
    /// How many there are.
    pub(in crate::db) count: i64,
    /// Their outcome.
    pub(in crate::db) state: State,
    /// The reason.
    pub(in crate::db) reason: &'a str,
}

/// Writes a range as one settled occurrence. `false` if its last instant already has an outcome.
pub(in crate::db) fn insert_settled(
    tx: &Tx<'_>,
    range: &SettledRange<'_>,
    now: Timestamp,
) -> sql::Result<bool> {
    let written = statement!(
        "INSERT INTO occurrences (uid, agent_id, \"trigger\", first_at, intended_at, count, \
         state, reason, finished_at, target) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (uid, \"trigger\", intended_at) DO NOTHING"
    )
    .bind(range.uid.to_string())
    .bind(range.agent_id)
    .bind(Trigger::Schedule.as_str())
    .bind(DbTime(range.first))
    .bind(DbTime(range.newest))
    .bind(range.count)
    .bind(range.state.as_str())
    .bind(range.reason)
    .bind(DbTime(now))
    .bind(range.target.map(TargetName::as_str))
    .execute(tx)?;
    Ok(written > 0)
}

/// Settles the waiting prompts of a schedule; those being sent finish. A manual run is always
/// cancelled, because it is not one of the instants that are skipped.
pub(in crate::db) fn end_waiting(
    tx: &Tx<'_>,
    uid: Uuid,
    state: State,
    reason: &str,
    now: Timestamp,
) -> sql::Result<()> {
    // The state is given twice, so that SQLite sees that it can use the index of open ones.
    statement!(
        "UPDATE occurrences INDEXED BY ix_occurrences_open_uid SET state = $2, reason = $3, \
         finished_at = $4, not_before = NULL, fence = fence + 1 WHERE uid = $1 \
         AND state = 'waiting' AND state IN ('waiting', 'sending', 'unknown') \
         AND (\"trigger\" = 'schedule' OR $2 = 'cancelled')"
    )
    .bind(uid.to_string())
    .bind(state.as_str())
    .bind(reason)
    .bind(DbTime(now))
    .execute(tx)?;
    Ok(())
}
