//! Keys of HTTP callers.

use jiff::Timestamp;

use super::rows;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{AgentId, StoredKey};

/// Stores a key. Returns its id.
pub(in crate::db) fn insert(
    tx: &Tx<'_>,
    name: &str,
    agent_id: Option<&AgentId>,
    hash: &str,
    now: Timestamp,
) -> sql::Result<i64> {
    statement!(
        "INSERT INTO keys (name, agent_id, hash, created_at) VALUES ($1, $2, $3, $4) RETURNING id"
    )
    .bind(name)
    .bind(agent_id.map(AgentId::as_str))
    .bind(hash)
    .bind(DbTime(now))
    .one(tx)
}

/// Every key, oldest first, including revoked ones.
pub(in crate::db) fn list(tx: &Tx<'_>) -> sql::Result<Vec<StoredKey>> {
    statement!("SELECT id, name, agent_id, hash, created_at, revoked_at FROM keys ORDER BY id")
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
    let agent_id = match rows::text(row, "agent_id") {
        Some(text) => Some(AgentId::parse(&text).map_err(|_| rows::unreadable("agent_id", &text))?),
        None => None,
    };
    Ok(StoredKey {
        id: row.get("id")?,
        name: row.get("name")?,
        agent_id,
        hash: row.get("hash")?,
        created_at: row.get::<DbTime>("created_at")?.0,
        revoked_at: row.get::<Option<DbTime>>("revoked_at")?.map(|t| t.0),
    })
}
