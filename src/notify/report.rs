//! Logs messages that could not be delivered: the first one at once, the others as a total, because
//! a service that is down may cause a hundred thousand of them.

use crate::models::{Channel, OutboxMessage};

/// What happened since the last summary.
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

/// How often something happened after the first time, which was logged at once.
#[derive(Default)]
struct Counted {
    logged: bool,
    more: u64,
    last: String,
}

impl Counted {
    /// Whether to log this at once; otherwise it is counted.
    fn is_first(&mut self, error: &str) -> bool {
        if !self.logged {
            self.logged = true;
            return true;
        }
        self.more += 1;
        error.clone_into(&mut self.last);
        false
    }
}

impl Report {
    /// A message could not be delivered and will be retried.
    pub(super) fn failed(&mut self, message: &OutboxMessage, error: &str) {
        // Log only the first try: there will be many.
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
                "could not send {kind} {event} by {channel}: {error}; retrying until {expires_at}"
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
            let error = (message.error.as_deref()).unwrap_or("no notifier was running");
            if self.of(*channel).given_up.is_first(error) {
                tracing::warn!(
                    "gave up sending {kind} {event} by {channel} after {tries} tries: {error}"
                );
            }
        }
    }

    /// Logs a summary of what was not logged at once, and starts counting again.
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
                    "{more} more could not be sent by {channel} and are being retried; the last \
                     error: {last}"
                );
            }
            if given_up.more > 0 {
                let Counted { more, last, .. } = given_up;
                tracing::warn!("gave up sending {more} more by {channel}; the last error: {last}");
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
