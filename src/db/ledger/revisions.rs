//! Revisions: what a schedule's instants were, from when on and up to where they were accounted
//! for, so that the past can be calculated again.

use jiff::Timestamp;
use uuid::Uuid;

use super::plans::schedule_type;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows;
use crate::db::time::{DbTime, optional};
use crate::error::{Code, Error, Result};
use crate::models::{Lifecycle, Plan, ScheduleType};
use crate::schedule::{Fresh, Past, Planned, Spec, Timetable, TooMany, Zone, just_after};

/// A stored revision, as far as it can be read.
pub(in crate::db) struct Revision {
    /// Whether it is still its schedule's plan.
    pub(in crate::db) open: bool,
    /// Its instants; those of an open one have no end yet.
    pub(in crate::db) planned: Result<Planned>,
}

/// Records what a schedule's instants are from now on, before they are written into its row: what
/// it had until then ends where it stands. With `lifecycle` neither active nor paused none of the
/// instants is to come.
pub(in crate::db) fn begin_revision(
    tx: &Tx<'_>,
    uid: Uuid,
    plan: &Plan,
    lifecycle: Lifecycle,
    now: Timestamp,
) -> sql::Result<()> {
    end_revision(tx, uid, None)?;
    let ends_before = match lifecycle {
        Lifecycle::Active | Lifecycle::Paused => None,
        Lifecycle::Finished | Lifecycle::Cancelled | Lifecycle::Broken => Some(plan.next_run),
    };
    insert(tx, uid, plan, ends_before, now)
}

/// Records instants that are settled as a whole, apart from those of the plans before and after:
/// they passed while their schedule was paused, or not active.
pub(in crate::db) fn record_passed(
    tx: &Tx<'_>,
    uid: Uuid,
    plan: &Plan,
    until: Timestamp,
    now: Timestamp,
) -> sql::Result<()> {
    end_revision(tx, uid, None)?;
    insert(tx, uid, plan, Some(just_after(until)), now)
}

fn insert(
    tx: &Tx<'_>,
    uid: Uuid,
    plan: &Plan,
    ends_before: Option<Timestamp>,
    now: Timestamp,
) -> sql::Result<()> {
    query(
        "INSERT INTO schedule_revisions (uid, from_at, schedule_type, schedule_value, timezone, \
         anchor, first_instant, end_at, max_repetitions, ends_before, repetitions) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
                 coalesce((SELECT repetitions FROM schedules WHERE uid = $1), 0))",
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
    .execute(tx)?;
    Ok(())
}

/// Ends the schedule's plan where it stands, or after `through` if that is later. Its row must
/// still say where it stood: `planned_next_run` and `lifecycle` are written after this.
pub(in crate::db) fn end_revision(
    tx: &Tx<'_>,
    uid: Uuid,
    through: Option<Timestamp>,
) -> sql::Result<()> {
    let stood = fetch_standing(tx, &uid.to_string())?;
    let before = stood.stands_before.max(through.map(just_after));
    let end = "UPDATE schedule_revisions INDEXED BY ix_schedule_revisions_uid \
               SET ends_before = coalesce($2, first_instant) \
               WHERE uid = $1 AND ends_before IS NULL";
    query(end)
        .bind(uid.to_string())
        .bind(optional(before))
        .execute(tx)?;
    Ok(())
}

/// Where a schedule stands, or stood when it was deleted.
#[derive(Default)]
pub(in crate::db) struct Standing {
    /// Its number, if it still exists.
    pub(in crate::db) schedule_id: Option<i64>,
    /// The instant before which everything is accounted for; `None` of a schedule of which nothing
    /// is known any more.
    pub(in crate::db) stands_before: Option<Timestamp>,
}

/// Reads where a schedule stands.
pub(in crate::db) fn fetch_standing(tx: &Tx<'_>, uid: &str) -> sql::Result<Standing> {
    let row = query(
        "SELECT id, planned_next_run AS next, lifecycle FROM schedules WHERE uid = $1 \
         UNION ALL SELECT NULL, planned_next_run, lifecycle FROM deleted_schedules \
         WHERE uid = $1 LIMIT 1",
    )
    .bind(uid)
    .fetch_optional(tx)?;
    let Some(row) = row else {
        return Ok(Standing::default());
    };
    let next = rows::lenient_time(&row, "next");
    let lifecycle = rows::text(&row, "lifecycle");
    // The last instant of a finished schedule stays in its next_run.
    let finished = lifecycle.as_deref() == Some(Lifecycle::Finished.as_str());
    Ok(Standing {
        schedule_id: rows::number(&row, "id"),
        stands_before: match finished {
            true => next.map(just_after),
            false => next,
        },
    })
}

/// The revisions of a schedule, the oldest first. An open one ends before `stands_before`.
pub(in crate::db) fn fetch_revisions(
    tx: &Tx<'_>,
    uid: &str,
    stands_before: Option<Timestamp>,
) -> sql::Result<Vec<Revision>> {
    let rows = query(
        "SELECT schedule_type, schedule_value, timezone, anchor, first_instant, end_at, \
         max_repetitions, repetitions, ends_before FROM schedule_revisions WHERE uid = $1 \
         ORDER BY id",
    )
    .bind(uid)
    .fetch_all(tx)?;
    let read = |row| Revision {
        open: rows::text(row, "ends_before").is_none(),
        planned: planned(row, stands_before),
    };
    Ok(rows.iter().map(read).collect())
}

fn planned(row: &Row, stands_before: Option<Timestamp>) -> Result<Planned> {
    let text = |column| rows::text(row, column).unwrap_or_default();
    let broken = |what: &str| {
        Error::new(
            Code::ScheduleBroken,
            format!("the {what} of a revision is no date and time"),
        )
    };
    let zone = Zone::parse(&text("timezone"))?;
    let first = rows::lenient_time(row, "first_instant").ok_or_else(|| broken("first instant"))?;
    let spec = match schedule_type(&text("schedule_type"))? {
        ScheduleType::Once => Spec::Once(first),
        kind => Spec::read_stored(kind, &text("schedule_value"), &zone)?,
    };
    let before = match rows::text(row, "ends_before") {
        None => stands_before.unwrap_or(first),
        Some(_) => rows::lenient_time(row, "ends_before").ok_or_else(|| broken("end"))?,
    };
    let most = rows::number(row, "max_repetitions");
    let taken = rows::number(row, "repetitions").unwrap_or(0);
    Ok(Planned {
        timetable: Timetable {
            spec,
            zone,
            anchor: rows::lenient_time(row, "anchor").unwrap_or(first),
            end_at: rows::lenient_time(row, "end_at"),
        },
        first,
        before,
        limit: most.map(|most| u64::try_from(most.saturating_sub(taken)).unwrap_or(0)),
    })
}

/// The instants of the schedule's latest revision from `first` to `newest` that have no outcome
/// yet. `None` where that can't be told; almost always it is known at once that all of them are.
pub(in crate::db) fn fresh_instants(
    tx: &Tx<'_>,
    uid: Uuid,
    first: Timestamp,
    newest: Timestamp,
) -> sql::Result<Option<Fresh>> {
    if !may_be_settled(tx, uid, first)? {
        return Ok(None);
    }
    let uid = uid.to_string();
    let mut revisions = fetch_revisions(tx, &uid, None)?;
    let Some(Ok(latest)) = revisions.pop().map(|r| r.planned) else {
        return Ok(None);
    };
    let mut past = Past::default();
    for revision in revisions.iter().filter_map(|r| r.planned.as_ref().ok()) {
        past.add(revision);
    }
    let range = Planned {
        first,
        before: just_after(newest),
        limit: None,
        ..latest
    };
    match range.fresh(&past) {
        Ok(fresh) => Ok(Some(fresh)),
        Err(TooMany) => Ok(None),
    }
}

/// Whether an instant of the schedule's plan has an outcome already, kept one by one or not.
pub(in crate::db) fn has_outcome(tx: &Tx<'_>, uid: Uuid, at: Timestamp) -> sql::Result<bool> {
    let fresh = fresh_instants(tx, uid, at, at)?;
    Ok(fresh.is_some_and(|fresh| fresh.count == 0))
}

/// Whether any instant from `first` on may have an outcome already.
fn may_be_settled(tx: &Tx<'_>, uid: Uuid, first: Timestamp) -> sql::Result<bool> {
    let settled = "SELECT 1 WHERE EXISTS (SELECT 1 FROM occurrences \
                       INDEXED BY sqlite_autoindex_occurrences_1 \
                       WHERE uid = $1 AND \"trigger\" = 'schedule' AND intended_at >= $2) \
                   OR EXISTS (SELECT 1 FROM pruned_sums INDEXED BY sqlite_autoindex_pruned_sums_1 \
                       WHERE uid = $1 AND \"trigger\" = 'schedule' AND last_at >= $2)";
    let settled = query(settled)
        .bind(uid.to_string())
        .bind(DbTime(first))
        .fetch_optional(tx);
    Ok(settled?.is_some())
}
