//! The six operations on schedules.

use jiff::Timestamp;
use uuid::Uuid;

use super::attempts::store_payload;
use super::budget;
use super::changes::{About, note_change};
use super::notices::follow_lifecycle;
use super::plans::{Outcome, end_waiting, settle_until, timetable};
use super::requests::{effect_of, record_effect};
use super::revisions::{begin_revision, end_revision};
use crate::db::Db;
use crate::db::sql::{self, Tx, query};
use crate::db::sqlite::adoption::adopt_if_touched;
use crate::db::statements::rows::{self, schedule_columns};
use crate::db::time::{DbTime, optional};
use crate::error::{Code, Error, Result};
use crate::ids::new_id;
use crate::limits;
use crate::models::{
    AgentId, CatchUp, EnvelopeStyle, Lifecycle, NewSchedule, Operation, PingUrl, Plan,
    PromptSchedule, State,
};

/// Which schedules to list.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Only this agent's.
    pub agent_id: Option<AgentId>,
    /// Also those that are paused, and not only the active ones.
    pub paused: bool,
    /// Also those that are over or can't be read, and the paused ones.
    pub all: bool,
    /// At most so many; `None` for all.
    pub limit: Option<u32>,
    /// Leaving out so many at the beginning.
    pub offset: u32,
}

/// What became of a wish to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It is cancelled.
    Done,
    /// There was nothing left to cancel: it had ended like this.
    Ended(Lifecycle),
}

/// Whether a filter matches: the agent is `$1`, ended ones count if `$2`, paused ones if `$3`.
macro_rules! matches_filter {
    () => {
        "($1 IS NULL OR agent_id = $1) AND ($2 OR active = 1 OR ($3 AND lifecycle = 'paused'))"
    };
}

impl Db {
    /// Stores a schedule and returns its id.
    ///
    /// # Errors
    /// [`Code::NameTaken`] if the agent has a live schedule of that name,
    /// [`Code::BudgetExceeded`] if it has as many as it may have, and those of the database.
    pub async fn add_schedule(&self, new: &NewSchedule, now: Timestamp) -> Result<i64> {
        let new = new.to_owned();
        let db = self.clone();
        self.write("add the schedule", move |tx| {
            let new = &new;
            if let Some(id) = effect_of(tx, new.request.as_ref())? {
                return Ok(id);
            }
            refuse_taken_name(tx, &new.agent_id, new.name.as_deref(), None)??;
            let uid = new_id();
            if let Some(allowance) = &new.allowance {
                budget::count(tx, &new.agent_id, uid, allowance, now)??;
            }
            let id = insert(tx, uid, new, now)?;
            begin_revision(tx, uid, &new.plan, Lifecycle::Active, now)?;
            record_effect(tx, new.request.as_ref(), id)?;
            let made = About {
                id: Some(id),
                uid: Some(uid),
                agent_id: Some(new.agent_id.as_str()),
            };
            let kind = Some(new.plan.schedule_type.as_str());
            note_change(tx, &db.by, Operation::Register, made, kind, now)?;
            Ok(id)
        })
        .await
    }

    /// The schedules of a filter, by the time of their next run.
    ///
    /// # Errors
    /// Those of the database. A row that can't be read is listed as far as it can be.
    pub async fn list_schedules(&self, filter: &ListFilter) -> Result<Vec<PromptSchedule>> {
        let filter = filter.to_owned();
        self.read("list the schedules", move |tx| {
            let filter = &filter;
            let rows = query(concat!(
                "SELECT ",
                schedule_columns!(),
                " FROM schedules WHERE ",
                matches_filter!(),
                " ORDER BY next_run, id LIMIT $4 OFFSET $5"
            ))
            .bind(filter.agent_id.as_ref().map(AgentId::as_str))
            .bind(filter.all)
            .bind(filter.paused)
            .bind(filter.limit.map_or(-1, i64::from))
            .bind(i64::from(filter.offset))
            .fetch_all(tx)?;
            Ok(rows
                .iter()
                .map(rows::schedule)
                .collect::<sql::Result<_>>()?)
        })
        .await
    }

    /// The same with the beginnings of prompts alone: one character more than a list shows.
    ///
    /// # Errors
    /// Those of [`Db::list_schedules`].
    pub async fn list_schedules_briefly(&self, filter: &ListFilter) -> Result<Vec<PromptSchedule>> {
        let filter = filter.to_owned();
        self.read("list the schedules", move |tx| {
            let filter = &filter;
            let rows = query(concat!(
                "SELECT ",
                schedule_columns!("substr(CAST(prompt_text AS TEXT), 1, $6) AS prompt_text"),
                " FROM schedules WHERE ",
                matches_filter!(),
                " ORDER BY next_run, id LIMIT $4 OFFSET $5"
            ))
            .bind(filter.agent_id.as_ref().map(AgentId::as_str))
            .bind(filter.all)
            .bind(filter.paused)
            .bind(filter.limit.map_or(-1, i64::from))
            .bind(i64::from(filter.offset))
            .bind(i64::try_from(limits::LISTED_PROMPT + 1).unwrap_or(i64::MAX))
            .fetch_all(tx)?;
            Ok(rows
                .iter()
                .map(rows::schedule)
                .collect::<sql::Result<_>>()?)
        })
        .await
    }

    /// How many bytes the prompts of a page of schedules have together.
    pub async fn size_of_prompts(&self, filter: &ListFilter) -> Result<i64> {
        let filter = filter.to_owned();
        self.read("measure the prompts", move |tx| {
            let filter = &filter;
            let size: i64 = query(concat!(
            "SELECT coalesce(sum(size), 0) FROM (SELECT length(CAST(prompt_text AS BLOB)) AS size \
             FROM schedules WHERE ",
            matches_filter!(),
            " ORDER BY next_run, id LIMIT $4 OFFSET $5)",
        ))
        .bind(filter.agent_id.as_ref().map(AgentId::as_str))
        .bind(filter.all)
        .bind(filter.paused)
        .bind(filter.limit.map_or(-1, i64::from))
        .bind(i64::from(filter.offset))
        .one(tx)?;
            Ok(size)
        })
        .await
    }

    /// How many schedules a filter matches, whatever its limit.
    pub async fn count_schedules(&self, filter: &ListFilter) -> Result<i64> {
        let filter = filter.to_owned();
        self.read("count the schedules", move |tx| {
            let filter = &filter;
            let count: i64 = query(concat!(
                "SELECT count(*) FROM schedules WHERE ",
                matches_filter!()
            ))
            .bind(filter.agent_id.as_ref().map(AgentId::as_str))
            .bind(filter.all)
            .bind(filter.paused)
            .one(tx)?;
            Ok(count)
        })
        .await
    }

    /// How many schedules, of one agent or of all, can't be read.
    pub async fn count_broken(&self, agent_id: Option<&AgentId>) -> Result<i64> {
        let agent_id = agent_id.cloned();
        self.read("count the broken schedules", move |tx| {
            let broken: i64 = query(
                "SELECT count(*) FROM schedules WHERE lifecycle = 'broken' \
             AND ($1 IS NULL OR agent_id = $1)",
            )
            .bind(agent_id.as_ref().map(AgentId::as_str))
            .one(tx)?;
            Ok(broken)
        })
        .await
    }

    /// The schedule of an id.
    pub async fn get_schedule(&self, id: i64) -> Result<Option<PromptSchedule>> {
        let schedule = self.read("read the schedule", move |tx| Ok(fetch(tx, id)?));
        schedule.await
    }

    /// The live schedule that an agent knows by this name.
    pub async fn get_schedule_by_name(
        &self,
        agent_id: &AgentId,
        name: &str,
    ) -> Result<Option<PromptSchedule>> {
        let agent_id = agent_id.to_owned();
        let name = name.to_owned();
        self.read("look for the name", move |tx| {
            let (agent_id, name) = (&agent_id, &name);
            let row = query(concat!(
                "SELECT ",
                schedule_columns!(),
                " FROM schedules WHERE agent_id = $1 AND name = $2 \
             AND lifecycle IN ('active', 'paused')"
            ))
            .bind(agent_id.as_str())
            .bind(name)
            .fetch_optional(tx)?;
            Ok(row.as_ref().map(rows::schedule).transpose()?)
        })
        .await
    }

    /// Ends a schedule: what waits is settled as `cancelled`, what is on its way ends by itself.
    /// `None` if there is none of this id.
    pub async fn cancel_schedule(&self, id: i64, now: Timestamp) -> Result<Option<Cancelled>> {
        let db = self.clone();
        self.write_and_tell("cancel the schedule", move |tx| {
            adopt_if_touched(tx, id, &db.zone, now)?;
            let Some(schedule) = fetch(tx, id)? else {
                return Ok(None);
            };
            // The claim of its last instant has finished a schedule; until that is settled there is
            // something left to cancel.
            let ended = match schedule.lifecycle {
                Lifecycle::Finished => !has_open(tx, &schedule)?,
                Lifecycle::Cancelled => true,
                Lifecycle::Active | Lifecycle::Paused | Lifecycle::Broken => false,
            };
            if !ended {
                end(tx, &schedule, "the schedule was cancelled", now)?;
                follow_lifecycle(tx, id, now)?;
                let about = About::schedule(&schedule);
                note_change(tx, &db.by, Operation::Cancel, about, None, now)?;
            }
            Ok(Some(match ended {
                true => Cancelled::Ended(schedule.lifecycle),
                false => Cancelled::Done,
            }))
        })
        .await
    }
}

/// The schedule of an id, inside a transaction.
pub(in crate::db) fn fetch(tx: &Tx<'_>, id: i64) -> sql::Result<Option<PromptSchedule>> {
    let row = query(concat!(
        "SELECT ",
        schedule_columns!(),
        " FROM schedules WHERE id = $1"
    ))
    .bind(id)
    .fetch_optional(tx)?;
    row.map(|r| rows::schedule(&r)).transpose()
}

/// Whether something of a schedule is waiting, on its way or unknown.
fn has_open(tx: &Tx<'_>, schedule: &PromptSchedule) -> sql::Result<bool> {
    let open: Option<i64> = query(
        "SELECT 1 FROM occurrences WHERE uid = $1 AND state IN ('waiting', 'sending', 'unknown')",
    )
    .bind(schedule.uid.map(|u| u.to_string()))
    .optional(tx)?;
    Ok(open.is_some())
}

/// Refuses a name that another live schedule of the agent has.
pub(in crate::db) fn refuse_taken_name(
    tx: &Tx<'_>,
    agent: &AgentId,
    name: Option<&str>,
    own_id: Option<i64>,
) -> sql::Result<Result<()>> {
    let other: Option<i64> = query(
        "SELECT id FROM schedules WHERE agent_id = $1 AND name = $2 \
         AND lifecycle IN ('active', 'paused') AND id IS NOT $3",
    )
    .bind(agent.as_str())
    .bind(name)
    .bind(own_id)
    .optional(tx)?;
    let (Some(id), Some(name)) = (other, name) else {
        return Ok(Ok(()));
    };
    Ok(Err(Error::new(
        Code::NameTaken,
        format!("agent {agent} already has a live schedule named {name:?}: it is {id}"),
    )
    .example("promptyoself list")))
}

fn insert(tx: &Tx<'_>, uid: Uuid, new: &NewSchedule, now: Timestamp) -> sql::Result<i64> {
    let (plan, policy) = (&new.plan, &new.policy);
    let payload = match &new.payload {
        Some(payload) => Some(store_payload(tx, &payload.to_stored())?),
        None => None,
    };
    query(
        "INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, next_run, \
         created_at, active, uid, name, timezone, anchor, start_at, end_at, max_repetitions, \
         lifecycle, planned_next_run, row_version, touched, catch_up, grace, pause_on_failure, \
         envelope, max_age, ping_url, payload) \
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $11, $12, $13, 'active', $5, 1, 0, \
                 $14, $15, $16, $17, $18, $19, $20) \
         RETURNING id",
    )
    .bind(new.agent_id.as_str())
    .bind(&new.prompt_text)
    .bind(plan.schedule_type.as_str())
    .bind(&plan.schedule_value)
    .bind(DbTime(plan.next_run))
    .bind(DbTime(now))
    .bind(uid.to_string())
    .bind(&new.name)
    .bind(&plan.timezone)
    .bind(DbTime(plan.anchor))
    .bind(optional(plan.start_at))
    .bind(optional(plan.end_at))
    .bind(plan.max_repetitions)
    .bind(policy.catch_up.map(CatchUp::as_str))
    .bind(policy.grace.map(|d| d.as_secs()))
    .bind(policy.pause_on_failure)
    .bind(policy.envelope.map(EnvelopeStyle::as_str))
    .bind(policy.max_age.map(|d| d.as_secs()))
    .bind(new.ping_url.as_ref().map(PingUrl::as_str))
    .bind(payload)
    .one(tx)
}

/// Writes a schedule's instants and where it stands; every part of the row is ours after it.
pub(in crate::db) fn write_plan(
    tx: &Tx<'_>,
    id: i64,
    plan: &Plan,
    lifecycle: Lifecycle,
) -> sql::Result<()> {
    query(
        "UPDATE schedules SET schedule_type = $2, schedule_value = $3, timezone = $4, \
         anchor = $5, next_run = $6, planned_next_run = $6, start_at = $7, end_at = $8, \
         max_repetitions = $9, lifecycle = $10, active = $11, broken_reason = NULL, \
         row_version = row_version + 1 WHERE id = $1",
    )
    .bind(id)
    .bind(plan.schedule_type.as_str())
    .bind(&plan.schedule_value)
    .bind(&plan.timezone)
    .bind(DbTime(plan.anchor))
    .bind(DbTime(plan.next_run))
    .bind(optional(plan.start_at))
    .bind(optional(plan.end_at))
    .bind(plan.max_repetitions)
    .bind(lifecycle.as_str())
    .bind(lifecycle == Lifecycle::Active)
    .execute(tx)?;
    Ok(())
}

/// Marks where a schedule stands, nothing else.
pub(in crate::db) fn write_lifecycle(
    tx: &Tx<'_>,
    id: i64,
    lifecycle: Lifecycle,
    broken_reason: Option<&str>,
) -> sql::Result<()> {
    query(
        "UPDATE schedules SET lifecycle = $2, active = $3, broken_reason = $4, touched = 0, \
         row_version = row_version + 1 WHERE id = $1",
    )
    .bind(id)
    .bind(lifecycle.as_str())
    .bind(lifecycle == Lifecycle::Active)
    .bind(broken_reason)
    .execute(tx)?;
    Ok(())
}

/// Ends a schedule within a transaction: cancelled, with every instant up to now accounted for.
pub(in crate::db) fn end(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    reason: &str,
    now: Timestamp,
) -> sql::Result<()> {
    if let Ok(timetable) = timetable(schedule) {
        let outcome = Outcome {
            state: State::Cancelled,
            reason,
            at: now,
        };
        settle_until(tx, schedule, &timetable, now, outcome)?;
    }
    if let Some(uid) = schedule.uid {
        end_revision(tx, uid, None)?;
        end_waiting(tx, uid, State::Cancelled, reason, now)?;
    }
    write_lifecycle(tx, schedule.id, Lifecycle::Cancelled, None)
}
