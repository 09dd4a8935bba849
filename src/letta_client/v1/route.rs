//! The routes by which a server accepts prompts.

use std::sync::{Mutex, PoisonError};

/// A route by which a server accepts prompts, the best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SendRoute {
    /// A background stream on the agent's default conversation: Letta itself admits one turn at a
    /// time and accepts an otid only once. Needs Letta 0.16.7 with Redis.
    #[default]
    Background,
    /// A plain stream, without a lock or a memory of otids.
    Stream,
    /// A background run that is polled until it ends.
    Async,
}

impl SendRoute {
    /// The next best route.
    pub(super) fn next(self) -> Option<SendRoute> {
        match self {
            SendRoute::Background => Some(SendRoute::Stream),
            SendRoute::Stream => Some(SendRoute::Async),
            SendRoute::Async => None,
        }
    }
}

/// The best route that a server is known to support.
#[derive(Debug, Default)]
pub(super) struct KnownRoute(Mutex<SendRoute>);

impl KnownRoute {
    /// The route to try first.
    pub(super) fn best(&self) -> SendRoute {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a route that worked.
    pub(super) fn remember(&self, route: SendRoute) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = route;
    }

    /// Starts from the best route again: another server may answer now, or the same one with Redis.
    pub(super) fn forget(&self) {
        self.remember(SendRoute::default());
    }
}
