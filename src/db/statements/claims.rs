//! What a claim reads and writes, for due schedules and waiting occurrences.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows::{self, occurrence_columns, schedule_columns};
use super::schedules::change_schedule;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::{DbTime, optional};
use crate::models::{
    AgentId, Conversation, DueSchedule, Lane, Lifecycle, Occurrence, PromptSchedule, TargetName,
};

/// The schedule, if it may still be claimed as it was seen, and nothing prevents that.
pub(in crate::db) fn fetch_claimable(
    tx: &Tx<'_>,
    due: &DueSchedule,
    target: &TargetName,
) -> sql::Result<Option<PromptSchedule>> {
    let row = statement!(
        "SELECT ",
        schedule_columns!(),
        " FROM schedules WHERE id = $1 AND uid = $2 AND active = 1 AND touched = 0 \
         AND agent_id = $3 AND NOT EXISTS (SELECT 1 FROM occurrences o \
             INDEXED BY ix_occurrences_one_open_per_schedule WHERE o.uid = schedules.uid \
             AND o.\"trigger\" = 'schedule' AND o.state IN ('waiting', 'sending', 'unknown')) \
         AND NOT EXISTS (SELECT 1 FROM halt) \
         AND NOT EXISTS (SELECT 1 FROM halted_targets h WHERE h.target = $4)"
    )
    .bind(due.id)
    .bind(due.uid.to_string())
    .bind(due.agent_id.as_str())
    .bind(target.as_str())
    .fetch_optional(tx)?;
    row.as_ref().map(rows::schedule).transpose()
}

/// An occurrence that waits for a retry.
pub(in crate::db) struct Waiting {
    /// The occurrence.
    pub(in crate::db) occurrence: Occurrence,
    /// The last fence it was given.
    pub(in crate::db) fence: i64,
    /// How many otids it has used up.
    pub(in crate::db) generation: i64,
    /// How many attempts counted.
    pub(in crate::db) failures: i64,
    /// When retries end; `None` if it was never tried.
    pub(in crate::db) expires_at: Option<Timestamp>,
    /// The hash of its request.
    pub(in crate::db) payload: String,
}

/// A waiting occurrence, if only its time has to be waited for.
pub(in crate::db) fn fetch_waiting(tx: &Tx<'_>, id: i64) -> sql::Result<Option<Waiting>> {
    let row = statement!(
        "SELECT fence, generation, failures, expires_at, payload, ",
        occurrence_columns!(),
        " FROM occurrences WHERE id = $1 AND state = 'waiting' \
         AND NOT EXISTS (SELECT 1 FROM occurrences o \
             INDEXED BY ix_occurrences_one_in_flight_per_lane \
             WHERE o.lane = occurrences.lane AND o.state IN ('sending', 'unknown')) \
         AND EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_uid \
             WHERE s.uid = occurrences.uid AND s.touched = 0 \
             AND (s.lifecycle <> 'paused' OR occurrences.\"trigger\" = 'manual')) \
         AND NOT EXISTS (SELECT 1 FROM halt) \
         AND NOT EXISTS (SELECT 1 FROM halted_targets h \
             WHERE substr(occurrences.lane, 1, length(h.target) + 1) = h.target || '/')"
    )
    .bind(id)
    .fetch_optional(tx)?;
    row.as_ref().map(waiting).transpose()
}

fn waiting(row: &Row) -> sql::Result<Waiting> {
    Ok(Waiting {
        occurrence: rows::occurrence(row)?,
        fence: rows::fence(row)?,
        generation: rows::generation(row)?,
        failures: rows::number(row, "failures").unwrap_or(0),
        expires_at: rows::lenient_time(row, "expires_at"),
        payload: rows::text(row, "payload").unwrap_or_default(),
    })
}

/// Whether a prompt is being sent in a lane.
pub(in crate::db) fn is_lane_busy(tx: &Tx<'_>, lane: &Lane) -> sql::Result<bool> {
    let busy: Option<i64> =
        statement!("SELECT 1 FROM occurrences WHERE lane = $1 AND state IN ('sending', 'unknown')")
            .bind(lane.as_str())
            .optional(tx)?;
    Ok(busy.is_some())
}

/// The state of a schedule after a claim.
pub(in crate::db) struct Advance {
    /// Its next instant, or the last one it had.
    pub(in crate::db) next_run: Option<Timestamp>,
    /// How many instants were claimed.
    pub(in crate::db) taken: i64,
    /// Its lifecycle.
    pub(in crate::db) lifecycle: Lifecycle,
    /// The target of the lane. A schedule that names none keeps it, whatever the default one will be.
    pub(in crate::db) target: TargetName,
}

/// Moves a schedule past the claimed instants.
pub(in crate::db) fn advance(tx: &Tx<'_>, id: i64, advance: &Advance) -> sql::Result<()> {
    statement!(change_schedule!(
        "next_run = $2, planned_next_run = $2, repetitions = repetitions + $3, lifecycle = $4, \
         active = $5, target = coalesce(target, $6)",
        " WHERE id = $1"
    ))
    .bind(id)
    .bind(optional(advance.next_run))
    .bind(advance.taken)
    .bind(advance.lifecycle.as_str())
    .bind(advance.lifecycle == Lifecycle::Active)
    .bind(advance.target.as_str())
    .execute(tx)?;
    Ok(())
}

/// An instant of a schedule that is about to be sent for the first time.
pub(in crate::db) struct FirstTry<'a> {
    /// Its schedule.
    pub(in crate::db) uid: Uuid,
    /// Its agent.
    pub(in crate::db) agent_id: &'a AgentId,
    /// The lane it occupies.
    pub(in crate::db) lane: &'a Lane,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub(in crate::db) conversation: Option<&'a Conversation>,
    /// The intended instant.
    pub(in crate::db) intended_at: Timestamp,
    /// The hash of its request.
    pub(in crate::db) payload: &'a str,
    /// The scheduler that sends it.
    pub(in crate::db) owner: Uuid,
    /// Its fence.
    pub(in crate::db) fence: i64,
    /// When retries end.
    pub(in crate::db) expires_at: Timestamp,
    /// Which run of its schedule it is.
    pub(in crate::db) firing: i64,
    /// How many instants it stands for.
    pub(in crate::db) stands_for: i64,
    /// The first of them.
    pub(in crate::db) stands_since: Timestamp,
}

/// Inserts an occurrence that is being sent; `None` if its instant already has one.
pub(in crate::db) fn insert_sending(
    tx: &Tx<'_>,
    first: &FirstTry<'_>,
    now: Timestamp,
) -> sql::Result<Option<Occurrence>> {
    let row = statement!(
        "INSERT INTO occurrences (uid, agent_id, \"trigger\", first_at, intended_at, state, lane, \
         payload, owner, fence, expires_at, sent_at, firing, stands_for, stands_since, \
         conversation, target) \
         VALUES ($1, $2, 'schedule', $3, $3, 'sending', $4, $5, $6, $7, $8, $9, $10, $11, $12, \
                 $13, $14) \
         ON CONFLICT (uid, \"trigger\", intended_at) DO NOTHING RETURNING ",
        occurrence_columns!()
    )
    .bind(first.uid.to_string())
    .bind(first.agent_id.as_str())
    .bind(DbTime(first.intended_at))
    .bind(first.lane.as_str())
    .bind(first.payload)
    .bind(first.owner.to_string())
    .bind(first.fence)
    .bind(DbTime(first.expires_at))
    .bind(DbTime(now))
    .bind(first.firing)
    .bind(first.stands_for)
    .bind(DbTime(first.stands_since))
    .bind(first.conversation.map(Conversation::as_str))
    .bind(first.lane.target_name())
    .fetch_optional(tx)?;
    row.as_ref().map(rows::occurrence).transpose()
}

/// A retry of a waiting occurrence.
pub(in crate::db) struct NextTry {
    /// The occurrence.
    pub(in crate::db) id: i64,
    /// The scheduler that sends it.
    pub(in crate::db) owner: Uuid,
    /// Its fence.
    pub(in crate::db) fence: i64,
    /// When retries end.
    pub(in crate::db) expires_at: Timestamp,
}

/// Marks a waiting occurrence as being sent.
pub(in crate::db) fn mark_sending(tx: &Tx<'_>, next: &NextTry, now: Timestamp) -> sql::Result<()> {
    statement!(
        "UPDATE occurrences SET state = 'sending', owner = $2, fence = $3, sent_at = $4, \
         not_before = NULL, run_id = NULL, expires_at = $5 WHERE id = $1"
    )
    .bind(next.id)
    .bind(next.owner.to_string())
    .bind(next.fence)
    .bind(DbTime(now))
    .bind(DbTime(next.expires_at))
    .execute(tx)?;
    Ok(())
}
