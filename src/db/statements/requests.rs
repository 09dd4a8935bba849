//! Requests that may be repeated.

use jiff::Timestamp;

use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::RequestKey;

/// A recorded request.
pub(in crate::db) struct Noted {
    /// The hash of everything it asks for.
    pub(in crate::db) hash: String,
    /// The HTTP status of its answer.
    pub(in crate::db) status: Option<i64>,
    /// The body of its answer.
    pub(in crate::db) body: Option<String>,
}

/// Deletes the requests that came before a time.
pub(in crate::db) fn delete_before(tx: &Tx<'_>, before: Timestamp) -> sql::Result<()> {
    statement!("DELETE FROM requests WHERE created_at < $1")
        .bind(DbTime(before))
        .execute(tx)?;
    Ok(())
}

/// Records a request, unless it is already recorded or its caller has `most` of them.
pub(in crate::db) fn insert(
    tx: &Tx<'_>,
    request: &RequestKey,
    hash: &str,
    most: i64,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "INSERT INTO requests (caller, key, hash, created_at) SELECT $1, $2, $3, $4 \
         WHERE (SELECT count(*) FROM requests WHERE caller = $1) < $5 ON CONFLICT DO NOTHING"
    )
    .bind(&request.caller)
    .bind(&request.key)
    .bind(hash)
    .bind(DbTime(now))
    .bind(most)
    .execute(tx)?;
    Ok(())
}

/// A request, if it is recorded.
pub(in crate::db) fn fetch(tx: &Tx<'_>, request: &RequestKey) -> sql::Result<Option<Noted>> {
    let row = statement!("SELECT hash, status, body FROM requests WHERE caller = $1 AND key = $2")
        .bind(&request.caller)
        .bind(&request.key)
        .fetch_optional(tx)?;
    row.as_ref().map(noted).transpose()
}

/// Stores the answer to a request.
pub(in crate::db) fn set_answer(
    tx: &Tx<'_>,
    request: &RequestKey,
    status: u16,
    body: &str,
) -> sql::Result<()> {
    statement!("UPDATE requests SET status = $3, body = $4 WHERE caller = $1 AND key = $2")
        .bind(&request.caller)
        .bind(&request.key)
        .bind(status)
        .bind(body)
        .execute(tx)?;
    Ok(())
}

/// Deletes a request that created nothing.
pub(in crate::db) fn delete_without_effect(tx: &Tx<'_>, request: &RequestKey) -> sql::Result<()> {
    statement!("DELETE FROM requests WHERE caller = $1 AND key = $2 AND effect IS NULL")
        .bind(&request.caller)
        .bind(&request.key)
        .execute(tx)?;
    Ok(())
}

/// What a request created, if anything.
pub(in crate::db) fn fetch_effect(tx: &Tx<'_>, request: &RequestKey) -> sql::Result<Option<i64>> {
    let effect: Option<Option<i64>> =
        statement!("SELECT effect FROM requests WHERE caller = $1 AND key = $2")
            .bind(&request.caller)
            .bind(&request.key)
            .optional(tx)?;
    Ok(effect.flatten())
}

/// Records what a request created.
pub(in crate::db) fn set_effect(tx: &Tx<'_>, request: &RequestKey, effect: i64) -> sql::Result<()> {
    statement!("UPDATE requests SET effect = $3 WHERE caller = $1 AND key = $2")
        .bind(&request.caller)
        .bind(&request.key)
        .bind(effect)
        .execute(tx)?;
    Ok(())
}

fn noted(row: &Row) -> sql::Result<Noted> {
    Ok(Noted {
        hash: row.get("hash")?,
        status: row.get("status")?,
        body: row.get("body")?,
    })
}
