//! Updates of schedules.

use super::rows::{self, policy_assignments};
use super::schedules::change_schedule;
use crate::db::sql::{self, Tx, statement};
use crate::models::{AgentId, PingUrl, Policy};

/// Writes a new agent, prompt or name; `None` keeps the old one. A new prompt replaces a stored
/// request.
pub(in crate::db) fn write_texts(
    tx: &Tx<'_>,
    id: i64,
    agent: Option<&AgentId>,
    prompt: Option<&str>,
    name: Option<&str>,
) -> sql::Result<()> {
    statement!(change_schedule!(
        "agent_id = coalesce($2, agent_id), prompt_text = coalesce($3, prompt_text), \
         payload = CASE WHEN CAST($3 AS TEXT) IS NULL THEN payload END, name = coalesce($4, name)",
        " WHERE id = $1"
    ))
    .bind(id)
    .bind(agent.map(AgentId::as_str))
    .bind(prompt)
    .bind(name)
    .execute(tx)?;
    Ok(())
}

/// Writes the address of a schedule's dead-man service.
pub(in crate::db) fn write_ping_url(
    tx: &Tx<'_>,
    id: i64,
    ping_url: Option<&PingUrl>,
) -> sql::Result<()> {
    statement!(change_schedule!("ping_url = $2", " WHERE id = $1"))
        .bind(id)
        .bind(ping_url.map(PingUrl::as_str))
        .execute(tx)?;
    Ok(())
}

/// Writes a schedule's policy.
pub(in crate::db) fn write_policy(tx: &Tx<'_>, id: i64, policy: &Policy) -> sql::Result<()> {
    let update = statement!(change_schedule!(policy_assignments!(), " WHERE id = $1")).bind(id);
    rows::bind_policy(update, policy).execute(tx)?;
    Ok(())
}
