//! Open occurrences.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows::{self, occurrence_columns};
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{AgentId, Occurrence, UnreadableOccurrence};

/// An open occurrence, as stored.
pub(in crate::db) struct StoredOpen {
    /// The occurrence.
    pub(in crate::db) occurrence: Occurrence,
    /// Its agent.
    pub(in crate::db) agent_id: AgentId,
    /// Its fence.
    pub(in crate::db) fence: i64,
    /// How many otids it has used up.
    pub(in crate::db) generation: i64,
    /// How many attempts counted.
    pub(in crate::db) failures: i64,
    /// The scheduler that is sending it.
    pub(in crate::db) owner: Option<Uuid>,
    /// When it was first sent.
    pub(in crate::db) first_sent_at: Option<Timestamp>,
    /// Since when its outcome has been unknown.
    pub(in crate::db) doubted_at: Option<Timestamp>,
    /// When retries end.
    pub(in crate::db) expires_at: Option<Timestamp>,
    /// When to stop searching for it.
    pub(in crate::db) reconcile_until: Option<Timestamp>,
    /// Whether it waits for its schedule to be resumed.
    pub(in crate::db) paused: bool,
    /// The otids of its attempts.
    pub(in crate::db) used_otids: Vec<Uuid>,
    /// The databases that this one is a restored copy of.
    pub(in crate::db) former_installs: Vec<Uuid>,
}

/// An open occurrence that can't be read.
pub(in crate::db) struct UnreadableOpen {
    /// Which one, and why.
    pub(in crate::db) unreadable: UnreadableOccurrence,
    /// Its state, as stored.
    pub(in crate::db) state: String,
}

/// Every open occurrence.
pub(in crate::db) fn list_open(
    tx: &Tx<'_>,
) -> sql::Result<Vec<Result<StoredOpen, UnreadableOpen>>> {
    let rows = statement!(
        "SELECT fence, owner, failures, generation, expires_at, reconcile_until, doubted_at, \
         \"trigger\" = 'schedule' AND EXISTS (SELECT 1 FROM schedules s \
             WHERE s.uid = occurrences.uid AND s.lifecycle = 'paused') AS paused, \
         (SELECT min(started_at) FROM attempts a INDEXED BY sqlite_autoindex_attempts_1 \
             WHERE a.occurrence_id = occurrences.id) AS first_sent_at, \
         (SELECT string_agg(otid, ',') FROM attempts a INDEXED BY sqlite_autoindex_attempts_1 \
             WHERE a.occurrence_id = occurrences.id) AS used_otids, \
         (SELECT string_agg(install_id, ',') FROM former_installs) AS former_installs, ",
        occurrence_columns!(),
        " FROM occurrences INDEXED BY ix_occurrences_open \
         WHERE state IN ('waiting', 'sending', 'unknown')"
    )
    .fetch_all(tx)?;
    let unreadable = |row, error| UnreadableOpen {
        unreadable: rows::why_unreadable(row, &error),
        state: rows::text(row, "state").unwrap_or_default(),
    };
    let read = |row| open(row).map_err(|e| unreadable(row, e));
    Ok(rows.iter().map(read).collect())
}

fn open(row: &Row) -> sql::Result<StoredOpen> {
    let occurrence = rows::occurrence(row)?;
    let generation = rows::generation(row)?;
    let fence = rows::fence(row)?;
    let agent_id = AgentId::parse(&occurrence.agent_id)
        .map_err(|_| rows::unreadable("agent_id", &occurrence.agent_id))?;
    Ok(StoredOpen {
        agent_id,
        fence,
        generation,
        failures: rows::number(row, "failures").unwrap_or(0),
        owner: rows::text(row, "owner").and_then(|o| o.parse().ok()),
        first_sent_at: rows::lenient_time(row, "first_sent_at"),
        doubted_at: rows::lenient_time(row, "doubted_at"),
        expires_at: rows::lenient_time(row, "expires_at"),
        reconcile_until: rows::lenient_time(row, "reconcile_until"),
        paused: rows::flag(row, "paused"),
        used_otids: listed(row, "used_otids"),
        former_installs: listed(row, "former_installs"),
        occurrence,
    })
}

fn listed(row: &Row, column: &str) -> Vec<Uuid> {
    let text = rows::text(row, column).unwrap_or_default();
    text.split(',').filter_map(|id| id.parse().ok()).collect()
}

/// Whether a schedule has a prompt that is waiting, being sent or unknown.
pub(in crate::db) fn has_open(tx: &Tx<'_>, uid: Option<Uuid>) -> sql::Result<bool> {
    let open: Option<i64> = statement!(
        "SELECT 1 FROM occurrences WHERE uid = $1 AND state IN ('waiting', 'sending', 'unknown')"
    )
    .bind(uid.map(|u| u.to_string()))
    .optional(tx)?;
    Ok(open.is_some())
}

/// The ids of what a scheduler is sending, up to a number.
pub(in crate::db) fn list_sending_of(tx: &Tx<'_>, owner: &str, most: i64) -> sql::Result<Vec<i64>> {
    statement!(
        "SELECT id FROM occurrences INDEXED BY ix_occurrences_open \
         WHERE state = 'sending' AND state IN ('waiting', 'sending', 'unknown') \
         AND coalesce(CAST(owner AS TEXT), '') = $1 LIMIT $2"
    )
    .bind(owner)
    .bind(most)
    .all(tx)
}

/// Marks the outcome of what a dead scheduler was sending as unknown, to be searched for from now
/// on; does nothing if it has been settled.
pub(in crate::db) fn mark_left(
    tx: &Tx<'_>,
    id: i64,
    owner: &str,
    reconcile_until: Timestamp,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "UPDATE occurrences SET state = 'unknown', owner = NULL, fence = fence + 1, \
         not_before = $2, reconcile_until = $3, \
         doubted_at = coalesce((SELECT heartbeat_at FROM schedulers s \
             WHERE s.owner = occurrences.owner), $2), \
         reason = 'the scheduler that was sending it died', \
         error = 'interrupted: the scheduler that was sending it died' \
         WHERE id = $1 AND state = 'sending' AND coalesce(CAST(owner AS TEXT), '') = $4"
    )
    .bind(id)
    .bind(DbTime(now))
    .bind(DbTime(reconcile_until))
    .bind(owner)
    .execute(tx)?;
    Ok(())
}

/// The latest times that an open occurrence can have.
pub(in crate::db) struct Latest {
    /// When it was sent, or became unknown.
    pub(in crate::db) now: Timestamp,
    /// Of its next attempt.
    pub(in crate::db) retry: Timestamp,
    /// Of the end of the search.
    pub(in crate::db) reconcile: Timestamp,
}

/// The ids of open occurrences with a later time, up to a number. A wait that began before now may
/// be of any length.
pub(in crate::db) fn list_later(tx: &Tx<'_>, latest: &Latest, most: i64) -> sql::Result<Vec<i64>> {
    statement!(
        "SELECT id FROM occurrences INDEXED BY ix_occurrences_open \
         WHERE state IN ('waiting', 'sending', 'unknown') \
         AND (sent_at > $1 OR doubted_at > $1 OR reconcile_until > $3 \
              OR not_before > $2 AND (state = 'unknown' OR coalesce( \
                  (SELECT a.finished_at > $1 FROM attempts a \
                   INDEXED BY sqlite_autoindex_attempts_1 \
                   WHERE a.occurrence_id = occurrences.id ORDER BY a.n DESC LIMIT 1), true))) \
         LIMIT $4"
    )
    .bind(DbTime(latest.now))
    .bind(DbTime(latest.retry))
    .bind(DbTime(latest.reconcile))
    .bind(most)
    .all(tx)
}

/// Moves later times of an open occurrence forward. One that was never tried is due when it was
/// requested.
pub(in crate::db) fn pull_forward(tx: &Tx<'_>, id: i64, latest: &Latest) -> sql::Result<()> {
    statement!(
        "UPDATE occurrences SET \
         not_before = CASE WHEN not_before > $2 THEN $2 ELSE not_before END, \
         sent_at = CASE WHEN sent_at > $3 THEN $3 ELSE sent_at END, \
         doubted_at = CASE WHEN doubted_at > $3 THEN $3 ELSE doubted_at END, \
         reconcile_until = CASE WHEN reconcile_until > $4 THEN $4 ELSE reconcile_until END \
         WHERE id = $1"
    )
    .bind(id)
    .bind(DbTime(latest.retry))
    .bind(DbTime(latest.now))
    .bind(DbTime(latest.reconcile))
    .execute(tx)?;
    Ok(())
}
