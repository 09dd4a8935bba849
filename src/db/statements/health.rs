//! What should have been done by now, and what takes too long.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{AgentAt, AgentId, OverduePrompt, StalledPrompt, State};

/// How many prompts an owner is sending.
pub(in crate::db) struct Sending {
    /// The owner.
    pub(in crate::db) owner: Uuid,
    /// How many there are.
    pub(in crate::db) prompts: i64,
}

/// The owners of prompts being sent, except unreadable ones.
pub(in crate::db) fn list_senders(tx: &Tx<'_>) -> sql::Result<Vec<Sending>> {
    let rows = statement!(
        "SELECT owner, count(*) AS n FROM occurrences WHERE state = 'sending' \
         AND owner IS NOT NULL GROUP BY owner"
    )
    .fetch_all(tx)?;
    let read = |row| {
        Some(Sending {
            owner: rows::uuid(row, "owner").ok()?,
            prompts: rows::number(row, "n")?,
        })
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// Prompts that schedulers (alive or dead) began to send before `silent_since` without a known run,
/// or before `running_since` with one; the first twenty.
pub(in crate::db) fn list_long_sent(
    tx: &Tx<'_>,
    silent_since: Timestamp,
    running_since: Timestamp,
) -> sql::Result<Vec<StalledPrompt>> {
    let rows = statement!(
        "SELECT s.id AS id, o.agent_id AS agent_id, o.target AS target, o.sent_at AS since, o.run_id AS run_id, \
             o.owner AS owner FROM occurrences o LEFT JOIN schedules s ON s.uid = o.uid \
         WHERE o.state = 'sending' AND o.owner IS NOT NULL \
             AND o.sent_at < CASE WHEN o.run_id IS NULL THEN $1 ELSE $2 END \
         ORDER BY o.sent_at LIMIT 20"
    )
    .bind(DbTime(silent_since))
    .bind(DbTime(running_since))
    .fetch_all(tx)?;
    Ok(rows.iter().filter_map(|row| stalled(tx, row)).collect())
}

/// What should have been sent or searched for before a time, with nothing being sent in its lane;
/// the first twenty. Whatever is paused, behind its own open occurrence, or not adopted yet is left
/// out.
pub(in crate::db) fn list_overdue(
    tx: &Tx<'_>,
    since: Timestamp,
) -> sql::Result<Vec<OverduePrompt>> {
    // A lane has one agent of one target: they identify it well enough here.
    let rows = statement!(
        "SELECT s.id AS id, s.agent_id AS agent_id, s.target AS target, 'waiting' AS state, \
             s.next_run AS since \
         FROM schedules s WHERE s.active = 1 AND s.touched = 0 AND s.next_run < $1 \
             AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.agent_id = s.agent_id \
                             AND coalesce(o.target, $2) = coalesce(s.target, $2) \
                             AND o.state IN ('waiting', 'sending', 'unknown')) \
         UNION ALL SELECT s.id, w.agent_id, w.target, 'waiting', w.not_before FROM occurrences w \
             LEFT JOIN schedules s ON s.uid = w.uid WHERE w.state = 'waiting' \
             AND w.not_before < $1 \
             AND (s.lifecycle IS NULL OR s.lifecycle <> 'paused' OR w.\"trigger\" = 'manual') \
             AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.lane = w.lane AND \
                 (o.state IN ('sending', 'unknown') \
                  OR o.state = 'waiting' AND o.not_before >= $1)) \
         UNION ALL SELECT s.id, u.agent_id, u.target, 'unknown', u.reconcile_until FROM occurrences u \
             LEFT JOIN schedules s ON s.uid = u.uid WHERE u.state = 'unknown' \
             AND u.reconcile_until < $1 AND coalesce(u.not_before, '') < $1 \
         ORDER BY 5 LIMIT 20"
    )
    .bind(DbTime(since))
    .bind(tx.targets().default.as_str())
    .fetch_all(tx)?;
    Ok(rows.iter().filter_map(|row| overdue(tx, row)).collect())
}

fn stalled(tx: &Tx<'_>, row: &Row) -> Option<StalledPrompt> {
    Some(StalledPrompt {
        schedule_id: row.get("id").ok()?,
        agent: agent(tx, row)?,
        since: rows::lenient_time(row, "since")?,
        run_id: rows::text(row, "run_id"),
        owner: rows::text(row, "owner")?.parse().ok()?,
    })
}

fn overdue(tx: &Tx<'_>, row: &Row) -> Option<OverduePrompt> {
    Some(OverduePrompt {
        schedule_id: row.get("id").ok()?,
        agent: agent(tx, row)?,
        state: State::from_word(&rows::text(row, "state")?)?,
        since: rows::lenient_time(row, "since")?,
    })
}

/// The agent of a row as people know it.
fn agent(tx: &Tx<'_>, row: &Row) -> Option<String> {
    let id = rows::text(row, "agent_id")?;
    let target = rows::target(row).unwrap_or_else(|| tx.targets().default.clone());
    Some(match AgentId::parse(&id) {
        Ok(id) => tx.targets().show(&AgentAt::new(target, id)),
        Err(_) => id,
    })
}
