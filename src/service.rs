//! The use cases that every face calls. Whatever a face shows or changes goes through here.

mod budget;
mod control;
mod doctor;
mod keeping;
mod read;
mod register;
mod status;
mod views;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::db::{Cancelled, Db, UpgradeReport};
use crate::error::{Code, Error, Result};
use crate::letta_client::{Agent, Letta};
use crate::models::{Budget, Lifecycle, PromptSchedule};
use crate::schedule::Zone;

pub use control::{Changes, preview};
pub use doctor::{Diagnosis, Finding, Severity};
pub use read::{HistoryQuery, ScheduleDetails};
pub use register::{Registered, Registration, When, Wish};
pub use status::Status;
pub use views::{Listing, OccurrenceView, PolicyView, ScheduleView};

/// Everything a face can ask for.
#[derive(Clone)]
pub struct Service {
    /// The schedules.
    pub db: Db,
    /// The server whose agents they are for.
    pub letta: Arc<dyn Letta>,
    /// The time.
    pub clock: Clock,
    /// The zone of schedules that name none.
    pub zone: Zone,
    /// How much an agent may schedule for itself.
    pub budget: Budget,
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
        Ok((
            Service {
                db,
                letta,
                clock,
                zone,
                budget: Budget::default(),
            },
            report,
        ))
    }

    /// Ends a schedule.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], [`Code::ScheduleNotActive`] if it has ended already.
    pub async fn cancel(&self, id: i64) -> Result<()> {
        let before = self.db.cancel_schedule(id, self.clock.now()).await?;
        let ended = match before {
            None => return Err(not_found(id)),
            Some(Cancelled::Done) => return Ok(()),
            Some(Cancelled::Ended(Lifecycle::Finished)) => "has finished already",
            Some(Cancelled::Ended(_)) => "was cancelled already",
        };
        Err(Error::new(
            Code::ScheduleNotActive,
            format!(
                "schedule {id} {ended}: there is nothing left to cancel; list shows those \
                 that are active"
            ),
        )
        .example("promptyoself list"))
    }

    /// Every agent of the server.
    ///
    /// # Errors
    /// Those of Letta.
    pub async fn agents(&self) -> Result<Vec<Agent>> {
        let doing = format!("list the agents of {}", self.letta.address());
        self.letta
            .list_agents()
            .await
            .map_err(|r| r.into_error(&doing))
    }

    /// The schedule of an id, or the error that there is none.
    async fn find(&self, id: i64) -> Result<PromptSchedule> {
        self.db.get_schedule(id).await?.ok_or_else(|| not_found(id))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn not_found(id: i64) -> Error {
    Error::new(
        Code::ScheduleNotFound,
        format!("there is no schedule {id}: list shows the ids that exist"),
    )
    .example("promptyoself list --all")
}
