//! What is told of a delivery.

use jiff::Timestamp;

use crate::models::{State, Verdict};

/// What became of one try.
#[derive(Clone, Debug)]
pub struct DeliveryReport {
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
