//! By which route a server takes prompts.

use std::sync::{Mutex, PoisonError};

/// A route by which a server takes prompts, the best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SendRoute {
    /// A background stream on the agent's default conversation: Letta itself lets in one turn at a
    /// time and takes an otid only once. Needs Letta 0.16.7 with Redis.
    #[default]
    Background,
    /// A plain stream: no lock and no memory of otids.
    Stream,
    /// A run in the background that is asked after until it ends.
    Async,
}

impl SendRoute {
    /// The next best.
    pub(super) fn next(self) -> Option<SendRoute> {
        match self {
            SendRoute::Background => Some(SendRoute::Stream),
            SendRoute::Stream => Some(SendRoute::Async),
            SendRoute::Async => None,
        }
    }
}

/// The best route that a server is known to have.
#[derive(Debug, Default)]
pub(super) struct KnownRoute(Mutex<SendRoute>);

impl KnownRoute {
    /// The route to try first.
    pub(super) fn best(&self) -> SendRoute {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a route that the server took.
    pub(super) fn remember(&self, route: SendRoute) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = route;
    }

    /// Starts from the best route again: another server may answer now, or the same with Redis.
    pub(super) fn forget(&self) {
        self.remember(SendRoute::default());
    }
}
