//! Adoption: making sense of rows that another program made or changed.
//!
//! Such a row differs from what we last knew of it: its latest revision, its planned `next_run`
//! and where it stood. The difference tells what was meant.

mod reading;

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::ledger::changes::{About, note_change};
use crate::db::ledger::control::PASSED;
use crate::db::ledger::notices::follow_lifecycle;
use crate::db::ledger::plans::{
    Outcome, remaining, settle_inactive, settle_until, timetable, to_i64,
};
use crate::db::ledger::revisions::{begin_revision, end_revision};
use crate::db::sql::{self, Tx, query};
use crate::db::statements::plans::end_waiting;
use crate::db::statements::schedules::{fetch, write_lifecycle, write_plan};
use crate::db::time::optional;
use crate::db::{AT_ONCE, Db};
use crate::error::{Code, Error, Result};
use crate::failpoint::failpoint;
use crate::ids::new_id;
use crate::models::{AgentId, By, Lifecycle, Operation, Plan, PromptSchedule, ScheduleType, State};
use crate::schedule::{Spec, Timetable, Zone, just_before};
use reading::{Known, Readable, fetch_known, fetch_unreadable, read};

/// What adoption made of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The row.
    pub id: i64,
    /// Where the schedule stands now.
    pub lifecycle: Lifecycle,
    /// Why it is broken.
    pub broken_reason: Option<String>,
}

impl Db {
    /// Adopts rows that another program has made or changed, at most [`AT_ONCE`]: if it is
    /// as many, there may be more. `zone` is the zone of rows that have none.
    ///
    /// # Errors
    /// Those of the database; a row that can't be read is no error, it becomes `broken`.
    pub async fn adopt_touched(&self, zone: &Zone, now: Timestamp) -> Result<Vec<Adopted>> {
        const DOING: &str = "adopt the changes of other programs";
        const SOME_TOUCHED: &str = "SELECT id FROM schedules INDEXED BY ix_schedules_touched \
                                    WHERE touched <> 0 ORDER BY id LIMIT $1";
        // Looked for first: almost always there is nothing to write.
        let any = self.read(DOING, |tx| {
            let any = query(SOME_TOUCHED).bind(1).fetch_optional(tx)?;
            Ok(any.is_some())
        });
        if !any.await? {
            return Ok(Vec::new());
        }
        let zone = zone.clone();
        let adopted = self.write(DOING, move |tx| {
            let touched: Vec<i64> = query(SOME_TOUCHED).bind(to_i64(AT_ONCE)).all(tx)?;
            let mut adopted = Vec::new();
            for id in touched {
                adopted.extend(adopt(tx, id, &zone, now)?);
            }
            failpoint!(AdoptionMade);
            Ok(adopted)
        });
        let adopted = adopted.await?;
        failpoint!(AdoptionCommitted);
        Ok(adopted)
    }
}

/// Adopts a row before we change it ourselves, so that our change doesn't hide another program's.
pub(in crate::db) fn adopt_if_touched(
    tx: &Tx<'_>,
    id: i64,
    zone: &Zone,
    now: Timestamp,
) -> sql::Result<()> {
    let touched: Option<i64> = query("SELECT 1 FROM schedules WHERE id = $1 AND touched <> 0")
        .bind(id)
        .optional(tx)?;
    if touched.is_some() {
        adopt(tx, id, zone, now)?;
    }
    Ok(())
}

/// Adopts one row.
pub(in crate::db) fn adopt(
    tx: &Tx<'_>,
    id: i64,
    zone: &Zone,
    now: Timestamp,
) -> sql::Result<Option<Adopted>> {
    let Some(mut row) = fetch(tx, id)? else {
        return Ok(None);
    };
    if let Ok(agent) = AgentId::parse(&row.agent_id) {
        row.agent_id = agent.to_string();
    }
    let known = fetch_known(tx, id)?;
    let known = known.as_ref();
    let uid = known.map_or_else(new_id, |k| k.uid);
    write_identity(tx, &row, uid)?;
    let zone = row
        .timezone
        .as_deref()
        .and_then(|z| Zone::parse(z).ok())
        .unwrap_or(zone.clone());
    let readable = match fetch_unreadable(tx, &row)? {
        None => read(&row, known, &zone, now),
        Some(what) => Err(Error::new(Code::ScheduleBroken, what)),
    };
    let (lifecycle, broken_reason) = match readable {
        Ok(read) => {
            let lifecycle = match known {
                None => adopt_new(tx, &row, uid, &read, now)?,
                Some(known) => adopt_changed(tx, &row, &read, known, now)?,
            };
            (lifecycle, None)
        }
        // Whatever it says, it is not to run.
        Err(_) if !row.active && known.is_none_or(|k| k.lifecycle != Lifecycle::Broken) => {
            (deactivate(tx, &row, known, now)?, None)
        }
        Err(e) => {
            let reason = e.to_string();
            set_aside(tx, &row, known, State::Skipped, &reason, now)?;
            (Lifecycle::Broken, Some(reason))
        }
    };
    write_lifecycle(tx, id, lifecycle, broken_reason.as_deref())?;
    follow_lifecycle(tx, id, now)?;
    note_adoption(tx, &row, uid, known, lifecycle, now)?;
    Ok(Some(Adopted {
        id,
        lifecycle,
        broken_reason,
    }))
}

/// Notes what another program did to a row, as far as that can be told from what we knew of it.
fn note_adoption(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    uid: Uuid,
    known: Option<&Known>,
    lifecycle: Lifecycle,
    now: Timestamp,
) -> sql::Result<()> {
    let before = known.map(|k| k.lifecycle);
    let (operation, mut what) = match (before, lifecycle) {
        (None, _) => (Operation::Register, row.schedule_type.clone()),
        (Some(Lifecycle::Active), Lifecycle::Cancelled) => (Operation::Cancel, String::new()),
        (Some(Lifecycle::Paused | Lifecycle::Cancelled), Lifecycle::Active) => {
            (Operation::Resume, String::new())
        }
        _ => (Operation::Update, String::new()),
    };
    if let Some(known) = known {
        what = known.changed_columns(row).join(", ");
    }
    if lifecycle == Lifecycle::Broken {
        what.push_str("; it can't be read");
    }
    let about = About {
        uid: Some(uid),
        ..About::schedule(row)
    };
    let (by, what) = (By::another_program(), what.trim_start_matches("; "));
    note_change(tx, &by, operation, about, Some(what), now)?;
    Ok(())
}

/// A row that another program made: its `next_run` is its first instant.
fn adopt_new(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    uid: Uuid,
    read: &Readable,
    now: Timestamp,
) -> sql::Result<Lifecycle> {
    let plan = Plan {
        anchor: read.plan.next_run,
        ..read.plan.clone()
    };
    let over = remaining(row) == Some(0)
        || (row.last_run.is_some() && plan.schedule_type == ScheduleType::Once);
    let lifecycle = match (row.active, over) {
        (true, _) => Lifecycle::Active,
        (false, true) => Lifecycle::Finished,
        (false, false) => Lifecycle::Cancelled,
    };
    begin_revision(tx, uid, &plan, lifecycle, now)?;
    write_plan(tx, row.id, &plan, lifecycle)?;
    Ok(lifecycle)
}

/// A row of ours that another program changed.
fn adopt_changed(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    read: &Readable,
    known: &Known,
    now: Timestamp,
) -> sql::Result<Lifecycle> {
    let spec_changed = known.spec_changed(row);
    let next_changed = known.next_changed(row);
    let was_active = known.lifecycle == Lifecycle::Active;
    // Being broken was our finding, not anybody's wish: what can be read again runs again.
    if !row.active && known.lifecycle != Lifecycle::Broken {
        let lifecycle = deactivate(tx, row, Some(known), now)?;
        if next_changed {
            if lifecycle == Lifecycle::Paused {
                let until = now.min(just_before(read.plan.next_run));
                account_for(tx, row, known, until, outcome_of_pause(now))?;
            }
            // Noted now, or it would look new when the row is activated: what has passed until
            // then is not sent.
            let plan = Plan {
                anchor: read.plan.next_run,
                ..read.plan.clone()
            };
            begin_revision(tx, known.uid, &plan, lifecycle, now)?;
            write_plan(tx, row.id, &plan, lifecycle)?;
        } else if spec_changed && lifecycle == Lifecycle::Paused {
            return plan_anew_paused(tx, row, read, known, now);
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
    // From a foreign next_run on the instants are those of the new plan, passed or not.
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
        // Resumed without replay: what passed meanwhile is not sent. A once has no other instant
        // than next_run, whatever its value says.
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

/// A paused row of which another program changed the spec: counted from now, like any other, but
/// noted now, since it may be resumed with replay.
fn plan_anew_paused(
    tx: &Tx<'_>,
    row: &PromptSchedule,
    read: &Readable,
    known: &Known,
    now: Timestamp,
) -> sql::Result<Lifecycle> {
    account_for(tx, row, known, now, outcome_of_pause(now))?;
    let anew = Timetable {
        anchor: now,
        ..read.timetable.clone()
    };
    let Some(next_run) = anew.first(now, None) else {
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

/// Accounts for the instants up to `until` of the plan as we knew it that have passed unsent.
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

/// The row as we knew it, with its timetable; `None` if we never could read it.
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
        max_repetitions: known.max_repetitions,
        ..row.clone()
    };
    let timetable = timetable(&before).ok()?;
    Some((before, timetable))
}

fn outcome_of_pause(now: Timestamp) -> Outcome<'static> {
    Outcome {
        state: State::Skipped,
        reason: PASSED,
        at: now,
    }
}

/// A row that is not to run: what was active is cancelled, the rest stays what it was.
fn deactivate(
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

/// Settles what a schedule leaves behind that will not run any more.
fn set_aside(
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

/// Gives a row its identity, and writes its agent and its times in our form: in another form, or
/// as bytes, they sort and compare differently. What can't be read is left alone.
fn write_identity(tx: &Tx<'_>, row: &PromptSchedule, uid: Uuid) -> sql::Result<()> {
    query(
        "UPDATE schedules SET uid = $2, agent_id = coalesce($6, agent_id), \
         next_run = coalesce($3, next_run), \
         created_at = coalesce($4, created_at), last_run = coalesce($5, last_run), \
         row_version = row_version + 1 WHERE id = $1",
    )
    .bind(row.id)
    .bind(uid.to_string())
    .bind(optional(row.next_run))
    .bind(optional(row.created_at))
    .bind(optional(row.last_run))
    .bind(
        AgentId::parse(&row.agent_id)
            .ok()
            .as_ref()
            .map(AgentId::as_str),
    )
    .execute(tx)?;
    Ok(())
}

/// A schedule that comes back to life gives up its name if another has taken it meanwhile.
fn clear_taken_name(tx: &Tx<'_>, row: &PromptSchedule) -> sql::Result<()> {
    let clear = "UPDATE schedules SET name = NULL, row_version = row_version + 1 WHERE id = $1 \
                 AND EXISTS (SELECT 1 FROM schedules o INDEXED BY ix_schedules_name \
                     WHERE o.id <> $1 AND o.agent_id = $2 AND o.name = $3 \
                     AND o.lifecycle IN ('active', 'paused'))";
    query(clear)
        .bind(row.id)
        .bind(row.agent_id.clone())
        .bind(row.name.clone())
        .execute(tx)?;
    Ok(())
}
