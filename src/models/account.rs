//! The account of a schedule: what was planned, and what became of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How many instants came to each state. Keys are the stored words, so that one which is none of
/// ours is seen, too.
pub type Sums = BTreeMap<String, i64>;

/// What became of every instant of a schedule.
///
/// The account is balanced when each planned instant is open or has exactly one outcome.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// The schedule.
    #[serde(skip)]
    pub uid: Uuid,
    /// Its number, if it still exists.
    #[serde(skip)]
    pub schedule_id: Option<i64>,
    /// How many instants were to be accounted for, calculated from its revisions alone. `None`
    /// where that can't be; `difference` says why.
    pub expected: Option<i64>,
    /// What became of those that are kept one by one.
    #[schema(inline)]
    pub states: Sums,
    /// What became of those that are kept as sums.
    #[schema(inline)]
    pub pruned: Sums,
    /// What became of the runs by hand, pruned ones included. Nothing plans them.
    #[schema(inline)]
    pub manual: Sums,
    /// Whether nothing is wrong: false only where it is proved that something is.
    pub balanced: bool,
    /// What is wrong, or could not be proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
}

impl Account {
    /// How many instants have an outcome or are open.
    pub fn recorded(&self) -> i64 {
        let counts = self.states.values().chain(self.pruned.values());
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// Says in words which instants a comparison found at fault: the first few of them.
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
