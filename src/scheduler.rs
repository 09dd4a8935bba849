//! The scheduler: sleeps until something is due, claims it, delivers it, and settles the outcome.
//!
//! [`core`] decides and does no I/O; [`Scheduler::run`] carries the decisions out.

mod context;
pub mod core;
pub mod guard;
pub mod lookup;
pub mod queue;
mod report;
mod runner;
mod settings;
pub mod store;
pub mod verdicts;

use tokio_util::sync::CancellationToken;

use crate::error::Result;

pub use self::core::Mode;
pub use context::Scheduler;
pub use report::DeliveryReport;
pub use settings::Settings;

impl Scheduler {
    /// Delivers what is due; in [`Mode::Forever`], until `stop` is cancelled. Then prompts being
    /// sent have [`Settings::drain`] to end, and the rest is left `unknown` for the next scheduler.
    ///
    /// # Errors
    /// If the owner lock can't be taken. Later database failures are waited out.
    pub async fn run(&self, mode: Mode, stop: CancellationToken) -> Result<()> {
        let scheduler = Scheduler {
            db: self.db.for_scheduler(),
            ..self.clone()
        };
        runner::run(&scheduler, mode, stop).await
    }
}
