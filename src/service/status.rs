//! Whether prompts are being delivered, and if not, why.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use super::Service;
use futures_util::future::join_all;

use super::answers::{Overview, SchedulerView, Success, TargetTested, TargetView, Tested};
use crate::clock::ClockDoubt;
use crate::error::Result;
use crate::letta_client::ServerInfo;
use crate::models::{
    Backlog, Caller, Gauges, Halt, HeldTarget, Incident, OutboxStatus, RunningScheduler, State,
    TargetName,
};

/// What an agent sees of the reason why nothing is delivered.
const ON_HOLD: &str = "deliveries are on hold for now";

/// Who is delivering, and what is in the way.
#[derive(Clone, Debug)]
pub struct Status {
    /// The live schedulers on this database.
    pub schedulers: Vec<RunningScheduler>,
    /// Why all delivery is halted, if it is.
    pub halted: Option<Halt>,
    /// The targets to which delivery is halted.
    pub halted_targets: Vec<Halt>,
    /// The targets that don't answer.
    pub held: Vec<HeldTarget>,
    /// Whether there are several targets, so that it matters which one that is.
    pub has_several_targets: bool,
    /// The open incidents.
    pub incidents: Vec<Incident>,
    /// The state of notices to the operator.
    pub outbox: OutboxStatus,
    /// The database.
    pub database: PathBuf,
    /// Why this machine's clock may be wrong, if it may.
    pub doubt: Option<ClockDoubt>,
    /// Whether this is for an agent, who may not see where the database is or the operator's notes.
    pub is_for_agent: bool,
}

impl Status {
    /// The same without what concerns other targets.
    pub fn about(&self, target: &TargetName) -> Status {
        let mut status = self.clone();
        status.held.retain(|held| held.target == target.as_str());
        let is_its = |halt: &Halt| halt.target.as_ref() == Some(target);
        status.halted_targets.retain(is_its);
        status
    }

    /// A warning for the caller, if something keeps prompts from being delivered or planned at the
    /// right time.
    pub fn warning(&self) -> Option<String> {
        let obstacle = match self.is_for_agent {
            true => self.obstacle_for_agent(),
            false => self.obstacle(),
        };
        match (obstacle, &self.doubt) {
            (None, Some(doubt)) => Some(doubt.to_string()),
            // A scheduler that is on hold for that reason reports it itself.
            (Some(obstacle), Some(doubt)) if self.is_for_agent || self.schedulers.is_empty() => {
                Some(format!("{obstacle}; and {doubt}"))
            }
            (obstacle, _) => obstacle,
        }
    }

    fn obstacle(&self) -> Option<String> {
        let database = self.database.display();
        let halted = self
            .halted
            .as_ref()
            .map(|halt| format!("{halt}; promptyoself halt --off --db {database} starts it again"));
        if self.schedulers.is_empty() {
            let nobody = format!(
                "no scheduler is running on the database {database}, so nothing will be \
                 delivered: start one with: promptyoself serve --db {database}"
            );
            return Some(match halted {
                Some(halted) => format!("{nobody}; and {halted}"),
                None => nobody,
            });
        }
        if halted.is_some() {
            return halted;
        }
        if !self.held.is_empty() || !self.halted_targets.is_empty() {
            let halted = self.halted_targets.iter().map(|halt| {
                let target = halt.target.as_ref().map_or("", TargetName::as_str);
                format!(
                    "{halt}; promptyoself halt --off --target {target} --db {database} starts it \
                     again"
                )
            });
            let held = self.held.iter().map(|held| {
                let to = match self.has_several_targets {
                    true => format!(" to {}", held.target),
                    false => String::new(),
                };
                format!(
                    "deliveries{to} are on hold since {}, until Letta answers again: {}",
                    held.held_since, held.reason
                )
            });
            return Some(halted.chain(held).collect::<Vec<_>>().join("; and "));
        }
        if self.schedulers.iter().any(|s| s.holding.is_none()) {
            return None;
        }
        let holding = self.schedulers.iter().find_map(|s| s.holding.as_ref())?;
        Some(format!("deliveries are on hold: {holding}"))
    }

    fn obstacle_for_agent(&self) -> Option<String> {
        if let Some(halt) = &self.halted {
            let since = halt.since;
            return Some(format!(
                "the operator has halted all deliveries since {since}; what is due waits"
            ));
        }
        if let Some(halt) = self.halted_targets.first() {
            let since = halt.since;
            return Some(format!(
                "the operator has halted deliveries since {since}; what is due waits"
            ));
        }
        if self.schedulers.is_empty() {
            return Some(
                "no scheduler is running, so nothing will be delivered until the operator starts \
                 one"
                .to_owned(),
            );
        }
        let held_since = self.held.first().map(|held| held.held_since);
        let waits = held_since.is_some() || self.schedulers.iter().all(|s| s.holding.is_some());
        waits.then(|| match held_since {
            Some(since) => {
                format!("deliveries are on hold since {since}, until Letta answers again")
            }
            None => ON_HOLD.to_owned(),
        })
    }
}

impl Service {
    /// Who is delivering, and what is in the way.
    pub async fn status(&self) -> Result<Status> {
        let status = Status {
            schedulers: self.db.list_schedulers().await?,
            halted: self.db.get_halt().await?,
            halted_targets: self.db.list_halted_targets().await?,
            held: self.db.list_held_targets().await?,
            has_several_targets: self.targets.names().count() > 1,
            incidents: self.db.list_open_incidents().await?,
            outbox: self.db.outbox_status(self.now()).await?,
            database: self.db.path().to_owned(),
            doubt: self.clock_doubt().await?,
            is_for_agent: self.caller.scope().is_some(),
        };
        Ok(match self.caller.scope() {
            Some(own) => status.about(&own.target),
            None => status,
        })
    }

    /// What keeps the prompts of a schedule from being delivered: a target that is held does not
    /// concern the schedules of another.
    pub(super) async fn warning_about(&self, id: i64) -> Result<Option<String>> {
        let status = self.status().await?;
        if status.held.is_empty() && status.halted_targets.is_empty() {
            return Ok(status.warning());
        }
        let schedule = self.db.get_schedule(id).await?;
        let target = schedule.as_ref().map(|s| self.target_of(s));
        let target = target.unwrap_or(&self.db.targets().default);
        Ok(status.about(target).warning())
    }

    /// Whether Letta answers and prompts are being delivered.
    ///
    /// # Errors
    /// Those of Letta.
    pub async fn test(&self) -> Result<Tested> {
        let server = self.check_letta().await?;
        let status = self.status().await?;
        let is_ours = self.caller.scope().is_none();
        let agent_count = match is_ours {
            true => self.letta.list_agents().await.ok().map(|a| a.len()),
            false => None,
        };
        let others = self.targets.all().filter(|t| t.name() != self.letta.name());
        let asked = others.map(|target| async {
            let answer = target.check().await;
            TargetTested {
                target: target.name().to_string(),
                letta_url: target.address(),
                error: answer.as_ref().err().map(|refusal| refusal.text.clone()),
                letta_version: answer.ok().and_then(|server| server.version),
            }
        });
        Ok(Tested {
            other_targets: join_all(asked).await,
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

    /// The same as an answer, as far as the caller may know it.
    pub async fn overview(&self) -> Result<Overview> {
        let status = self.status().await?;
        let warning = status.warning();
        let is_ours = self.caller.scope().is_none();
        let schedulers = self.visible_schedulers(&status);
        let targets = self.visible_targets(&status);
        let halt = status.halted;
        Ok(Overview {
            targets,
            status: Success::Success,
            halted: halt.is_some(),
            halted_since: halt.as_ref().map(|h| h.since),
            halt_note: halt.and_then(|h| h.note).filter(|_| is_ours),
            schedulers,
            incidents: self.visible(&status.incidents).cloned().collect(),
            backlog: match is_ours {
                true => Some(self.backlog().await?),
                false => None,
            },
            notices: is_ours.then_some(status.outbox),
            now: self.now(),
            warning,
        })
    }

    /// What is in the way at each target, without what only the operator may know.
    fn visible_targets(&self, status: &Status) -> Vec<TargetView> {
        let is_ours = self.caller.scope().is_none();
        let mut names: BTreeSet<&str> = status.held.iter().map(|h| h.target.as_str()).collect();
        let halted = status
            .halted_targets
            .iter()
            .filter_map(|h| h.target.as_ref());
        names.extend(halted.map(TargetName::as_str));
        match self.caller.scope() {
            Some(own) => names.extend([own.target.as_str()]),
            None => names.extend(self.targets.names().map(TargetName::as_str)),
        }
        let view = |name: &str| {
            let held = status.held.iter().find(|held| held.target == name);
            let is_its = |halt: &&Halt| halt.target.as_ref().is_some_and(|t| t.as_str() == name);
            let halt = status.halted_targets.iter().find(is_its);
            TargetView {
                target: name.to_owned(),
                held_since: held.map(|held| held.held_since),
                held_reason: held.filter(|_| is_ours).map(|held| held.reason.clone()),
                halted_since: halt.map(|halt| halt.since),
                halt_note: halt.filter(|_| is_ours).and_then(|halt| halt.note.clone()),
            }
        };
        names.into_iter().map(view).collect()
    }

    /// The schedulers, without what only the operator may know.
    fn visible_schedulers(&self, status: &Status) -> Vec<SchedulerView> {
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

    /// The incidents that the caller may know about.
    pub(super) fn visible<'a>(&'a self, all: &'a [Incident]) -> impl Iterator<Item = &'a Incident> {
        let scope = self.caller.scope();
        all.iter()
            .filter(move |i| scope.is_none_or(|own| i.is_of(own)))
    }

    /// The live schedulers on this database.
    pub async fn list_schedulers(&self) -> Result<Vec<RunningScheduler>> {
        self.db.list_schedulers().await
    }

    /// Checks that the database works.
    pub async fn check_database(&self) -> Result<()> {
        self.db.ping().await
    }

    /// Figures about the database.
    pub async fn gauges(&self) -> Result<Gauges> {
        self.db.gauges(self.now()).await
    }

    /// How many verdicts this process could not record, counting each attempt.
    pub fn settle_failures(&self) -> u64 {
        self.db.settle_failures()
    }

    /// How much is waiting.
    pub async fn backlog(&self) -> Result<Backlog> {
        let due = self.db.count_due(self.clock.now()).await?;
        let open = self.db.list_open_occurrences().await?;
        let (waiting, in_flight): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|o| o.state == State::Waiting);
        let lanes: HashSet<_> = waiting.into_iter().map(|o| o.lane).collect();
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        Ok(Backlog {
            due,
            in_flight: count(in_flight.len()),
            lanes_waiting: count(lanes.len()),
        })
    }

    /// Checks that Letta is well and accepts our credentials.
    ///
    /// # Errors
    /// Those of Letta.
    pub async fn check_letta(&self) -> Result<ServerInfo> {
        let doing = format!("reach Letta at {}", self.letta.address());
        self.letta
            .check()
            .await
            .map_err(|r| r.into_error(&doing, &self.letta.name()))
    }
}
