//! Pausing and resuming.

use jiff::Timestamp;

use super::changes::{About, note_change};
use super::current::lock_schedule;
use super::notices::follow_lifecycle;
use super::plans::{Outcome, PASSED, plan_of, settle_until};
use super::revisions::begin_revision;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::control::write_pause;
use crate::db::statements::plans::end_waiting;
use crate::db::statements::schedules::{fetch, write_lifecycle, write_plan};
use crate::error::Result;
use crate::models::{Lifecycle, Operation, PromptSchedule, Resumption, ScheduleType, State};
use crate::schedule::{Timetable, remaining, timetable_of};

impl Db {
    /// Pauses an active schedule: whatever has not been sent stays as it is. Returns its previous
    /// lifecycle; `None` if there is no schedule with this id.
    pub async fn pause_schedule(
        &self,
        id: i64,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Lifecycle>> {
        let note = note.map(str::to_owned);
        let db = self.clone();
        self.write("pause the schedule", move |tx| {
            let note = note.as_deref();
            let Some(schedule) = lock_schedule(tx, id, &db.zone, now)? else {
                return Ok(None);
            };
            if schedule.lifecycle == Lifecycle::Active {
                write_pause(tx, id, note, now)?;
                let about = About::schedule(&schedule);
                note_change(tx, &db.by, Operation::Pause, about, None, now)?;
            }
            Ok(Some(schedule.lifecycle))
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
}

/// Settles what has passed or waits as skipped, and plans the first instant after now.
pub(in crate::db) fn skip_to_now(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    timetable: &Timetable,
    reason: &str,
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
    settle_until(tx, schedule, timetable, now, outcome)?;
    let next = match next_run > now {
        true => Some(next_run),
        false => timetable.next_after(now),
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
