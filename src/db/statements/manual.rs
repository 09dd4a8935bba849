//! Manual runs.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows;
use crate::db::sql::{self, Tx, at_target, statement};
use crate::db::time::DbTime;
use crate::models::{AgentAt, Conversation, Lane, Trigger};

/// How many manual runs were requested for an agent since a time.
pub(in crate::db) fn count(tx: &Tx<'_>, agent: &AgentAt, since: Timestamp) -> sql::Result<i64> {
    statement!(
        "SELECT count(*) FROM occurrences INDEXED BY ix_occurrences_of_agent \
         WHERE \"trigger\" = 'manual' AND agent_id = $1 AND intended_at >= $4 AND ",
        at_target!("$2", "$3")
    )
    .bind(agent.id.as_str())
    .bind_target(tx, Some(&agent.target))
    .bind(DbTime(since))
    .one(tx)
}

/// The id of a waiting manual run of a schedule that was never sent.
pub(in crate::db) fn find_waiting(
    tx: &Tx<'_>,
    uid: Option<Uuid>,
    agent: &str,
) -> sql::Result<Option<i64>> {
    statement!(
        "SELECT id FROM occurrences INDEXED BY ix_occurrences_open_uid \
         WHERE uid = $1 AND \"trigger\" = 'manual' AND state = 'waiting' \
         AND state IN ('waiting', 'sending', 'unknown') AND sent_at IS NULL AND agent_id = $2"
    )
    .bind(uid.map(|u| u.to_string()))
    .bind(agent)
    .optional(tx)
}

/// When the latest manual run of a schedule was requested, up to a time.
pub(in crate::db) fn fetch_latest(
    tx: &Tx<'_>,
    uid: Option<Uuid>,
    until: Timestamp,
) -> sql::Result<Option<Timestamp>> {
    let row = statement!(
        "SELECT max(intended_at) AS latest FROM occurrences \
         WHERE uid = $1 AND \"trigger\" = 'manual' AND intended_at <= $2"
    )
    .bind(uid.map(|u| u.to_string()))
    .bind(DbTime(until))
    .fetch_one(tx)?;
    Ok(rows::lenient_time(&row, "latest"))
}

/// A manual run to be sent.
pub(in crate::db) struct Run<'a> {
    /// Its schedule.
    pub(in crate::db) uid: Option<Uuid>,
    /// Its agent.
    pub(in crate::db) agent_id: &'a str,
    /// The instant that identifies it.
    pub(in crate::db) intended_at: Timestamp,
    /// The lane it waits for.
    pub(in crate::db) lane: &'a Lane,
    /// The conversation of the agent; `None` is the usual one of the target.
    pub(in crate::db) conversation: Option<&'a Conversation>,
    /// The hash of its request.
    pub(in crate::db) payload: &'a str,
}

/// Inserts a waiting manual run. Returns its id.
pub(in crate::db) fn insert(tx: &Tx<'_>, run: &Run<'_>, now: Timestamp) -> sql::Result<i64> {
    statement!(
        "INSERT INTO occurrences (uid, agent_id, \"trigger\", first_at, intended_at, state, lane, \
         payload, not_before, conversation, target) \
         VALUES ($1, $2, $3, $4, $4, 'waiting', $5, $6, $7, $8, $9) RETURNING id"
    )
    .bind(run.uid.map(|u| u.to_string()))
    .bind(run.agent_id)
    .bind(Trigger::Manual.as_str())
    .bind(DbTime(run.intended_at))
    .bind(run.lane.as_str())
    .bind(run.payload)
    .bind(DbTime(now))
    .bind(run.conversation.map(Conversation::as_str))
    .bind(run.lane.target_name())
    .one(tx)
}
