//! Keys for callers over HTTP.

use jiff::Timestamp;

use super::changes::{About, note_change};
use super::sql::{self, Row, query};
use super::time::DbTime;
use super::{Db, rows};
use crate::error::Result;
use crate::models::{AgentId, Operation, StoredKey};

impl Db {
    /// Stores a key by its hash. Returns its number.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn add_key(
        &self,
        name: &str,
        agent_id: Option<&AgentId>,
        hash: &str,
        now: Timestamp,
    ) -> Result<i64> {
        let name = name.to_owned();
        let agent_id = agent_id.cloned();
        let hash = hash.to_owned();
        let db = self.clone();
        self.write("store the key", move |tx| {
            let (name, agent_id, hash) = (&name, agent_id.as_ref(), &hash);
            let id = query(
                "INSERT INTO keys (name, agent_id, hash, created_at) VALUES ($1, $2, $3, $4) \
             RETURNING id",
            )
            .bind(name)
            .bind(agent_id.map(AgentId::as_str))
            .bind(hash)
            .bind(DbTime(now))
            .one(tx)?;
            let what = match agent_id {
                Some(agent) => format!("key {id}, {name}, for {agent}"),
                None => format!("key {id}, {name}"),
            };
            let (none, what) = (About::none(), Some(what.as_str()));
            note_change(tx, &db.by, Operation::CreateKey, none, what, now)?;
            Ok(id)
        })
        .await
    }

    /// Every key, the oldest first, the revoked ones too.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list_keys(&self) -> Result<Vec<StoredKey>> {
        self.read("list the keys", move |tx| {
            let rows = query(
                "SELECT id, name, agent_id, hash, created_at, revoked_at FROM keys ORDER BY id",
            )
            .fetch_all(tx)?;
            Ok(rows.iter().map(key).collect::<sql::Result<_>>()?)
        })
        .await
    }

    /// Lets a key open nothing any more; `false` if there is none of this number that does.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn revoke_key(&self, id: i64, now: Timestamp) -> Result<bool> {
        let db = self.clone();
        self.write("revoke the key", move |tx| {
            let name: Option<String> = query(
            "UPDATE keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING name",
        )
        .bind(id)
        .bind(DbTime(now))
        .optional(tx)?;
            let Some(name) = name else { return Ok(false) };
            let what = format!("key {id}, {name}");
            let (none, what) = (About::none(), Some(what.as_str()));
            note_change(tx, &db.by, Operation::RevokeKey, none, what, now)?;
            Ok(true)
        })
        .await
    }
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
