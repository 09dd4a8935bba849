//! What the log tells of messages that do not arrive: the first one at once, the others as a sum, since
//! a service that is away may leave a hundred thousand of them.

use crate::models::{Channel, OutboxMessage};

/// What happened since it was last summed up.
#[derive(Default)]
pub(super) struct Report {
    channels: Vec<Events>,
}

/// What happened on a channel.
struct Events {
    channel: Channel,
    failed: Counted,
    given_up: Counted,
}

/// How often something happened, beside the first time, which was told at once.
#[derive(Default)]
struct Counted {
    told: bool,
    more: u64,
    last: String,
}

impl Counted {
    /// Whether this is to be told at once; otherwise it is counted.
    fn is_first(&mut self, error: &str) -> bool {
        if !self.told {
            self.told = true;
            return true;
        }
        self.more += 1;
        error.clone_into(&mut self.last);
        false
    }
}

impl Report {
    /// A message could not be delivered, and is tried again.
    pub(super) fn failed(&mut self, message: &OutboxMessage, error: &str) {
        // Once is enough: it is tried again often.
        if message.tries > 1 {
            return;
        }
        if self.of(message.channel).failed.is_first(error) {
            let OutboxMessage {
                channel,
                kind,
                event,
                expires_at,
                ..
            } = message;
            tracing::warn!(
                "could not send {kind} {event} by {channel}: {error}; it is tried again until \
                 {expires_at}"
            );
        }
    }

    /// Messages were given up.
    pub(super) fn given_up(&mut self, messages: &[OutboxMessage]) {
        for message in messages {
            let OutboxMessage {
                channel,
                kind,
                event,
                tries,
                ..
            } = message;
            let error = (message.error.as_deref()).unwrap_or("nobody was there to send it");
            if self.of(*channel).given_up.is_first(error) {
                tracing::warn!(
                    "gave up sending {kind} {event} by {channel} after {tries} tries: {error}"
                );
            }
        }
    }

    /// Tells the sum of what was not told one by one, and begins anew.
    pub(super) fn sum_up(&mut self) {
        for Events {
            channel,
            failed,
            given_up,
        } in self.channels.drain(..)
        {
            if failed.more > 0 {
                let Counted { more, last, .. } = failed;
                tracing::warn!(
                    "{more} more could not be sent by {channel}, and are tried again; the last: {last}"
                );
            }
            if given_up.more > 0 {
                let Counted { more, last, .. } = given_up;
                tracing::warn!("gave up sending {more} more by {channel}; the last: {last}");
            }
        }
    }

    fn of(&mut self, channel: Channel) -> &mut Events {
        let at = match self.channels.iter().position(|e| e.channel == channel) {
            Some(at) => at,
            None => {
                self.channels.push(Events {
                    channel,
                    failed: Counted::default(),
                    given_up: Counted::default(),
                });
                self.channels.len() - 1
            }
        };
        &mut self.channels[at]
    }
}
