//! Occurrences that can't be read.

use jiff::Timestamp;

use super::rows;
use crate::db::sql::{self, Tx, statement};
use crate::db::time::DbTime;

/// An occurrence that was given up, as far as it can be read.
pub(in crate::db) struct GivenUp {
    /// Its schedule.
    pub(in crate::db) uid: String,
    /// Its agent.
    pub(in crate::db) agent_id: String,
    /// Its lane.
    pub(in crate::db) lane: String,
}

/// Marks an occurrence as dead if it waits or its outcome is unknown; `None` if neither.
pub(in crate::db) fn give_up(
    tx: &Tx<'_>,
    id: i64,
    reason: &str,
    error: &str,
    now: Timestamp,
) -> sql::Result<Option<GivenUp>> {
    let row = statement!(
        "UPDATE occurrences SET state = 'dead', reason = $2, error = $3, finished_at = $4, \
         not_before = NULL, owner = NULL, fence = fence + 1 \
         WHERE id = $1 AND state IN ('waiting', 'unknown') RETURNING uid, agent_id, lane"
    )
    .bind(id)
    .bind(reason)
    .bind(error)
    .bind(DbTime(now))
    .fetch_optional(tx)?;
    Ok(row.map(|row| {
        let text = |column| rows::text(&row, column).unwrap_or_default();
        GivenUp {
            uid: text("uid"),
            agent_id: text("agent_id"),
            lane: text("lane"),
        }
    }))
}
