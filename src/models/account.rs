//! The account of a schedule: what was planned, and what happened.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How many instants ended in each state. Keys are the stored words, so that unknown ones are seen,
/// too.
pub type Sums = BTreeMap<String, i64>;

/// What happened to every instant of a schedule.
///
/// The account is balanced if each planned instant is open or has exactly one outcome.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// The schedule.
    #[serde(skip)]
    pub uid: Uuid,
    /// The schedule's id, if it still exists.
    #[serde(skip)]
    pub schedule_id: Option<i64>,
    /// How many instants were planned, computed from the revisions alone. `None` if that can't be
    /// computed; `difference` says why.
    pub expected: Option<i64>,
    /// The states of occurrences that are still stored.
    #[schema(inline)]
    pub states: Sums,
    /// The states of pruned ones.
    #[schema(inline)]
    pub pruned: Sums,
    /// The states of manual runs, including pruned ones. Nothing plans them.
    #[schema(inline)]
    pub manual: Sums,
    /// Whether nothing is known to be wrong.
    pub balanced: bool,
    /// What is wrong, or could not be proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
}

impl Account {
    /// How many instants are open or have an outcome.
    pub fn recorded(&self) -> i64 {
        let counts = self.states.values().chain(self.pruned.values());
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// Lists the first few instants that a comparison found to be wrong.
pub(crate) fn name_some(instants: &[Timestamp]) -> String {
    const NAMED: usize = 3;
    let mut named: Vec<String> = instants
        .iter()
        .take(NAMED)
        .map(Timestamp::to_string)
        .collect();
    if instants.len() > NAMED {
        named.push("…".to_owned());
    }
    named.join(", ")
}
