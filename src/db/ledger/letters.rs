//! Letters of the outbox: taking one to send it, noting what became of it, and giving up what is
//! too old. Every statement finds its rows by an index, however many there are.

use jiff::{SignedDuration, Timestamp};

use super::clock::sure_time;
use super::outbox::later;
use crate::db::Db;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::error::Result;
use crate::models::Channel;

/// How long a scheduler has for one letter before another may send it.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// The longest wait between two tries. A letter that waits longer does so by a clock that was set
/// back since, and is due.
pub(crate) const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(30);

/// How long what was given up, and incidents that are over, are remembered.
const MEMORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How many rows are looked at, or changed, in one transaction: prompts wait while it lasts.
const AT_ONCE: i64 = 100;

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
    /// The server that is, as scheme, name and port; empty where the settings say it.
    pub server: String,
    /// What is sent.
    pub body: String,
    /// How often it was tried, this time included.
    pub tries: i64,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// Why it could not be delivered before.
    pub error: Option<String>,
}

/// What there was to take.
#[derive(Clone, Debug)]
pub enum Taken {
    /// A letter to send.
    Letter(Box<Letter>),
    /// Letters that came first and were too old, and are given up. There may be more.
    TooOld(Vec<Letter>),
    /// None that may be sent now.
    Nothing,
}

/// What was tidied.
#[derive(Clone, Debug, Default)]
pub struct Tidied {
    /// The letters that were given up.
    pub given_up: Vec<Letter>,
    /// Whether there is more to tidy.
    pub more: bool,
}

/// A letter that is due.
struct Due {
    id: i64,
    server: String,
    expires_at: Timestamp,
}

impl Db {
    /// Takes a letter of a channel that may be sent now, the longest due first, and none to a
    /// server that is `full`. Until its lease ends nobody else gets it, nor a later one of its
    /// lane.
    pub async fn take_letter(
        &self,
        channel: Channel,
        full: &[String],
        now: Timestamp,
    ) -> Result<Taken> {
        let full = full.to_owned();
        // Reading first: to write is to wait for whoever writes.
        let chosen = self.read("look into the outbox", move |tx| {
            let due = due_letters(tx, channel, now)?;
            let found_some = !due.is_empty();
            let mut chosen = due;
            chosen.retain(|d| !full.contains(&d.server));
            if chosen.is_empty() && found_some && !full.is_empty() {
                chosen.extend(due_elsewhere(tx, channel, &full, now)?);
            }
            Ok(chosen)
        });
        let chosen = chosen.await?;
        match chosen.iter().find(|d| d.expires_at > now) {
            Some(due) => self.lease(due.id, now).await,
            None if chosen.is_empty() => Ok(Taken::Nothing),
            None => {
                let ids: Vec<i64> = chosen.iter().map(|d| d.id).collect();
                let given_up = self.write("give up old notices", move |tx| {
                    Ok(Taken::TooOld(give_up(tx, &ids, now)?))
                });
                given_up.await
            }
        }
    }

    async fn lease(&self, id: i64, now: Timestamp) -> Result<Taken> {
        self.write("look into the outbox", move |tx| {
            let row = query(
                "UPDATE outbox SET lease_until = $3, tries = tries + 1 WHERE id = $1 AND head = 1 \
             AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $3) \
             RETURNING id, channel, kind, event, destination, server, body, tries, expires_at, \
                 error",
            )
            .bind(id)
            .bind(DbTime(now))
            .bind(DbTime(later(now, LEASE)))
            .fetch_optional(tx)?;
            match row {
                Some(row) => Ok(Taken::Letter(Box::new(letter(&row)?))),
                // Another scheduler was quicker.
                None => Ok(Taken::Nothing),
            }
        })
        .await
    }

    /// Forgets a letter that was delivered.
    ///
    /// # Errors
    /// Those of the database; then it will be sent again.
    pub async fn letter_delivered(&self, letter: &Letter) -> Result<()> {
        let letter = letter.to_owned();
        self.write("note that a notice was delivered", move |tx| {
            let letter = &letter;
            query("DELETE FROM outbox WHERE id = $1")
                .bind(letter.id)
                .execute(tx)?;
            Ok(())
        })
        .await
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
        let letter = letter.to_owned();
        let error = error.map(str::to_owned);
        self.write("note that a notice could not be delivered", move |tx| {
            let (letter, error) = (&letter, &error);
            query(
            "UPDATE outbox SET lease_until = NULL, not_before = $3, error = coalesce($4, error) \
             WHERE id = $1 AND tries = $2",
        )
        .bind(letter.id)
        .bind(letter.tries)
        .bind(DbTime(not_before))
        .bind(error)
        .execute(tx)?;
            Ok(())
        })
        .await
    }

    /// Gives up some of what is too old, and forgets some of what was given up, or was over, long
    /// ago. Call it until there is no more.
    pub async fn tidy_outbox(&self, now: Timestamp) -> Result<Tidied> {
        const DOING: &str = "tidy the outbox";
        let found = self.read(DOING, move |tx| {
            let long_ago = sure_time(tx, now)?.checked_sub(MEMORY);
            let long_ago = DbTime(long_ago.unwrap_or(Timestamp::MIN));
            // Looked for first: almost always there is nothing to write.
            let mut found: [Vec<i64>; 3] = Default::default();
            for (found, (look, before)) in found.iter_mut().zip([
                (
                    "SELECT id FROM outbox WHERE given_up_at IS NULL AND expires_at <= $1 \
                 ORDER BY expires_at LIMIT $2",
                    DbTime(now),
                ),
                (
                    "SELECT id FROM outbox WHERE given_up_at < $1 ORDER BY given_up_at LIMIT $2",
                    long_ago,
                ),
                (
                    "SELECT id FROM incidents WHERE closed_at < $1 ORDER BY closed_at LIMIT $2",
                    long_ago,
                ),
            ]) {
                *found = query(look).bind(before).bind(AT_ONCE).all(tx)?;
            }
            Ok(found)
        });
        let found = found.await?;
        if found.iter().all(Vec::is_empty) {
            return Ok(Tidied::default());
        }
        self.write(DOING, move |tx| {
            let [expired, forgotten, over] = &found;
            let given_up = give_up(tx, expired, now)?;
            for (forget, ids) in [
                (
                    "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each($1))",
                    forgotten,
                ),
                (
                    "DELETE FROM incidents WHERE id IN (SELECT value FROM json_each($1))",
                    over,
                ),
            ] {
                query(forget).bind(json(ids)).execute(tx)?;
            }
            let is_full = |ids: &Vec<i64>| i64::try_from(ids.len()) == Ok(AT_ONCE);
            Ok(Tidied {
                given_up,
                more: found.iter().any(is_full),
            })
        })
        .await
    }
}

/// The letters of a channel that are due, the longest due first; not all, if they are many.
fn due_letters(tx: &Tx<'_>, channel: Channel, now: Timestamp) -> sql::Result<Vec<Due>> {
    // Also those whose times, or leases, were counted by a clock that was set back since.
    let rows = query(
        "SELECT * FROM (SELECT id, server, expires_at FROM outbox WHERE channel = $1 \
             AND head = 1 AND lease_until IS NULL AND not_before <= $2 \
             ORDER BY not_before, id LIMIT $5) \
         UNION ALL SELECT * FROM (SELECT id, server, expires_at FROM outbox \
             WHERE channel = $1 AND head = 1 AND lease_until IS NULL AND not_before > $3 \
             ORDER BY not_before, id LIMIT $5) \
         UNION ALL SELECT * FROM (SELECT id, server, expires_at FROM outbox \
             WHERE channel = $1 AND lease_until <= $2 AND head = 1 \
             ORDER BY lease_until LIMIT $5) \
         UNION ALL SELECT * FROM (SELECT id, server, expires_at FROM outbox \
             WHERE channel = $1 AND lease_until > $4 AND head = 1 \
             ORDER BY lease_until LIMIT $5)",
    )
    .bind(channel.as_str())
    .bind(DbTime(now))
    .bind(DbTime(later(now, LONGEST_WAIT)))
    .bind(DbTime(later(now, LEASE)))
    .bind(AT_ONCE)
    .fetch_all(tx)?;
    rows.iter().map(due).collect()
}

/// A due letter to a server that is not full, where all that have been due for longest go to
/// full ones: asks server by server.
fn due_elsewhere(
    tx: &Tx<'_>,
    channel: Channel,
    full: &[String],
    now: Timestamp,
) -> sql::Result<Option<Due>> {
    let row = query(
        "WITH RECURSIVE servers(server) AS (\
             SELECT min(server) FROM outbox WHERE channel = $1 AND head = 1 \
                 AND lease_until IS NULL \
             UNION ALL SELECT (SELECT min(o.server) FROM outbox o WHERE o.channel = $1 \
                 AND o.head = 1 AND o.lease_until IS NULL AND o.server > servers.server) \
             FROM servers WHERE servers.server IS NOT NULL) \
         SELECT o.id, o.server, o.expires_at FROM servers CROSS JOIN outbox o \
             ON o.id = (SELECT d.id FROM outbox d WHERE d.channel = $1 \
                 AND d.server = servers.server AND d.head = 1 AND d.lease_until IS NULL \
                 AND d.not_before <= $2 ORDER BY d.not_before LIMIT 1) \
         WHERE servers.server IS NOT NULL \
         AND servers.server NOT IN (SELECT value FROM json_each($3)) LIMIT 1",
    )
    .bind(channel.as_str())
    .bind(DbTime(now))
    .bind(json(full))
    .fetch_optional(tx)?;
    row.as_ref().map(due).transpose()
}

/// Gives letters up, and returns those that were not given up before. A notice is remembered for a
/// while; a ping is nobody's loss once its service has noticed that it did not come.
fn give_up(tx: &Tx<'_>, ids: &[i64], now: Timestamp) -> sql::Result<Vec<Letter>> {
    let pings = query(
        "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each($1)) AND channel = 'ping' \
         RETURNING id, channel, kind, event, destination, server, body, tries, expires_at, error",
    )
    .bind(json(ids))
    .fetch_all(tx)?;
    let notices = query(
        "UPDATE outbox SET given_up_at = $2, lease_until = NULL \
         WHERE id IN (SELECT value FROM json_each($1)) AND given_up_at IS NULL \
         RETURNING id, channel, kind, event, destination, server, body, tries, expires_at, error",
    )
    .bind(json(ids))
    .bind(DbTime(now))
    .fetch_all(tx)?;
    pings.iter().chain(&notices).map(letter).collect()
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

fn letter(row: &Row) -> sql::Result<Letter> {
    let channel: String = row.get("channel")?;
    Ok(Letter {
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

#[cfg(test)]
mod tests;
