//! The scheduler: sleeps until something is due, claims it, delivers it, and settles what became
//! of it.
//!
//! [`core`] decides and does no I/O; [`Scheduler::run`] carries the decisions out.

pub mod core;
pub mod guard;
pub mod lookup;
pub mod queue;
mod report;
mod runner;
mod settings;
pub mod store;
pub mod verdicts;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::db::Db;
use crate::error::Result;
use crate::letta_client::Targets;
use crate::schedule::Zone;

pub use self::core::Mode;
pub use report::DeliveryReport;
pub use settings::Settings;

/// One scheduler process.
#[derive(Clone)]
pub struct Scheduler {
    /// The database.
    pub db: Db,
    /// To whom prompts are sent.
    pub targets: Targets,
    /// The time.
    pub clock: Clock,
    /// How deliveries are made.
    pub settings: Settings,
    /// The zone of schedules that have none of their own.
    pub zone: Zone,
    /// Told of everything that was settled, in order.
    pub reports: Option<mpsc::UnboundedSender<DeliveryReport>>,
}

impl Scheduler {
    /// Delivers what is due, in [`Mode::Forever`] until `stop` is cancelled: then prompts on their
    /// way have [`Settings::drain`] to end, and the rest is left `unknown` for the next scheduler.
    ///
    /// # Errors
    /// If the owner lock can't be taken. Later failures of the database are waited out.
    pub async fn run(&self, mode: Mode, stop: CancellationToken) -> Result<()> {
        let scheduler = Scheduler {
            db: self.db.for_scheduler(),
            ..self.clone()
        };
        runner::run(&scheduler, mode, stop).await
    }
}
