//! The report of a delivery.

use jiff::Timestamp;

use crate::models::{State, Verdict};

/// The outcome of one attempt.
#[derive(Clone, Debug)]
pub struct DeliveryReport {
    /// The occurrence.
    pub occurrence_id: i64,
    /// The id of its schedule, if that still exists.
    pub schedule_id: Option<i64>,
    /// The intended instant.
    pub intended_at: Timestamp,
    /// The target it was for.
    pub target: String,
    /// When this process sent it; `None` if it only searched for it.
    pub sent_at: Option<Timestamp>,
    /// Its state now.
    pub state: State,
    /// What was decided.
    pub verdict: Verdict,
}
