//! Requests to Letta, each stored once under the hash of its JSON.

use super::rows;
use crate::db::sql::{self, Tx, statement};

/// Stores a request unless it is already stored.
pub(in crate::db) fn insert(tx: &Tx<'_>, hash: &str, body: &str) -> sql::Result<()> {
    statement!("INSERT INTO payloads (hash, body) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(hash)
        .bind(body)
        .execute(tx)?;
    Ok(())
}

/// A stored request; `None` if it is gone.
pub(in crate::db) fn fetch(tx: &Tx<'_>, hash: &str) -> sql::Result<Option<String>> {
    let row = statement!("SELECT body FROM payloads WHERE hash = $1")
        .bind(hash)
        .fetch_optional(tx)?;
    row.map(|row| rows::whole_text(&row, "body")).transpose()
}

/// How many are stored.
pub(in crate::db) fn count(tx: &Tx<'_>) -> sql::Result<i64> {
    statement!("SELECT count(*) FROM payloads").one(tx)
}

/// Deletes a request that no occurrence or schedule refers to any more. Returns whether it did.
pub(in crate::db) fn delete_unused(tx: &Tx<'_>, hash: &str) -> sql::Result<bool> {
    let deleted = statement!(
        "DELETE FROM payloads WHERE hash = $1 \
         AND NOT EXISTS (SELECT 1 FROM occurrences WHERE payload = $1) \
         AND NOT EXISTS (SELECT 1 FROM schedules WHERE payload = $1)"
    )
    .bind(hash)
    .execute(tx)?;
    Ok(deleted > 0)
}
