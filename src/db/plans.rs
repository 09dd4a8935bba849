//! What every change of a schedule's time has in common: reading its timetable, recording a
//! revision, accounting for the instants that are no longer to come.

use jiff::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::time::{DbTime, optional};
use crate::error::{Code, Error, Result};
use crate::models::{Plan, PromptSchedule, ScheduleType, State, Trigger};
use crate::schedule::{Spec, Timetable, Zone};

/// The timetable of a stored schedule.
///
/// # Errors
/// [`Code::ScheduleBroken`] and the codes of the schedule's own parts.
pub fn timetable(schedule: &PromptSchedule) -> Result<Timetable> {
    let zone = match schedule.timezone.as_deref() {
        Some(name) => Zone::parse(name)?,
        None => Zone::utc(),
    };
    let next_run = schedule.next_run.ok_or_else(|| {
        Error::new(
            Code::ScheduleBroken,
            "next_run is not a date and time in UTC",
        )
    })?;
    let spec = match schedule_type(&schedule.schedule_type)? {
        // Foreign writers set next_run apart from the value: it is the instant.
        ScheduleType::Once => Spec::Once(next_run),
        kind => Spec::read_stored(kind, &schedule.schedule_value, &zone)?,
    };
    let anchor = schedule.anchor.unwrap_or(next_run);
    Ok(Timetable {
        spec,
        zone,
        anchor,
        end_at: schedule.end_at,
    })
}

/// Reads a stored `schedule_type`.
///
/// # Errors
/// [`Code::ScheduleBroken`] for any word but ours.
pub(super) fn schedule_type(text: &str) -> Result<ScheduleType> {
    ScheduleType::from_word(text.trim()).ok_or_else(|| {
        Error::new(
            Code::ScheduleBroken,
            format!("schedule_type {text:?} is none of once, cron and interval"),
        )
    })
}

/// How many more instants the schedule may have; `None` for no limit.
pub fn remaining(schedule: &PromptSchedule) -> Option<u64> {
    schedule
        .max_repetitions
        .map(|max| u64::try_from(max.saturating_sub(schedule.repetitions)).unwrap_or(0))
}

/// Records what a schedule's instants are from `from_at` on.
pub(super) async fn record_revision(
    tx: &mut Tx,
    uid: Uuid,
    plan: &Plan,
    from_at: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO schedule_revisions (uid, from_at, schedule_type, schedule_value, timezone, \
         anchor, first_instant, end_at, max_repetitions) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(uid.to_string())
    .bind(DbTime(from_at))
    .bind(plan.schedule_type.as_str())
    .bind(&plan.schedule_value)
    .bind(&plan.timezone)
    .bind(DbTime(plan.anchor))
    .bind(DbTime(plan.next_run))
    .bind(optional(plan.end_at))
    .bind(plan.max_repetitions)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What instants that are not sent come to, and when that was settled.
#[derive(Clone, Copy)]
pub(super) struct Outcome<'a> {
    pub(super) state: State,
    pub(super) reason: &'a str,
    pub(super) at: Timestamp,
}

/// Accounts for the instants from the schedule's `next_run` to `now` that will not be sent, as
/// one range with outcome `state`. Returns how many they were.
pub(super) async fn settle_backlog(
    tx: &mut Tx,
    schedule: &PromptSchedule,
    timetable: &Timetable,
    now: Timestamp,
    state: State,
    reason: &str,
) -> sqlx::Result<u64> {
    let outcome = Outcome {
        state,
        reason,
        at: now,
    };
    settle_until(tx, schedule, timetable, now, outcome).await
}

/// Accounts for the instants from the schedule's `next_run` to `until`, which may lie before the
/// time of the outcome. Returns how many they were.
pub(super) async fn settle_until(
    tx: &mut Tx,
    schedule: &PromptSchedule,
    timetable: &Timetable,
    until: Timestamp,
    outcome: Outcome<'_>,
) -> sqlx::Result<u64> {
    let (Some(uid), Some(first)) = (schedule.uid, schedule.next_run) else {
        return Ok(0);
    };
    let limit = remaining(schedule);
    if first > until || limit == Some(0) {
        return Ok(0);
    }
    let passed = timetable.passed(first, until, limit);
    let unsent = Unsent {
        uid,
        agent_id: &schedule.agent_id,
        first_at: first,
        newest: passed.newest,
        count: passed.count,
        state: outcome.state,
        reason: outcome.reason,
    };
    let new = unsent.record(tx, outcome.at).await?;
    if !new {
        return Ok(0);
    }
    sqlx::query(
        "UPDATE schedules SET repetitions = repetitions + $2, row_version = row_version + 1 \
         WHERE uid = $1",
    )
    .bind(uid.to_string())
    .bind(to_i64(passed.count))
    .execute(&mut **tx)
    .await?;
    Ok(passed.count)
}

/// A range of instants of one schedule that were not sent, and the outcome they share.
pub(super) struct Unsent<'a> {
    pub(super) uid: Uuid,
    pub(super) agent_id: &'a str,
    pub(super) first_at: Timestamp,
    pub(super) newest: Timestamp,
    pub(super) count: u64,
    pub(super) state: State,
    pub(super) reason: &'a str,
}

impl Unsent<'_> {
    /// Writes them as one settled occurrence. An instant that has an outcome already keeps it; then
    /// nothing is written, and the answer is `false`.
    pub(super) async fn record(&self, tx: &mut Tx, now: Timestamp) -> sqlx::Result<bool> {
        let written = sqlx::query(
            "INSERT INTO occurrences (uid, agent_id, \"trigger\", first_at, intended_at, count, \
             state, reason, finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (uid, \"trigger\", intended_at) DO NOTHING",
        )
        .bind(self.uid.to_string())
        .bind(self.agent_id)
        .bind(Trigger::Schedule.as_str())
        .bind(DbTime(self.first_at))
        .bind(DbTime(self.newest))
        .bind(to_i64(self.count))
        .bind(self.state.as_str())
        .bind(self.reason)
        .bind(DbTime(now))
        .execute(&mut **tx)
        .await?;
        Ok(written.rows_affected() == 1)
    }
}

/// Settles what waits of a schedule that will not send it: a prompt on its way ends by itself. A
/// run by hand only ends with its schedule; it is not one of the instants that are skipped.
pub(super) async fn end_waiting(
    tx: &mut Tx,
    uid: Uuid,
    state: State,
    reason: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE occurrences SET state = $2, reason = $3, finished_at = $4, \
         not_before = NULL, fence = fence + 1 WHERE uid = $1 AND state = 'waiting' \
         AND (\"trigger\" = 'schedule' OR $2 = 'cancelled')",
    )
    .bind(uid.to_string())
    .bind(state.as_str())
    .bind(reason)
    .bind(DbTime(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Counts are far below `i64::MAX`; the database has no wider type.
pub(super) fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
