//! The outbox: what is to be sent to somebody other than Letta. A letter is written in the
//! transaction of what it tells, and stays until it was delivered.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::notices::fetch_incident;
use super::time::{DbTime, optional};
use super::{Db, Tx, rows};
use crate::error::Result;
use crate::models::{Channel, Notice, NoticeEvent, Ping, PingUrl, Turn, Verdict};

/// After this time a notice is given up: whoever is not reached for so long has other troubles.
pub(super) const NOTICE_LIFE: SignedDuration = SignedDuration::from_hours(72);

/// After this time a ping is given up: by then its service has noticed that it did not come.
pub(super) const PING_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// How long a channel counts as wanted after a scheduler was last seen configured with it.
pub(super) const WANTED: SignedDuration = SignedDuration::from_hours(72);

/// How long a scheduler has for one letter before another may send it.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// The longest wait between two tries. A letter that waits longer does so by a clock that was set
/// back since, and is due.
pub(crate) const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(30);

/// How long what was given up, and incidents that are over, are remembered.
const MEMORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Something to be sent, and the right to send it until the lease ends.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its number.
    pub id: i64,
    /// By which way.
    pub channel: Channel,
    /// What it is about: an incident's kind, or `ping`.
    pub kind: String,
    /// What it tells of that.
    pub event: String,
    /// Where to, unless the settings say it.
    pub destination: Option<String>,
    /// What is sent.
    pub body: String,
    /// How often it was tried, this time included.
    pub tries: i64,
    /// When it is given up.
    pub expires_at: Timestamp,
}

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
pub(super) async fn queue_notice(
    tx: &mut Tx,
    incident_id: i64,
    event: NoticeEvent,
    now: Timestamp,
) -> sqlx::Result<()> {
    let listening: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM channels WHERE wanted_until >= $1")
            .bind(DbTime(now))
            .fetch_optional(&mut **tx)
            .await?;
    if listening.is_none() {
        return Ok(());
    }
    let (install_id, outcome): (String, Option<String>) =
        sqlx::query_as("SELECT install_id, outcome FROM install, incidents WHERE id = $1")
            .bind(incident_id)
            .fetch_one(&mut **tx)
            .await?;
    let mut incident = fetch_incident(tx, incident_id).await?;
    incident.text = incident.describe(outcome.as_deref());
    let notice = Notice {
        id: format!("{install_id}/{incident_id}/{event}"),
        event,
        at: now,
        outcome,
        incident,
    };
    let body = serde_json::to_string(&notice).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query(
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
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE incidents SET told = 1 WHERE id = $1")
        .bind(incident_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Writes what the dead-man service of a schedule is told; `reason` says why it failed.
pub(super) async fn queue_ping(
    tx: &mut Tx,
    uid: Uuid,
    url: &PingUrl,
    ping: Ping,
    reason: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO outbox (channel, lane, kind, event, destination, body, created_at, \
         not_before, expires_at) VALUES ('ping', $1, 'ping', $2, $3, $4, $5, $5, $6)",
    )
    .bind(format!("schedule:{uid}"))
    .bind(ping.as_str())
    .bind(url.of(ping))
    .bind(reason)
    .bind(DbTime(now))
    .bind(DbTime(later(now, PING_LIFE)))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes what a verdict means for the dead-man service of a schedule.
pub(super) async fn ping_of_verdict(
    tx: &mut Tx,
    uid: Uuid,
    url: &PingUrl,
    verdict: &Verdict,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (ping, reason) = match verdict {
        Verdict::Delivered { turn: Turn::Ok, .. } => (Ping::Success, String::new()),
        Verdict::Delivered { turn, .. } => (
            Ping::Fail,
            format!("delivered, but the agent's turn ended with: {turn}"),
        ),
        Verdict::Dead { fault } => (Ping::Fail, format!("{}: {}", fault.code, fault.text)),
        Verdict::Waiting { .. } | Verdict::Unknown { .. } => return Ok(()),
    };
    queue_ping(tx, uid, url, ping, &reason, now).await
}

impl Db {
    /// Says that somebody listens on these channels, so that notices are written for them. What is
    /// open and was told to nobody yet is told now.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn listen(&self, channels: &[Channel], now: Timestamp) -> Result<()> {
        let doing = "note who wants to be told";
        let failed = |e| self.failed(doing, e);
        let mut tx = self.begin(doing).await?;
        for channel in channels {
            sqlx::query(
                "INSERT INTO channels (name, wanted_until) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET wanted_until = $2",
            )
            .bind(channel.as_str())
            .bind(DbTime(later(now, WANTED)))
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        }
        let untold: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM incidents WHERE closed_at IS NULL AND told = 0 ORDER BY id",
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
        for id in untold {
            queue_notice(&mut tx, id, NoticeEvent::Opened, now)
                .await
                .map_err(failed)?;
        }
        self.commit(tx, doing).await
    }

    /// Waits until this process may have put something into the outbox.
    pub async fn outbox_changed(&self) {
        self.outbox_changed.notified().await;
    }

    /// Takes the oldest letter of a channel that may be sent now. Until its lease ends nobody else
    /// gets it, nor a later one of its lane.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn take_letter(&self, channel: Channel, now: Timestamp) -> Result<Option<Letter>> {
        let failed = |e| self.failed("look into the outbox", e);
        // Reading first: to write is to wait for whoever writes.
        let due: Option<i64> = sqlx::query_scalar(
            "SELECT id FROM outbox o WHERE channel = $1 AND given_up_at IS NULL \
             AND expires_at > $2 AND (not_before <= $2 OR not_before > $3) \
             AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $4) \
             AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.channel = o.channel \
                             AND e.lane = o.lane AND e.id < o.id AND e.given_up_at IS NULL) \
             ORDER BY id LIMIT 1",
        )
        .bind(channel.as_str())
        .bind(DbTime(now))
        .bind(DbTime(later(now, LONGEST_WAIT)))
        .bind(DbTime(later(now, LEASE)))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        let Some(id) = due else { return Ok(None) };
        let row = sqlx::query(
            "UPDATE outbox SET lease_until = $3, tries = tries + 1 WHERE id = $1 \
             AND given_up_at IS NULL \
             AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $3) \
             RETURNING id, channel, kind, event, destination, body, tries, expires_at",
        )
        .bind(id)
        .bind(DbTime(now))
        .bind(DbTime(later(now, LEASE)))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        row.map(|r| letter(&r).map_err(failed)).transpose()
    }

    /// Forgets a letter that was delivered.
    ///
    /// # Errors
    /// Those of the database; then it will be sent again.
    pub async fn letter_delivered(&self, letter: &Letter) -> Result<()> {
        sqlx::query("DELETE FROM outbox WHERE id = $1")
            .bind(letter.id)
            .execute(&self.pool)
            .await
            .map_err(|e| self.failed("note that a notice was delivered", e))?;
        Ok(())
    }

    /// Gives a letter back that was not delivered, to be tried again at `not_before`.
    ///
    /// # Errors
    /// Those of the database; then it is tried again when its lease ends.
    pub async fn return_letter(
        &self,
        letter: &Letter,
        error: Option<&str>,
        not_before: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE outbox SET lease_until = NULL, not_before = $3, error = coalesce($4, error) \
             WHERE id = $1 AND tries = $2",
        )
        .bind(letter.id)
        .bind(letter.tries)
        .bind(DbTime(not_before))
        .bind(error)
        .execute(&self.pool)
        .await
        .map_err(|e| self.failed("note that a notice could not be delivered", e))?;
        Ok(())
    }

    /// Gives up what is too old, and returns it with its last error; and forgets what was given up,
    /// or was over, long ago.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn tidy_outbox(&self, now: Timestamp) -> Result<Vec<(Letter, Option<String>)>> {
        let doing = "tidy the outbox";
        let failed = |e| self.failed(doing, e);
        let long_ago = self.sure_time(now).await?.checked_sub(MEMORY);
        let long_ago = DbTime(long_ago.unwrap_or(Timestamp::MIN));
        // Looked for outside the transaction first: almost always there is nothing to write.
        let any: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE expires_at <= $1 \
                            AND (given_up_at IS NULL OR given_up_at < $2)) \
             OR EXISTS (SELECT 1 FROM incidents WHERE closed_at < $2)",
        )
        .bind(DbTime(now))
        .bind(long_ago)
        .fetch_one(&self.pool)
        .await
        .map_err(failed)?;
        if !any {
            return Ok(Vec::new());
        }
        let mut tx = self.begin(doing).await?;
        let expired = sqlx::query(
            "UPDATE outbox SET given_up_at = $1 WHERE given_up_at IS NULL AND expires_at <= $1 \
             RETURNING id, channel, kind, event, destination, body, tries, expires_at, error",
        )
        .bind(DbTime(now))
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
        for forget in [
            // A ping is nobody's loss once its service has noticed that it did not come.
            "DELETE FROM outbox WHERE given_up_at < $1 OR (given_up_at IS NOT NULL \
             AND channel = 'ping')",
            "DELETE FROM incidents WHERE closed_at < $1",
        ] {
            sqlx::query(forget)
                .bind(long_ago)
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
        }
        self.commit(tx, doing).await?;
        let read = |r: &SqliteRow| Ok((letter(r)?, r.try_get("error")?));
        expired.iter().map(|r| read(r).map_err(failed)).collect()
    }

    /// How it stands with the notices to the operator.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn outbox_status(&self, now: Timestamp) -> Result<OutboxStatus> {
        let failed = |e| self.failed("look into the outbox", e);
        let lately = now.checked_sub(NOTICE_LIFE).unwrap_or(Timestamp::MIN);
        let row = sqlx::query(
            "SELECT count(*) FILTER (WHERE given_up_at IS NULL) AS pending, \
             count(*) FILTER (WHERE given_up_at >= $1) AS given_up, \
             (SELECT error FROM outbox WHERE channel <> 'ping' AND error IS NOT NULL \
              AND (given_up_at IS NULL OR given_up_at >= $1) ORDER BY id DESC LIMIT 1) \
                 AS last_error \
             FROM outbox WHERE channel <> 'ping'",
        )
        .bind(optional(Some(lately)))
        .fetch_one(&self.pool)
        .await
        .map_err(failed)?;
        let read = |r: &SqliteRow| -> sqlx::Result<OutboxStatus> {
            Ok(OutboxStatus {
                pending: r.try_get("pending")?,
                given_up: r.try_get("given_up")?,
                last_error: r.try_get("last_error")?,
            })
        };
        read(&row).map_err(failed)
    }
}

fn letter(row: &SqliteRow) -> sqlx::Result<Letter> {
    let channel: String = row.try_get("channel")?;
    Ok(Letter {
        id: row.try_get("id")?,
        channel: Channel::from_word(&channel)
            .ok_or_else(|| rows::unreadable("channel", &channel))?,
        kind: row.try_get("kind")?,
        event: row.try_get("event")?,
        destination: row.try_get("destination")?,
        body: row.try_get("body")?,
        tries: row.try_get("tries")?,
        expires_at: row.try_get::<DbTime, _>("expires_at")?.0,
    })
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
