//! Delivers one message of the outbox.

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::command;
use super::post::Post;
use crate::clock::{Clock, doubled, later};
use crate::config::NotifyCommand;
use crate::db::Db;
use crate::http::limits::NOTICE;
use crate::models::{Channel, LONGEST_MESSAGE_WAIT, OutboxMessage};

/// The wait before the second try; it doubles from there.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// The longest wait before another try of a ping.
const LONGEST_PING_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// The senders of each channel.
pub(super) struct Senders {
    pub(super) command: Option<NotifyCommand>,
    pub(super) url: Option<reqwest::Url>,
    pub(super) post: Post,
}

/// Sends one message and records the outcome. Returns why it was not delivered.
pub(super) async fn deliver(
    db: &Db,
    clock: &Clock,
    senders: &Senders,
    message: &OutboxMessage,
    abandoned: CancellationToken,
) -> Option<String> {
    let sent = tokio::select! {
        biased;
        sent = senders.send(message) => sent,
        () = abandoned.cancelled() => {
            // So that the next notifier can send it at once.
            let _ = db.return_message(message, None, clock.now()).await;
            return None;
        }
        () = clock.sleep(NOTICE) => Err(format!("it took longer than {NOTICE:?}")),
    };
    let noted = match &sent {
        Ok(()) => db.delete_delivered_message(message).await,
        Err(error) => {
            let longest = match message.channel {
                // The next pings wait behind it, and are worthless if they come late.
                Channel::Ping => LONGEST_PING_WAIT,
                Channel::Command | Channel::Url => LONGEST_MESSAGE_WAIT,
            };
            let wait = doubled(FIRST_WAIT, message.tries - 1, longest);
            db.return_message(message, Some(error), later(clock.now(), wait))
                .await
        }
    };
    if let Err(e) = noted {
        tracing::error!("a notice will be sent again: {}", e.chain());
    }
    sent.err()
}

impl Senders {
    async fn send(&self, message: &OutboxMessage) -> Result<(), String> {
        let none = || "it is no longer configured".to_owned();
        match message.channel {
            Channel::Command => {
                let command = self.command.as_ref().ok_or_else(none)?;
                command::run(command, message).await
            }
            Channel::Url => {
                let url = self.url.as_ref().ok_or_else(none)?;
                self.post.notice(url, message).await
            }
            Channel::Ping => self.post.ping(message).await,
        }
    }
}
