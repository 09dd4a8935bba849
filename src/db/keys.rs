//! Keys for callers over HTTP.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::changes::{About, note_change};
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
        let doing = "store the key";
        let failed = |e| self.failed(doing, e);
        let mut tx = self.begin(doing).await?;
        let id = sqlx::query_scalar(
            "INSERT INTO keys (name, agent_id, hash, created_at) VALUES ($1, $2, $3, $4) \
             RETURNING id",
        )
        .bind(name)
        .bind(agent_id.map(AgentId::as_str))
        .bind(hash)
        .bind(DbTime(now))
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        let what = match agent_id {
            Some(agent) => format!("key {id}, {name}, for {agent}"),
            None => format!("key {id}, {name}"),
        };
        let (none, what) = (About::none(), Some(what.as_str()));
        note_change(&mut tx, &self.by, Operation::CreateKey, none, what, now)
            .await
            .map_err(failed)?;
        self.commit(tx, doing).await?;
        Ok(id)
    }

    /// Every key, the oldest first, the revoked ones too.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list_keys(&self) -> Result<Vec<StoredKey>> {
        let failed = |e| self.failed("list the keys", e);
        let rows = sqlx::query(
            "SELECT id, name, agent_id, hash, created_at, revoked_at FROM keys ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        rows.iter().map(|r| key(r).map_err(failed)).collect()
    }

    /// Lets a key open nothing any more; `false` if there is none of this number that does.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn revoke_key(&self, id: i64, now: Timestamp) -> Result<bool> {
        let doing = "revoke the key";
        let failed = |e| self.failed(doing, e);
        let mut tx = self.begin(doing).await?;
        let name: Option<String> = sqlx::query_scalar(
            "UPDATE keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING name",
        )
        .bind(id)
        .bind(DbTime(now))
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed)?;
        let Some(name) = name else { return Ok(false) };
        let what = format!("key {id}, {name}");
        let (none, what) = (About::none(), Some(what.as_str()));
        note_change(&mut tx, &self.by, Operation::RevokeKey, none, what, now)
            .await
            .map_err(failed)?;
        self.commit(tx, doing).await?;
        Ok(true)
    }
}

fn key(row: &SqliteRow) -> sqlx::Result<StoredKey> {
    // A key whose agent can't be read must not become the operator's.
    let agent_id = match rows::text(row, "agent_id") {
        Some(text) => Some(AgentId::parse(&text).map_err(|_| rows::unreadable("agent_id", &text))?),
        None => None,
    };
    Ok(StoredKey {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        agent_id,
        hash: row.try_get("hash")?,
        created_at: row.try_get::<DbTime, _>("created_at")?.0,
        revoked_at: row.try_get::<Option<DbTime>, _>("revoked_at")?.map(|t| t.0),
    })
}
