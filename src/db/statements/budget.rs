//! Registrations of callers with a budget.

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::sql::{self, Tx, at_target, statement};
use crate::db::time::DbTime;
use crate::models::AgentAt;

/// How many schedules were registered for an agent after a time.
pub(in crate::db) fn count_registered(
    tx: &Tx<'_>,
    agent: &AgentAt,
    since: Timestamp,
) -> sql::Result<i64> {
    statement!(
        "SELECT count(*) FROM registrations WHERE agent_id = $1 AND made_at > $4 AND ",
        at_target!("$2", "$3")
    )
    .bind(agent.id.as_str())
    .bind_target(tx, Some(&agent.target))
    .bind(DbTime(since))
    .one(tx)
}

/// Registrations by all callers that chose the agent themselves.
pub(in crate::db) struct OfAll {
    /// How many schedules were registered after a time.
    pub(in crate::db) registered: i64,
    /// How many of all of them are live.
    pub(in crate::db) live: i64,
}

/// Counts the registrations of callers that chose the agent themselves.
pub(in crate::db) fn count_of_all(tx: &Tx<'_>, since: Timestamp) -> sql::Result<OfAll> {
    let (registered, live) = statement!(
        "SELECT count(*) FILTER (WHERE r.made_at > $1), \
             count(*) FILTER (WHERE s.lifecycle IN ('active', 'paused')) \
         FROM registrations r LEFT JOIN schedules s INDEXED BY ix_schedules_uid ON s.uid = r.uid \
         WHERE r.chose_agent = 1"
    )
    .bind(DbTime(since))
    .tuple(tx)?;
    Ok(OfAll { registered, live })
}

/// Records a registration.
pub(in crate::db) fn insert_registration(
    tx: &Tx<'_>,
    uid: Uuid,
    agent: &AgentAt,
    chose_agent: bool,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "INSERT INTO registrations (uid, agent_id, target, made_at, chose_agent) \
         VALUES ($1, $2, $3, $4, $5)"
    )
    .bind(uid.to_string())
    .bind(agent.id.as_str())
    .bind(agent.target.as_str())
    .bind(DbTime(now))
    .bind(chose_agent)
    .execute(tx)?;
    Ok(())
}

/// Deletes some registrations that no longer count: they are old, and their schedule is not live.
pub(in crate::db) fn delete_some_before(tx: &Tx<'_>, before: Timestamp) -> sql::Result<()> {
    statement!(
        "DELETE FROM registrations WHERE uid IN (SELECT r.uid FROM registrations r \
         LEFT JOIN schedules s INDEXED BY ix_schedules_uid ON s.uid = r.uid WHERE r.made_at <= $1 \
         AND (s.lifecycle IS NULL OR s.lifecycle NOT IN ('active', 'paused')) LIMIT 100)"
    )
    .bind(DbTime(before))
    .execute(tx)?;
    Ok(())
}
