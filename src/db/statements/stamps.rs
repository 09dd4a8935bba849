//! Times of past events that are later than a given time.

use jiff::Timestamp;

use super::rows;
use super::schedules::change_schedule;
use crate::db::sql::{self, Tx, statement};
use crate::db::time::DbTime;

/// Sets a column to a time if it is later.
macro_rules! set_back {
    ($table:literal, $column:literal) => {
        statement!(
            "UPDATE ",
            $table,
            " SET ",
            $column,
            " = $1 WHERE ",
            $column,
            " > $1"
        )
    };
}

/// Sets all such times back, except those of `schedules`, which are written with the version of
/// their row.
pub(in crate::db) fn set_back(tx: &Tx<'_>, now: Timestamp) -> sql::Result<()> {
    for statement in [
        set_back!("occurrences", "finished_at"),
        set_back!("attempts", "started_at"),
        set_back!("attempts", "finished_at"),
        set_back!("schedule_revisions", "from_at"),
        set_back!("schedulers", "started_at"),
        set_back!("schedulers", "heartbeat_at"),
        set_back!("held_targets", "held_since"),
        set_back!("migrations", "applied_at"),
        set_back!("upgrades", "made_at"),
        set_back!("occurrences", "doubted_at"),
        set_back!("halt", "since"),
        set_back!("halted_targets", "since"),
        set_back!("incidents", "opened_at"),
        set_back!("incidents", "closed_at"),
        set_back!("outbox", "created_at"),
        set_back!("outbox", "not_before"),
        set_back!("outbox", "lease_until"),
        set_back!("outbox", "given_up_at"),
        set_back!("deleted_schedules", "paused_at"),
        set_back!("former_installs", "until"),
        set_back!("keys", "created_at"),
        set_back!("keys", "revoked_at"),
        set_back!("requests", "created_at"),
        set_back!("changes", "at"),
    ] {
        statement.bind(DbTime(now)).execute(tx)?;
    }
    Ok(())
}

/// The same for `schedules`: other programs may write local time, which is set back only if it is
/// later than `local`.
pub(in crate::db) fn set_schedules_back(
    tx: &Tx<'_>,
    now: Timestamp,
    local: Timestamp,
) -> sql::Result<()> {
    statement!(change_schedule!(
        "last_run = CASE WHEN last_run > $1 THEN $1 ELSE last_run END, \
         paused_at = CASE WHEN paused_at > $1 THEN $1 ELSE paused_at END, \
         ended_at = CASE WHEN ended_at > $1 THEN $1 ELSE ended_at END, \
         created_at = CASE WHEN created_at > $2 THEN $1 ELSE created_at END",
        " WHERE touched = 0 AND (last_run > $1 OR paused_at > $1 OR ended_at > $1 \
                                 OR created_at > $2)"
    ))
    .bind(DbTime(now))
    .bind(DbTime(local))
    .execute(tx)?;
    Ok(())
}

/// Sets the sending time of occurrences settled after now back.
pub(in crate::db) fn set_sent_back(tx: &Tx<'_>, now: Timestamp) -> sql::Result<()> {
    statement!("UPDATE occurrences SET sent_at = $1 WHERE finished_at > $1 AND sent_at > $1")
        .bind(DbTime(now))
        .execute(tx)?;
    Ok(())
}

/// Makes what only waits for its turn due: manual runs that were never tried.
pub(in crate::db) fn bring_forward(tx: &Tx<'_>, now: Timestamp) -> sql::Result<()> {
    statement!(
        "UPDATE occurrences SET not_before = $1 WHERE state IN ('waiting', 'sending', 'unknown') \
         AND state = 'waiting' AND sent_at IS NULL AND not_before > $1"
    )
    .bind(DbTime(now))
    .execute(tx)?;
    Ok(())
}

/// Restores what was given up after now, if its time is not over.
pub(in crate::db) fn take_up(tx: &Tx<'_>, now: Timestamp) -> sql::Result<()> {
    statement!("UPDATE outbox SET given_up_at = NULL WHERE given_up_at > $1 AND expires_at > $1")
        .bind(DbTime(now))
        .execute(tx)?;
    Ok(())
}

/// Deletes clock readings later than now.
pub(in crate::db) fn forget_readings(tx: &Tx<'_>, now: Timestamp) -> sql::Result<()> {
    statement!("DELETE FROM clock_readings WHERE at > $1")
        .bind(DbTime(now))
        .execute(tx)?;
    Ok(())
}

/// Limits how long channels count as configured.
pub(in crate::db) fn limit_channels(tx: &Tx<'_>, until: Timestamp) -> sql::Result<()> {
    statement!("UPDATE channels SET wanted_until = $1 WHERE wanted_until > $1")
        .bind(DbTime(until))
        .execute(tx)?;
    Ok(())
}

/// Limits how long notices live.
pub(in crate::db) fn limit_notices(tx: &Tx<'_>, until: Timestamp) -> sql::Result<()> {
    statement!("UPDATE outbox SET expires_at = $1 WHERE expires_at > $1 AND channel <> 'ping'")
        .bind(DbTime(until))
        .execute(tx)?;
    Ok(())
}

/// Limits how long pings live.
pub(in crate::db) fn limit_pings(tx: &Tx<'_>, until: Timestamp) -> sql::Result<()> {
    statement!("UPDATE outbox SET expires_at = $1 WHERE expires_at > $1 AND channel = 'ping'")
        .bind(DbTime(until))
        .execute(tx)?;
    Ok(())
}

/// An open occurrence with an end of retries.
pub(in crate::db) struct Deadline {
    /// Its id.
    pub(in crate::db) id: i64,
    /// When retries end.
    pub(in crate::db) expires_at: Timestamp,
    /// When the first attempt began.
    pub(in crate::db) begun_at: Option<Timestamp>,
}

/// Open occurrences whose retries end later than now.
pub(in crate::db) fn list_deadlines(tx: &Tx<'_>, now: Timestamp) -> sql::Result<Vec<Deadline>> {
    statement!(
        "SELECT id, expires_at, (SELECT min(started_at) FROM attempts a \
             WHERE a.occurrence_id = occurrences.id) AS begun_at FROM occurrences \
         WHERE state IN ('waiting', 'sending', 'unknown') AND expires_at > $1"
    )
    .bind(DbTime(now))
    .map(tx, |row| {
        Ok(Deadline {
            id: row.get("id")?,
            expires_at: row.get::<DbTime>("expires_at")?.0,
            begun_at: rows::lenient_time(row, "begun_at"),
        })
    })
}

/// Sets the end of an open occurrence's retries.
pub(in crate::db) fn write_deadline(
    tx: &Tx<'_>,
    id: i64,
    expires_at: Timestamp,
) -> sql::Result<()> {
    statement!("UPDATE occurrences SET expires_at = $2 WHERE id = $1")
        .bind(id)
        .bind(DbTime(expires_at))
        .execute(tx)?;
    Ok(())
}
