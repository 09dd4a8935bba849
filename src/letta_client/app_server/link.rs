//! The connection to a server, made when it is needed and again after it broke.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::sync::Mutex;

use super::connection::Connection;
use super::upgrade::Connector;
use crate::clock::{Clock, doubled};
use crate::models::Refusal;

/// How long nobody tries to connect after a failed attempt; it doubles each time.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_millis(250);

/// The longest pause between attempts.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// A connection that is made when it is needed.
pub(super) struct Link {
    connector: Connector,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Arc<Connection>>,
    /// The last attempt, if it failed.
    failed: Option<Failed>,
}

struct Failed {
    /// When, by the clock that never jumps.
    at: SignedDuration,
    /// How many failed in a row.
    times: i64,
    why: Refusal,
}

impl Link {
    /// A link that is not connected yet.
    pub(super) fn new(connector: Connector, clock: Clock) -> Self {
        Link {
            connector,
            clock,
            state: Mutex::default(),
        }
    }

    /// The connection. Callers that ask during an attempt, or right after it failed, share its
    /// result.
    pub(super) async fn get(&self) -> Result<Arc<Connection>, Refusal> {
        let mut state = self.state.lock().await;
        if let Some(open) = state.open.as_ref().filter(|open| !open.has_ended()) {
            return Ok(open.clone());
        }
        state.open = None;
        if let Some(failed) = &state.failed {
            let pause = doubled(FIRST_PAUSE, failed.times - 1, LONGEST_PAUSE);
            if self.clock.moment().uptime - failed.at < pause {
                return Err(failed.why.clone());
            }
        }
        match self.connector.open().await {
            Ok(socket) => {
                let open = Arc::new(Connection::serve(socket, self.clock.clone()));
                *state = State {
                    open: Some(open.clone()),
                    failed: None,
                };
                Ok(open)
            }
            Err(why) => {
                let times = state.failed.as_ref().map_or(0, |failed| failed.times) + 1;
                let at = self.clock.moment().uptime;
                let failed = Failed {
                    at,
                    times,
                    why: why.clone(),
                };
                state.failed = Some(failed);
                Err(why)
            }
        }
    }

    /// The connection, if it is open now.
    pub(super) async fn opened(&self) -> Option<Arc<Connection>> {
        let state = self.state.lock().await;
        state.open.clone().filter(|open| !open.has_ended())
    }
}
