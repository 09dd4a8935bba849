//! Outcomes of instants that a clock set back affects.

use jiff::Timestamp;

use super::super::plans::to_i64;
use super::super::prune::drop_unused_payloads;
use crate::db::sql::{self, Tx};
use crate::db::statements::prune;
use crate::db::statements::replan::{self, Recorded};
use crate::models::State;
use crate::schedule::{Past, PlannedInstants, Timetable, just_after, just_before};

impl Recorded {
    /// Whether it says that nothing was sent, or not yet.
    pub(super) fn is_unsent(&self) -> bool {
        use State::{Cancelled, Coalesced, Missed, Skipped, Waiting};
        matches!(
            self.state,
            Some(Cancelled | Coalesced | Missed | Skipped | Waiting)
        )
    }
}

/// Undoes what is wrong in these outcomes: of a range that has begun, the part that has passed
/// stays.
pub(super) fn take_back(
    tx: &Tx<'_>,
    wrong: &[Recorded],
    passed: &[Option<(Timestamp, i64)>],
    now: Timestamp,
) -> sql::Result<i64> {
    let mut back = 0;
    for (entry, passed) in wrong.iter().zip(passed) {
        let left = match passed {
            Some((newest, count)) => {
                replan::shorten(tx, entry.id, *newest, *count, now)?;
                *count
            }
            None => {
                prune::delete_attempts(tx, entry.id)?;
                prune::delete_occurrence(tx, entry.id)?;
                drop_unused_payloads(tx, entry.payload.as_slice())?;
                0
            }
        };
        back += entry.count.saturating_sub(left);
    }
    Ok(back)
}

/// The part of each outcome that has passed: its newest instant up to now, and the count.
pub(super) fn parts_passed(
    wrong: &[Recorded],
    kept: &[Recorded],
    plans: &[PlannedInstants],
    now: Timestamp,
) -> Vec<Option<(Timestamp, i64)>> {
    let passed = |entry: &Recorded| match entry.count {
        1 => None,
        _ => passed_of(entry, plans, wrong, kept, now),
    };
    wrong.iter().map(passed).collect()
}

fn passed_of(
    entry: &Recorded,
    plans: &[PlannedInstants],
    wrong: &[Recorded],
    kept: &[Recorded],
    now: Timestamp,
) -> Option<(Timestamp, i64)> {
    if entry.first > now {
        return None;
    }
    let holds = |planned: &&PlannedInstants| {
        planned.first == entry.first
            || (planned.first < entry.first
                && planned.timetable.next_after(just_before(entry.first)) == Some(entry.first))
    };
    let plan = plans.iter().rev().find(holds)?;
    let mut others = Past::default();
    for other in wrong.iter().chain(kept).filter(|o| o.id != entry.id) {
        if other.first <= now && other.newest >= entry.first {
            others.add_recorded(other.first, other.newest);
        }
    }
    let passed = PlannedInstants {
        timetable: Timetable {
            end_at: None,
            ..plan.timetable.clone()
        },
        first: entry.first,
        before: just_after(now),
        limit: None,
    };
    let passed = passed.fresh(&others).ok()?;
    let count = to_i64(passed.count).min(entry.count.saturating_sub(1));
    (count > 0).then_some((passed.newest, count))
}
