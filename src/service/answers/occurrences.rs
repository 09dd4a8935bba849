//! What is answered about deliveries, changes and the account.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::success::Success;
use crate::models::{Account, Change, Sums};
use crate::service::views::OccurrenceView;

/// Deliveries, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// `success`.
    pub status: Success,
    /// Number of deliveries shown.
    pub count: usize,
    /// The deliveries.
    pub occurrences: Vec<OccurrenceView>,
}

/// A page of changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeLog {
    /// `success`.
    pub status: Success,
    /// Number of changes on this page.
    pub count: usize,
    /// The changes, newest first.
    pub changes: Vec<Change>,
}

/// The accounts of schedules, and their total.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Accounts {
    /// `success`.
    pub status: Success,
    /// Number of accounts on this page.
    pub count: usize,
    /// Total number.
    pub total: usize,
    /// One per schedule; the operator also sees deleted ones.
    pub accounts: Vec<ScheduleAccount>,
    /// The total of all accounts, including those on other pages.
    pub sum: AccountSum,
    /// The current time.
    pub now: Timestamp,
}

/// The account of one schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ScheduleAccount {
    /// The schedule's id; `null` if it was deleted.
    pub schedule_id: Option<i64>,
    /// What happened to its instants.
    #[serde(flatten)]
    pub account: Account,
}

/// The total of accounts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountSum {
    /// How many instants were planned; `null` if one account can't be computed.
    pub expected: Option<i64>,
    /// States of deliveries that are still stored.
    #[schema(inline)]
    pub states: Sums,
    /// States of pruned ones.
    #[schema(inline)]
    pub pruned: Sums,
    /// States of manual runs.
    #[schema(inline)]
    pub manual: Sums,
    /// Whether every account is correct.
    pub balanced: bool,
}
