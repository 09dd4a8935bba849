//! What a wrong clock may have planned.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows::{self, schedule_columns};
use super::schedules::change_schedule;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::{DbTime, optional};
use crate::models::{PromptSchedule, State};

/// When the current plan of a schedule was made, and its first instant.
#[derive(Clone, Copy, Debug)]
pub(in crate::db) struct Made {
    /// When it was made.
    pub(in crate::db) at: Timestamp,
    /// Its first instant.
    pub(in crate::db) first: Timestamp,
}

/// Schedules with a time that must lie in the past but is later than a given time.
pub(in crate::db) fn list_marked(tx: &Tx<'_>, now: Timestamp) -> sql::Result<Vec<Uuid>> {
    let uids: Vec<String> = statement!(
        "SELECT uid FROM occurrences WHERE finished_at > $1 \
         UNION SELECT uid FROM occurrences WHERE state IN ('waiting', 'sending', 'unknown') \
             AND (intended_at > $1 OR sent_at > $1) \
         UNION SELECT o.uid FROM attempts a JOIN occurrences o ON o.id = a.occurrence_id \
             WHERE a.started_at > $1 \
         UNION SELECT uid FROM schedule_revisions WHERE from_at > $1 \
         UNION SELECT uid FROM schedules WHERE paused_at > $1"
    )
    .bind(DbTime(now))
    .all(tx)?;
    Ok(uids.iter().filter_map(|uid| uid.parse().ok()).collect())
}

/// Our schedules after an id, up to a number, with how their plans were made.
pub(in crate::db) fn list_plans(
    tx: &Tx<'_>,
    after: i64,
    most: i64,
) -> sql::Result<Vec<(PromptSchedule, Option<Made>)>> {
    statement!(
        "SELECT (SELECT from_at FROM schedule_revisions r WHERE r.uid = schedules.uid \
             ORDER BY r.id DESC LIMIT 1) AS made_at, \
         (SELECT first_instant FROM schedule_revisions r WHERE r.uid = schedules.uid \
             ORDER BY r.id DESC LIMIT 1) AS first_instant, ",
        schedule_columns!(),
        " FROM schedules WHERE id > $1 AND uid IS NOT NULL AND touched = 0 ORDER BY id LIMIT $2"
    )
    .bind(after)
    .bind(most)
    .map(tx, |row| Ok((rows::schedule(row)?, made(row))))
}

/// How the current plan of a schedule was made.
pub(in crate::db) fn fetch_made(tx: &Tx<'_>, uid: Uuid) -> sql::Result<Option<Made>> {
    let row = statement!(
        "SELECT from_at AS made_at, first_instant FROM schedule_revisions WHERE uid = $1 \
         ORDER BY id DESC LIMIT 1"
    )
    .bind(uid.to_string())
    .fetch_optional(tx)?;
    Ok(row.as_ref().and_then(made))
}

fn made(row: &Row) -> Option<Made> {
    Some(Made {
        at: rows::lenient_time(row, "made_at")?,
        first: rows::lenient_time(row, "first_instant")?,
    })
}

/// When a revision began, and how many repetitions had been used.
pub(in crate::db) struct Begun {
    /// When; `None` if that can't be read.
    pub(in crate::db) at: Option<Timestamp>,
    /// How many.
    pub(in crate::db) repetitions: i64,
}

/// When each revision of a schedule began, oldest first.
pub(in crate::db) fn list_begun(tx: &Tx<'_>, uid: Uuid) -> sql::Result<Vec<Begun>> {
    statement!("SELECT from_at, repetitions FROM schedule_revisions WHERE uid = $1 ORDER BY id")
        .bind(uid.to_string())
        .map(tx, |row| {
            Ok(Begun {
                at: rows::lenient_time(row, "from_at"),
                repetitions: rows::number(row, "repetitions").unwrap_or_default(),
            })
        })
}

/// The newest pruned instant up to a time.
pub(in crate::db) fn fetch_pruned_until(
    tx: &Tx<'_>,
    uid: Uuid,
    now: Timestamp,
) -> sql::Result<Option<Timestamp>> {
    let row = statement!(
        "SELECT max(last_at) AS last_at FROM pruned_sums WHERE uid = $1 \
         AND \"trigger\" = 'schedule' AND last_at <= $2"
    )
    .bind(uid.to_string())
    .bind(DbTime(now))
    .fetch_one(tx)?;
    Ok(rows::lenient_time(&row, "last_at"))
}

/// Ends every plan of a schedule that ends later than `end` at `end`; one that begins after `now`
/// ends where it begins.
pub(in crate::db) fn trim_revisions(
    tx: &Tx<'_>,
    uid: Uuid,
    now: Timestamp,
    end: Timestamp,
) -> sql::Result<()> {
    statement!(
        "UPDATE schedule_revisions INDEXED BY ix_schedule_revisions_uid SET ends_before = \
             CASE WHEN first_instant > $2 THEN first_instant ELSE $3 END \
         WHERE uid = $1 AND ends_before > $3"
    )
    .bind(uid.to_string())
    .bind(DbTime(now))
    .bind(DbTime(end))
    .execute(tx)?;
    Ok(())
}

/// What a schedule's row says about its past.
pub(in crate::db) struct Times {
    /// How many repetitions were used.
    pub(in crate::db) repetitions: i64,
    /// Since when it has been paused.
    pub(in crate::db) paused_at: Option<Timestamp>,
    /// When it was created.
    pub(in crate::db) created_at: Option<Timestamp>,
    /// When it last ran.
    pub(in crate::db) last_run: Option<Timestamp>,
}

/// Writes what a schedule's row says about its past.
pub(in crate::db) fn write_times(tx: &Tx<'_>, id: i64, times: &Times) -> sql::Result<()> {
    statement!(change_schedule!(
        "repetitions = $2, paused_at = $3, created_at = $4, last_run = $5",
        " WHERE id = $1"
    ))
    .bind(id)
    .bind(times.repetitions)
    .bind(optional(times.paused_at))
    .bind(optional(times.created_at))
    .bind(optional(times.last_run))
    .execute(tx)?;
    Ok(())
}

/// A recorded outcome of one instant, or of a range.
pub(in crate::db) struct Recorded {
    /// Its id.
    pub(in crate::db) id: i64,
    /// The first instant.
    pub(in crate::db) first: Timestamp,
    /// The last instant.
    pub(in crate::db) newest: Timestamp,
    /// How many instants there are.
    pub(in crate::db) count: i64,
    /// The outcome, if it is a known one.
    pub(in crate::db) state: Option<State>,
    /// The reason.
    pub(in crate::db) reason: Option<String>,
    /// What was sent.
    pub(in crate::db) payload: Option<String>,
    /// When it was settled.
    pub(in crate::db) finished_at: Option<Timestamp>,
}

/// The outcomes of a schedule's future instants, and of earlier ones back to the newest that has
/// certainly passed, in order, without those that can't be read.
pub(in crate::db) fn list_recorded(
    tx: &Tx<'_>,
    uid: Uuid,
    now: Timestamp,
) -> sql::Result<Vec<Recorded>> {
    let rows = statement!(
        "SELECT id, first_at, intended_at, count, state, reason, payload, finished_at \
         FROM occurrences WHERE uid = $1 AND \"trigger\" = 'schedule' AND intended_at >= coalesce(\
             (SELECT max(intended_at) FROM occurrences WHERE uid = $1 AND \"trigger\" = 'schedule' \
              AND intended_at <= (SELECT CASE WHEN min(first_at) < $2 THEN min(first_at) ELSE $2 \
                  END FROM occurrences WHERE uid = $1 AND \"trigger\" = 'schedule' \
                  AND intended_at > $2)), '') \
         ORDER BY intended_at"
    )
    .bind(uid.to_string())
    .bind(DbTime(now))
    .fetch_all(tx)?;
    Ok(rows.iter().filter_map(recorded).collect())
}

fn recorded(row: &Row) -> Option<Recorded> {
    Some(Recorded {
        id: row.get("id").ok()?,
        first: rows::lenient_time(row, "first_at")?,
        newest: rows::lenient_time(row, "intended_at")?,
        count: rows::number(row, "count")?,
        state: State::from_word(&rows::text(row, "state")?),
        reason: rows::text(row, "reason"),
        payload: rows::text(row, "payload"),
        finished_at: rows::lenient_time(row, "finished_at"),
    })
}

/// Reduces a range to what has passed.
pub(in crate::db) fn shorten(
    tx: &Tx<'_>,
    id: i64,
    newest: Timestamp,
    count: i64,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "UPDATE occurrences SET intended_at = $2, count = $3, finished_at = $4 WHERE id = $1"
    )
    .bind(id)
    .bind(DbTime(newest))
    .bind(count)
    .bind(DbTime(now))
    .execute(tx)?;
    Ok(())
}
