//! The use cases that every face calls: whatever a face shows or changes goes through here. Every
//! one can fail with an error of the database; other errors are documented.

mod accounts;
mod agents;
mod alike;
pub mod answers;
mod bounds;
mod budget;
mod changes;
mod control;
mod doctor;
mod import;
mod keys;
mod maintenance;
mod messages;
mod named;
mod planning;
mod preview;
mod read;
mod register;
mod requests;
mod rows;
mod status;
mod update;
mod upload;
mod views;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::clock::Clock;
use crate::db::Db;
use crate::error::{Code, Error, Result, call, field, fields, message, operation, quoted};
use crate::letta_client::{Letta, Targets};
use crate::limits;
use crate::models::{
    AgentAt, AgentId, Budget, By, Caller, Face, Lifecycle, NamedAgent, PromptSchedule, RequestKey,
    TargetName, UpgradeReport,
};
use crate::schedule::Zone;

pub use accounts::AccountQuery;
pub use doctor::{DeliveryProfile, Diagnosis, Finding, Severity};
pub use import::{Import, ImportedTask, LeftTask};
pub use keys::Credentials;
pub(crate) use keys::refused as key_refused;
pub use maintenance::{restore, schema_version, settle_in_place};
pub use messages::ScheduledMessage;
pub use named::Which;
pub use planning::{When, Wish};
pub use preview::preview;
pub use read::{HistoryQuery, ListQuery};
pub use register::Registration;
pub use rows::RowRequest;
pub use status::Status;
pub use update::Changes;
pub(crate) use views::show_local;
pub use views::{OccurrenceView, PolicyView, ScheduleView};

/// The use cases.
#[derive(Clone)]
pub struct Service {
    /// The database, for the processes; faces use the use cases.
    pub db: Db,
    /// The server of schedules that name none.
    pub letta: Arc<dyn Letta>,
    /// Every server that prompts are delivered to, that one among them.
    pub targets: Targets,
    /// The time.
    pub clock: Clock,
    /// The time zone of schedules that name none.
    pub zone: Zone,
    /// How much an agent may schedule.
    pub budget: Budget,
    /// The default agent, as configured.
    pub default_agent: Option<String>,
    /// Whether Python tools may be uploaded to Letta through us.
    pub allow_upload: bool,
    /// The largest prompt, in bytes.
    pub largest_prompt: usize,
    /// Permits for requests that read many rows.
    pub readers: Arc<Semaphore>,
    /// The caller.
    pub caller: Caller,
    /// The current request, if it may be repeated.
    pub request: Option<Arc<RequestKey>>,
}

impl Service {
    /// Opens the database and puts everything together. There is a report if the database was
    /// written by an older program.
    ///
    /// # Errors
    /// Those of [`Db::open`], and [`Code::TimezoneUnknown`].
    pub async fn open(
        database: &Path,
        timezone: &str,
        letta: Arc<dyn Letta>,
        clock: Clock,
    ) -> Result<(Self, Option<UpgradeReport>)> {
        let zone = Zone::parse(timezone)?;
        let (db, report) = Db::open(database, &zone, clock.now()).await?;
        Ok((Service::new(db, letta, clock, zone), report))
    }

    fn new(db: Db, letta: Arc<dyn Letta>, clock: Clock, zone: Zone) -> Self {
        let targets = Targets::only(letta.clone());
        Service {
            db: db.with_targets(targets.known()),
            targets,
            letta,
            clock,
            zone,
            budget: Budget::default(),
            default_agent: None,
            allow_upload: false,
            largest_prompt: limits::PROMPT,
            readers: Arc::new(Semaphore::new(limits::READERS)),
            caller: Caller::default(),
            request: None,
        }
    }

    /// The service with these targets instead of its own.
    pub fn with_targets(self, targets: Targets) -> Service {
        Service {
            db: self.db.with_targets(targets.known()),
            letta: targets.default_target().clone(),
            targets,
            ..self
        }
    }

    /// Waits for a permit to read many rows, so that delivery waits for few of such requests at
    /// once.
    async fn place_to_read(&self) -> Option<SemaphorePermit<'_>> {
        self.readers.acquire().await.ok()
    }

    /// The database file.
    pub fn database(&self) -> &Path {
        self.db.path()
    }

    /// The service in a process that uses the database alone: opening a second connection would
    /// take longer than waiting for the first.
    pub fn with_one_connection(self) -> Service {
        Service {
            db: self.db.with_one_connection(),
            ..self
        }
    }

    /// Closes the database when all pending jobs are done; later calls fail. The last process to
    /// close it puts everything into the one file, so that a copy of it is complete.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// The service for another caller.
    pub fn for_caller(&self, caller: Caller) -> Service {
        let by = By {
            caller: caller.clone(),
            ..self.db.by().clone()
        };
        Service {
            db: self.db.acting_for(by),
            caller,
            ..self.clone()
        }
    }

    /// The service through a face, with the name of the key that was used, for the record of
    /// changes.
    pub fn through(&self, face: Face, key: Option<String>) -> Service {
        let by = By {
            caller: self.caller.clone(),
            key,
            face,
        };
        Service {
            db: self.db.acting_for(by),
            ..self.clone()
        }
    }

    /// The schedule with an id, or the error that there is none: an agent gets that for other
    /// agents' schedules, too.
    async fn find(&self, id: i64) -> Result<PromptSchedule> {
        let found = self.db.get_schedule(id).await?;
        let is_ours = |s: &PromptSchedule| {
            let scope = self.caller.scope();
            scope.is_none_or(|agent| self.belongs_to(s, agent))
        };
        found.filter(is_ours).ok_or_else(|| not_found(id))
    }

    /// Whether a schedule is an agent's.
    fn belongs_to(&self, schedule: &PromptSchedule, agent: &AgentAt) -> bool {
        schedule.agent_id.trim() == agent.id.as_str() && *self.target_of(schedule) == agent.target
    }

    /// The target that a schedule is for.
    fn target_of<'a>(&'a self, schedule: &'a PromptSchedule) -> &'a TargetName {
        let usual = &self.db.targets().default;
        schedule.target.as_ref().unwrap_or(usual)
    }

    /// The agent of a schedule.
    ///
    /// # Errors
    /// Those of [`AgentId::parse`].
    fn agent_of(&self, schedule: &PromptSchedule) -> Result<AgentAt> {
        let id = AgentId::parse(&schedule.agent_id)?;
        Ok(AgentAt::new(self.target_of(schedule).clone(), id))
    }

    /// Whether there are several targets, so that an agent's id alone says too little.
    pub(crate) fn has_several_targets(&self) -> bool {
        self.db.targets().are_several
    }

    /// An agent as people know it: with its target, where there are several.
    pub(crate) fn show_agent(&self, agent: &AgentAt) -> String {
        self.db.targets().show(agent)
    }

    /// The target of a name, or the default one.
    ///
    /// # Errors
    /// [`Code::TargetUnknown`] if the settings have none of this name.
    fn target(&self, name: Option<&TargetName>) -> Result<&Arc<dyn Letta>> {
        let Some(name) = name else {
            return Ok(self.targets.default_target());
        };
        self.targets.get(name.as_str()).ok_or_else(|| {
            let names: Vec<&str> = self.targets.names().map(TargetName::as_str).collect();
            let only = (names.len() == 1).then(|| names.concat());
            Error::new(
                Code::TargetUnknown,
                message![
                    field("target"),
                    " ",
                    quoted(name.as_str()),
                    " is not in the settings; there is: ",
                    names.join(", ")
                ],
            )
            .example_if(only.map(|only| fields([("target", only)])))
        })
    }

    /// The agent to filter a list by: the caller's own, if the caller is an agent.
    ///
    /// # Errors
    /// [`Code::NotPermitted`] if another agent was asked for.
    fn narrow(&self, asked: Option<NamedAgent>) -> Result<Option<NamedAgent>> {
        match (self.caller.scope(), asked) {
            (None, asked) => Ok(asked),
            (Some(own), None) => Ok(Some(own.clone().into())),
            (Some(_), Some(asked)) => Ok(Some(self.own(asked)?.into())),
        }
    }

    /// The agent that is meant, if the caller may act for it. Without a target it is the caller's own
    /// one, or that of the default target.
    ///
    /// # Errors
    /// [`Code::NotPermitted`].
    fn own(&self, named: NamedAgent) -> Result<AgentAt> {
        match self.caller.scope() {
            Some(own) if named.is(own) => Ok(own.clone()),
            Some(own) => {
                let own = self.show_agent(own);
                Err(Error::new(
                    Code::NotPermitted,
                    format!(
                        "this key belongs to agent {own}, but the request names {named}: leave the \
                         agent out, or name your own"
                    ),
                )
                .example(fields([("agent_id", own)])))
            }
            None => Ok(named.at(&self.db.targets().default)),
        }
    }

    /// Refuses a caller who may not act for an agent.
    ///
    /// # Errors
    /// [`Code::NotPermitted`].
    pub(crate) fn refuse_other(&self, named: NamedAgent) -> Result<()> {
        self.own(named).map(drop)
    }

    /// The agent of a new schedule: the given one, otherwise the caller's own, otherwise the
    /// default.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], [`Code::AgentMissing`], and [`Code::AgentInvalid`] for the default.
    fn agent_or_default(
        &self,
        named: Option<&AgentId>,
        target: Option<&TargetName>,
    ) -> Result<AgentAt> {
        let usual = match (named, self.caller.scope()) {
            (Some(named), _) => named.clone().into(),
            (None, Some(own)) => own.clone().into(),
            (None, None) => NamedAgent::parse(self.default_agent.as_deref().unwrap_or_default())?,
        };
        self.own(NamedAgent {
            target: target.cloned().or(usual.target),
            id: usual.id,
        })
    }

    /// Refuses operations that only the operator may use.
    pub(crate) fn refuse_scoped(&self, what: &str) -> Result<()> {
        match self.caller.scope() {
            None => Ok(()),
            Some(own) => Err(Error::new(
                Code::NotPermitted,
                format!(
                    "{what} is for the operator only, and this key belongs to agent {}",
                    self.show_agent(own)
                ),
            )
            .example(call("list"))),
        }
    }

    /// Refuses operations that no agent may use, not even an unknown one.
    fn refuse_agents(&self, what: &str) -> Result<()> {
        match self.caller {
            Caller::Operator => Ok(()),
            Caller::Agent(_) | Caller::SomeAgent => Err(Error::new(
                Code::NotPermitted,
                format!("{what} is for the operator only, and the caller is an agent"),
            )
            .example(call("list"))),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn not_found(id: i64) -> Error {
    Error::new(
        Code::ScheduleNotFound,
        message![
            "there is no schedule {id}: ",
            operation("list"),
            " shows the ids that exist"
        ],
    )
    .example(call("list").with("all", true))
}

fn not_live(id: i64, lifecycle: Lifecycle, done: &str) -> Error {
    Error::new(
        Code::ScheduleNotActive,
        message![
            "schedule {id} is {lifecycle} and can't be {done}: ",
            operation("show"),
            " has the details"
        ],
    )
    .example(call("show").with("id", id))
}
