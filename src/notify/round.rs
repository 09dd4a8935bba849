//! What is on its way while the outbox is being emptied.

use jiff::Timestamp;
use tokio::task::{JoinError, JoinSet};

use super::report::Report;
use crate::error::Result;
use crate::models::{Channel, OutboxMessage};

/// What goes on while the outbox is being emptied.
#[derive(Default)]
pub(super) struct Round {
    pub(super) sending: JoinSet<Ended>,
    /// The channel and the server of each message on its way.
    pub(super) busy: Vec<(Channel, String)>,
    /// When to tidy next.
    pub(super) tidy_at: Option<Timestamp>,
    /// Whether the last tidying has left something.
    pub(super) tidy_more: bool,
    /// Whether the database failed last.
    pub(super) failing: bool,
    pub(super) report: Report,
}

/// A message that is no longer on its way.
pub(super) struct Ended {
    pub(super) message: OutboxMessage,
    /// Why it was not delivered.
    pub(super) failure: Option<String>,
}

impl Round {
    /// Notes every message that has ended, without waiting.
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
            // Its message is free again when its lease ends.
            Err(_) => {
                tracing::error!("an internal fault broke a notice off");
                self.busy.clear();
            }
        }
    }

    /// The servers that get no more pings for now; `None` if the whole channel has no room. Of the
    /// places that others leave a server gets half, so that one that hangs leaves some for the rest.
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

    /// Whether there is more to do at once. Says once that the database fails.
    pub(super) fn is_more(&mut self, worked: Result<bool>) -> bool {
        if let Err(e) = &worked
            && !self.failing
        {
            tracing::error!("notices wait: {}", e.chain());
        }
        self.failing = worked.is_err();
        worked.unwrap_or(false)
    }
}

/// How many messages of a channel may be on their way at once: one that hangs delays few others.
fn room(channel: Channel) -> usize {
    match channel {
        Channel::Command | Channel::Url => 4,
        Channel::Ping => 32,
    }
}
