//! Times that say when something happened, and lie in the future: they were written by a clock that
//! was wrong. What is counted from them is counted from now.

use jiff::{SignedDuration, Timestamp};

use super::super::outbox::{NOTICE_LIFE, PING_LIFE, WANTED};
use crate::db::sql::{self, Tx, query};
use crate::db::time::DbTime;

/// Where such times stand. Those of `schedules` are written with the version of the row.
const PAST: &[(&str, &str)] = &[
    ("occurrences", "finished_at"),
    ("attempts", "started_at"),
    ("attempts", "finished_at"),
    ("schedule_revisions", "from_at"),
    ("schedulers", "started_at"),
    ("schedulers", "heartbeat_at"),
    ("held_targets", "held_since"),
    ("migrations", "applied_at"),
    ("upgrades", "made_at"),
    ("occurrences", "doubted_at"),
    ("halt", "since"),
    ("incidents", "opened_at"),
    ("incidents", "closed_at"),
    ("outbox", "created_at"),
    ("outbox", "not_before"),
    ("outbox", "lease_until"),
    ("deleted_schedules", "paused_at"),
    ("former_installs", "until"),
    ("keys", "created_at"),
    ("keys", "revoked_at"),
    ("requests", "created_at"),
    ("changes", "at"),
];

/// How far the clocks of programs that write local time may be ahead of ours.
const LOCAL_TIME: SignedDuration = SignedDuration::from_hours(24);

/// Puts every time right that lies after `now` and can't.
pub(super) fn put_right(tx: &Tx<'_>, now: Timestamp) -> sql::Result<()> {
    renew_deadlines(tx, now)?;
    for statement in [
        // It was given up by the false clock.
        "UPDATE outbox SET given_up_at = NULL WHERE given_up_at > $1 AND expires_at > $1",
        "UPDATE outbox SET given_up_at = $1 WHERE given_up_at > $1",
        "UPDATE occurrences SET sent_at = $1 WHERE finished_at > $1 AND sent_at > $1",
        // A run by hand that was never tried waits for nothing but its turn.
        "UPDATE occurrences SET not_before = $1 WHERE state IN ('waiting', 'sending', 'unknown') \
         AND state = 'waiting' AND sent_at IS NULL AND not_before > $1",
        "DELETE FROM clock_readings WHERE at > $1",
    ] {
        query(statement).bind(DbTime(now)).execute(tx)?;
    }
    for (table, column) in PAST {
        let statement = format!("UPDATE {table} SET {column} = $1 WHERE {column} > $1");
        query(&statement).bind(DbTime(now)).execute(tx)?;
    }
    query(
        "UPDATE schedules SET last_run = min(last_run, $1), paused_at = min(paused_at, $1), \
         ended_at = min(ended_at, $1), created_at = CASE WHEN created_at > $2 THEN $1 ELSE \
         created_at END, row_version = row_version + 1 \
         WHERE touched = 0 AND (last_run > $1 OR paused_at > $1 OR ended_at > $1 \
                            OR created_at > $2)",
    )
    .bind(DbTime(now))
    .bind(DbTime(later(now, LOCAL_TIME)))
    .execute(tx)?;
    for (statement, life) in [
        (
            "UPDATE channels SET wanted_until = $1 WHERE wanted_until > $1",
            WANTED,
        ),
        (
            "UPDATE outbox SET expires_at = $1 WHERE expires_at > $1 AND channel <> 'ping'",
            NOTICE_LIFE,
        ),
        (
            "UPDATE outbox SET expires_at = $1 WHERE expires_at > $1 AND channel = 'ping'",
            PING_LIFE,
        ),
    ] {
        query(statement)
            .bind(DbTime(later(now, life)))
            .execute(tx)?;
    }
    Ok(())
}

/// Lets the retries of what is open end as long after now as they were to end after they began.
fn renew_deadlines(tx: &Tx<'_>, now: Timestamp) -> sql::Result<()> {
    let open = query(
        "SELECT id, expires_at, (SELECT min(started_at) FROM attempts a \
             WHERE a.occurrence_id = occurrences.id) AS begun_at FROM occurrences \
         WHERE state IN ('waiting', 'sending', 'unknown') AND expires_at > $1",
    )
    .bind(DbTime(now))
    .fetch_all(tx)?;
    for row in open {
        let expires_at = row.get::<DbTime>("expires_at")?.0;
        let begun_at: Option<DbTime> = row.get("begun_at")?;
        let Some(begun_at) = begun_at.map(|t| t.0).filter(|begun_at| *begun_at > now) else {
            continue;
        };
        query("UPDATE occurrences SET expires_at = $2 WHERE id = $1")
            .bind(row.get::<i64>("id")?)
            .bind(DbTime(later(now, expires_at.duration_since(begun_at))))
            .execute(tx)?;
    }
    Ok(())
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
