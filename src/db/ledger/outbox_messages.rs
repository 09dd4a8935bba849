//! Messages of the outbox: leasing one to send it, recording the result, and giving up those that
//! are too old.

use jiff::{SignedDuration, Timestamp};

use super::clock::sure_time;
use crate::clock::later;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::incidents;
use crate::db::statements::outbox_messages::{self, DueBy};
use crate::error::Result;
use crate::models::{Channel, LONGEST_MESSAGE_WAIT, NextMessage, OutboxCleanup, OutboxMessage};

/// How long a notifier has for one message before another may send it.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How long given-up messages and closed incidents are kept.
const MEMORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How many rows are examined or changed in one transaction: prompts wait for it.
const AT_ONCE: i64 = 100;

impl Db {
    /// Leases a message of a channel that may be sent now, the longest due first, but none to a
    /// server that is `full`. Until the lease ends, nobody else gets it or a later one of its lane.
    pub async fn lease_message(
        &self,
        channel: Channel,
        full: &[String],
        now: Timestamp,
    ) -> Result<NextMessage> {
        let full = full.to_owned();
        // Reading first, because writing waits for other writers.
        let chosen = self.read("look into the outbox", move |tx| {
            let by = DueBy {
                now,
                longest_wait: later(now, LONGEST_MESSAGE_WAIT),
                lease: later(now, LEASE),
            };
            let mut chosen = outbox_messages::list_due(tx, channel, &by, AT_ONCE)?;
            let found_some = !chosen.is_empty();
            chosen.retain(|d| !full.contains(&d.server));
            if chosen.is_empty() && found_some && !full.is_empty() {
                chosen.extend(outbox_messages::fetch_due_elsewhere(
                    tx, channel, &full, now,
                )?);
            }
            Ok(chosen)
        });
        let chosen = chosen.await?;
        match chosen.iter().find(|d| d.expires_at > now) {
            Some(due) => self.lease(due.id, now).await,
            None if chosen.is_empty() => Ok(NextMessage::Nothing),
            None => {
                let ids: Vec<i64> = chosen.iter().map(|d| d.id).collect();
                let given_up = self.write("give up old notices", move |tx| {
                    Ok(NextMessage::TooOld(give_up(tx, &ids, now)?))
                });
                given_up.await
            }
        }
    }

    async fn lease(&self, id: i64, now: Timestamp) -> Result<NextMessage> {
        self.write("look into the outbox", move |tx| {
            Ok(
                match outbox_messages::lease(tx, id, later(now, LEASE), now)? {
                    Some(message) => NextMessage::Due(Box::new(message)),
                    // Another notifier was quicker.
                    None => NextMessage::Nothing,
                },
            )
        })
        .await
    }

    /// Deletes a message that was delivered.
    ///
    /// # Errors
    /// If the database fails; then it will be sent again.
    pub async fn delete_delivered_message(&self, message: &OutboxMessage) -> Result<()> {
        let id = message.id;
        self.write("note that a notice was delivered", move |tx| {
            outbox_messages::delete(tx, id)?;
            Ok(())
        })
        .await
    }

    /// Returns a message that was not delivered, to be retried at `not_before`.
    ///
    /// # Errors
    /// If the database fails; then it is retried when its lease ends.
    pub async fn return_message(
        &self,
        message: &OutboxMessage,
        error: Option<&str>,
        not_before: Timestamp,
    ) -> Result<()> {
        let (id, tries) = (message.id, message.tries);
        let error = error.map(str::to_owned);
        self.write("note that a notice could not be delivered", move |tx| {
            outbox_messages::release(tx, id, tries, not_before, error.as_deref())?;
            Ok(())
        })
        .await
    }

    /// Gives up some messages that are too old, and deletes some that were given up or over long
    /// ago. Call it until there are no more.
    pub async fn tidy_outbox(&self, now: Timestamp) -> Result<OutboxCleanup> {
        const DOING: &str = "clean up the outbox";
        let found = self.read(DOING, move |tx| {
            let long_ago = sure_time(tx, now)?.checked_sub(MEMORY);
            let long_ago = long_ago.unwrap_or(Timestamp::MIN);
            // Looked for first: almost always there is nothing to write.
            Ok([
                outbox_messages::list_expired(tx, now, AT_ONCE)?,
                outbox_messages::list_given_up_before(tx, long_ago, AT_ONCE)?,
                incidents::list_closed_before(tx, long_ago, AT_ONCE)?,
            ])
        });
        let found = found.await?;
        if found.iter().all(Vec::is_empty) {
            return Ok(OutboxCleanup::default());
        }
        self.write(DOING, move |tx| {
            let [expired, forgotten, over] = &found;
            let given_up = give_up(tx, expired, now)?;
            outbox_messages::delete_all(tx, forgotten)?;
            incidents::delete_all(tx, over)?;
            let is_full = |ids: &Vec<i64>| i64::try_from(ids.len()) == Ok(AT_ONCE);
            Ok(OutboxCleanup {
                given_up,
                more: found.iter().any(is_full),
            })
        })
        .await
    }
}

/// Gives messages up, and returns those that were not given up before. A notice is kept for a
/// while; a ping is no loss once its service has noticed that it did not come.
fn give_up(tx: &Tx<'_>, ids: &[i64], now: Timestamp) -> sql::Result<Vec<OutboxMessage>> {
    let mut given_up = outbox_messages::delete_pings(tx, ids)?;
    given_up.extend(outbox_messages::mark_given_up(tx, ids, now)?);
    Ok(given_up)
}

#[cfg(test)]
mod tests;
