//! The scheduler: sleeps until something is due, claims it, delivers it, and settles what became
//! of it.
//!
//! [`core`] decides and does no I/O; [`Scheduler::run`] carries the decisions out.

pub mod core;
pub mod guard;
pub mod judge;
pub mod keeper;
pub mod queue;
mod runner;
mod settings;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::db::Db;
use crate::error::Result;
use crate::letta_client::Targets;
use crate::models::{State, Verdict};
use crate::schedule::Zone;

pub use self::core::Mode;
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
    pub outcomes: Option<mpsc::UnboundedSender<Outcome>>,
}

/// What became of one try.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The occurrence.
    pub occurrence_id: i64,
    /// Its schedule's number, if that still exists.
    pub schedule_id: Option<i64>,
    /// The intended instant.
    pub intended_at: Timestamp,
    /// The target it was for.
    pub target: String,
    /// When this process sent it; `None` if it only looked for it.
    pub sent_at: Option<Timestamp>,
    /// Where it stands now.
    pub state: State,
    /// What was decided.
    pub verdict: Verdict,
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
