//! What is being sent while the outbox is emptied.

use jiff::Timestamp;
use tokio::task::{JoinError, JoinSet};

use super::report::Report;
use crate::error::Result;
use crate::models::{Channel, OutboxMessage};

/// The messages that are being sent while the outbox is emptied.
#[derive(Default)]
pub(super) struct Round {
    pub(super) sending: JoinSet<Ended>,
    /// The channel and server of each message being sent.
    pub(super) busy: Vec<(Channel, String)>,
    /// When to clean up next.
    pub(super) tidy_at: Option<Timestamp>,
    /// Whether the last cleanup left something to do.
    pub(super) tidy_more: bool,
    /// Whether the last database access failed.
    pub(super) failing: bool,
    pub(super) report: Report,
}

/// A message that is no longer being sent.
pub(super) struct Ended {
    pub(super) message: OutboxMessage,
    /// Why it was not delivered.
    pub(super) failure: Option<String>,
}

impl Round {
    /// Collects every message that has ended, without waiting.
    pub(super) fn note_ended(&mut self) {
        while let Some(ended) = self.sending.try_join_next() {
            self.note(ended);
        }
    }

    pub(super) fn note(&mut self, ended: std::result::Result<Ended, JoinError>) {
        match ended {
            Ok(Ended { message, failure }) => {
                let is_it = |(channel, server): &(Channel, String)| {
                    *channel == message.channel && *server == message.server
                };
                if let Some(at) = self.busy.iter().position(is_it) {
                    self.busy.swap_remove(at);
                }
                if let Some(error) = failure {
                    self.report.failed(&message, &error);
                }
            }
            // Its message can be sent again when its lease ends.
            Err(_) => {
                tracing::error!("sending a notice was stopped by an internal error");
                self.busy.clear();
            }
        }
    }

    /// The servers that get no more pings for now; `None` if the whole channel is full. A server
    /// gets half of the places that others leave free, so that one that hangs leaves some for the
    /// rest.
    pub(super) fn full_servers(&self, channel: Channel) -> Option<Vec<String>> {
        let busy = self.busy.iter().filter(|(c, _)| *c == channel);
        let busy: Vec<&String> = busy.map(|(_, server)| server).collect();
        let room = room(channel);
        if busy.len() >= room {
            return None;
        }
        let is_full = |server: &&&String| {
            let own = busy.iter().filter(|b| *b == *server).count();
            channel == Channel::Ping && own * 2 >= room - (busy.len() - own)
        };
        Some(busy.iter().filter(is_full).map(|s| (*s).clone()).collect())
    }

    /// Whether there is more to do at once. Logs once when the database fails.
    pub(super) fn is_more(&mut self, worked: Result<bool>) -> bool {
        if let Err(e) = &worked
            && !self.failing
        {
            tracing::error!("notices are waiting: {}", e.chain());
        }
        self.failing = worked.is_err();
        worked.unwrap_or(false)
    }
}

/// How many messages of a channel may be sent at once: one that hangs delays few others.
fn room(channel: Channel) -> usize {
    match channel {
        Channel::Command | Channel::Url => 4,
        Channel::Ping => 32,
    }
}
