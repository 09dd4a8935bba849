//! Pausing and resuming, runs by hand and the halt; and previews.

use jiff::{SignedDuration, Timestamp};

use super::register::{Registered, When, plan, registered};
use super::views::show_local;
use super::{Service, bounds, not_found, not_live};
use crate::error::{Code, Error, Result, call, message};
use crate::models::{AgentId, Halt, Lifecycle, ManualRun, PromptSchedule, Resumption};
use crate::schedule::Zone;

impl Service {
    /// Pauses a schedule: nothing of it is sent until it is resumed.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`].
    pub async fn pause(&self, id: i64, note: Option<&str>) -> Result<()> {
        bounds::note(note)?;
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
            Some(Resumption::Active(next)) => Ok(Some(next)),
            Some(Resumption::Finished) => Ok(None),
            Some(Resumption::NotPaused(other)) => Err(not_live(id, other, "resumed")),
            Some(Resumption::OncePassed(at)) => Err(Error::new(
                Code::TimePast,
                message![
                    "schedule {id} was to run once at {at}, which passed while it was paused; it is \
                     now {now} (",
                    show_local(now, &self.zone),
                    "). Send it now with the example, or give it another time with ",
                    call("update").with("id", id).with("time", "…")
                ],
            )
            .example(call("resume").with("id", id).with("replay", true))),
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
        .example(call("list")))
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
        let letta = self.letta.clone();
        let lane_of = move |s: &PromptSchedule| {
            let agent = AgentId::parse(&s.agent_id)?;
            let recipient = letta.recipient(agent, s.conversation.clone());
            Ok(letta.lane(&recipient, s.uid.unwrap_or_default()))
        };
        match self
            .db
            .queue_run(id, lane_of, self.request.as_deref(), self.now())
            .await?
        {
            None => Err(not_found(id)),
            Some(ManualRun::New(occurrence)) => Ok((occurrence, false)),
            Some(ManualRun::Waiting(occurrence)) => Ok((occurrence, true)),
            Some(ManualRun::NoPrompt) => Err(Error::new(
                Code::PromptMissing,
                format!(
                    "schedule {id} has no prompt any more, since it was purged: make a new one"
                ),
            )
            .example(call("list").with("all", true))),
            Some(ManualRun::NotRunnable(lifecycle)) => {
                Err(not_live(id, lifecycle, "run; make a new one"))
            }
        }
    }

    /// Halts all delivery until the halt is lifted.
    pub async fn halt(&self, note: Option<&str>) -> Result<Halt> {
        self.refuse_scoped("halting")?;
        bounds::note(note)?;
        self.db.halt(note, self.now()).await
    }

    /// Lifts the halt. Returns the one that was there.
    pub async fn lift_halt(&self) -> Result<Option<Halt>> {
        self.refuse_scoped("halting")?;
        self.db.lift_halt(self.now()).await
    }
}

/// The next `n` instants of a time, without making a schedule; `zone` is meant where it names none.
///
/// # Errors
/// Those of registering it.
pub fn preview(asked: &When, n: usize, zone: &Zone, now: Timestamp) -> Result<Registered> {
    bounds::when(asked)?;
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
