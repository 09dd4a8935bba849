//! The current state of a schedule, for a change that is about to be made.

use jiff::Timestamp;

use super::locks::lock_schedule_as_it_is;
use crate::db::sql::{self, Tx};
use crate::db::sqlite::adoption::adopt_if_touched;
use crate::db::statements::schedules;
use crate::models::PromptSchedule;
use crate::schedule::Zone;

/// Locks a schedule and reads its current state, after adopting what another program has changed,
/// so that our change doesn't hide that. `None` if there is no schedule with this id.
pub(in crate::db) fn lock_schedule(
    tx: &Tx<'_>,
    id: i64,
    zone: &Zone,
    now: Timestamp,
) -> sql::Result<Option<PromptSchedule>> {
    lock_schedule_as_it_is(tx, id)?;
    adopt_if_touched(tx, id, zone, now)?;
    schedules::fetch(tx, id)
}
