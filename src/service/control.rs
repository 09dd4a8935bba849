//! Cancelling, pausing, resuming, manual runs and the halt.

use jiff::{SignedDuration, Timestamp};

use super::answers::{
    CancelledSchedule, Halted, PausedSchedule, QueuedRun, ResumedSchedule, Success,
};
use super::views::show_local;
use super::{Service, bounds, not_found, not_live};
use crate::error::{Code, Error, Result, call, field, message, operation, quoted};
use crate::models::{
    AgentAt, AgentId, Cancellation, Halt, Lifecycle, ManualRun, Pausing, PromptSchedule,
    Resumption, TargetName,
};
use crate::schedule::{Zone, parse_time_of, timetable_of};

impl Service {
    /// Cancels a schedule.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`] if it has already ended.
    pub async fn cancel(&self, id: i64) -> Result<CancelledSchedule> {
        self.find(id).await?;
        let before = self.db.cancel_schedule(id, self.now()).await?;
        let ended = match before {
            None => return Err(not_found(id)),
            Some(Cancellation::Done) => {
                return Ok(CancelledSchedule {
                    status: Success::Success,
                    cancelled_id: id,
                    message: format!("Schedule {id} cancelled"),
                });
            }
            Some(Cancellation::Ended(Lifecycle::Finished)) => "has finished already",
            Some(Cancellation::Ended(_)) => "was cancelled already",
        };
        Err(Error::new(
            Code::ScheduleNotActive,
            message![
                "schedule {id} {ended}, so there is nothing to cancel; ",
                operation("list"),
                " shows active schedules"
            ],
        )
        .example(call("list")))
    }

    /// Pauses a schedule until it is resumed.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`].
    pub async fn pause(&self, id: i64, note: Option<&str>) -> Result<PausedSchedule> {
        self.pause_for(id, note, None).await
    }

    /// Pauses a schedule until a time, at which it resumes by itself. A paused one gets that time,
    /// too.
    ///
    /// # Errors
    /// Those of pausing; [`Code::TimeInvalid`], [`Code::TimePast`], and [`Code::SpecConflict`] for a
    /// one-shot whose time is before then.
    pub async fn pause_until(
        &self,
        id: i64,
        note: Option<&str>,
        until: &str,
    ) -> Result<PausedSchedule> {
        bounds::point("until", Some(until))?;
        let schedule = self.find(id).await?;
        let zone = timetable_of(&schedule).map_or(self.zone.clone(), |table| table.zone);
        let now = self.now();
        let at = parse_time_of("until", until, &zone, now)?;
        if at <= now {
            return Err(Error::new(
                Code::TimePast,
                message![
                    field("until"),
                    ": ",
                    quoted(until),
                    " is {at}, which has passed: it is now {now} (",
                    show_local(now, &zone),
                    ")"
                ],
            ));
        }
        self.pause_for(id, note, Some((at, zone))).await
    }

    async fn pause_for(
        &self,
        id: i64,
        note: Option<&str>,
        until: Option<(Timestamp, Zone)>,
    ) -> Result<PausedSchedule> {
        bounds::note(note)?;
        self.find(id).await?;
        let at = until.as_ref().map(|(at, _)| *at);
        match self.db.pause_schedule(id, note, at, self.now()).await? {
            None => Err(not_found(id)),
            Some(Pausing::Done) => Ok(PausedSchedule {
                status: Success::Success,
                paused_id: id,
                resume_at: at,
                message: match until {
                    None => format!("Schedule {id} paused"),
                    Some((at, zone)) => {
                        let local = show_local(at, &zone);
                        format!("Schedule {id} paused until {at} UTC = {local}")
                    }
                },
            }),
            Some(Pausing::NotActive(other)) => Err(not_live(id, other, "paused")),
            Some(Pausing::OncePasses(at)) => Err(Error::new(
                Code::SpecConflict,
                message![
                    "schedule {id} runs once, at {at}, which would pass during the pause: cancel it, or \
                     give it another time with ",
                    call("update").with("id", id).with("time", "…")
                ],
            )),
        }
    }

    /// Resumes a paused schedule, and returns its next run, if it has one. Runs that passed are
    /// skipped, or with `replay` caught up on.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`] if it is not paused,
    /// [`Code::TimePast`] for a one-shot whose time has passed.
    pub async fn resume(&self, id: i64, replay: bool) -> Result<ResumedSchedule> {
        self.find(id).await?;
        let now = self.now();
        let next_run = match self.db.resume_schedule(id, replay, now).await? {
            None => return Err(not_found(id)),
            Some(Resumption::Active(next)) => Some(next),
            Some(Resumption::Finished) => None,
            Some(Resumption::NotPaused(other)) => return Err(not_live(id, other, "resumed")),
            Some(Resumption::OncePassed(at)) => return Err(self.once_passed(id, at, now)),
        };
        Ok(ResumedSchedule {
            status: Success::Success,
            resumed_id: id,
            next_run,
            message: match next_run {
                Some(next) => format!("Schedule {id} resumed. Next run: {next}"),
                None => format!("Schedule {id} has finished: it has no runs left"),
            },
            now: self.now(),
            warning: self.warning_about(id).await?,
        })
    }

    fn once_passed(&self, id: i64, at: Timestamp, now: Timestamp) -> Error {
        Error::new(
            Code::TimePast,
            message![
                "schedule {id} was to run once at {at}, which passed while it was paused; it is \
                 now {now} (",
                show_local(now, &self.zone),
                "). Send it now with the example, or give it another time with ",
                call("update").with("id", id).with("time", "…")
            ],
        )
        .example(call("resume").with("id", id).with("replay", true))
    }

    /// Refuses an agent more manual runs in 24 hours than one of its schedules may have.
    async fn check_runs(&self, agent: &AgentAt) -> Result<()> {
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
                "agent {} has requested {runs} manual runs in the last 24 hours; the limit is {most}: \
                 wait, or use a schedule",
                self.show_agent(agent)
            ),
        )
        .example(call("list")))
    }

    /// Queues one run of a schedule, in addition to its own instants.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`] for one that was cancelled,
    /// [`Code::ScheduleBroken`], [`Code::BudgetExceeded`].
    pub async fn run(&self, id: i64) -> Result<QueuedRun> {
        let schedule = self.find(id).await?;
        if self.caller.has_budget() {
            self.check_runs(&self.agent_of(&schedule)?).await?;
        }
        let targets = self.targets.clone();
        let lane_of = move |s: &PromptSchedule| {
            let agent = AgentId::parse(&s.agent_id)?;
            let conversation = s.conversation.as_ref();
            let recipient = targets.recipient(s.target.as_ref(), &agent, conversation);
            Ok(targets.lane(&recipient, s.uid.unwrap_or_default()))
        };
        let queued = (self.db)
            .queue_run(id, lane_of, self.request.as_deref(), self.now())
            .await?;
        let (occurrence_id, existed) = match queued {
            None => return Err(not_found(id)),
            Some(ManualRun::New(occurrence)) => (occurrence, false),
            Some(ManualRun::Waiting(occurrence)) => (occurrence, true),
            Some(ManualRun::NoPrompt) => {
                return Err(Error::new(
                    Code::PromptMissing,
                    format!("the prompt of schedule {id} was purged: create a new schedule"),
                )
                .example(call("list").with("all", true)));
            }
            Some(ManualRun::NotRunnable(lifecycle)) => {
                return Err(not_live(id, lifecycle, "run; create a new one"));
            }
        };
        Ok(QueuedRun {
            status: Success::Success,
            schedule_id: id,
            occurrence_id,
            existed,
            message: match existed {
                false => format!("Schedule {id} will run as soon as its agent is free"),
                true => format!("Schedule {id} is already waiting to run"),
            },
            now: self.now(),
            warning: self.warning_about(id).await?,
        })
    }

    /// Halts all delivery until the halt is lifted.
    pub async fn halt(&self, note: Option<&str>) -> Result<Halted> {
        bounds::note(note)?;
        let halt = self.db.halt(note, self.now()).await?;
        Ok(self.halted(halt))
    }

    /// Halts delivery to a target until that halt is lifted.
    ///
    /// # Errors
    /// [`Code::TargetUnknown`].
    pub async fn halt_target(&self, target: &TargetName, note: Option<&str>) -> Result<Halted> {
        bounds::note(note)?;
        self.target(Some(target))?;
        let halt = self.db.halt_target(target, note, self.now()).await?;
        Ok(self.halted(halt))
    }

    fn halted(&self, halt: Halt) -> Halted {
        Halted {
            status: Success::Success,
            halted: true,
            target: halt.target.as_ref().map(TargetName::to_string),
            message: format!("{halt}; prompts being sent will finish"),
            since: Some(halt.since),
            note: halt.note,
            now: self.now(),
        }
    }

    /// Lifts the halt of all delivery; those of targets stay.
    pub async fn lift_halt(&self) -> Result<Halted> {
        let lifted = self.db.lift_halt(self.now()).await?;
        let mut message = match lifted {
            Some(halt) => format!(
                "Delivery is on again; it had been halted since {}",
                halt.since
            ),
            None => "Delivery was not halted".to_owned(),
        };
        for halt in self.db.list_halted_targets().await? {
            message.push_str(&format!("; {halt}"));
        }
        Ok(self.lifted(None, message))
    }

    /// Lifts the halt of a target; that of all delivery stays.
    ///
    /// # Errors
    /// [`Code::TargetUnknown`] if there is neither such a target nor a halt of it.
    pub async fn lift_target(&self, target: &TargetName) -> Result<Halted> {
        let lifted = self.db.lift_target(target, self.now()).await?;
        let mut message = match lifted {
            Some(halt) => format!(
                "Delivery to {target} is on again; it had been halted since {}",
                halt.since
            ),
            None => {
                self.target(Some(target))?;
                format!("Delivery to {target} was not halted")
            }
        };
        if let Some(halt) = self.db.get_halt().await? {
            message.push_str(&format!("; {halt}"));
        }
        Ok(self.lifted(Some(target), message))
    }

    fn lifted(&self, target: Option<&TargetName>, message: String) -> Halted {
        Halted {
            status: Success::Success,
            halted: false,
            target: target.map(TargetName::to_string),
            since: None,
            note: None,
            message,
            now: self.now(),
        }
    }
}
