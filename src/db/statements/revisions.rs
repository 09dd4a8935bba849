//! A schedule's instants, from when they applied and up to where they were accounted for.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows;
use crate::db::sql::{self, Tx, statement};
use crate::db::time::{DbTime, optional};
use crate::models::{Lifecycle, Plan};

/// Records a plan from now on; `ends_before` if it already has an end.
pub(in crate::db) fn insert(
    tx: &Tx<'_>,
    uid: Uuid,
    plan: &Plan,
    ends_before: Option<Timestamp>,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "INSERT INTO schedule_revisions (uid, from_at, schedule_type, schedule_value, timezone, \
         anchor, first_instant, end_at, max_repetitions, ends_before, except_dates, repetitions) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, \
                 coalesce((SELECT repetitions FROM schedules WHERE uid = $1), 0))"
    )
    .bind(uid.to_string())
    .bind(DbTime(now))
    .bind(plan.schedule_type.as_str())
    .bind(&plan.schedule_value)
    .bind(&plan.timezone)
    .bind(DbTime(plan.anchor))
    .bind(DbTime(plan.next_run))
    .bind(optional(plan.end_at))
    .bind(plan.max_repetitions)
    .bind(optional(ends_before))
    .bind(&plan.except)
    .execute(tx)?;
    Ok(())
}

/// Ends a schedule's open revision before an instant, or if none is given, before its first one.
pub(in crate::db) fn end_open(
    tx: &Tx<'_>,
    uid: Uuid,
    before: Option<Timestamp>,
) -> sql::Result<()> {
    statement!(
        "UPDATE schedule_revisions INDEXED BY ix_schedule_revisions_uid \
         SET ends_before = coalesce($2, first_instant) WHERE uid = $1 AND ends_before IS NULL"
    )
    .bind(uid.to_string())
    .bind(optional(before))
    .execute(tx)?;
    Ok(())
}

/// How far a schedule has come, or had come when it was deleted.
pub(in crate::db) struct Place {
    /// Its id, if it still exists.
    pub(in crate::db) schedule_id: Option<i64>,
    /// Its next instant as we last wrote it.
    pub(in crate::db) planned_next_run: Option<Timestamp>,
    /// Its lifecycle, if it has one.
    pub(in crate::db) lifecycle: Option<Lifecycle>,
}

/// Reads how far a schedule has come; `None` if nothing is known about it any more.
pub(in crate::db) fn fetch_place(tx: &Tx<'_>, uid: &str) -> sql::Result<Option<Place>> {
    let row = statement!(
        "SELECT id, planned_next_run AS next, lifecycle FROM schedules WHERE uid = $1 \
         UNION ALL SELECT NULL, planned_next_run, lifecycle FROM deleted_schedules \
         WHERE uid = $1 LIMIT 1"
    )
    .bind(uid)
    .fetch_optional(tx)?;
    Ok(row.map(|row| Place {
        schedule_id: rows::number(&row, "id"),
        planned_next_run: rows::lenient_time(&row, "next"),
        lifecycle: rows::text(&row, "lifecycle").and_then(|l| Lifecycle::from_word(&l)),
    }))
}

/// A revision, as stored.
pub(in crate::db) struct StoredRevision {
    /// `once`, `cron` or `interval`.
    pub(in crate::db) schedule_type: String,
    /// The time, pattern or interval.
    pub(in crate::db) schedule_value: String,
    /// Its zone.
    pub(in crate::db) timezone: String,
    /// The start that intervals are counted from.
    pub(in crate::db) anchor: Option<Timestamp>,
    /// Its first instant.
    pub(in crate::db) first_instant: Option<Timestamp>,
    /// When it ends.
    pub(in crate::db) end_at: Option<Timestamp>,
    /// The dates on which it does not run.
    pub(in crate::db) except: Option<String>,
    /// How many instants its schedule has in total.
    pub(in crate::db) max_repetitions: Option<i64>,
    /// How many of them were used before it.
    pub(in crate::db) repetitions: Option<i64>,
    /// Whether it is the current plan of its schedule.
    pub(in crate::db) is_open: bool,
    /// The instant up to which it was accounted for.
    pub(in crate::db) ends_before: Option<Timestamp>,
}

/// The revisions of a schedule, oldest first.
pub(in crate::db) fn list(tx: &Tx<'_>, uid: &str) -> sql::Result<Vec<StoredRevision>> {
    statement!(
        "SELECT schedule_type, schedule_value, timezone, anchor, first_instant, end_at, \
         max_repetitions, repetitions, ends_before, except_dates FROM schedule_revisions WHERE uid = $1 \
         ORDER BY id"
    )
    .bind(uid)
    .map(tx, |row| {
        let text = |column| rows::text(row, column).unwrap_or_default();
        Ok(StoredRevision {
            schedule_type: text("schedule_type"),
            schedule_value: text("schedule_value"),
            timezone: text("timezone"),
            anchor: rows::lenient_time(row, "anchor"),
            first_instant: rows::lenient_time(row, "first_instant"),
            end_at: rows::lenient_time(row, "end_at"),
            except: rows::text(row, "except_dates"),
            max_repetitions: rows::number(row, "max_repetitions"),
            repetitions: rows::number(row, "repetitions"),
            is_open: rows::text(row, "ends_before").is_none(),
            ends_before: rows::lenient_time(row, "ends_before"),
        })
    })
}

/// Whether any instant of a schedule from one on has an outcome, stored or pruned.
pub(in crate::db) fn is_any_settled(tx: &Tx<'_>, uid: Uuid, first: Timestamp) -> sql::Result<bool> {
    let row = statement!(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM occurrences \
             INDEXED BY sqlite_autoindex_occurrences_1 \
             WHERE uid = $1 AND \"trigger\" = 'schedule' AND intended_at >= $2) \
         OR EXISTS (SELECT 1 FROM pruned_sums INDEXED BY sqlite_autoindex_pruned_sums_1 \
             WHERE uid = $1 AND \"trigger\" = 'schedule' AND last_at >= $2)"
    )
    .bind(uid.to_string())
    .bind(DbTime(first))
    .fetch_optional(tx)?;
    Ok(row.is_some())
}
