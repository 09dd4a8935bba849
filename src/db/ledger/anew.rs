//! Planning anew what was planned by a false clock, once the clock is right again.
//!
//! By a clock that is ahead schedules are claimed up to the false time: the instants until then were
//! recorded as not sent, and `next_run` lies behind them. Whatever of that is still to come is taken
//! back here. What was sent stays sent, and its instant is not sent again.

mod books;
mod outcomes;
mod stamps;
mod wish;

use std::collections::HashSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::incidents::{Trouble, Whose, open_incident};
use super::notices::follow_lifecycle;
use crate::clock::{SAME, is_possible};
use crate::db::Db;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows::{self, schedule_columns};
use crate::db::statements::schedules::fetch;
use crate::db::time::DbTime;
use crate::error::Result;
use crate::models::{IncidentKind, Lifecycle, PromptSchedule};

/// How many schedules are looked at, and how many are planned anew in one transaction.
const LOOKED_AT: i64 = 500;
const AT_ONCE: usize = 100;

const DOING: &str = "plan anew what a wrong clock has planned";

/// How many schedules are named where they are told of.
const NAMED: usize = 10;

/// What was planned anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedAnew {
    /// The schedules.
    pub schedules: Vec<i64>,
    /// How many instants are to come again that were recorded as not sent.
    pub instants: i64,
}

/// When the plan that a schedule has was made, and with which instant it began.
#[derive(Clone, Copy, Debug)]
struct Made {
    at: Timestamp,
    first: Timestamp,
}

impl Db {
    /// Plans anew what was planned by a clock that was ahead of `now`, and puts every time right that
    /// was recorded by it; `None` if nothing tells of such a clock. It may be done again where it was
    /// broken off.
    pub async fn plan_anew(&self, now: Timestamp) -> Result<Option<PlannedAnew>> {
        let latest = self.latest_past().await?;
        let Some(latest) = latest.filter(|t| t.duration_since(now) > SAME && is_possible(now))
        else {
            return Ok(None);
        };
        let mut anew = PlannedAnew::default();
        for some in self.list_suspects(now).await?.chunks(AT_ONCE) {
            let some = some.to_owned();
            let planned = self.write(DOING, move |tx| {
                let mut planned = PlannedAnew::default();
                for id in &some {
                    if let Some(instants) = plan_one(tx, *id, now)? {
                        planned.schedules.push(*id);
                        planned.instants += instants;
                    }
                }
                Ok(planned)
            });
            let planned = planned.await?;
            anew.schedules.extend(planned.schedules);
            anew.instants += planned.instants;
        }
        let reason = (!anew.schedules.is_empty()).then(|| anew.describe(latest, now));
        let put_right = self.write(DOING, move |tx| {
            stamps::put_right(tx, now)?;
            if let Some(reason) = &reason {
                let wrong = Trouble {
                    kind: IncidentKind::Clock,
                    whose: Whose::Machine(IncidentKind::Clock.as_str()),
                    occurrence_id: None,
                    code: None,
                    reason,
                };
                open_incident(tx, &wrong, now)?;
            }
            Ok(())
        });
        put_right.await?;
        Ok(Some(anew))
    }

    /// The schedules that a clock ahead of `now` may have planned.
    async fn list_suspects(&self, now: Timestamp) -> Result<Vec<i64>> {
        self.read("look for what a wrong clock has planned", move |tx| {
            let marked: Vec<String> = query(
                "SELECT uid FROM occurrences WHERE finished_at > $1 \
             UNION SELECT uid FROM occurrences WHERE state IN ('waiting', 'sending', 'unknown') \
                 AND (intended_at > $1 OR sent_at > $1) \
             UNION SELECT o.uid FROM attempts a JOIN occurrences o ON o.id = a.occurrence_id \
                 WHERE a.started_at > $1 \
             UNION SELECT uid FROM schedule_revisions WHERE from_at > $1 \
             UNION SELECT uid FROM schedules WHERE paused_at > $1",
            )
            .bind(DbTime(now))
            .all(tx)?;
            let marked: HashSet<Uuid> = marked.iter().filter_map(|uid| uid.parse().ok()).collect();
            let mut suspects = Vec::new();
            let mut last = i64::MIN;
            loop {
                let rows = query(concat!(
                    "SELECT (SELECT from_at FROM schedule_revisions r WHERE r.uid = schedules.uid \
                         ORDER BY r.id DESC LIMIT 1) AS made_at, \
                     (SELECT first_instant FROM schedule_revisions r WHERE r.uid = schedules.uid \
                      ORDER BY r.id DESC LIMIT 1) AS first_instant, ",
                    schedule_columns!(),
                    " FROM schedules WHERE id > $1 AND uid IS NOT NULL AND touched = 0 \
                 ORDER BY id LIMIT $2"
                ))
                .bind(last)
                .bind(LOOKED_AT)
                .fetch_all(tx)?;
                let Some(newest) = rows.last() else {
                    return Ok(suspects);
                };
                last = newest.get("id")?;
                for row in &rows {
                    let schedule = rows::schedule(row)?;
                    let is_marked = schedule.uid.is_some_and(|uid| marked.contains(&uid));
                    let made = made(row);
                    if is_marked || made.is_some_and(|made| is_beyond(&schedule, made, now)) {
                        suspects.push(schedule.id);
                    }
                }
            }
        })
        .await
    }
}

impl PlannedAnew {
    fn describe(&self, latest: Timestamp, now: Timestamp) -> String {
        format!(
            "it showed {latest}, and it is {now}: {} schedules were planned anew ({}), and {} \
             instants that were recorded as not sent are still to come. Look at those that were \
             made or changed meanwhile",
            self.schedules.len(),
            self.some_names(),
            self.instants
        )
    }

    fn some_names(&self) -> String {
        let named: Vec<String> = (self.schedules.iter())
            .take(NAMED)
            .map(i64::to_string)
            .collect();
        match self.schedules.len() > NAMED {
            true => format!("{}, …", named.join(", ")),
            false => named.join(", "),
        }
    }
}

fn made(row: &Row) -> Option<Made> {
    Some(Made {
        at: rows::lenient_time(row, "made_at")?,
        first: rows::lenient_time(row, "first_instant")?,
    })
}

/// Whether the next run of a schedule lies behind an instant of its plan that is still to come.
fn is_beyond(schedule: &PromptSchedule, made: Made, now: Timestamp) -> bool {
    let is_live = matches!(
        schedule.lifecycle,
        Lifecycle::Active | Lifecycle::Paused | Lifecycle::Finished
    );
    let Some(next_run) = schedule.next_run.filter(|next| is_live && *next > now) else {
        return false;
    };
    let plan = wish::planned_from(schedule, made, now);
    schedule.lifecycle == Lifecycle::Finished
        || plan.is_some_and(|plan| plan.next.is_some_and(|next| next < next_run))
}

/// Plans one schedule anew. Returns how many instants are to come again; `None` if it was right.
fn plan_one(tx: &Tx<'_>, id: i64, now: Timestamp) -> sql::Result<Option<i64>> {
    let Some(schedule) = fetch(tx, id)? else {
        return Ok(None);
    };
    let Some(uid) = schedule.uid else {
        return Ok(None);
    };
    let row = query(
        "SELECT from_at AS made_at, first_instant FROM schedule_revisions WHERE uid = $1 \
         ORDER BY id DESC LIMIT 1",
    )
    .bind(uid.to_string())
    .fetch_optional(tx)?;
    let Some(made) = row.as_ref().and_then(made) else {
        return Ok(None);
    };
    let taken_back = books::balance(tx, &schedule, made, now)?;
    if taken_back.is_some() {
        follow_lifecycle(tx, id, now)?;
    }
    Ok(taken_back)
}
