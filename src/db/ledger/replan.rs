//! Replans what was planned by a wrong clock, once the clock is right again.
//!
//! While the clock is ahead, schedules are claimed up to the wrong time: the instants until then
//! are recorded as not sent, and `next_run` lies behind them. Whatever of that is still in the
//! future is undone here. What was sent stays sent, and its instant is not sent again.

mod from_now;
mod outcomes;
mod records;
mod stamps;

use std::collections::HashSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::incidents::{Affected, Trouble, open_incident};
use super::notices::follow_lifecycle;
use crate::clock::{SAME, is_possible};
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::replan::{self, Made};
use crate::db::statements::schedules::fetch;
use crate::error::Result;
use crate::models::{ClockRepair, IncidentKind, Lifecycle, PromptSchedule};

/// How many schedules are examined, and how many are replanned, in one transaction.
const LOOKED_AT: i64 = 500;
const AT_ONCE: usize = 100;

const DOING: &str = "replan what a wrong clock has planned";

impl Db {
    /// Replans what was planned by a clock that was ahead of `now`, and corrects every time it
    /// recorded; `None` if there is no sign of such a clock. It can be repeated if it was
    /// interrupted.
    pub async fn replan(&self, now: Timestamp) -> Result<Option<ClockRepair>> {
        let latest = self.latest_past().await?;
        let Some(latest) = latest.filter(|t| t.duration_since(now) > SAME && is_possible(now))
        else {
            return Ok(None);
        };
        let mut all = ClockRepair::default();
        for some in self.list_suspects(now).await?.chunks(AT_ONCE) {
            let some = some.to_owned();
            let planned = self.write(DOING, move |tx| {
                let mut planned = ClockRepair::default();
                for id in &some {
                    if let Some(instants) = plan_one(tx, *id, now)? {
                        planned.schedules.push(*id);
                        planned.instants += instants;
                    }
                }
                Ok(planned)
            });
            let planned = planned.await?;
            all.schedules.extend(planned.schedules);
            all.instants += planned.instants;
        }
        let reason = (!all.schedules.is_empty()).then(|| all.describe(latest, now));
        let put_right = self.write(DOING, move |tx| {
            stamps::put_right(tx, now)?;
            if let Some(reason) = &reason {
                let wrong = Trouble {
                    kind: IncidentKind::Clock,
                    affected: Affected::Machine(IncidentKind::Clock.as_str()),
                    occurrence_id: None,
                    code: None,
                    reason,
                };
                open_incident(tx, &wrong, now)?;
            }
            Ok(())
        });
        put_right.await?;
        Ok(Some(all))
    }

    /// The schedules that a clock ahead of `now` may have planned.
    async fn list_suspects(&self, now: Timestamp) -> Result<Vec<i64>> {
        self.read("look for what a wrong clock has planned", move |tx| {
            let marked: HashSet<Uuid> = replan::list_marked(tx, now)?.into_iter().collect();
            let mut suspects = Vec::new();
            let mut last = i64::MIN;
            loop {
                let some = replan::list_plans(tx, last, LOOKED_AT)?;
                let Some((newest, _)) = some.last() else {
                    return Ok(suspects);
                };
                last = newest.id;
                for (schedule, made) in &some {
                    let is_marked = schedule.uid.is_some_and(|uid| marked.contains(&uid));
                    if is_marked || made.is_some_and(|made| is_beyond(schedule, made, now)) {
                        suspects.push(schedule.id);
                    }
                }
            }
        })
        .await
    }
}

/// Whether the next run of a schedule lies behind a future instant of its plan.
fn is_beyond(schedule: &PromptSchedule, made: Made, now: Timestamp) -> bool {
    let is_live = matches!(
        schedule.lifecycle,
        Lifecycle::Active | Lifecycle::Paused | Lifecycle::Finished
    );
    let Some(next_run) = schedule.next_run.filter(|next| is_live && *next > now) else {
        return false;
    };
    let plan = from_now::planned_from(schedule, made, now);
    schedule.lifecycle == Lifecycle::Finished
        || plan.is_some_and(|plan| plan.next.is_some_and(|next| next < next_run))
}

/// Replans one schedule. Returns how many instants will run again; `None` if it was right.
fn plan_one(tx: &Tx<'_>, id: i64, now: Timestamp) -> sql::Result<Option<i64>> {
    let Some(schedule) = fetch(tx, id)? else {
        return Ok(None);
    };
    let Some(uid) = schedule.uid else {
        return Ok(None);
    };
    let Some(made) = replan::fetch_made(tx, uid)? else {
        return Ok(None);
    };
    let taken_back = records::balance(tx, &schedule, made, now)?;
    if taken_back.is_some() {
        follow_lifecycle(tx, id, now)?;
    }
    Ok(taken_back)
}
