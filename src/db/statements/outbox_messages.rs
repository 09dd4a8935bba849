//! Messages of the outbox. Every statement finds its rows by an index, however many there are.

use jiff::Timestamp;

use super::rows;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{Channel, OutboxMessage};

/// A due message.
pub(in crate::db) struct Due {
    /// Its id.
    pub(in crate::db) id: i64,
    /// The server it goes to.
    pub(in crate::db) server: String,
    /// When it is given up.
    pub(in crate::db) expires_at: Timestamp,
}

/// When messages are due, including those whose times or leases were computed before the clock was
/// set back.
pub(in crate::db) struct DueBy {
    /// The current time.
    pub(in crate::db) now: Timestamp,
    /// The latest end of a wait that begins now.
    pub(in crate::db) longest_wait: Timestamp,
    /// The latest end of a lease that begins now.
    pub(in crate::db) lease: Timestamp,
}

/// The columns that [`message`] reads.
macro_rules! message_columns {
    () => {
        "id, channel, kind, event, destination, server, body, tries, expires_at, error"
    };
}

/// The due messages of a channel, the longest due first, up to a number of each kind.
pub(in crate::db) fn list_due(
    tx: &Tx<'_>,
    channel: Channel,
    by: &DueBy,
    most: i64,
) -> sql::Result<Vec<Due>> {
    statement!(
        "SELECT * FROM (SELECT id, server, expires_at FROM outbox WHERE channel = $1 \
             AND head = 1 AND lease_until IS NULL AND not_before <= $2 \
             ORDER BY not_before, id LIMIT $5) AS found \
         UNION ALL SELECT * FROM (SELECT id, server, expires_at FROM outbox \
             WHERE channel = $1 AND head = 1 AND lease_until IS NULL AND not_before > $3 \
             ORDER BY not_before, id LIMIT $5) AS found \
         UNION ALL SELECT * FROM (SELECT id, server, expires_at FROM outbox \
             WHERE channel = $1 AND lease_until <= $2 AND head = 1 \
             ORDER BY lease_until LIMIT $5) AS found \
         UNION ALL SELECT * FROM (SELECT id, server, expires_at FROM outbox \
             WHERE channel = $1 AND lease_until > $4 AND head = 1 \
             ORDER BY lease_until LIMIT $5) AS found"
    )
    .bind(channel.as_str())
    .bind(DbTime(by.now))
    .bind(DbTime(by.longest_wait))
    .bind(DbTime(by.lease))
    .bind(most)
    .map(tx, due)
}

/// A due message of a channel to none of these servers, looking server by server.
pub(in crate::db) fn fetch_due_elsewhere(
    tx: &Tx<'_>,
    channel: Channel,
    servers: &[String],
    now: Timestamp,
) -> sql::Result<Option<Due>> {
    let row = statement!(
        "WITH RECURSIVE servers(server) AS (\
             SELECT min(server) FROM outbox WHERE channel = $1 AND head = 1 \
                 AND lease_until IS NULL \
             UNION ALL SELECT (SELECT min(o.server) FROM outbox o WHERE o.channel = $1 \
                 AND o.head = 1 AND o.lease_until IS NULL AND o.server > servers.server) \
             FROM servers WHERE servers.server IS NOT NULL) \
         SELECT o.id, o.server, o.expires_at FROM servers CROSS JOIN outbox o \
         WHERE o.id = (SELECT d.id FROM outbox d WHERE d.channel = $1 \
                 AND d.server = servers.server AND d.head = 1 AND d.lease_until IS NULL \
                 AND d.not_before <= $2 ORDER BY d.not_before LIMIT 1) \
         AND servers.server IS NOT NULL \
         AND servers.server NOT IN (SELECT value FROM json_each($3)) LIMIT 1"
    )
    .bind(channel.as_str())
    .bind(DbTime(now))
    .bind(json(servers))
    .fetch_optional(tx)?;
    row.as_ref().map(due).transpose()
}

/// Gives a lease of a message until a time, if nobody has one now.
pub(in crate::db) fn lease(
    tx: &Tx<'_>,
    id: i64,
    until: Timestamp,
    now: Timestamp,
) -> sql::Result<Option<OutboxMessage>> {
    let row = statement!(
        "UPDATE outbox SET lease_until = $3, tries = tries + 1 WHERE id = $1 AND head = 1 \
         AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $3) RETURNING ",
        message_columns!()
    )
    .bind(id)
    .bind(DbTime(now))
    .bind(DbTime(until))
    .fetch_optional(tx)?;
    row.as_ref().map(message).transpose()
}

/// Returns a message, to be retried at `not_before`, unless it was tried again in the meantime.
pub(in crate::db) fn release(
    tx: &Tx<'_>,
    id: i64,
    tries: i64,
    not_before: Timestamp,
    error: Option<&str>,
) -> sql::Result<()> {
    statement!(
        "UPDATE outbox SET lease_until = NULL, not_before = $3, error = coalesce($4, error) \
         WHERE id = $1 AND tries = $2"
    )
    .bind(id)
    .bind(tries)
    .bind(DbTime(not_before))
    .bind(error)
    .execute(tx)?;
    Ok(())
}

/// Deletes a message.
pub(in crate::db) fn delete(tx: &Tx<'_>, id: i64) -> sql::Result<()> {
    statement!("DELETE FROM outbox WHERE id = $1")
        .bind(id)
        .execute(tx)?;
    Ok(())
}

/// The ids of some messages to be given up.
pub(in crate::db) fn list_expired(tx: &Tx<'_>, now: Timestamp, most: i64) -> sql::Result<Vec<i64>> {
    statement!(
        "SELECT id FROM outbox WHERE given_up_at IS NULL AND expires_at <= $1 \
         ORDER BY expires_at LIMIT $2"
    )
    .bind(DbTime(now))
    .bind(most)
    .all(tx)
}

/// The ids of some messages that were given up before a time.
pub(in crate::db) fn list_given_up_before(
    tx: &Tx<'_>,
    before: Timestamp,
    most: i64,
) -> sql::Result<Vec<i64>> {
    statement!("SELECT id FROM outbox WHERE given_up_at < $1 ORDER BY given_up_at LIMIT $2")
        .bind(DbTime(before))
        .bind(most)
        .all(tx)
}

/// Deletes the pings among messages, and returns them.
pub(in crate::db) fn delete_pings(tx: &Tx<'_>, ids: &[i64]) -> sql::Result<Vec<OutboxMessage>> {
    statement!(
        "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each($1)) AND channel = 'ping' \
         RETURNING ",
        message_columns!()
    )
    .bind(json(ids))
    .map(tx, message)
}

/// Marks messages as given up. Returns those that were not before.
pub(in crate::db) fn mark_given_up(
    tx: &Tx<'_>,
    ids: &[i64],
    now: Timestamp,
) -> sql::Result<Vec<OutboxMessage>> {
    statement!(
        "UPDATE outbox SET given_up_at = $2, lease_until = NULL \
         WHERE id IN (SELECT value FROM json_each($1)) AND given_up_at IS NULL RETURNING ",
        message_columns!()
    )
    .bind(json(ids))
    .bind(DbTime(now))
    .map(tx, message)
}

/// Deletes messages.
pub(in crate::db) fn delete_all(tx: &Tx<'_>, ids: &[i64]) -> sql::Result<()> {
    statement!("DELETE FROM outbox WHERE id IN (SELECT value FROM json_each($1))")
        .bind(json(ids))
        .execute(tx)?;
    Ok(())
}

fn json<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::json!(values).to_string()
}

fn due(row: &Row) -> sql::Result<Due> {
    Ok(Due {
        id: row.get("id")?,
        server: row.get("server")?,
        expires_at: row.get::<DbTime>("expires_at")?.0,
    })
}

fn message(row: &Row) -> sql::Result<OutboxMessage> {
    let channel: String = row.get("channel")?;
    Ok(OutboxMessage {
        id: row.get("id")?,
        channel: Channel::from_word(&channel)
            .ok_or_else(|| rows::unreadable("channel", &channel))?,
        kind: row.get("kind")?,
        event: row.get("event")?,
        destination: row.get("destination")?,
        server: row.get("server")?,
        body: row.get("body")?,
        tries: row.get("tries")?,
        expires_at: row.get::<DbTime>("expires_at")?.0,
        error: row.get("error")?,
    })
}
