//! Rows of ours that another program changed: what was due until then is settled, and the new wish
//! is planned from now on.

use jiff::Timestamp;

use super::reading::{Known, Readable};
use crate::db::ledger::plans::{Outcome, PASSED, settle_inactive, settle_until};
use crate::db::ledger::revisions::{begin_revision, end_revision};
use crate::db::sql::{self, Tx, statement};
use crate::db::statements::plans::end_waiting;
use crate::db::statements::schedules::{change_schedule, write_plan};
use crate::models::{Lifecycle, Plan, PromptSchedule, State};
use crate::schedule::{Spec, Timetable, just_before, remaining, timetable_of};

/// Adopts a row of ours that another program changed.
pub(super) fn adopt_changed(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    read: &Readable,
    known: &Known,
    now: Timestamp,
) -> sql::Result<Lifecycle> {
    let spec_changed = known.spec_changed(row);
    let next_changed = known.next_changed(row);
    let was_active = known.lifecycle == Lifecycle::Active;
    // We found it broken, nobody wished it: if it can be read again, it runs again.
    if !row.active && known.lifecycle != Lifecycle::Broken {
        let lifecycle = deactivate(tx, row, Some(known), now)?;
        if next_changed {
            if lifecycle == Lifecycle::Paused {
                let until = now.min(just_before(read.plan.next_run));
                account_for(tx, row, known, until, outcome_of_pause(now))?;
            }
            // Recorded now, or it would look new when the row is activated: what has passed until
            // then is not sent.
            let plan = Plan {
                anchor: read.plan.next_run,
                ..read.plan.clone()
            };
            begin_revision(tx, known.uid, &plan, lifecycle, now)?;
            write_plan(tx, row.id, &plan, lifecycle)?;
        } else if spec_changed && lifecycle == Lifecycle::Paused {
            return replan_paused(tx, row, read, known, now);
        }
        return Ok(lifecycle);
    }
    clear_taken_name(tx, row)?;
    if was_active && !spec_changed && !next_changed {
        if known.bounds_changed(row) {
            begin_revision(tx, known.uid, &read.plan, Lifecycle::Active, now)?;
        }
        return Ok(Lifecycle::Active);
    }
    let outcome = match known.lifecycle {
        Lifecycle::Paused => {
            end_waiting(tx, known.uid, State::Skipped, PASSED, now)?;
            outcome_of_pause(now)
        }
        _ => Outcome {
            state: State::Skipped,
            reason: "the schedule was changed",
            at: now,
        },
    };
    // From a foreign next_run on, the instants are those of the new plan, passed or not.
    let until = match next_changed {
        true => now.min(just_before(read.plan.next_run)),
        false => now,
    };
    account_for(tx, row, known, until, outcome)?;
    if !was_active && remaining(row) == Some(0) {
        return Ok(Lifecycle::Finished);
    }
    let next = if next_changed {
        // A foreign next_run wins: it is the first intended instant, in the past or not.
        Some(read.plan.next_run)
    } else if spec_changed {
        Timetable {
            anchor: now,
            ..read.timetable.clone()
        }
        .first(now, None)
    } else {
        // Resumed without replay: what passed in the meantime is not sent. A once has no instant
        // other than next_run, whatever its value says.
        match read.timetable.spec {
            _ if read.plan.next_run > now => Some(read.plan.next_run),
            Spec::Once(_) => None,
            _ => read.timetable.next_after(now),
        }
    };
    let Some(next) = next else {
        if let (false, Some((before, timetable))) = (was_active, known_before(row, known)) {
            let outcome = Outcome {
                state: State::Skipped,
                reason: "it passed while the schedule was not active",
                at: now,
            };
            settle_inactive(tx, &before, &timetable, now, outcome)?;
        }
        return Ok(Lifecycle::Finished);
    };
    let anchor = match (next_changed, spec_changed) {
        (true, _) => next,
        (false, true) => now,
        (false, false) => read.plan.anchor,
    };
    let plan = Plan {
        next_run: next,
        anchor,
        ..read.plan.clone()
    };
    begin_revision(tx, known.uid, &plan, Lifecycle::Active, now)?;
    write_plan(tx, row.id, &plan, Lifecycle::Active)?;
    Ok(Lifecycle::Active)
}

/// A paused row whose spec another program changed: counted from now like any other, but recorded
/// now, because it may be resumed with replay.
fn replan_paused(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    read: &Readable,
    known: &Known,
    now: Timestamp,
) -> sql::Result<Lifecycle> {
    account_for(tx, row, known, now, outcome_of_pause(now))?;
    let from_now = Timetable {
        anchor: now,
        ..read.timetable.clone()
    };
    let Some(next_run) = from_now.first(now, None) else {
        return Ok(Lifecycle::Finished);
    };
    let plan = Plan {
        next_run,
        anchor: now,
        ..read.plan.clone()
    };
    begin_revision(tx, known.uid, &plan, Lifecycle::Paused, now)?;
    write_plan(tx, row.id, &plan, Lifecycle::Paused)?;
    Ok(Lifecycle::Paused)
}

/// Accounts for the instants up to `until` of the plan as we knew it that passed unsent.
fn account_for(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    known: &Known,
    until: Timestamp,
    outcome: Outcome<'_>,
) -> sql::Result<()> {
    match known_before(row, known) {
        Some((before, timetable)) => settle_until(tx, &before, &timetable, until, outcome),
        None => end_revision(tx, known.uid, None),
    }
}

/// The row as we knew it, with its timetable; `None` if we could never read it.
fn known_before(row: &PromptSchedule, known: &Known) -> Option<(PromptSchedule, Timetable)> {
    let before = PromptSchedule {
        uid: Some(known.uid),
        next_run: known.planned_next_run,
        lifecycle: known.lifecycle,
        schedule_type: known.schedule_type.clone(),
        schedule_value: known.schedule_value.clone(),
        timezone: known.timezone.clone(),
        anchor: known.anchor,
        end_at: known.end_at,
        except: known.except.clone(),
        max_repetitions: known.max_repetitions,
        ..row.clone()
    };
    let timetable = timetable_of(&before).ok()?;
    Some((before, timetable))
}

fn outcome_of_pause(now: Timestamp) -> Outcome<'static> {
    Outcome {
        state: State::Skipped,
        reason: PASSED,
        at: now,
    }
}

/// A row that is not supposed to run: an active one is cancelled, others stay as they were.
pub(super) fn deactivate(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    known: Option<&Known>,
    now: Timestamp,
) -> sql::Result<Lifecycle> {
    match known {
        Some(k) if k.lifecycle != Lifecycle::Active => Ok(k.lifecycle),
        _ => {
            let reason = "the schedule was deactivated";
            set_aside(tx, row, known, State::Cancelled, reason, now)?;
            Ok(Lifecycle::Cancelled)
        }
    }
}

/// Settles what is left of a schedule that will not run any more.
pub(super) fn set_aside(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    known: Option<&Known>,
    state: State,
    reason: &str,
    now: Timestamp,
) -> sql::Result<()> {
    let Some(known) = known else { return Ok(()) };
    let outcome = Outcome {
        state,
        reason,
        at: now,
    };
    account_for(tx, row, known, now, outcome)?;
    end_waiting(tx, known.uid, State::Cancelled, reason, now)
}

/// A schedule that is reactivated gives up its name if another one has it by now.
fn clear_taken_name(tx: &Tx<'_>, row: &PromptSchedule) -> sql::Result<()> {
    statement!(change_schedule!(
        "name = NULL",
        " WHERE id = $1 AND EXISTS (SELECT 1 FROM schedules o INDEXED BY ix_schedules_name \
             WHERE o.id <> $1 AND o.agent_id = $4 AND o.name = $5 \
             AND o.lifecycle IN ('active', 'paused') \
             AND coalesce(o.target, $3) = coalesce($2, $3))"
    ))
    .bind(row.id)
    .bind_target(tx, row.target.as_ref())
    .bind(row.agent_id.clone())
    .bind(row.name.clone())
    .execute(tx)?;
    Ok(())
}
