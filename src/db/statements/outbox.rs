//! Puts messages into the outbox, and records which channels are configured.

use jiff::Timestamp;

use super::rows;
use crate::db::sql::{self, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{Channel, IncidentKind, NoticeEvent, OutboxStatus, Ping};

/// Records until when a channel counts as configured.
pub(in crate::db) fn upsert_channel(
    tx: &Tx<'_>,
    channel: Channel,
    wanted_until: Timestamp,
) -> sql::Result<()> {
    statement!(
        "INSERT INTO channels (name, wanted_until) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET wanted_until = $2"
    )
    .bind(channel.as_str())
    .bind(DbTime(wanted_until))
    .execute(tx)?;
    Ok(())
}

/// Whether any channel is configured.
pub(in crate::db) fn is_listened_to(tx: &Tx<'_>, now: Timestamp) -> sql::Result<bool> {
    let listening: Option<i64> = statement!("SELECT 1 FROM channels WHERE wanted_until >= $1")
        .bind(DbTime(now))
        .optional(tx)?;
    Ok(listening.is_some())
}

/// How an incident ended, and which database it belongs to.
pub(in crate::db) struct Origin {
    /// The identity of the database.
    pub(in crate::db) install_id: String,
    /// How it ended, if it has.
    pub(in crate::db) outcome: Option<String>,
}

/// How an incident ended, and which database it belongs to.
pub(in crate::db) fn fetch_origin(tx: &Tx<'_>, incident_id: i64) -> sql::Result<Origin> {
    let row = statement!("SELECT install_id, outcome FROM install, incidents WHERE id = $1")
        .bind(incident_id)
        .fetch_one(tx)?;
    Ok(Origin {
        install_id: rows::text(&row, "install_id").unwrap_or_default(),
        outcome: rows::text(&row, "outcome"),
    })
}

/// A notice to be sent.
pub(in crate::db) struct NewNotice<'a> {
    /// Messages with the same lane are sent in order.
    pub(in crate::db) lane: String,
    /// The kind of its incident.
    pub(in crate::db) kind: IncidentKind,
    /// What it says about that.
    pub(in crate::db) event: NoticeEvent,
    /// What is sent.
    pub(in crate::db) body: &'a str,
    /// When it is given up.
    pub(in crate::db) expires_at: Timestamp,
}

/// Writes a notice, once for each configured channel.
pub(in crate::db) fn insert_notice(
    tx: &Tx<'_>,
    notice: NewNotice<'_>,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "INSERT INTO outbox (channel, lane, kind, event, body, created_at, not_before, \
         expires_at) SELECT name, $1, $2, $3, $4, $5, $5, $6 FROM channels \
         WHERE wanted_until >= $5"
    )
    .bind(notice.lane)
    .bind(notice.kind.as_str())
    .bind(notice.event.as_str())
    .bind(notice.body)
    .bind(DbTime(now))
    .bind(DbTime(notice.expires_at))
    .execute(tx)?;
    Ok(())
}

/// A ping to be sent.
pub(in crate::db) struct NewPing<'a> {
    /// Messages with the same lane are sent in order.
    pub(in crate::db) lane: String,
    /// What it tells.
    pub(in crate::db) ping: Ping,
    /// The address.
    pub(in crate::db) destination: String,
    /// The server of that address.
    pub(in crate::db) server: String,
    /// What is sent.
    pub(in crate::db) body: &'a str,
    /// When it is given up.
    pub(in crate::db) expires_at: Timestamp,
}

/// Writes a ping.
pub(in crate::db) fn insert_ping(
    tx: &Tx<'_>,
    ping: NewPing<'_>,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "INSERT INTO outbox (channel, lane, kind, event, destination, server, body, created_at, \
         not_before, expires_at) VALUES ('ping', $1, 'ping', $2, $3, $7, $4, $5, $5, $6)"
    )
    .bind(ping.lane)
    .bind(ping.ping.as_str())
    .bind(ping.destination)
    .bind(ping.body)
    .bind(DbTime(now))
    .bind(DbTime(ping.expires_at))
    .bind(ping.server)
    .execute(tx)?;
    Ok(())
}

/// The number of pending notices to the operator, and of those given up since a time.
pub(in crate::db) fn fetch_status(
    tx: &Tx<'_>,
    given_up_since: Timestamp,
) -> sql::Result<OutboxStatus> {
    let row = statement!(
        "SELECT \
         (SELECT count(*) FROM outbox INDEXED BY ix_outbox_lane \
          WHERE channel IN ('command', 'url') AND given_up_at IS NULL) AS pending, \
         (SELECT count(*) FROM outbox INDEXED BY ix_outbox_given_up \
          WHERE given_up_at >= $1 AND channel <> 'ping') AS given_up, \
         coalesce((SELECT error FROM outbox INDEXED BY ix_outbox_failed \
                   WHERE error IS NOT NULL AND given_up_at IS NULL \
                   AND channel <> 'ping' ORDER BY id DESC LIMIT 1), \
                  (SELECT error FROM outbox INDEXED BY ix_outbox_failed WHERE given_up_at >= $1 AND channel <> 'ping' \
                   AND error IS NOT NULL ORDER BY given_up_at DESC LIMIT 1)) AS last_error"
    )
    .bind(DbTime(given_up_since))
    .fetch_one(tx)?;
    Ok(OutboxStatus {
        pending: row.get("pending")?,
        given_up: row.get("given_up")?,
        last_error: rows::text(&row, "last_error"),
    })
}
