//! The use cases that every face calls. Whatever a face shows or changes goes through here. Each fails
//! where the database does; what else can fail is said of it.

mod accounts;
mod agents;
pub mod answers;
mod bounds;
mod budget;
mod changes;
mod control;
mod doctor;
mod keys;
mod maintenance;
mod messages;
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
use crate::error::{Code, Error, Result, call, fields, message, operation};
use crate::letta_client::Letta;
use crate::limits;
use crate::models::{
    AgentId, Budget, By, Caller, Face, Lifecycle, PromptSchedule, RequestKey, UpgradeReport,
};
use crate::schedule::Zone;

pub use accounts::AccountQuery;
pub use doctor::{DeliveryProfile, Diagnosis, Finding, Severity};
pub use keys::Credentials;
pub(crate) use keys::refused as key_refused;
pub use maintenance::{restore, schema_version, settle_in_place};
pub use messages::ScheduledMessage;
pub use planning::{When, Wish};
pub use preview::preview;
pub use read::{HistoryQuery, ListQuery};
pub use register::Registration;
pub use rows::RowRequest;
pub use status::Status;
pub use update::Changes;
pub(crate) use views::show_local;
pub use views::{OccurrenceView, PolicyView, ScheduleView};

/// Everything a face can ask for.
#[derive(Clone)]
pub struct Service {
    /// The schedules, for whoever puts processes together; faces have the use cases.
    pub db: Db,
    /// The server whose agents they are for.
    pub letta: Arc<dyn Letta>,
    /// The time.
    pub clock: Clock,
    /// The zone of schedules that name none.
    pub zone: Zone,
    /// How much an agent may schedule for itself.
    pub budget: Budget,
    /// The agent meant where none is named, as it was set.
    pub default_agent: Option<String>,
    /// Whether Python tools may be uploaded to Letta through us.
    pub allow_upload: bool,
    /// The largest prompt, in bytes.
    pub largest_prompt: usize,
    /// Places for those who read many rows.
    pub readers: Arc<Semaphore>,
    /// Who asks.
    pub caller: Caller,
    /// The request that is carried out, if it may come again.
    pub request: Option<Arc<RequestKey>>,
}

impl Service {
    /// Opens the database and puts everything together. The report is there if the database was
    /// an older program's.
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
        Service {
            db,
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

    /// A place for reading many rows, once one is free: however many ask, whatever is sent waits
    /// behind few of them.
    async fn place_to_read(&self) -> Option<SemaphorePermit<'_>> {
        self.readers.acquire().await.ok()
    }

    /// The file that holds the schedules.
    pub fn database(&self) -> &Path {
        self.db.path()
    }

    /// The same in a process in which nobody else waits for the database: another connection would
    /// take longer to open than anything waits.
    pub fn with_one_connection(self) -> Service {
        Service {
            db: self.db.with_one_connection(),
            ..self
        }
    }

    /// Closes the database once what was asked of it is done; later calls fail. The last one to do
    /// so puts everything into the one file, so that a copy of it is complete.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// The same for another caller.
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

    /// The same through a face, with what the key is called that was shown there: so the record of
    /// changes says it.
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

    /// The schedule of an id, or the error that there is none: to an agent there is none of
    /// another agent.
    async fn find(&self, id: i64) -> Result<PromptSchedule> {
        let found = self.db.get_schedule(id).await?;
        let is_ours = |s: &PromptSchedule| {
            let scope = self.caller.scope();
            scope.is_none_or(|agent| s.agent_id.trim() == agent.as_str())
        };
        found.filter(is_ours).ok_or_else(|| not_found(id))
    }

    /// The agent to narrow a list to: the caller's own, where it is one.
    ///
    /// # Errors
    /// [`Code::NotPermitted`] if another agent's was asked for.
    fn narrow(&self, asked: Option<AgentId>) -> Result<Option<AgentId>> {
        match (self.caller.scope(), asked) {
            (None, asked) => Ok(asked),
            (Some(own), None) => Ok(Some(own.clone())),
            (Some(_), Some(asked)) => self.own(asked).map(Some),
        }
    }

    /// The agent, if the caller may act for it.
    ///
    /// # Errors
    /// [`Code::NotPermitted`].
    fn own(&self, agent: AgentId) -> Result<AgentId> {
        match self.caller.scope() {
            Some(own) if *own != agent => Err(Error::new(
                Code::NotPermitted,
                format!(
                    "this key is for agent {own}, and {agent} was named: leave the agent out, or \
                     name your own"
                ),
            )
            .example(fields([("agent_id", own.as_str())]))),
            _ => Ok(agent),
        }
    }

    /// Refuses whoever may not act for an agent.
    ///
    /// # Errors
    /// [`Code::NotPermitted`].
    pub(crate) fn refuse_other(&self, agent: &AgentId) -> Result<()> {
        self.own(agent.clone()).map(drop)
    }

    /// The agent of a new schedule: the one that was named, else the caller's own, else the one that
    /// is set as the default.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], [`Code::AgentMissing`], and [`Code::AgentInvalid`] of the default.
    fn agent_or_default(&self, named: Option<&AgentId>) -> Result<AgentId> {
        match (named, self.caller.scope()) {
            (Some(named), _) => self.own(named.clone()),
            (None, Some(own)) => Ok(own.clone()),
            (None, None) => AgentId::parse(self.default_agent.as_deref().unwrap_or_default()),
        }
    }

    /// Refuses what only the operator may do.
    pub(crate) fn refuse_scoped(&self, what: &str) -> Result<()> {
        match self.caller.scope() {
            None => Ok(()),
            Some(own) => Err(Error::new(
                Code::NotPermitted,
                format!("{what} is for the operator, and this key is for agent {own}"),
            )
            .example(call("list"))),
        }
    }

    /// Refuses what no agent may do, not even one that nobody knows.
    fn refuse_agents(&self, what: &str) -> Result<()> {
        match self.caller {
            Caller::Operator => Ok(()),
            Caller::Agent(_) | Caller::SomeAgent => Err(Error::new(
                Code::NotPermitted,
                format!("{what} is for the operator, and an agent asked for it"),
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
            "schedule {id} is {lifecycle}, so it can't be {done}: ",
            operation("show"),
            " says what became of it"
        ],
    )
    .example(call("show").with("id", id))
}
