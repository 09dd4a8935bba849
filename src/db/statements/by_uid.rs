//! Schedules and their deliveries, by uid.

use uuid::Uuid;

use super::rows::{self, occurrence_columns, schedule_columns};
use crate::db::sql::{self, Tx, at_target, statement};
use crate::models::{AgentAt, Occurrence, PromptSchedule, UnreadableOccurrence};

/// Whether anything is still to be sent: the schedule will run, is paused, or its last prompt is
/// still open.
macro_rules! live {
    () => {
        "(lifecycle IN ('active', 'paused') OR (lifecycle = 'finished' AND EXISTS \
         (SELECT 1 FROM occurrences o INDEXED BY ix_occurrences_one_open_per_schedule \
          WHERE o.uid = schedules.uid AND o.\"trigger\" = 'schedule' \
          AND o.state IN ('waiting', 'sending', 'unknown'))))"
    };
}

/// The schedule with a uid, and whether anything of it is still to be sent.
pub(in crate::db) fn fetch_with_life(
    tx: &Tx<'_>,
    uid: Uuid,
) -> sql::Result<Option<(PromptSchedule, bool)>> {
    let row = statement!(
        "SELECT ",
        live!(),
        " AS live, ",
        schedule_columns!(),
        " FROM schedules WHERE uid = $1"
    )
    .bind(uid.to_string())
    .fetch_optional(tx)?;
    row.map(|row| Ok((rows::schedule(&row)?, rows::flag(&row, "live"))))
        .transpose()
}

/// An agent's schedules of which anything is still to be sent, by id, after one.
pub(in crate::db) fn list_live(
    tx: &Tx<'_>,
    agent: &AgentAt,
    after: i64,
    limit: u32,
) -> sql::Result<Vec<PromptSchedule>> {
    statement!(
        "SELECT ",
        schedule_columns!(),
        " FROM schedules INDEXED BY ix_schedules_agent_id \
         WHERE agent_id = $1 AND id > $4 AND uid IS NOT NULL AND ",
        at_target!("$2", "$3"),
        " AND ",
        live!(),
        " ORDER BY id LIMIT $5"
    )
    .bind(agent.id.as_str())
    .bind_target(tx, Some(&agent.target))
    .bind(after)
    .bind(limit)
    .map(tx, rows::schedule)
}

/// What was sent to an agent by a schedule, or should have been and never was; newest first.
pub(in crate::db) fn list_sent(
    tx: &Tx<'_>,
    uid: Uuid,
    agent: &AgentAt,
    limit: u32,
    offset: u32,
) -> sql::Result<Vec<Result<Occurrence, UnreadableOccurrence>>> {
    let rows = statement!(
        "SELECT ",
        occurrence_columns!(),
        " FROM occurrences WHERE uid = $1 AND agent_id = $2 AND ",
        at_target!("$3", "$4"),
        " AND state IN ('delivered', 'dead', 'missed') \
         ORDER BY intended_at DESC, id DESC LIMIT $5 OFFSET $6"
    )
    .bind(uid.to_string())
    .bind(agent.id.as_str())
    .bind_target(tx, Some(&agent.target))
    .bind(limit)
    .bind(offset)
    .fetch_all(tx)?;
    Ok(rows::read_each(&rows, rows::occurrence))
}
