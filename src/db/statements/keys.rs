//! Keys of HTTP callers.

use jiff::Timestamp;

use super::rows;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{AgentAt, AgentId, StoredKey};

/// Stores a key. Returns its id.
pub(in crate::db) fn insert(
    tx: &Tx<'_>,
    name: &str,
    agent: Option<&AgentAt>,
    hash: &str,
    now: Timestamp,
) -> sql::Result<i64> {
    statement!(
        "INSERT INTO keys (name, agent_id, target, hash, created_at) \
         VALUES ($1, $2, $3, $4, $5) RETURNING id"
    )
    .bind(name)
    .bind(agent.map(|agent| agent.id.as_str()))
    .bind(agent.map(|agent| agent.target.as_str()))
    .bind(hash)
    .bind(DbTime(now))
    .one(tx)
}

/// Every key, oldest first, including revoked ones.
pub(in crate::db) fn list(tx: &Tx<'_>) -> sql::Result<Vec<StoredKey>> {
    statement!(
        "SELECT id, name, agent_id, coalesce(target, $1) AS target, hash, created_at, revoked_at \
         FROM keys ORDER BY id"
    )
    .bind(tx.targets().default.as_str())
    .map(tx, key)
}

/// Marks a key as revoked. Returns its name; `None` if there is no valid key with this id.
pub(in crate::db) fn revoke(tx: &Tx<'_>, id: i64, now: Timestamp) -> sql::Result<Option<String>> {
    statement!(
        "UPDATE keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING name"
    )
    .bind(id)
    .bind(DbTime(now))
    .optional(tx)
}

fn key(row: &Row) -> sql::Result<StoredKey> {
    // A key whose agent can't be read must not become the operator's.
    let agent = match rows::text(row, "agent_id") {
        Some(text) => {
            let id = AgentId::parse(&text).map_err(|_| rows::unreadable("agent_id", &text))?;
            let target = rows::target(row).ok_or_else(|| rows::unreadable("target", ""))?;
            Some(AgentAt::new(target, id))
        }
        None => None,
    };
    Ok(StoredKey {
        id: row.get("id")?,
        name: row.get("name")?,
        agent,
        hash: row.get("hash")?,
        created_at: row.get::<DbTime>("created_at")?.0,
        revoked_at: row.get::<Option<DbTime>>("revoked_at")?.map(|t| t.0),
    })
}
