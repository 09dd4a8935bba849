//! Revisions: a schedule's instants, from when they applied and up to where they were accounted
//! for, so that the past can be recomputed.

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::sql::{self, Tx};
use crate::db::statements::revisions::{self, Place, StoredRevision};
use crate::error::{Code, Error, Result};
use crate::models::{Lifecycle, Plan, ScheduleType};
use crate::schedule::{
    Fresh, LeftOut, Past, PlannedInstants, Spec, Timetable, TooMany, Zone, just_after,
    schedule_type,
};

/// A stored revision, as far as it can be read.
pub(in crate::db) struct Revision {
    /// Whether it is the current plan of its schedule.
    pub(in crate::db) open: bool,
    /// Its instants; an open revision has no end yet.
    pub(in crate::db) planned: Result<PlannedInstants>,
}

/// Records a schedule's instants from now on, before they are written into its row: the previous
/// plan ends where the schedule is now. If `lifecycle` is neither active nor paused, none of the
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
    revisions::insert(tx, uid, plan, ends_before, now)
}

/// Records instants that are settled as a whole, apart from the plans before and after: they passed
/// while their schedule was paused or not active.
pub(in crate::db) fn record_passed(
    tx: &Tx<'_>,
    uid: Uuid,
    plan: &Plan,
    until: Timestamp,
    now: Timestamp,
) -> sql::Result<()> {
    end_revision(tx, uid, None)?;
    revisions::insert(tx, uid, plan, Some(just_after(until)), now)
}

/// Ends the schedule's plan where it is now, or after `through` if that is later. Its row must
/// still say where that is: `planned_next_run` and `lifecycle` are written after this.
pub(in crate::db) fn end_revision(
    tx: &Tx<'_>,
    uid: Uuid,
    through: Option<Timestamp>,
) -> sql::Result<()> {
    let stood = fetch_standing(tx, &uid.to_string())?;
    let before = stood.stands_before.max(through.map(just_after));
    revisions::end_open(tx, uid, before)
}

/// How far a schedule has come, or had come when it was deleted.
#[derive(Default)]
pub(in crate::db) struct Standing {
    /// Its id, if it still exists.
    pub(in crate::db) schedule_id: Option<i64>,
    /// The instant before which everything is accounted for; `None` if nothing is known about the
    /// schedule any more.
    pub(in crate::db) stands_before: Option<Timestamp>,
}

/// Reads how far a schedule has come.
pub(in crate::db) fn fetch_standing(tx: &Tx<'_>, uid: &str) -> sql::Result<Standing> {
    let Some(place) = revisions::fetch_place(tx, uid)? else {
        return Ok(Standing::default());
    };
    let Place {
        schedule_id,
        planned_next_run,
        lifecycle,
    } = place;
    Ok(Standing {
        schedule_id,
        stands_before: match lifecycle {
            // The last instant of a finished schedule stays in its next_run.
            Some(Lifecycle::Finished) => planned_next_run.map(just_after),
            _ => planned_next_run,
        },
    })
}

/// The revisions of a schedule, oldest first. An open one ends before `stands_before`.
pub(in crate::db) fn fetch_revisions(
    tx: &Tx<'_>,
    uid: &str,
    stands_before: Option<Timestamp>,
) -> sql::Result<Vec<Revision>> {
    let stored = revisions::list(tx, uid)?;
    let read = |stored: &StoredRevision| Revision {
        open: stored.is_open,
        planned: planned(stored, stands_before),
    };
    Ok(stored.iter().map(read).collect())
}

fn planned(stored: &StoredRevision, stands_before: Option<Timestamp>) -> Result<PlannedInstants> {
    let broken = |what: &str| {
        Error::new(
            Code::ScheduleBroken,
            format!("the {what} of a revision is not a date and time"),
        )
    };
    let zone = Zone::parse(&stored.timezone)?;
    let first = stored
        .first_instant
        .ok_or_else(|| broken("first instant"))?;
    let spec = match schedule_type(&stored.schedule_type)? {
        ScheduleType::Once => Spec::Once(first),
        kind => Spec::read_stored(kind, &stored.schedule_value, &zone)?,
    };
    let before = match stored.is_open {
        true => stands_before.unwrap_or(first),
        false => stored.ends_before.ok_or_else(|| broken("end"))?,
    };
    let taken = stored.repetitions.unwrap_or(0);
    let left = |most: i64| u64::try_from(most.saturating_sub(taken)).unwrap_or(0);
    Ok(PlannedInstants {
        timetable: Timetable {
            spec,
            zone,
            anchor: stored.anchor.unwrap_or(first),
            end_at: stored.end_at,
            except: LeftOut::read_stored(stored.except.as_deref())?,
        },
        first,
        before,
        limit: stored.max_repetitions.map(left),
    })
}

/// The instants of the schedule's latest revision from `first` to `newest` that have no outcome
/// yet. `None` if that is unknown; almost always none of them has.
pub(in crate::db) fn fresh_instants(
    tx: &Tx<'_>,
    uid: Uuid,
    first: Timestamp,
    newest: Timestamp,
) -> sql::Result<Option<Fresh>> {
    if !revisions::is_any_settled(tx, uid, first)? {
        return Ok(None);
    }
    let uid = uid.to_string();
    let mut earlier = fetch_revisions(tx, &uid, None)?;
    let Some(Ok(latest)) = earlier.pop().map(|r| r.planned) else {
        return Ok(None);
    };
    let mut past = Past::default();
    for revision in earlier.iter().filter_map(|r| r.planned.as_ref().ok()) {
        past.add(revision);
    }
    let range = PlannedInstants {
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

/// Whether an instant of the schedule's plan already has an outcome, stored or pruned.
pub(in crate::db) fn has_outcome(tx: &Tx<'_>, uid: Uuid, at: Timestamp) -> sql::Result<bool> {
    let fresh = fresh_instants(tx, uid, at, at)?;
    Ok(fresh.is_some_and(|fresh| fresh.count == 0))
}
