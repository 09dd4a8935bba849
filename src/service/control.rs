//! Changing a schedule that exists: update, pause, resume.

use jiff::{SignedDuration, Timestamp};

use super::budget::{check_fires, most_schedules};
use super::register::{PINGS, Registered, When, Wish, check_policy, plan, registered};
use super::views::show_local;
use super::{Service, not_found};
use crate::db::{Halt, Queued, Resumed, ScheduleUpdate, remaining, timetable};
use crate::error::{Code, Error, Result};
use crate::models::{AgentId, Lifecycle, PingUrl, Plan, Policy, PromptSchedule, ScheduleType};
use crate::schedule::{Timetable, Zone, parse_time};

/// What to change of a schedule; `None` leaves a part as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Another agent.
    pub agent_id: Option<AgentId>,
    /// Another prompt.
    pub prompt: Option<String>,
    /// Another time.
    pub wish: Option<Wish>,
    /// Another zone.
    pub timezone: Option<String>,
    /// Another start.
    pub start_at: Option<String>,
    /// Another end.
    pub end_at: Option<String>,
    /// Another number of instants in all, those that were taken included.
    pub max_repetitions: Option<i64>,
    /// Another name.
    pub name: Option<String>,
    /// Another way of delivering.
    pub policy: Policy,
    /// Another dead-man service, or none; only the operator may name one.
    pub ping_url: Option<Option<PingUrl>>,
    /// Whether to go without asking Letta for another agent.
    pub skip_validation: bool,
}

impl Changes {
    /// Whether its instants are planned anew, counted from now.
    fn moves(&self) -> bool {
        self.wish.is_some() || self.timezone.is_some() || self.start_at.is_some()
    }

    fn is_empty(&self) -> bool {
        !self.moves()
            && self.agent_id.is_none()
            && self.prompt.is_none()
            && self.end_at.is_none()
            && self.max_repetitions.is_none()
            && self.name.is_none()
            && self.policy == Policy::default()
            && self.ping_url.is_none()
    }
}

impl Service {
    /// Changes a schedule that is active or paused. What is on its way stays as it is; a changed
    /// time is counted from now.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`], [`Code::Usage`] if nothing is to be
    /// changed, and those of registering; then nothing has changed.
    pub async fn update(&self, id: i64, changes: &Changes) -> Result<Registered> {
        let schedule = self.find(id).await?;
        if !matches!(schedule.lifecycle, Lifecycle::Active | Lifecycle::Paused) {
            return Err(not_live(
                id,
                schedule.lifecycle,
                "changed; register another one",
            ));
        }
        if changes.is_empty() {
            return Err(Error::new(
                Code::Usage,
                "nothing was given that is to be changed",
            ));
        }
        if let Some(agent) = &changes.agent_id {
            self.own(agent.clone())?;
        }
        if changes.ping_url.is_some() {
            self.refuse_agents(PINGS)?;
        }
        let now = self.now();
        let (plan, timetable) = match changes.moves() {
            true => self.plan_anew(&schedule, changes, now)?,
            false => self.plan_on(&schedule, changes, now)?,
        };
        check_policy(&schedule.policy.changed_by(&changes.policy))?;
        if self.has_new_plan(changes) {
            check_fires(&self.budget, &self.caller, &plan, &timetable)?;
        }
        if let Some(agent) = &changes.agent_id {
            self.check_agent(agent, changes.skip_validation).await?;
        }
        let next_run = plan.next_run;
        let left = PromptSchedule {
            max_repetitions: plan.max_repetitions,
            ..schedule.clone()
        };
        let update = ScheduleUpdate {
            agent_id: changes.agent_id.clone(),
            prompt_text: changes.prompt.clone(),
            name: changes.name.clone(),
            plan: self.has_new_plan(changes).then_some(plan),
            policy: changes.policy,
            ping_url: changes.ping_url.clone(),
            most_schedules: most_schedules(&self.budget, &self.caller),
            keeps_instants: !changes.moves(),
        };
        if !self.db.update_schedule(id, &update, now).await? {
            return Err(not_found(id));
        }
        self.wake.notify_one();
        let left = remaining(&left).and_then(|n| i64::try_from(n).ok());
        Ok(registered(id, true, next_run, &timetable, left))
    }

    fn has_new_plan(&self, changes: &Changes) -> bool {
        changes.moves() || changes.end_at.is_some() || changes.max_repetitions.is_some()
    }

    /// The plan after a change of its time: everything that was not given stays, and it is counted
    /// from now.
    fn plan_anew(
        &self,
        schedule: &PromptSchedule,
        changes: &Changes,
        now: Timestamp,
    ) -> Result<(Plan, Timetable)> {
        let kind = ScheduleType::from_word(&schedule.schedule_type);
        let wish = match (&changes.wish, kind) {
            (Some(wish), _) => wish.clone(),
            (None, Some(kind)) => Wish {
                kind,
                value: schedule.schedule_value.clone(),
            },
            (None, None) => return Err(timetable(schedule).err().unwrap_or_else(unreadable)),
        };
        let text = |time: Option<Timestamp>| time.map(|t| t.to_string());
        let zone_name = changes.timezone.clone().or(schedule.timezone.clone());
        let zone = match &zone_name {
            Some(name) => Zone::parse(name)?,
            None => self.zone.clone(),
        };
        let asked = When {
            // A start that has passed has done its work.
            start_at: changes.start_at.clone().or_else(|| {
                let start = schedule.start_at.filter(|t| *t > now);
                text(start.filter(|_| wish.kind != ScheduleType::Once))
            }),
            end_at: changes.end_at.clone().or_else(|| text(schedule.end_at)),
            max_repetitions: changes.max_repetitions.or(schedule.max_repetitions),
            timezone: zone_name,
            wish,
        };
        plan(&asked, &zone, now)
    }

    /// The plan with its instants as they are, and perhaps another end.
    fn plan_on(
        &self,
        schedule: &PromptSchedule,
        changes: &Changes,
        now: Timestamp,
    ) -> Result<(Plan, Timetable)> {
        let timetable = timetable(schedule)?;
        let (Some(next_run), Some(schedule_type)) = (
            schedule.next_run,
            ScheduleType::from_word(&schedule.schedule_type),
        ) else {
            return Err(unreadable());
        };
        let end_at = match &changes.end_at {
            Some(text) => {
                let read = parse_time(text, &timetable.zone, now);
                Some(read.map_err(|e| e.about("--end-at"))?)
            }
            None => schedule.end_at,
        };
        if let Some(end) = end_at.filter(|end| *end < next_run) {
            return Err(Error::new(
                Code::EndBeforeFirst,
                format!(
                    "it would end at {end}, before its next run at {next_run}; it is now {now}. \
                     To end it now, cancel it"
                ),
            ));
        }
        let plan = Plan {
            schedule_type,
            schedule_value: schedule.schedule_value.clone(),
            timezone: timetable.zone.name().to_owned(),
            anchor: timetable.anchor,
            next_run,
            start_at: schedule.start_at,
            end_at,
            max_repetitions: changes.max_repetitions.or(schedule.max_repetitions),
        };
        Ok((
            plan,
            Timetable {
                end_at,
                ..timetable
            },
        ))
    }

    /// Pauses a schedule: nothing of it is sent until it is resumed.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`].
    pub async fn pause(&self, id: i64, note: Option<&str>) -> Result<()> {
        self.find(id).await?;
        match self.db.pause_schedule(id, note, self.now()).await? {
            None => Err(not_found(id)),
            Some(Lifecycle::Active) => Ok(()),
            Some(other) => Err(not_live(id, other, "paused")),
        }
    }

    /// Lets a paused schedule run again, and says when it runs next; `None` if nothing is left of
    /// it. What passed meanwhile is skipped, or with `replay` caught up with.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`] if it is not paused,
    /// [`Code::TimePast`] for a one-shot whose time passed meanwhile.
    pub async fn resume(&self, id: i64, replay: bool) -> Result<Option<Timestamp>> {
        self.find(id).await?;
        let now = self.now();
        match self.db.resume_schedule(id, replay, now).await? {
            None => Err(not_found(id)),
            Some(Resumed::Active(next)) => {
                self.wake.notify_one();
                Ok(Some(next))
            }
            Some(Resumed::Finished) => Ok(None),
            Some(Resumed::NotPaused(other)) => Err(not_live(id, other, "resumed")),
            Some(Resumed::OncePassed(at)) => Err(Error::new(
                Code::TimePast,
                format!(
                    "schedule {id} was to run once at {at}, which passed while it was paused; it \
                     is now {now} ({}). Send it now with the example, or give it another time with \
                     promptyoself update --id {id} --time …",
                    show_local(now, &self.zone)
                ),
            )
            .example(format!("promptyoself resume --id {id} --replay"))),
        }
    }
}

impl Service {
    /// Refuses an agent more runs by hand in 24 hours than a schedule of its own may have.
    async fn check_runs(&self, agent: &AgentId) -> Result<()> {
        let day_ago = self.now().checked_sub(SignedDuration::from_hours(24));
        let since = day_ago.unwrap_or(Timestamp::MIN);
        let runs = self.db.count_runs_by_hand(agent, since).await?;
        let most = self.budget.fires_per_day;
        if u64::try_from(runs).unwrap_or(0) < most {
            return Ok(());
        }
        Err(Error::new(
            Code::BudgetExceeded,
            format!(
                "agent {agent} was run by hand {runs} times in the last 24 hours, and agents may do \
                 that {most} times: wait, or let a schedule do it"
            ),
        )
        .example("promptyoself list"))
    }

    /// Queues one run of a schedule, beside its own instants. Returns the occurrence, and whether
    /// it waited already since it was asked for before.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`] for one that was cancelled,
    /// [`Code::ScheduleBroken`], [`Code::BudgetExceeded`].
    pub async fn run(&self, id: i64) -> Result<(i64, bool)> {
        let schedule = self.find(id).await?;
        if self.caller.has_budget() {
            self.check_runs(&AgentId::parse(&schedule.agent_id)?)
                .await?;
        }
        let lane_of = |s: &PromptSchedule| Ok(self.letta.lane(&AgentId::parse(&s.agent_id)?));
        match self
            .db
            .queue_run(id, lane_of, self.request.as_deref(), self.now())
            .await?
        {
            None => Err(not_found(id)),
            Some(Queued::New(occurrence)) => {
                self.wake.notify_one();
                Ok((occurrence, false))
            }
            Some(Queued::Waiting(occurrence)) => Ok((occurrence, true)),
            Some(Queued::NoPrompt) => Err(Error::new(
                Code::PromptMissing,
                format!(
                    "schedule {id} has no prompt any more, since it was purged: register another \
                     one"
                ),
            )
            .example("promptyoself list --all")),
            Some(Queued::NotRunnable(lifecycle)) => {
                Err(not_live(id, lifecycle, "run; register another one"))
            }
        }
    }

    /// Halts all delivery until the halt is lifted.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn halt(&self, note: Option<&str>) -> Result<Halt> {
        self.refuse_scoped("halting")?;
        self.db.halt(note, self.now()).await
    }

    /// Lifts the halt. Returns the one that was there.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn lift_halt(&self) -> Result<Option<Halt>> {
        self.refuse_scoped("halting")?;
        let lifted = self.db.lift_halt(self.now()).await?;
        self.wake.notify_one();
        Ok(lifted)
    }
}

/// The next `n` instants of a time, without making a schedule; `zone` is meant where it names none.
///
/// # Errors
/// Those of registering it.
pub fn preview(asked: &When, n: usize, zone: &Zone, now: Timestamp) -> Result<Registered> {
    let zone = match &asked.timezone {
        Some(name) => Zone::parse(name)?,
        None => zone.clone(),
    };
    let (plan, timetable) = plan(asked, &zone, now)?;
    let most = plan.max_repetitions.and_then(|m| usize::try_from(m).ok());
    let shown = registered(0, false, plan.next_run, &timetable, plan.max_repetitions);
    Ok(Registered {
        next_runs: timetable.upcoming(plan.next_run, most.unwrap_or(n).min(n)),
        ..shown
    })
}

fn not_live(id: i64, lifecycle: Lifecycle, done: &str) -> Error {
    Error::new(
        Code::ScheduleNotActive,
        format!("schedule {id} is {lifecycle}, so it can't be {done}: show says what became of it"),
    )
    .example(format!("promptyoself show --id {id}"))
}

fn unreadable() -> Error {
    Error::new(Code::ScheduleBroken, "the stored schedule can't be read")
        .example("promptyoself list --all")
}
