//! Reduces old history to totals.

use jiff::Timestamp;

use super::rows::{self, instants};
use crate::db::sql::{self, Tx, statement};
use crate::db::time::DbTime;

/// The ids of some occurrences that were settled before a time.
pub(in crate::db) fn list_settled(
    tx: &Tx<'_>,
    before: Timestamp,
    most: i64,
) -> sql::Result<Vec<i64>> {
    statement!(
        "SELECT id FROM occurrences INDEXED BY ix_occurrences_finished_at \
         WHERE finished_at < $1 AND state NOT IN ('waiting', 'sending', 'unknown') LIMIT $2"
    )
    .bind(DbTime(before))
    .bind(most)
    .all(tx)
}

/// Adds an occurrence to the totals of its schedule.
pub(in crate::db) fn sum_up(tx: &Tx<'_>, id: i64) -> sql::Result<()> {
    statement!(
        "INSERT INTO pruned_sums (uid, \"trigger\", state, count, first_at, last_at) \
         SELECT uid, \"trigger\", state, ",
        instants!(),
        ", first_at, intended_at FROM occurrences WHERE id = $1 \
         ON CONFLICT (uid, \"trigger\", state) DO UPDATE SET \
             count = pruned_sums.count + excluded.count, \
             first_at = CASE WHEN excluded.first_at < pruned_sums.first_at \
                 THEN excluded.first_at ELSE pruned_sums.first_at END, \
             last_at = CASE WHEN excluded.last_at > pruned_sums.last_at \
                 THEN excluded.last_at ELSE pruned_sums.last_at END"
    )
    .bind(id)
    .execute(tx)?;
    Ok(())
}

/// Deletes the attempts of an occurrence.
pub(in crate::db) fn delete_attempts(tx: &Tx<'_>, occurrence_id: i64) -> sql::Result<()> {
    statement!("DELETE FROM attempts WHERE occurrence_id = $1")
        .bind(occurrence_id)
        .execute(tx)?;
    Ok(())
}

/// A deleted occurrence.
pub(in crate::db) struct Deleted {
    /// How many instants it stood for.
    pub(in crate::db) instants: i64,
    /// What was sent.
    pub(in crate::db) payload: Option<String>,
}

/// Deletes an occurrence; `None` if it is already gone.
pub(in crate::db) fn delete_occurrence(tx: &Tx<'_>, id: i64) -> sql::Result<Option<Deleted>> {
    let row = statement!(
        "DELETE FROM occurrences WHERE id = $1 RETURNING payload, ",
        instants!(),
        " AS instants"
    )
    .bind(id)
    .fetch_optional(tx)?;
    Ok(row.map(|row| Deleted {
        instants: rows::number(&row, "instants").unwrap_or(1),
        payload: rows::text(&row, "payload"),
    }))
}

/// A schedule that ended long ago.
pub(in crate::db) struct Ended {
    /// Its id.
    pub(in crate::db) id: i64,
    /// Its uid, as stored.
    pub(in crate::db) uid: String,
}

/// Some schedules that ended before a time, whose deliveries are all pruned and which nobody needs
/// to know about any more. If another program has just changed one, perhaps to reactivate it, that
/// is adopted first.
pub(in crate::db) fn list_ended(
    tx: &Tx<'_>,
    before: Timestamp,
    most: i64,
) -> sql::Result<Vec<Ended>> {
    // One step in the index of an occurrence's whole key shows whether there is any.
    statement!(
        "SELECT id, uid FROM (\
             SELECT id, uid, agent_id, touched, lifecycle FROM schedules WHERE ended_at < $1 \
             UNION ALL SELECT id, uid, agent_id, touched, lifecycle FROM schedules \
                 WHERE ended_at IS NULL \
                 AND lifecycle IN ('finished', 'cancelled') AND next_run < $1 \
                 AND coalesce(last_run, '') < $1 AND coalesce(created_at, '') < $1) AS s \
         WHERE s.touched = 0 AND s.lifecycle IN ('finished', 'cancelled') \
         AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.uid = s.uid \
                         AND o.\"trigger\" IN ('schedule', 'manual') AND o.intended_at > '') \
         AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.closed_at IS NULL \
                         AND i.subject = s.uid) \
         AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.closed_at IS NULL \
                         AND i.agent_id = s.agent_id AND i.uid = s.uid) LIMIT $2"
    )
    .bind(DbTime(before))
    .bind(most)
    .map(tx, |row| {
        Ok(Ended {
            id: row.get("id")?,
            uid: rows::text(row, "uid").unwrap_or_default(),
        })
    })
}

/// Deletes a schedule.
pub(in crate::db) fn delete_schedule(tx: &Tx<'_>, id: i64) -> sql::Result<()> {
    statement!("DELETE FROM schedules WHERE id = $1")
        .bind(id)
        .execute(tx)?;
    Ok(())
}

/// Deletes the note that a schedule was deleted by another program.
pub(in crate::db) fn forget_deleted(tx: &Tx<'_>, uid: &str) -> sql::Result<()> {
    statement!("DELETE FROM deleted_schedules WHERE uid = $1")
        .bind(uid)
        .execute(tx)?;
    Ok(())
}
