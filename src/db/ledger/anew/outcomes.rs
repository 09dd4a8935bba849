//! Outcomes of instants, as far as a clock that is set back concerns them.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::plans::to_i64;
use super::super::prune::drop_unused_payloads;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::models::State;
use crate::schedule::{Past, Planned, Timetable, just_after, just_before};

/// A recorded outcome of one instant, or of a range.
pub(super) struct Recorded {
    pub(super) id: i64,
    pub(super) first: Timestamp,
    pub(super) newest: Timestamp,
    pub(super) count: i64,
    pub(super) state: Option<State>,
    pub(super) reason: Option<String>,
    pub(super) payload: Option<String>,
    pub(super) finished_at: Option<Timestamp>,
}

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

/// The outcomes of the instants of a schedule that are still to come, and of those before them from
/// the newest on that has surely passed, in order.
pub(super) fn fetch_recorded(tx: &Tx<'_>, uid: Uuid, now: Timestamp) -> sql::Result<Vec<Recorded>> {
    let rows = query(
        "SELECT id, first_at, intended_at, count, state, reason, payload, finished_at \
         FROM occurrences WHERE uid = $1 AND \"trigger\" = 'schedule' AND intended_at >= coalesce(\
             (SELECT max(intended_at) FROM occurrences WHERE uid = $1 AND \"trigger\" = 'schedule' \
              AND intended_at <= coalesce((SELECT min(min(first_at), $2) FROM occurrences \
                  WHERE uid = $1 AND \"trigger\" = 'schedule' AND intended_at > $2), $2)), '') \
         ORDER BY intended_at",
    )
    .bind(uid.to_string())
    .bind(DbTime(now))
    .fetch_all(tx)?;
    let read = |row: &Row| {
        Some(Recorded {
            id: row.get("id").ok()?,
            first: rows::lenient_time(row, "first_at")?,
            newest: rows::lenient_time(row, "intended_at")?,
            count: rows::number(row, "count")?,
            state: State::from_word(&rows::text(row, "state")?),
            reason: rows::text(row, "reason"),
            payload: rows::text(row, "payload"),
            finished_at: rows::lenient_time(row, "finished_at"),
        })
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// Takes back what is wrong of these outcomes: of a range that has begun, what has passed stays.
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
                let (newest, count) = (*newest, *count);
                query(
                    "UPDATE occurrences SET intended_at = $2, count = $3, finished_at = $4 \
                     WHERE id = $1",
                )
                .bind(entry.id)
                .bind(DbTime(newest))
                .bind(count)
                .bind(DbTime(now))
                .execute(tx)?;
                count
            }
            None => {
                for statement in [
                    "DELETE FROM attempts WHERE occurrence_id = $1",
                    "DELETE FROM occurrences WHERE id = $1",
                ] {
                    query(statement).bind(entry.id).execute(tx)?;
                }
                drop_unused_payloads(tx, entry.payload.as_slice())?;
                0
            }
        };
        back += entry.count.saturating_sub(left);
    }
    Ok(back)
}

/// Of each of these outcomes what has passed: the newest instant up to now, and how many they are.
pub(super) fn parts_passed(
    wrong: &[Recorded],
    kept: &[Recorded],
    plans: &[Planned],
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
    plans: &[Planned],
    wrong: &[Recorded],
    kept: &[Recorded],
    now: Timestamp,
) -> Option<(Timestamp, i64)> {
    if entry.first > now {
        return None;
    }
    let holds = |planned: &&Planned| {
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
    let passed = Planned {
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
