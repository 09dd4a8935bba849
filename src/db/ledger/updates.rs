//! Changing what a schedule is.

use jiff::Timestamp;

use super::budget;
use super::changes::{About, note_change};
use super::locks::{lock_agent, lock_schedule};
use super::notices::follow_lifecycle;
use super::plans::{Outcome, settle_until, timetable};
use super::revisions::begin_revision;
use super::schedules::refuse_taken_name;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::schedules::write_plan;
use crate::db::statements::updates;
use crate::error::Result;
use crate::models::{
    AgentId, Lifecycle, Operation, PingUrl, Plan, Policy, PromptSchedule, ScheduleType, State,
};

/// What to change of a schedule; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ScheduleUpdate {
    /// Another agent.
    pub agent_id: Option<AgentId>,
    /// Another prompt.
    pub prompt_text: Option<String>,
    /// Another name, unique among the agent's live schedules.
    pub name: Option<String>,
    /// Other instants. Those of the old plan that passed unsent become `skipped`.
    pub plan: Option<Plan>,
    /// Another way of delivering.
    pub policy: Policy,
    /// Another dead-man service, or none.
    pub ping_url: Option<Option<PingUrl>>,
    /// How many live schedules another agent may have with it; `None` for any number.
    pub most_schedules: Option<i64>,
    /// Whether the plan has the old one's instants, with another end or number: then none is
    /// skipped, and it goes on where the schedule stands.
    pub keeps_instants: bool,
}

impl ScheduleUpdate {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.agent_id.is_none()
            && self.prompt_text.is_none()
            && self.name.is_none()
            && self.plan.is_none()
            && self.policy == Policy::default()
            && self.ping_url.is_none()
    }

    /// The names of what it changes of a schedule, as an update asks for them.
    fn names(&self, schedule: &PromptSchedule) -> String {
        let policy = &self.policy;
        let mut names: Vec<&str> = [
            ("agent_id", self.agent_id.is_some()),
            ("prompt", self.prompt_text.is_some()),
            ("name", self.name.is_some()),
            ("catch_up", policy.catch_up.is_some()),
            ("grace", policy.grace.is_some()),
            ("pause_on_failure", policy.pause_on_failure.is_some()),
            ("envelope", policy.envelope.is_some()),
            ("max_age", policy.max_age.is_some()),
            ("ping_url", self.ping_url.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, changes)| changes.then_some(name))
        .collect();
        if let Some(plan) = &self.plan {
            let kind = plan.schedule_type.as_str();
            let spec = (kind, plan.schedule_value.as_str());
            let bounds = [
                (
                    match plan.schedule_type {
                        ScheduleType::Once => "time",
                        ScheduleType::Cron => "cron",
                        ScheduleType::Interval => "every",
                    },
                    spec != (&schedule.schedule_type, &schedule.schedule_value),
                ),
                (
                    "timezone",
                    schedule.timezone.as_deref() != Some(plan.timezone.as_str()),
                ),
                ("start_at", plan.start_at != schedule.start_at),
                ("end_at", plan.end_at != schedule.end_at),
                (
                    "max_repetitions",
                    plan.max_repetitions != schedule.max_repetitions,
                ),
            ];
            let changed = bounds.into_iter().filter(|(_, differs)| *differs);
            names.extend(changed.map(|(name, _)| name));
        }
        names.join(", ")
    }
}

impl Db {
    /// Changes a schedule; `false` if there is none of this id. What is already claimed stays as
    /// it was.
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

    /// Changes a schedule as `decide` says of what it is at that moment, and returns what `decide`
    /// adds to that; `None` if there is none of this id.
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

/// Writes what is to be changed of a schedule, or says why it can't be.
fn write_update(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    update: &ScheduleUpdate,
    now: Timestamp,
) -> sql::Result<Result<()>> {
    let id = schedule.id;
    let agent = match &update.agent_id {
        Some(agent) => agent.clone(),
        None => match AgentId::parse(&schedule.agent_id) {
            Ok(agent) => agent,
            Err(e) => return Ok(Err(e)),
        },
    };
    let name = update.name.as_deref().or(schedule.name.as_deref());
    lock_agent(tx, &agent)?;
    if let Err(e) = refuse_taken_name(tx, &agent, name, Some(id))? {
        return Ok(Err(e));
    }
    if agent.as_str() != schedule.agent_id
        && let Err(e) = budget::refuse_too_many(tx, &agent, update.most_schedules)?
    {
        return Ok(Err(e));
    }
    let (agent, prompt) = (update.agent_id.as_ref(), update.prompt_text.as_deref());
    updates::write_texts(tx, id, agent, prompt, update.name.as_deref())?;
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

/// Gives a schedule another plan. That wakes neither a paused schedule nor a cancelled one.
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
        // It ended since the plan was made.
        Lifecycle::Finished if keeps_instants => return Ok(()),
        Lifecycle::Active | Lifecycle::Finished | Lifecycle::Broken => Lifecycle::Active,
    };
    let mut plan = plan.clone();
    if keeps_instants {
        // It may have been claimed since the plan was made.
        plan.next_run = schedule.next_run.unwrap_or(plan.next_run);
    } else if let Ok(old) = timetable(schedule) {
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
