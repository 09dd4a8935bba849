//! Requests to Letta, each stored once under the hash of its JSON.

use crate::db::sql::{self, Tx, statement};

/// How many are stored.
pub(in crate::db) fn count(tx: &Tx<'_>) -> sql::Result<i64> {
    statement!("SELECT count(*) FROM payloads").one(tx)
}

/// Deletes one to which neither an occurrence nor a schedule refers any more. Whether it was so.
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
