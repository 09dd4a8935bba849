//! What opens and closes incidents: the lifecycles of schedules.

use jiff::Timestamp;

use super::rows;
use super::schedules::change_schedule;
use crate::db::sql::{self, Row, Tx, at_target, in_lane, statement};
use crate::db::time::DbTime;
use crate::models::{Lifecycle, TargetName};

/// The lifecycle of a schedule, and what belongs to it.
pub(in crate::db) struct Stands {
    /// Its uid; `None` before it is adopted.
    pub(in crate::db) uid: Option<String>,
    /// Its agent.
    pub(in crate::db) agent_id: String,
    /// Its lifecycle; `None` before it is adopted.
    pub(in crate::db) lifecycle: Option<Lifecycle>,
    /// Why it is broken.
    pub(in crate::db) broken_reason: String,
    /// Whether it is recorded when it ended.
    pub(in crate::db) has_end: bool,
    /// Whether one of its prompts is waiting, being sent, or of unknown outcome.
    pub(in crate::db) has_open: bool,
}

/// The lifecycle of the schedule with an id.
pub(in crate::db) fn fetch_stands(tx: &Tx<'_>, schedule_id: i64) -> sql::Result<Option<Stands>> {
    let row = statement!(
        "SELECT uid, agent_id, lifecycle, broken_reason, \
         CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END AS has_end, CASE WHEN EXISTS (\
             SELECT 1 FROM occurrences o INDEXED BY ix_occurrences_open_uid \
             WHERE o.uid = schedules.uid AND o.state IN ('waiting', 'sending', 'unknown')) \
         THEN 1 ELSE 0 END AS has_open FROM schedules WHERE id = $1"
    )
    .bind(schedule_id)
    .fetch_optional(tx)?;
    row.as_ref().map(stands).transpose()
}

/// Records when a schedule has ended, or that it is live again.
pub(in crate::db) fn note_end(tx: &Tx<'_>, schedule_id: i64, now: Timestamp) -> sql::Result<()> {
    statement!(change_schedule!(
        "ended_at = CASE WHEN lifecycle IN ('finished', 'cancelled') \
             THEN coalesce(ended_at, $2) END",
        " WHERE id = $1"
    ))
    .bind(schedule_id)
    .bind(DbTime(now))
    .execute(tx)?;
    Ok(())
}

/// Whether any of an agent's schedules may still send something: it has not ended, or a prompt is
/// open.
pub(in crate::db) fn goes_on(
    tx: &Tx<'_>,
    agent_id: &str,
    target: &TargetName,
) -> sql::Result<bool> {
    let goes_on: Option<i64> = statement!(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM schedules \
             INDEXED BY ix_schedules_agent_lifecycle WHERE agent_id = $1 \
             AND lifecycle IN ('active', 'paused', 'broken') AND ",
        at_target!("$2", "$3"),
        ") OR EXISTS (SELECT 1 FROM schedules INDEXED BY ix_schedules_agent_lifecycle \
             WHERE agent_id = $1 AND lifecycle IS NULL AND ",
        at_target!("$2", "$3"),
        ") OR EXISTS (SELECT 1 FROM occurrences INDEXED BY ix_occurrences_open_agent \
             WHERE agent_id = $1 AND state IN ('waiting', 'sending', 'unknown') AND ",
        at_target!("$2", "$3"),
        ")"
    )
    .bind(agent_id)
    .bind_target(tx, Some(target))
    .optional(tx)?;
    Ok(goes_on.is_some())
}

/// Whether any schedule of an agent is paused because its prompts failed.
pub(in crate::db) fn has_paused(
    tx: &Tx<'_>,
    agent_id: &str,
    target: &TargetName,
) -> sql::Result<bool> {
    let paused: Option<i64> = statement!(
        "SELECT 1 FROM schedules INDEXED BY ix_schedules_agent_lifecycle \
         WHERE agent_id = $1 AND lifecycle = 'paused' AND paused_by_failures = 1 AND ",
        at_target!("$2", "$3"),
        " LIMIT 1"
    )
    .bind(agent_id)
    .bind_target(tx, Some(target))
    .optional(tx)?;
    Ok(paused.is_some())
}

/// Whether incidents have to be reviewed: a target has been held since `long_ago` without a notice,
/// the schedule of an incident is gone, or one without an end of its own has been open since
/// `day_ago`.
pub(in crate::db) fn needs_review(
    tx: &Tx<'_>,
    long_ago: Timestamp,
    day_ago: Timestamp,
) -> sql::Result<bool> {
    let any: Option<i64> = statement!(
        "SELECT 1 FROM held_targets h WHERE held_since <= $1 AND NOT EXISTS \
             (SELECT 1 FROM incidents i INDEXED BY ix_incidents_one_open \
              WHERE i.kind = 'held' AND i.subject = h.target AND i.closed_at IS NULL) \
         UNION ALL SELECT 1 FROM incidents i INDEXED BY ix_incidents_one_open \
             WHERE closed_at IS NULL AND kind NOT IN ('held', 'clock', 'unknown_agents') \
             AND agent_id IS NULL AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY \
                 ix_schedules_uid WHERE s.uid = i.subject) \
         UNION ALL SELECT 1 FROM incidents INDEXED BY ix_incidents_one_open \
             WHERE closed_at IS NULL AND kind IN ('clock', 'unknown_agents') AND opened_at <= $2 \
         LIMIT 1"
    )
    .bind(DbTime(long_ago))
    .bind(DbTime(day_ago))
    .optional(tx)?;
    Ok(any.is_some())
}

/// The agents of some incidents that may be over, judging by their schedules.
pub(in crate::db) fn list_agents_perhaps_ended(tx: &Tx<'_>, most: i64) -> sql::Result<Vec<String>> {
    let rows = statement!(
        "SELECT agent_id FROM incidents i INDEXED BY ix_incidents_agent \
         WHERE closed_at IS NULL AND agent_id IS NOT NULL AND CASE kind \
             WHEN 'paused' THEN NOT EXISTS (SELECT 1 FROM schedules s \
                 INDEXED BY ix_schedules_agent_lifecycle WHERE s.agent_id = i.agent_id \
                 AND s.lifecycle = 'paused' AND s.paused_by_failures = 1 AND ",
        in_lane!("s.target", "i.subject", "$2"),
        ") ELSE NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_agent_lifecycle \
                 WHERE s.agent_id = i.agent_id \
                 AND s.lifecycle IN ('active', 'paused', 'broken') AND ",
        in_lane!("s.target", "i.subject", "$2"),
        ") END AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY ix_schedules_agent_lifecycle \
             WHERE s.agent_id = i.agent_id AND s.lifecycle IS NULL AND ",
        in_lane!("s.target", "i.subject", "$2"),
        ") LIMIT $1"
    )
    .bind(most)
    .bind(tx.targets().default.as_str())
    .fetch_all(tx)?;
    let agents = rows.iter().filter_map(|row| rows::text(row, "agent_id"));
    Ok(agents.collect())
}

fn stands(row: &Row) -> sql::Result<Stands> {
    Ok(Stands {
        uid: rows::text(row, "uid"),
        agent_id: rows::text(row, "agent_id").unwrap_or_default(),
        lifecycle: rows::text(row, "lifecycle").and_then(|l| Lifecycle::from_word(&l)),
        broken_reason: rows::text(row, "broken_reason").unwrap_or_default(),
        has_end: row.get("has_end")?,
        has_open: rows::flag(row, "has_open"),
    })
}
