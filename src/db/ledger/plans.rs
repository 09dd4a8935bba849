//! What all changes of a schedule's time have in common: reading its timetable, and accounting for
//! instants that will not be sent.

use jiff::Timestamp;
use uuid::Uuid;

use super::revisions::{end_revision, fresh_instants, record_passed};
use crate::db::sql::{self, Tx};
use crate::db::statements::plans::{self, SettledRange};
use crate::models::{Lifecycle, Plan, PromptSchedule, State, TargetName};
use crate::schedule::{Fresh, Passed, Timetable, remaining};

/// Why an instant of a paused schedule is not sent.
pub(in crate::db) const PASSED: &str = "it passed while the schedule was paused";

/// The outcome of instants that are not sent, and when it was settled.
#[derive(Clone, Copy)]
pub(in crate::db) struct Outcome<'a> {
    pub(in crate::db) state: State,
    pub(in crate::db) reason: &'a str,
    pub(in crate::db) at: Timestamp,
}

/// Accounts for the instants from the schedule's `next_run` to `until` that will not be sent, as
/// one range, and ends its plan there. `until` may lie before the time of the outcome. If the
/// schedule is neither active nor paused, nothing is due.
pub(in crate::db) fn settle_until(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    timetable: &Timetable,
    until: Timestamp,
    outcome: Outcome<'_>,
) -> sql::Result<()> {
    let (Some(uid), Some(first)) = (schedule.uid, schedule.next_run) else {
        return Ok(());
    };
    match schedule.lifecycle {
        Lifecycle::Active => {
            let passed = timetable.passed(first, until, remaining(schedule));
            record_range(tx, schedule, passed, outcome)?;
            take_repetitions(tx, uid, passed.count)?;
            end_revision(tx, uid, Some(until))
        }
        Lifecycle::Paused => settle_pause(tx, schedule, timetable, until, outcome),
        Lifecycle::Finished | Lifecycle::Cancelled | Lifecycle::Broken => {
            end_revision(tx, uid, None)
        }
    }
}

/// Accounts for what passed of a paused schedule. Instants during the pause use no repetition;
/// earlier unsent ones do.
fn settle_pause(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    timetable: &Timetable,
    until: Timestamp,
    outcome: Outcome<'_>,
) -> sql::Result<()> {
    let (Some(uid), Some(first)) = (schedule.uid, schedule.next_run) else {
        return Ok(());
    };
    let left = remaining(schedule);
    let paused_at = schedule.paused_at.unwrap_or(until).min(until);
    let before = timetable.passed(first, paused_at, left);
    let exhausted = left.is_some_and(|left| before.count >= left);
    let passed = match exhausted {
        true => before,
        false => timetable.passed(first, until, None),
    };
    if passed.count > 0 {
        let plan = Plan {
            max_repetitions: None,
            ..plan_of(schedule, timetable, first)
        };
        record_passed(tx, uid, &plan, passed.newest, outcome.at)?;
        record_range(tx, schedule, passed, outcome)?;
    }
    take_repetitions(tx, uid, before.count)?;
    end_revision(tx, uid, None)
}

/// Accounts for the instants that passed while the schedule was neither active nor paused. Those
/// with an outcome keep it, and use no repetition again.
pub(in crate::db) fn settle_inactive(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    timetable: &Timetable,
    until: Timestamp,
    outcome: Outcome<'_>,
) -> sql::Result<()> {
    let (Some(uid), Some(first)) = (schedule.uid, schedule.next_run) else {
        return Ok(());
    };
    let passed = timetable.passed(first, until, remaining(schedule));
    if passed.count == 0 {
        return Ok(());
    }
    let plan = Plan {
        max_repetitions: None,
        ..plan_of(schedule, timetable, first)
    };
    record_passed(tx, uid, &plan, passed.newest, outcome.at)?;
    let new = record_range(tx, schedule, passed, outcome)?;
    take_repetitions(tx, uid, new)
}

/// The current plan of a schedule, from `next_run` on.
pub(in crate::db) fn plan_of(
    schedule: &PromptSchedule,
    timetable: &Timetable,
    next_run: Timestamp,
) -> Plan {
    Plan {
        schedule_type: timetable.spec.kind(),
        schedule_value: schedule.schedule_value.clone(),
        timezone: timetable.zone.name().to_owned(),
        anchor: timetable.anchor,
        next_run,
        start_at: schedule.start_at,
        end_at: schedule.end_at,
        except: timetable.except.to_stored(),
        max_repetitions: schedule.max_repetitions,
    }
}

/// Records a range from the schedule's `next_run` on. Returns how many of its instants had no
/// outcome yet.
fn record_range(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    passed: Passed,
    outcome: Outcome<'_>,
) -> sql::Result<u64> {
    let (Some(uid), Some(first), true) = (schedule.uid, schedule.next_run, passed.count > 0) else {
        return Ok(0);
    };
    let unsent = Unsent {
        uid,
        agent_id: &schedule.agent_id,
        target: schedule.target.as_ref(),
        first_at: first,
        newest: passed.newest,
        count: passed.count,
        state: outcome.state,
        reason: outcome.reason,
    };
    unsent.record(tx, outcome.at)
}

fn take_repetitions(tx: &Tx<'_>, uid: Uuid, taken: u64) -> sql::Result<()> {
    match taken {
        0 => Ok(()),
        taken => plans::add_repetitions(tx, uid, to_i64(taken)),
    }
}

/// A range of instants of one schedule that were not sent, and their common outcome.
pub(in crate::db) struct Unsent<'a> {
    pub(in crate::db) uid: Uuid,
    pub(in crate::db) agent_id: &'a str,
    pub(in crate::db) target: Option<&'a TargetName>,
    pub(in crate::db) first_at: Timestamp,
    pub(in crate::db) newest: Timestamp,
    pub(in crate::db) count: u64,
    pub(in crate::db) state: State,
    pub(in crate::db) reason: &'a str,
}

impl Unsent<'_> {
    /// Writes them as one settled occurrence. Instants with an outcome keep it and are left out.
    /// Returns how many are new.
    pub(in crate::db) fn record(&self, tx: &Tx<'_>, now: Timestamp) -> sql::Result<u64> {
        let fresh = fresh_instants(tx, self.uid, self.first_at, self.newest)?;
        let fresh = fresh.unwrap_or(Fresh {
            count: self.count,
            first: self.first_at,
            newest: self.newest,
        });
        if fresh.count == 0 {
            return Ok(0);
        }
        let range = SettledRange {
            uid: self.uid,
            agent_id: self.agent_id,
            target: self.target,
            first: fresh.first,
            newest: fresh.newest,
            count: to_i64(fresh.count),
            state: self.state,
            reason: self.reason,
        };
        Ok(match plans::insert_settled(tx, &range, now)? {
            true => fresh.count,
            false => 0,
        })
    }
}

/// Counts are far below `i64::MAX`; the database has no wider type.
pub(in crate::db) fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
