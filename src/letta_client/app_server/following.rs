//! Following a conversation for one prompt.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use uuid::Uuid;

use super::connection::Connection;
use super::protocol::{Event, Scope};
use super::turns::TurnWatch;

/// A conversation that is followed for one prompt.
pub(super) struct Following {
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) watch: TurnWatch,
}

impl Following {
    /// Follows a conversation from now on.
    pub(super) fn new(talking: &Connection, scope: &Scope, otids: &[Uuid]) -> Self {
        Following {
            events: talking.follow(scope),
            watch: TurnWatch::of(otids),
        }
    }

    /// Processes every event that has arrived; returns false if no more will.
    pub(super) fn catch_up(&mut self) -> bool {
        loop {
            match self.events.try_recv() {
                Ok(event) => self.watch.take(event),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }
}

/// A search for a prompt, whose turn is followed between one check and the next.
pub(super) struct PendingSearch {
    /// The connection over which it is followed.
    pub(super) talking: Arc<Connection>,
    pub(super) following: Following,
    /// How often the conversation has reported that no turn is running.
    pub(super) silences: u32,
}
