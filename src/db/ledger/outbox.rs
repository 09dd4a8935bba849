//! The outbox: messages to be sent to anybody other than Letta. A message is written in the
//! transaction of its cause, and stays until it was delivered.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::locks::lock_subject;
use crate::clock::later;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::incidents;
use crate::db::statements::outbox::{self, NewNotice, NewPing, Origin};
use crate::error::Result;
use crate::models::{Channel, Notice, NoticeEvent, OutboxStatus, Ping, PingUrl};

/// After this time a notice is given up: whoever can't be reached for so long has other trouble.
pub(in crate::db) const NOTICE_LIFE: SignedDuration = SignedDuration::from_hours(72);

/// After this time a ping is given up: its service has noticed by then that it did not come.
pub(in crate::db) const PING_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// How long a channel counts as configured after a scheduler was last seen with it.
pub(in crate::db) const WANTED: SignedDuration = SignedDuration::from_hours(72);

/// Writes the notice of an incident, once for each configured channel.
pub(in crate::db) fn queue_notice(
    tx: &Tx<'_>,
    incident_id: i64,
    event: NoticeEvent,
    now: Timestamp,
) -> sql::Result<()> {
    if !outbox::is_listened_to(tx, now)? {
        return Ok(());
    }
    let Origin {
        install_id,
        outcome,
    } = outbox::fetch_origin(tx, incident_id)?;
    let Some(mut incident) = incidents::fetch(tx, incident_id)? else {
        return Ok(());
    };
    incident.text = incident.describe(tx.targets(), outcome.as_deref());
    let notice = Notice {
        id: format!("{install_id}/{incident_id}/{event}"),
        event,
        at: now,
        outcome,
        incident,
    };
    let body = serde_json::to_string(&notice).map_err(sql::Error::Unwritable)?;
    let written = NewNotice {
        lane: format!("incident:{incident_id}"),
        kind: notice.incident.kind,
        event,
        body: &body,
        expires_at: later(now, NOTICE_LIFE),
    };
    outbox::insert_notice(tx, written, now)?;
    incidents::mark_notified(tx, incident_id)
}

/// Writes a ping for a schedule's dead-man service; `reason` says why the prompt failed.
pub(in crate::db) fn queue_ping(
    tx: &Tx<'_>,
    uid: Uuid,
    url: &PingUrl,
    ping: Ping,
    reason: &str,
    now: Timestamp,
) -> sql::Result<()> {
    let written = NewPing {
        lane: format!("schedule:{uid}"),
        ping,
        destination: url.of(ping),
        server: url.server(),
        body: reason,
        expires_at: later(now, PING_LIFE),
    };
    outbox::insert_ping(tx, written, now)
}

impl Db {
    /// Records that these channels are configured, so that notices are written for them. Open
    /// incidents that were not notified yet are notified now.
    pub async fn listen(&self, channels: &[Channel], now: Timestamp) -> Result<()> {
        let channels = channels.to_owned();
        self.write("record who wants notices", move |tx| {
            for channel in &channels {
                outbox::upsert_channel(tx, *channel, later(now, WANTED))?;
            }
            for unnotified in incidents::list_unnotified(tx)? {
                lock_subject(tx, &unnotified.subject)?;
                if incidents::is_unnotified(tx, unnotified.id)? {
                    queue_notice(tx, unnotified.id, NoticeEvent::Opened, now)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// The state of notices to the operator.
    pub async fn outbox_status(&self, now: Timestamp) -> Result<OutboxStatus> {
        let lately = now.checked_sub(NOTICE_LIFE).unwrap_or(Timestamp::MIN);
        self.read("look into the outbox", move |tx| {
            Ok(outbox::fetch_status(tx, lately)?)
        })
        .await
    }
}
