//! What a scheduler works with.

use tokio::sync::mpsc;

use super::report::DeliveryReport;
use super::settings::Settings;
use crate::clock::Clock;
use crate::db::Db;
use crate::letta_client::Targets;
use crate::schedule::Zone;

/// One scheduler process.
#[derive(Clone)]
pub struct Scheduler {
    /// The database.
    pub db: Db,
    /// The servers that prompts are sent to.
    pub targets: Targets,
    /// The time.
    pub clock: Clock,
    /// How deliveries are made.
    pub settings: Settings,
    /// The time zone of schedules that have none of their own.
    pub zone: Zone,
    /// Receives everything that was settled, in order.
    pub reports: Option<mpsc::UnboundedSender<DeliveryReport>>,
}
