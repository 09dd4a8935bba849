//! What the operations answer: [`Service`] carries them out on the database.

use async_trait::async_trait;

use super::answers::{
    AgentsListed, CancelledSchedule, ChangeLog, Halted, History, Listed, PausedSchedule, Planned,
    Previewed, PreviewedRun, QueuedRun, ResumedSchedule, SchedulerView, Shown, Success, Tested,
};
use super::status::ON_HOLD;
use super::{Changes, HistoryQuery, Registered, Registration, Service, Status, When, preview};
use crate::error::Result;
use crate::models::{AgentId, Caller, ChangeQuery, Incident, RunningScheduler, ScheduleFilter};

/// Which schedules are asked for.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Only this agent's.
    pub agent_id: Option<AgentId>,
    /// Also those that are over or can't be read, and not only the active and the paused ones.
    pub all: bool,
    /// Whether long prompts are left whole.
    pub full: bool,
    /// At most so many.
    pub limit: u32,
    /// Leaving out so many at the beginning.
    pub offset: u32,
}

/// What a caller can ask for.
#[async_trait]
pub trait Operations: Send + Sync {
    /// Makes a schedule.
    async fn register(&self, asked: &Registration) -> Result<Planned>;
    /// Changes a schedule.
    async fn update(&self, id: i64, changes: &Changes) -> Result<Planned>;
    /// Lists schedules.
    async fn list(&self, asked: &ListQuery) -> Result<Listed>;
    /// Shows one schedule.
    async fn show(&self, id: i64) -> Result<Shown>;
    /// Ends a schedule.
    async fn cancel(&self, id: i64) -> Result<CancelledSchedule>;
    /// Pauses a schedule.
    async fn pause(&self, id: i64, note: Option<&str>) -> Result<PausedSchedule>;
    /// Lets a paused schedule run again; with `replay` what passed is caught up with.
    async fn resume(&self, id: i64, replay: bool) -> Result<ResumedSchedule>;
    /// Queues one run of a schedule, beside its own instants.
    async fn run(&self, id: i64) -> Result<QueuedRun>;
    /// The next `count` runs of a time, without making a schedule.
    async fn preview(&self, when: &When, count: usize) -> Result<Previewed>;
    /// What became of occurrences.
    async fn history(&self, asked: &HistoryQuery) -> Result<History>;
    /// Who changed what.
    async fn changes(&self, asked: &ChangeQuery) -> Result<ChangeLog>;
    /// Every agent of the Letta server.
    async fn agents(&self) -> Result<AgentsListed>;
    /// Whether Letta answers and somebody delivers.
    async fn test(&self) -> Result<Tested>;
    /// Halts all delivery.
    async fn halt(&self, note: Option<&str>) -> Result<Halted>;
    /// Lifts the halt.
    async fn lift_halt(&self) -> Result<Halted>;
}

#[async_trait]
impl Operations for Service {
    async fn register(&self, asked: &Registration) -> Result<Planned> {
        let made = Service::register(self, asked).await?;
        let message = match made.existed {
            true => format!("This prompt was scheduled already, with ID {}", made.id),
            false => format!("Prompt scheduled with ID {}", made.id),
        };
        let existed = Some(made.existed);
        Ok(Planned {
            existed,
            ..self.planned(made, message).await?
        })
    }

    async fn update(&self, id: i64, changes: &Changes) -> Result<Planned> {
        let updated = Service::update(self, id, changes).await?;
        let changed = Some(updated.changed);
        let message = match updated.changed {
            true => format!("Schedule {id} updated"),
            false => format!("Schedule {id} is like this already: nothing was changed"),
        };
        Ok(Planned {
            changed,
            ..self.planned(updated, message).await?
        })
    }

    async fn list(&self, asked: &ListQuery) -> Result<Listed> {
        let filter = ScheduleFilter {
            agent_id: asked.agent_id.clone(),
            paused: true,
            all: asked.all,
            limit: Some(asked.limit),
            offset: asked.offset,
        };
        let status = self.status().await?;
        let listing = Service::list(self, &filter, asked.full, &status).await?;
        Ok(Listed {
            status: Success::Success,
            count: listing.schedules.len(),
            total: listing.total,
            broken: listing.broken,
            incidents: self.visible(&status.incidents).count(),
            schedules: listing.schedules,
            now: self.now(),
            warning: status.warning(),
        })
    }

    async fn show(&self, id: i64) -> Result<Shown> {
        let status = self.status().await?;
        let details = Service::show(self, id, &status).await?;
        Ok(Shown {
            status: Success::Success,
            schedule: details.schedule,
            next_runs: details.next_runs,
            last_runs: details.last_runs,
            account: details.account,
            now: self.now(),
            warning: status.warning(),
        })
    }

    async fn cancel(&self, id: i64) -> Result<CancelledSchedule> {
        Service::cancel(self, id).await?;
        Ok(CancelledSchedule {
            status: Success::Success,
            cancelled_id: id,
            message: format!("Schedule {id} cancelled"),
        })
    }

    async fn pause(&self, id: i64, note: Option<&str>) -> Result<PausedSchedule> {
        Service::pause(self, id, note).await?;
        Ok(PausedSchedule {
            status: Success::Success,
            paused_id: id,
            message: format!("Schedule {id} paused"),
        })
    }

    async fn resume(&self, id: i64, replay: bool) -> Result<ResumedSchedule> {
        let next_run = Service::resume(self, id, replay).await?;
        Ok(ResumedSchedule {
            status: Success::Success,
            resumed_id: id,
            next_run,
            message: match next_run {
                Some(next) => format!("Schedule {id} resumed. Next run: {next}"),
                None => format!("Schedule {id} has finished: nothing of it is left to run"),
            },
            now: self.now(),
            warning: self.status().await?.warning(),
        })
    }

    async fn run(&self, id: i64) -> Result<QueuedRun> {
        let (occurrence_id, existed) = Service::run(self, id).await?;
        Ok(QueuedRun {
            status: Success::Success,
            schedule_id: id,
            occurrence_id,
            existed,
            message: match existed {
                false => format!("Schedule {id} is run as soon as its agent is free"),
                true => format!("Schedule {id} waits to be run already"),
            },
            now: self.now(),
            warning: self.status().await?.warning(),
        })
    }

    async fn preview(&self, when: &When, count: usize) -> Result<Previewed> {
        preview_runs(when, count, &self.zone, self.now())
    }

    async fn history(&self, asked: &HistoryQuery) -> Result<History> {
        let occurrences = Service::history(self, asked).await?;
        Ok(History {
            status: Success::Success,
            count: occurrences.len(),
            occurrences,
        })
    }

    async fn changes(&self, asked: &ChangeQuery) -> Result<ChangeLog> {
        let changes = Service::changes(self, asked).await?;
        Ok(ChangeLog {
            status: Success::Success,
            count: changes.len(),
            changes,
        })
    }

    async fn agents(&self) -> Result<AgentsListed> {
        let agents = Service::agents(self).await?;
        Ok(AgentsListed {
            status: Success::Success,
            count: agents.len(),
            agents,
        })
    }

    async fn test(&self) -> Result<Tested> {
        let server = self.check_letta().await?;
        let status = self.status().await?;
        let is_ours = self.caller.scope().is_none();
        let agent_count = match is_ours {
            true => self.letta.list_agents().await.ok().map(|a| a.len()),
            false => None,
        };
        Ok(Tested {
            status: Success::Success,
            message: "Connection to Letta server successful".to_owned(),
            letta_url: self.letta.address(),
            letta_version: server.version,
            agent_count,
            database: is_ours.then(|| status.database.display().to_string()),
            schedulers: self.visible_schedulers(&status),
            incidents: self.visible(&status.incidents).cloned().collect(),
            notices: is_ours.then(|| status.outbox.clone()),
            now: self.now(),
            warning: status.warning(),
        })
    }

    async fn halt(&self, note: Option<&str>) -> Result<Halted> {
        let halt = Service::halt(self, note).await?;
        Ok(Halted {
            status: Success::Success,
            halted: true,
            message: format!("{halt}; what is on its way ends by itself"),
            since: Some(halt.since),
            note: halt.note,
            now: self.now(),
        })
    }

    async fn lift_halt(&self) -> Result<Halted> {
        let lifted = Service::lift_halt(self).await?;
        Ok(Halted {
            status: Success::Success,
            halted: false,
            since: None,
            note: None,
            message: match lifted {
                Some(halt) => {
                    format!("Deliveries go on; they were halted since {}", halt.since)
                }
                None => "Deliveries were not halted".to_owned(),
            },
            now: self.now(),
        })
    }
}

impl Service {
    async fn planned(&self, made: Registered, message: String) -> Result<Planned> {
        Ok(Planned {
            status: Success::Success,
            id: made.id,
            next_run: made.next_run,
            message,
            next_run_local: made.local(made.next_run),
            timezone: made.zone.name().to_owned(),
            describes: made.describes,
            next_runs: made.next_runs,
            existed: None,
            changed: None,
            now: self.now(),
            warning: self.status().await?.warning(),
        })
    }

    /// The schedulers, without what is the operator's alone.
    pub(super) fn visible_schedulers(&self, status: &Status) -> Vec<SchedulerView> {
        let is_operator = self.caller == Caller::Operator;
        let view = |s: &RunningScheduler| SchedulerView {
            owner: is_operator.then(|| s.owner.to_string()),
            pid: is_operator.then_some(s.pid),
            started_at: s.started_at,
            heartbeat_at: s.heartbeat_at,
            holding: match is_operator {
                true => s.holding.clone(),
                false => s.holding.as_ref().map(|_| ON_HOLD.to_owned()),
            },
        };
        status.schedulers.iter().map(view).collect()
    }

    /// Those incidents that the caller may know of.
    pub(super) fn visible<'a>(&'a self, all: &'a [Incident]) -> impl Iterator<Item = &'a Incident> {
        let scope = self.caller.scope().map(AgentId::as_str);
        all.iter()
            .filter(move |i| scope.is_none_or(|own| i.agent_id.as_deref() == Some(own)))
    }
}

/// What a preview answers; it needs neither the database nor Letta.
///
/// # Errors
/// Those of [`preview`].
pub fn preview_runs(
    when: &When,
    count: usize,
    zone: &crate::schedule::Zone,
    now: jiff::Timestamp,
) -> Result<Previewed> {
    let shown = preview(when, count, zone, now)?;
    Ok(Previewed {
        status: Success::Success,
        runs: shown
            .next_runs
            .iter()
            .map(|t| PreviewedRun {
                utc: *t,
                local: shown.local(*t),
            })
            .collect(),
        timezone: shown.zone.name().to_owned(),
        describes: shown.describes,
        now,
    })
}
