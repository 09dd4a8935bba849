//! The outbox: what is to be sent to somebody other than Letta. A letter is written in the
//! transaction of what it tells, and stays until it was delivered.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::incidents::fetch_incident;
use crate::db::Db;
use crate::db::sql::{self, Tx, query};
use crate::db::statements::rows;
use crate::db::time::{DbTime, optional};
use crate::error::Result;
use crate::models::{Channel, Notice, NoticeEvent, Ping, PingUrl};

/// After this time a notice is given up: whoever is not reached for so long has other troubles.
pub(in crate::db) const NOTICE_LIFE: SignedDuration = SignedDuration::from_hours(72);

/// After this time a ping is given up: by then its service has noticed that it did not come.
pub(in crate::db) const PING_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// How long a channel counts as wanted after a scheduler was last seen configured with it.
pub(in crate::db) const WANTED: SignedDuration = SignedDuration::from_hours(72);

/// How it stands with what is to be sent to the operator.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
pub struct OutboxStatus {
    /// Notices that are still to be delivered.
    pub pending: i64,
    /// Notices that were given up within the last days.
    pub given_up: i64,
    /// Why the latest one could not be delivered.
    pub last_error: Option<String>,
}

impl OutboxStatus {
    /// What keeps the operator from being told, in one line.
    pub fn problem(&self) -> Option<String> {
        let error = self.last_error.as_deref()?;
        Some(format!(
            "{} notices could not be delivered yet and {} were given up: {error}",
            self.pending, self.given_up
        ))
    }
}

/// Writes the notice of an incident, once for each channel that somebody listens on.
pub(in crate::db) fn queue_notice(
    tx: &Tx<'_>,
    incident_id: i64,
    event: NoticeEvent,
    now: Timestamp,
) -> sql::Result<()> {
    let listening: Option<i64> = query("SELECT 1 FROM channels WHERE wanted_until >= $1")
        .bind(DbTime(now))
        .optional(tx)?;
    if listening.is_none() {
        return Ok(());
    }
    let row = query("SELECT install_id, outcome FROM install, incidents WHERE id = $1")
        .bind(incident_id)
        .fetch_one(tx)?;
    let install_id = rows::text(&row, "install_id").unwrap_or_default();
    let outcome = rows::text(&row, "outcome");
    let Some(mut incident) = fetch_incident(tx, incident_id)? else {
        return Ok(());
    };
    incident.text = incident.describe(outcome.as_deref());
    let notice = Notice {
        id: format!("{install_id}/{incident_id}/{event}"),
        event,
        at: now,
        outcome,
        incident,
    };
    let body = serde_json::to_string(&notice).map_err(sql::Error::Unwritable)?;
    query(
        "INSERT INTO outbox (channel, lane, kind, event, body, created_at, not_before, \
         expires_at) SELECT name, $1, $2, $3, $4, $5, $5, $6 FROM channels \
         WHERE wanted_until >= $5",
    )
    .bind(format!("incident:{incident_id}"))
    .bind(notice.incident.kind.as_str())
    .bind(event.as_str())
    .bind(body)
    .bind(DbTime(now))
    .bind(DbTime(later(now, NOTICE_LIFE)))
    .execute(tx)?;
    query("UPDATE incidents SET told = 1 WHERE id = $1")
        .bind(incident_id)
        .execute(tx)?;
    Ok(())
}

/// Writes what the dead-man service of a schedule is told; `reason` says why it failed.
pub(in crate::db) fn queue_ping(
    tx: &Tx<'_>,
    uid: Uuid,
    url: &PingUrl,
    ping: Ping,
    reason: &str,
    now: Timestamp,
) -> sql::Result<()> {
    query(
        "INSERT INTO outbox (channel, lane, kind, event, destination, server, body, created_at, \
         not_before, expires_at) VALUES ('ping', $1, 'ping', $2, $3, $7, $4, $5, $5, $6)",
    )
    .bind(format!("schedule:{uid}"))
    .bind(ping.as_str())
    .bind(url.of(ping))
    .bind(reason)
    .bind(DbTime(now))
    .bind(DbTime(later(now, PING_LIFE)))
    .bind(url.server())
    .execute(tx)?;
    Ok(())
}

impl Db {
    /// Says that somebody listens on these channels, so that notices are written for them. What is
    /// open and was told to nobody yet is told now.
    pub async fn listen(&self, channels: &[Channel], now: Timestamp) -> Result<()> {
        let channels = channels.to_owned();
        self.write("note who wants to be told", move |tx| {
            let channels = &channels;
            for channel in channels {
                query(
                    "INSERT INTO channels (name, wanted_until) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET wanted_until = $2",
                )
                .bind(channel.as_str())
                .bind(DbTime(later(now, WANTED)))
                .execute(tx)?;
            }
            let untold: Vec<i64> =
                query("SELECT id FROM incidents WHERE closed_at IS NULL AND told = 0 ORDER BY id")
                    .all(tx)?;
            for id in untold {
                queue_notice(tx, id, NoticeEvent::Opened, now)?;
            }
            Ok(())
        })
        .await
    }

    /// Waits until this process may have put something into the outbox.
    pub async fn outbox_changed(&self) {
        self.outbox_changed.notified().await;
    }

    /// How it stands with the notices to the operator.
    pub async fn outbox_status(&self, now: Timestamp) -> Result<OutboxStatus> {
        self.read("look into the outbox", move |tx| {
            let lately = now.checked_sub(NOTICE_LIFE).unwrap_or(Timestamp::MIN);
            let row = query(
                "SELECT \
             (SELECT count(*) FROM outbox WHERE channel IN ('command', 'url') \
              AND given_up_at IS NULL) AS pending, \
             (SELECT count(*) FROM outbox WHERE given_up_at >= $1 AND channel <> 'ping') \
                 AS given_up, \
             coalesce((SELECT error FROM outbox WHERE error IS NOT NULL AND given_up_at IS NULL \
                       AND channel <> 'ping' ORDER BY id DESC LIMIT 1), \
                      (SELECT error FROM outbox WHERE given_up_at >= $1 AND channel <> 'ping' \
                       AND error IS NOT NULL ORDER BY given_up_at DESC LIMIT 1)) AS last_error",
            )
            .bind(optional(Some(lately)))
            .fetch_one(tx)?;
            Ok(OutboxStatus {
                pending: row.get("pending")?,
                given_up: row.get("given_up")?,
                last_error: rows::text(&row, "last_error"),
            })
        })
        .await
    }
}

pub(in crate::db) fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
