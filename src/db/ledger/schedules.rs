//! The six operations on schedules.

use jiff::Timestamp;

use super::attempts::store_payload;
use super::budget;
use super::changes::{About, note_change};
use super::current::lock_schedule;
use super::locks::lock_agent;
use super::notices::follow_lifecycle;
use super::plans::{Outcome, settle_until};
use super::requests::{effect_of, record_effect};
use super::revisions::{begin_revision, end_revision};
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::occurrences::has_open;
use crate::db::statements::plans::end_waiting;
use crate::db::statements::schedules;
use crate::error::{Code, Error, Result, call, message, quoted};
use crate::ids::new_id;
use crate::limits;
use crate::models::{
    AgentAt, Cancellation, Lifecycle, NamedAgent, NamedSchedule, NewSchedule, Operation,
    PromptSchedule, ScheduleFilter, State,
};
use crate::schedule::timetable_of;

impl Db {
    /// Stores a schedule and returns its id.
    ///
    /// # Errors
    /// [`Code::NameTaken`] if the agent has a live schedule with that name,
    /// [`Code::BudgetExceeded`] if it has as many as it may have, and those of the database.
    pub async fn add_schedule(&self, new: &NewSchedule, now: Timestamp) -> Result<i64> {
        let new = new.to_owned();
        let db = self.clone();
        self.write("add the schedule", move |tx| {
            let new = &new;
            let target = new.target.as_ref().unwrap_or(&tx.targets().default);
            let agent = &AgentAt::new(target.clone(), new.agent_id.clone());
            lock_agent(tx, agent)?;
            if let Some(id) = effect_of(tx, new.request.as_ref())? {
                return Ok(id);
            }
            refuse_taken_name(tx, agent, new.name.as_deref(), None)??;
            let uid = new_id();
            if let Some(allowance) = &new.allowance {
                budget::count(tx, agent, uid, allowance, now)??;
            }
            let payload = match &new.payload {
                Some(payload) => Some(store_payload(tx, &payload.to_stored())?),
                None => None,
            };
            let id = schedules::insert(tx, uid, new, payload.as_deref(), now)?;
            begin_revision(tx, uid, &new.plan, Lifecycle::Active, now)?;
            record_effect(tx, new.request.as_ref(), id)?;
            let made = About {
                id: Some(id),
                uid: Some(uid),
                agent_id: Some(new.agent_id.as_str()),
                target: new.target.as_ref(),
            };
            let kind = Some(new.plan.schedule_type.as_str());
            note_change(tx, &db.by, Operation::Register, made, kind, now)?;
            Ok(id)
        })
        .await
    }

    /// The schedules matching a filter, by their next run. A row that can't be read is listed as
    /// far as possible.
    pub async fn list_schedules(&self, filter: &ScheduleFilter) -> Result<Vec<PromptSchedule>> {
        let filter = filter.to_owned();
        let doing = "list the schedules";
        self.read(doing, move |tx| Ok(schedules::list(tx, &filter)?))
            .await
    }

    /// The same with only the beginnings of prompts: one character more than a list shows.
    pub async fn list_schedules_briefly(
        &self,
        filter: &ScheduleFilter,
    ) -> Result<Vec<PromptSchedule>> {
        let filter = filter.to_owned();
        let characters = i64::try_from(limits::LISTED_PROMPT + 1).unwrap_or(i64::MAX);
        self.read("list the schedules", move |tx| {
            Ok(schedules::list_briefly(tx, &filter, characters)?)
        })
        .await
    }

    /// The total size in bytes of the prompts on a page of schedules.
    pub async fn size_of_prompts(&self, filter: &ScheduleFilter) -> Result<i64> {
        let filter = filter.to_owned();
        self.read("measure the prompts", move |tx| {
            Ok(schedules::size_of_prompts(tx, &filter)?)
        })
        .await
    }

    /// How many schedules match a filter, whatever its limit.
    pub async fn count_schedules(&self, filter: &ScheduleFilter) -> Result<i64> {
        let filter = filter.to_owned();
        let doing = "count the schedules";
        self.read(doing, move |tx| Ok(schedules::count(tx, &filter)?))
            .await
    }

    /// How many schedules, of one agent or of all, can't be read.
    pub async fn count_broken(&self, agent: Option<&NamedAgent>) -> Result<i64> {
        let agent = agent.cloned();
        self.read("count the broken schedules", move |tx| {
            Ok(schedules::count_broken(tx, agent.as_ref())?)
        })
        .await
    }

    /// The schedule with an id.
    pub async fn get_schedule(&self, id: i64) -> Result<Option<PromptSchedule>> {
        let doing = "read the schedule";
        self.read(doing, move |tx| Ok(schedules::fetch(tx, id)?))
            .await
    }

    /// The agent's live schedule with this name.
    pub async fn get_schedule_by_name(
        &self,
        agent: &AgentAt,
        name: &str,
    ) -> Result<Option<PromptSchedule>> {
        let (agent, name) = (agent.to_owned(), name.to_owned());
        self.read("look for the name", move |tx| {
            Ok(schedules::fetch_by_name(tx, &agent, &name)?)
        })
        .await
    }

    /// The newest active schedules of an agent that send this prompt, among its newest `looked_at`.
    pub async fn list_with_prompt(
        &self,
        agent: &AgentAt,
        prompt: &str,
        looked_at: i64,
    ) -> Result<Vec<PromptSchedule>> {
        let (agent, prompt) = (agent.to_owned(), prompt.to_owned());
        self.read("look for the same prompt", move |tx| {
            Ok(schedules::list_with_prompt(tx, &agent, &prompt, looked_at)?)
        })
        .await
    }

    /// The schedules that have or had a name, of an agent or of all, the newest of each agent first.
    pub async fn find_named(
        &self,
        name: &str,
        agent: Option<&NamedAgent>,
    ) -> Result<Vec<NamedSchedule>> {
        let (agent, name) = (agent.cloned(), name.to_owned());
        self.read("look for the name", move |tx| {
            Ok(schedules::list_named(tx, &name, agent.as_ref())?)
        })
        .await
    }

    /// Cancels a schedule: what waits is settled as `cancelled`, prompts being sent finish. `None`
    /// if there is no schedule with this id.
    pub async fn cancel_schedule(&self, id: i64, now: Timestamp) -> Result<Option<Cancellation>> {
        let db = self.clone();
        self.write("cancel the schedule", move |tx| {
            let Some(schedule) = lock_schedule(tx, id, &db.zone, now)? else {
                return Ok(None);
            };
            // The claim of its last instant finishes a schedule; until that is settled there is
            // something to cancel.
            let ended = match schedule.lifecycle {
                Lifecycle::Finished => !has_open(tx, schedule.uid)?,
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
                true => Cancellation::Ended(schedule.lifecycle),
                false => Cancellation::Done,
            }))
        })
        .await
    }
}

/// Refuses a name that another live schedule of the agent (which is locked) has.
pub(in crate::db) fn refuse_taken_name(
    tx: &Tx<'_>,
    agent: &AgentAt,
    name: Option<&str>,
    own_id: Option<i64>,
) -> sql::Result<Result<()>> {
    let Some(name) = name else { return Ok(Ok(())) };
    let Some(id) = schedules::find_other_of_name(tx, agent, name, own_id)? else {
        return Ok(Ok(()));
    };
    Ok(Err(Error::new(
        Code::NameTaken,
        message![
            "agent ",
            tx.targets().show(agent),
            " already has a live schedule named ",
            quoted(name),
            ": it is {id}"
        ],
    )
    .example(call("list"))))
}

/// Ends a schedule within a transaction: cancelled, with every instant up to now accounted for.
pub(in crate::db) fn end(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    reason: &str,
    now: Timestamp,
) -> sql::Result<()> {
    if let Ok(timetable) = timetable_of(schedule) {
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
    schedules::write_lifecycle(tx, schedule.id, Lifecycle::Cancelled, None)
}
