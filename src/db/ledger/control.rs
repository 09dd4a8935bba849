//! Pausing and resuming.

use jiff::Timestamp;

use super::changes::{About, note_change};
use super::current::lock_schedule;
use super::notices::follow_lifecycle;
use super::plans::{Outcome, PASSED, plan_of, settle_until};
use super::revisions::begin_revision;
use crate::db::sql::{self, Tx};
use crate::db::statements::control::{list_to_resume, next_resume, write_pause, write_resume_at};
use crate::db::statements::plans::end_waiting;
use crate::db::statements::schedules::{fetch, write_lifecycle, write_plan};
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::{
    By, Lifecycle, Operation, Pausing, PromptSchedule, Resumption, ScheduleType, State,
};
use crate::schedule::{Timetable, just_before, remaining, timetable_of};

impl Db {
    /// Pauses an active schedule, perhaps until a time at which it resumes by itself: whatever has
    /// not been sent stays as it is. With such a time, a paused one gets it too. `None` if there is
    /// no schedule with this id.
    pub async fn pause_schedule(
        &self,
        id: i64,
        note: Option<&str>,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Pausing>> {
        let note = note.map(str::to_owned);
        let db = self.clone();
        self.write("pause the schedule", move |tx| {
            let note = note.as_deref();
            let Some(schedule) = lock_schedule(tx, id, &db.zone, now)? else {
                return Ok(None);
            };
            let is_once = schedule.schedule_type == ScheduleType::Once.as_str();
            let passes = schedule
                .next_run
                .filter(|at| is_once && until.is_some_and(|u| *at < u));
            match (schedule.lifecycle, passes) {
                (Lifecycle::Active | Lifecycle::Paused, Some(at)) => {
                    return Ok(Some(Pausing::OncePasses(at)));
                }
                (Lifecycle::Active, None) => write_pause(tx, id, note, until, now)?,
                (Lifecycle::Paused, None) if until.is_some() => {
                    write_resume_at(tx, id, note, until)?;
                }
                (other, _) => return Ok(Some(Pausing::NotActive(other))),
            }
            let about = About::schedule(&schedule);
            let until = until.map(|until| format!("until {until}"));
            note_change(tx, &db.by, Operation::Pause, about, until.as_deref(), now)?;
            Ok(Some(Pausing::Done))
        })
        .await
    }

    /// Resumes a paused schedule. Instants that passed are settled as `skipped`, or with `replay`
    /// treated like any other backlog. `None` if there is no schedule with this id.
    ///
    /// # Errors
    /// Also if the schedule can't be read.
    pub async fn resume_schedule(
        &self,
        id: i64,
        replay: bool,
        now: Timestamp,
    ) -> Result<Option<Resumption>> {
        let db = self.clone();
        self.write("resume the schedule", move |tx| {
            let Some(schedule) = lock_schedule(tx, id, &db.zone, now)? else {
                return Ok(None);
            };
            let (Lifecycle::Paused, Some(next_run)) = (schedule.lifecycle, schedule.next_run)
            else {
                return Ok(Some(Resumption::NotPaused(schedule.lifecycle)));
            };
            if replay {
                write_lifecycle(tx, id, Lifecycle::Active, None)?;
                follow_lifecycle(tx, id, now)?;
                let (about, what) = (About::schedule(&schedule), Some("replay"));
                note_change(tx, &db.by, Operation::Resume, about, what, now)?;
                return Ok(Some(Resumption::Active(next_run)));
            }
            let is_once = schedule.schedule_type == ScheduleType::Once.as_str();
            if is_once && next_run <= now {
                return Ok(Some(Resumption::OncePassed(next_run)));
            }
            let timetable = timetable_of(&schedule)?;
            let resumed = skip_to_now(tx, &schedule, &timetable, PASSED, now)?;
            follow_lifecycle(tx, id, now)?;
            let about = About::schedule(&schedule);
            note_change(tx, &db.by, Operation::Resume, about, None, now)?;
            Ok(Some(resumed))
        })
        .await
    }

    /// Resumes the schedules whose pause has ended by now, at most so many as fit into one
    /// transaction. Instants before the end of a pause are settled as `skipped`; later ones are a
    /// backlog like any other, if nobody was there to resume it in time.
    pub async fn end_pauses(&self, now: Timestamp) -> Result<()> {
        let db = self.clone();
        let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        self.write("end the pauses that are over", move |tx| {
            for id in list_to_resume(tx, now, most)? {
                let Some(schedule) = lock_schedule(tx, id, &db.zone, now)? else {
                    continue;
                };
                let ends = schedule.resume_at.filter(|at| *at <= now);
                let (Lifecycle::Paused, Some(at)) = (schedule.lifecycle, ends) else {
                    continue;
                };
                let Ok(timetable) = timetable_of(&schedule) else {
                    // Somebody has to look at it before it can run again.
                    write_resume_at(tx, id, None, None)?;
                    continue;
                };
                skip_until(tx, &schedule, &timetable, PASSED, just_before(at), now)?;
                write_resume_at(tx, id, None, None)?;
                follow_lifecycle(tx, id, now)?;
                let about = About::schedule(&schedule);
                let (by, what) = (By::scheduler(), Some("the pause is over"));
                note_change(tx, &by, Operation::Resume, about, what, now)?;
            }
            Ok(())
        })
        .await
    }

    /// When the first pause ends that has an end; that may have passed.
    pub async fn next_resume(&self) -> Result<Option<Timestamp>> {
        let doing = "look for the next pause to end";
        self.read(doing, move |tx| Ok(next_resume(tx)?)).await
    }
}

/// Settles what has passed or waits as skipped, and plans the first instant after now.
pub(in crate::db) fn skip_to_now(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    timetable: &Timetable,
    reason: &str,
    now: Timestamp,
) -> sql::Result<Resumption> {
    skip_until(tx, schedule, timetable, reason, now, now)
}

/// Settles what has passed by `until` or waits as skipped, and plans the first instant after it.
fn skip_until(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    timetable: &Timetable,
    reason: &str,
    until: Timestamp,
    now: Timestamp,
) -> sql::Result<Resumption> {
    let (Some(uid), Some(next_run)) = (schedule.uid, schedule.next_run) else {
        return Ok(Resumption::NotPaused(schedule.lifecycle));
    };
    end_waiting(tx, uid, State::Skipped, reason, now)?;
    let outcome = Outcome {
        state: State::Skipped,
        reason,
        at: now,
    };
    settle_until(tx, schedule, timetable, until, outcome)?;
    let next = match next_run > until {
        true => Some(next_run),
        false => timetable.next_after(until),
    };
    let exhausted = fetch(tx, schedule.id)?.is_some_and(|s| remaining(&s) == Some(0));
    let Some(next_run) = next.filter(|_| !exhausted) else {
        write_lifecycle(tx, schedule.id, Lifecycle::Finished, None)?;
        return Ok(Resumption::Finished);
    };
    let plan = plan_of(schedule, timetable, next_run);
    begin_revision(tx, uid, &plan, Lifecycle::Active, now)?;
    write_plan(tx, schedule.id, &plan, Lifecycle::Active)?;
    Ok(Resumption::Active(next_run))
}
