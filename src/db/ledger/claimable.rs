//! Whether something may be claimed: nothing stands in its way, and it is as it was seen.

use super::due::DueSchedule;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows::occurrence_columns;
use crate::db::statements::schedules::fetch;
use crate::models::{Lane, PromptSchedule};

/// The schedule, if it may still be claimed as it was seen.
pub(in crate::db) fn fetch_claimable(
    tx: &Tx<'_>,
    due: &DueSchedule,
) -> sql::Result<Option<PromptSchedule>> {
    let claimable = "SELECT id FROM schedules s WHERE id = $1 AND uid = $2 AND active = 1 \
                     AND touched = 0 AND agent_id = $3 AND NOT EXISTS (SELECT 1 FROM occurrences o \
                         INDEXED BY ix_occurrences_one_open_per_schedule WHERE o.uid = s.uid \
                         AND o.\"trigger\" = 'schedule' \
                         AND o.state IN ('waiting', 'sending', 'unknown')) \
                     AND NOT EXISTS (SELECT 1 FROM halt)";
    let claimable = query(claimable)
        .bind(due.id)
        .bind(due.uid.to_string())
        .bind(due.agent_id.as_str());
    match claimable.fetch_optional(tx)? {
        Some(_) => fetch(tx, due.id),
        None => Ok(None),
    }
}

/// A waiting occurrence, if nothing stands in its way but its time.
pub(in crate::db) fn fetch_waiting(tx: &Tx<'_>, id: i64) -> sql::Result<Option<Row>> {
    let waiting = concat!(
        "SELECT fence, generation, failures, expires_at, payload, ",
        occurrence_columns!(),
        " FROM occurrences WHERE id = $1 AND state = 'waiting' \
         AND NOT EXISTS (SELECT 1 FROM occurrences o \
             INDEXED BY ix_occurrences_one_in_flight_per_lane \
             WHERE o.lane = occurrences.lane AND o.state IN ('sending', 'unknown')) \
         AND EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
             WHERE s.uid = occurrences.uid AND s.touched = 0 \
             AND (s.lifecycle <> 'paused' OR occurrences.\"trigger\" = 'manual')) \
         AND NOT EXISTS (SELECT 1 FROM halt)"
    );
    query(waiting).bind(id).fetch_optional(tx)
}

/// Whether something is on its way in a lane.
pub(in crate::db) fn lane_is_busy(tx: &Tx<'_>, lane: &Lane) -> sql::Result<bool> {
    let busy: Option<i64> =
        query("SELECT 1 FROM occurrences WHERE lane = $1 AND state IN ('sending', 'unknown')")
            .bind(lane.as_str())
            .optional(tx)?;
    Ok(busy.is_some())
}
