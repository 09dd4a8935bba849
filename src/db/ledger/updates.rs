//! Updating schedules.

use jiff::Timestamp;

use super::budget;
use super::changes::{About, note_change};
use super::current::lock_schedule;
use super::locks::lock_agent;
use super::notices::follow_lifecycle;
use super::plans::{Outcome, settle_until};
use super::revisions::begin_revision;
use super::schedules::refuse_taken_name;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::schedules::write_plan;
use crate::db::statements::updates;
use crate::error::Result;
use crate::models::{
    AgentAt, AgentId, Lifecycle, Operation, Plan, Policy, PromptSchedule, ScheduleUpdate, State,
};
use crate::schedule::timetable_of;

impl Db {
    /// Updates a schedule; `false` if there is none with this id. What has already been claimed is
    /// not affected.
    pub async fn update_schedule(
        &self,
        id: i64,
        update: &ScheduleUpdate,
        now: Timestamp,
    ) -> Result<bool> {
        let update = update.clone();
        let decide = move |_: &PromptSchedule| Ok((update.clone(), ()));
        Ok(self.change_schedule(id, decide, now).await?.is_some())
    }

    /// Updates a schedule as `decide` says, given its current state, and returns what else `decide`
    /// returns; `None` if there is no schedule with this id.
    ///
    /// # Errors
    /// Those of `decide` and of the database; then nothing has changed.
    pub async fn change_schedule<T: Send + 'static>(
        &self,
        id: i64,
        decide: impl Fn(&PromptSchedule) -> Result<(ScheduleUpdate, T)> + Send + 'static,
        now: Timestamp,
    ) -> Result<Option<T>> {
        let db = self.clone();
        self.write("update the schedule", move |tx| {
            let Some(schedule) = lock_schedule(tx, id, &db.zone, now)? else {
                return Ok(None);
            };
            let (update, told) = decide(&schedule)?;
            if !update.is_empty() {
                write_update(tx, &schedule, &update, now)??;
                let (about, what) = (About::schedule(&schedule), update.names(&schedule));
                note_change(tx, &db.by, Operation::Update, about, Some(&what), now)?;
            }
            Ok(Some(told))
        })
        .await
    }
}

/// Writes the changes to a schedule, or says why they can't be made.
fn write_update(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    update: &ScheduleUpdate,
    now: Timestamp,
) -> sql::Result<Result<()>> {
    let id = schedule.id;
    let usual = &tx.targets().default;
    let before = schedule.target.as_ref().unwrap_or(usual);
    let target = update.target.as_ref().unwrap_or(before);
    let id_before = AgentId::parse(&schedule.agent_id);
    let agent = match (&update.agent_id, &id_before) {
        (Some(agent), _) | (None, Ok(agent)) => AgentAt::new(target.clone(), agent.clone()),
        (None, Err(_)) => return Ok(id_before.map(drop)),
    };
    let is_other = target != before || agent.id.as_str() != schedule.agent_id;
    let name = update.name.as_deref().or(schedule.name.as_deref());
    lock_agent(tx, &agent)?;
    if let Err(e) = refuse_taken_name(tx, &agent, name, Some(id))? {
        return Ok(Err(e));
    }
    if is_other && let Err(e) = budget::refuse_too_many(tx, &agent, update.most_schedules)? {
        return Ok(Err(e));
    }
    let (agent, prompt) = (update.agent_id.as_ref(), update.prompt_text.as_deref());
    updates::write_texts(tx, id, agent, prompt, update.name.as_deref())?;
    if let Some(target) = &update.target {
        updates::write_target(tx, id, target)?;
    }
    if let Some(conversation) = &update.conversation {
        updates::write_conversation(tx, id, conversation)?;
    }
    if let Some(ping_url) = &update.ping_url {
        updates::write_ping_url(tx, id, ping_url.as_ref())?;
    }
    if update.policy != Policy::default() {
        let policy = schedule.policy.changed_by(&update.policy);
        updates::write_policy(tx, id, &policy)?;
    }
    if let Some(plan) = &update.plan {
        change_plan(tx, schedule, plan, update.keeps_instants, now)?;
        follow_lifecycle(tx, id, now)?;
    }
    Ok(Ok(()))
}

/// Gives a schedule another plan. That doesn't activate a paused or cancelled schedule.
fn change_plan(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    plan: &Plan,
    keeps_instants: bool,
    now: Timestamp,
) -> sql::Result<()> {
    let lifecycle = match schedule.lifecycle {
        Lifecycle::Paused => Lifecycle::Paused,
        Lifecycle::Cancelled => Lifecycle::Cancelled,
        // It has ended since the plan was made.
        Lifecycle::Finished if keeps_instants => return Ok(()),
        Lifecycle::Active | Lifecycle::Finished | Lifecycle::Broken => Lifecycle::Active,
    };
    let mut plan = plan.clone();
    if keeps_instants {
        // It may have been claimed since the plan was made.
        plan.next_run = schedule.next_run.unwrap_or(plan.next_run);
    } else if let Ok(old) = timetable_of(schedule) {
        let outcome = Outcome {
            state: State::Skipped,
            reason: "the schedule was changed",
            at: now,
        };
        settle_until(tx, schedule, &old, now, outcome)?;
    }
    if let Some(uid) = schedule.uid {
        begin_revision(tx, uid, &plan, lifecycle, now)?;
    }
    write_plan(tx, schedule.id, &plan, lifecycle)
}
