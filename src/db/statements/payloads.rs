//! Requests to Letta, each stored once under the hash of its JSON.

use super::rows;
use crate::db::sql::{self, Tx, statement};

/// Stores a request, if it isn't there.
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
