//! Corrects the records of one schedule: outcomes of future instants are undone, and its revisions
//! describe what is left.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::super::plans::{PASSED, plan_of, to_i64};
use super::super::revisions::{Revision, begin_revision, fetch_revisions, record_passed};
use super::from_now::{FromNow, planned_from};
use super::outcomes::{parts_passed, take_back};
use crate::db::sql::{self, Tx};
use crate::db::statements::replan::{self, Made, Recorded, Times};
use crate::db::statements::revisions::end_open;
use crate::db::statements::schedules::write_plan;
use crate::models::{Lifecycle, Plan, PromptSchedule, ScheduleType, State};
use crate::schedule::{PlannedInstants, Spec, Timetable, just_after, just_before, timetable_of};

/// Corrects the records of a schedule as of `now`. Returns how many instants recorded as not sent
/// will run again; `None` if nothing had to be changed.
pub(super) fn balance(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    made: Made,
    now: Timestamp,
) -> sql::Result<Option<i64>> {
    let Some(uid) = schedule.uid else {
        return Ok(None);
    };
    let recorded = replan::list_recorded(tx, uid, now)?;
    let is_once = schedule.schedule_type == ScheduleType::Once.as_str();
    let is_wrong = |entry: &Recorded| {
        // By the right clock, a one-shot may still be in time.
        let missed = is_once && entry.state == Some(State::Missed);
        entry.is_unsent()
            && (entry.newest > now || (missed && entry.finished_at.is_some_and(|t| t > now)))
    };
    let (wrong, kept): (Vec<Recorded>, Vec<Recorded>) = recorded.into_iter().partition(is_wrong);
    let from_now = planned_from(schedule, made, now);
    let live = matches!(
        schedule.lifecycle,
        Lifecycle::Active | Lifecycle::Paused | Lifecycle::Finished
    );
    let Some(from_now) = from_now.filter(|_| live) else {
        return end_books(tx, schedule, &wrong, &kept, now);
    };
    let revisions = dated_revisions(tx, uid)?;
    let passed = parts_passed(&wrong, &kept, &plans_of(&revisions), now);
    let taken = match schedule.max_repetitions {
        Some(_) => taken(&from_now, &revisions, &wrong, &kept, schedule, now),
        None => 0,
    };
    let next = match schedule.max_repetitions.is_some_and(|most| taken >= most) {
        true => None,
        false => {
            let pruned = replan::fetch_pruned_until(tx, uid, now)?;
            let settled = passed.iter().flatten().map(|(newest, _)| *newest);
            let settled = settled.chain(pruned).max();
            next_of(&from_now, made, &kept, settled, now)
        }
    };
    let stays = match (schedule.lifecycle, next) {
        (Lifecycle::Finished, None) => true,
        (Lifecycle::Finished, Some(_)) => schedule.next_run.is_none_or(|at| at <= now),
        (_, next) => next == schedule.next_run || schedule.next_run.is_none_or(|at| at <= now),
    };
    let is_counted_anew = schedule
        .anchor
        .is_some_and(|at| at != from_now.timetable.anchor);
    if stays && wrong.is_empty() && !is_counted_anew {
        return Ok(None);
    }
    let back = take_back(tx, &wrong, &passed, now)?;
    replan::trim_revisions(tx, uid, now, just_after(now))?;
    if from_now.is_new && made.first > now {
        // Nothing is left of a plan that starts over: the next run may lie behind its first one.
        end_open(tx, uid, None)?;
    }
    let lifecycle = match (schedule.lifecycle, next) {
        (_, None) => Lifecycle::Finished,
        (Lifecycle::Finished, Some(_)) => Lifecycle::Active,
        (stands, Some(_)) => stands,
    };
    let next_run = match (next, schedule.next_run) {
        (Some(next), _) => next,
        (None, Some(last)) if last <= now || kept.iter().any(|e| e.newest == last) => last,
        (None, last) => kept.last().map(|e| e.newest).or(last).unwrap_or(now),
    };
    let plan = from_now.plan(schedule, next_run);
    // The old plan ends here: the row says where.
    write_plan(tx, schedule.id, &plan, lifecycle)?;
    let repetitions = match schedule.max_repetitions {
        Some(_) => taken,
        None => schedule
            .repetitions
            .saturating_sub(back.min(schedule.repetitions)),
    };
    write_times(tx, schedule, repetitions, now)?;
    keep_sent(tx, uid, &plan, &from_now.timetable, &kept, now)?;
    begin_revision(tx, uid, &plan, lifecycle, now)?;
    Ok(Some(back))
}

/// The same for a schedule that will not run: only its records are corrected.
fn end_books(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    wrong: &[Recorded],
    kept: &[Recorded],
    now: Timestamp,
) -> sql::Result<Option<i64>> {
    let (Some(uid), false) = (schedule.uid, wrong.is_empty()) else {
        return Ok(None);
    };
    let revisions = dated_revisions(tx, uid)?;
    let passed = parts_passed(wrong, kept, &plans_of(&revisions), now);
    take_back(tx, wrong, &passed, now)?;
    replan::trim_revisions(tx, uid, now, just_after(now))?;
    if let Some(timetable) = latest_timetable(schedule, &revisions) {
        let plan = Plan {
            schedule_value: timetable.spec.to_stored(&timetable.zone),
            ..plan_of(schedule, &timetable, now)
        };
        keep_sent(tx, uid, &plan, &timetable, kept, now)?;
    }
    Ok(Some(0))
}

/// The latest known timetable of the schedule: its row may be unreadable by now.
fn latest_timetable(schedule: &PromptSchedule, revisions: &[Dated]) -> Option<Timetable> {
    timetable_of(schedule).ok().or_else(|| {
        let mut latest_first = revisions.iter().rev();
        let latest = latest_first.find_map(|dated| dated.revision.planned.as_ref().ok())?;
        Some(latest.timetable.clone())
    })
}

/// A revision, with when it was made and how many repetitions had been used.
struct Dated {
    at: Timestamp,
    repetitions: i64,
    revision: Revision,
}

fn dated_revisions(tx: &Tx<'_>, uid: Uuid) -> sql::Result<Vec<Dated>> {
    let begun = replan::list_begun(tx, uid)?;
    let revisions = fetch_revisions(tx, &uid.to_string(), None)?;
    let dated = begun.iter().zip(revisions).filter_map(|(begun, revision)| {
        Some(Dated {
            at: begun.at?,
            repetitions: begun.repetitions,
            revision,
        })
    });
    Ok(dated.collect())
}

fn plans_of(revisions: &[Dated]) -> Vec<PlannedInstants> {
    let planned = |dated: &Dated| dated.revision.planned.as_ref().ok().cloned();
    revisions.iter().filter_map(planned).collect()
}

/// How many repetitions have been used by now, according to the last plan made by a right clock.
fn taken(
    from_now: &FromNow,
    revisions: &[Dated],
    wrong: &[Recorded],
    kept: &[Recorded],
    schedule: &PromptSchedule,
    now: Timestamp,
) -> i64 {
    let right = revisions.iter().rev().find(|r| r.at <= now);
    let Some(right) = right else {
        return revisions.first().map_or(0, |r| r.repetitions);
    };
    let Ok(planned) = &right.revision.planned else {
        return schedule.repetitions;
    };
    if let Spec::Once(at) = from_now.timetable.spec {
        let is_kept = kept.iter().any(|entry| entry.newest == at);
        return right.repetitions.saturating_add(i64::from(is_kept));
    }
    let is_due = schedule.next_run.is_some_and(|next| next <= now);
    if is_due && wrong.is_empty() {
        return schedule.repetitions;
    }
    // Instants that passed during a pause used none.
    let paused = wrong.iter().any(|e| e.reason.as_deref() == Some(PASSED));
    let until = match schedule.paused_at.filter(|_| paused) {
        Some(paused_at) => just_before(paused_at.min(now)),
        None => now,
    };
    let passed = planned.timetable.passed(planned.first, until, None);
    right.repetitions.saturating_add(to_i64(passed.count))
}

/// The first instant of the plan without an outcome. `settled` is the newest one with an outcome,
/// apart from those that are kept.
fn next_of(
    from_now: &FromNow,
    made: Made,
    kept: &[Recorded],
    settled: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let sent: BTreeSet<Timestamp> = (kept.iter()).map(|entry| entry.newest).collect();
    let timetable = &from_now.timetable;
    let settled = sent.range(..=now).next_back().copied().max(settled);
    let mut next = match settled.filter(|settled| *settled >= made.first) {
        _ if from_now.is_new => from_now.next,
        Some(settled) => timetable.next_after(settled),
        None => Some(made.first),
    };
    while let Some(at) = next.filter(|at| sent.contains(at)) {
        next = timetable.next_after(at);
    }
    next
}

/// Records as planned what was sent for future instants, in as few plans as possible.
fn keep_sent(
    tx: &Tx<'_>,
    uid: Uuid,
    plan: &Plan,
    timetable: &Timetable,
    kept: &[Recorded],
    now: Timestamp,
) -> sql::Result<()> {
    let mut runs: Vec<(Timestamp, Timestamp)> = Vec::new();
    for entry in kept.iter().filter(|entry| entry.newest > now) {
        match runs.last_mut() {
            Some((_, newest)) if timetable.next_after(*newest) == Some(entry.newest) => {
                *newest = entry.newest;
            }
            _ => runs.push((entry.newest, entry.newest)),
        }
    }
    for (first, newest) in runs {
        let sent = Plan {
            next_run: first,
            max_repetitions: None,
            end_at: None,
            ..plan.clone()
        };
        record_passed(tx, uid, &sent, newest, now)?;
    }
    Ok(())
}

fn write_times(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    repetitions: i64,
    now: Timestamp,
) -> sql::Result<()> {
    let not_after = |time: Option<Timestamp>| time.map(|time| time.min(now));
    let times = Times {
        repetitions,
        paused_at: not_after(schedule.paused_at),
        created_at: not_after(schedule.created_at),
        last_run: not_after(schedule.last_run),
    };
    replan::write_times(tx, schedule.id, &times)
}
