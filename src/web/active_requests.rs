//! The callers of running requests: no key, nor all callers without one together, may make so many
//! that nobody else is answered, and some places are reserved for the operator.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::key_cache::KeyCache;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::limits;

/// Whom a request belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// Anybody, on a server without keys.
    Anybody,
    /// The operator, by a key with this hash.
    Operator(String),
    /// An agent, by a key with this hash.
    Agent(String),
    /// Somebody without a valid key.
    Stranger,
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A health check, which everybody may always make.
    Health,
    /// A short request to one of our routes.
    Own,
    /// A call or a stream of MCP.
    Mcp,
    /// A request passed on to Letta.
    Passed,
}

impl Kind {
    /// Whether it may last as long as its client or Letta likes.
    fn lasts(self) -> bool {
        matches!(self, Kind::Mcp | Kind::Passed)
    }
}

impl Holder {
    fn is_operator(&self) -> bool {
        matches!(self, Holder::Anybody | Holder::Operator(_))
    }
}

/// The running requests.
#[derive(Debug)]
pub(crate) struct ActiveRequests {
    all: usize,
    clock: Clock,
    state: Mutex<State>,
    /// The keys that identify holders.
    pub(crate) keys: KeyCache,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// Running requests, with the bytes they have sent.
    requests: HashMap<u64, Going>,
}

#[derive(Debug)]
struct Going {
    holder: Holder,
    kind: Kind,
    bytes: usize,
    ended: CancellationToken,
}

/// One request, from its header until its answer is sent and nothing works on it any more.
#[derive(Debug)]
pub(crate) struct Request {
    id: u64,
    ended: CancellationToken,
    active_requests: Arc<ActiveRequests>,
}

impl ActiveRequests {
    pub(crate) fn new(all: usize, clock: Clock) -> Arc<Self> {
        Arc::new(ActiveRequests {
            all,
            clock,
            state: Mutex::default(),
            keys: KeyCache::default(),
        })
    }

    /// Registers a request.
    ///
    /// # Errors
    /// [`Code::TooMany`] if its holder already has its share of all requests, or if the remaining
    /// places are reserved for others.
    pub(crate) fn begin(self: &Arc<Self>, holder: Holder, kind: Kind) -> Result<Request> {
        let mut state = self.state();
        let count = |is_meant: &dyn Fn(&Going) -> bool| {
            state.requests.values().filter(|r| is_meant(r)).count()
        };
        let kept = self.all - part(self.all);
        if kind == Kind::Health {
            return Ok(self.add(&mut state, holder, kind));
        }
        if holder != Holder::Anybody && count(&|r| r.holder == holder) >= part(self.all) {
            return Err(too_many(
                "this key (or all callers without one) has reached its limit of concurrent requests",
            ));
        }
        if !holder.is_operator() && count(&|r| !r.holder.is_operator()) >= kept {
            return Err(too_many(
                "the limit of concurrent requests is reached, and the remaining places are \
                 reserved for the operator",
            ));
        }
        if kind.lasts() && count(&|r| r.kind.lasts()) >= kept {
            return Err(too_many(
                "the limit of streams and requests to Letta is reached, and the remaining places \
                 are reserved for short requests",
            ));
        }
        Ok(self.add(&mut state, holder, kind))
    }

    fn add(self: &Arc<Self>, state: &mut State, holder: Holder, kind: Kind) -> Request {
        state.last += 1;
        let id = state.last;
        let ended = CancellationToken::new();
        let going = Going {
            holder,
            kind,
            bytes: 0,
            ended: ended.clone(),
        };
        state.requests.insert(id, going);
        Request {
            id,
            ended,
            active_requests: self.clone(),
        }
    }

    /// Ends the answers of those for which `may_go_on` is false.
    pub(crate) fn end_unless(&self, may_go_on: impl Fn(&Holder, Kind) -> bool) {
        for request in self.state().requests.values() {
            if !may_go_on(&request.holder, request.kind) {
                request.ended.cancel();
            }
        }
    }

    /// Whether no request is running.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().requests.is_empty()
    }

    /// The time.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A panic elsewhere leaves the state intact.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Request {
    /// Cancelled when the answer has to end because its key was revoked.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Records that this many bytes of its body are kept.
    ///
    /// # Errors
    /// [`Code::TooMany`] if too much is already kept for its key or in total.
    pub(crate) fn keep(&self, bytes: usize) -> Result<()> {
        let mut state = self.active_requests.state();
        let Some(own) = state.requests.get(&self.id) else {
            return Ok(());
        };
        let after = own.bytes.saturating_add(bytes);
        if after > limits::SMALL_BODY {
            let of_all: usize = state.requests.values().map(|r| r.bytes).sum();
            let of_key = state.requests.values().filter(|r| r.holder == own.holder);
            let of_key: usize = of_key.map(|r| r.bytes).sum();
            let of_key_too_much =
                own.holder != Holder::Anybody && of_key + bytes > limits::BODIES_OF_KEY;
            if of_all + bytes > limits::BODIES || of_key_too_much {
                return Err(too_many("too many request bodies are being read at once"));
            }
        }
        if let Some(own) = state.requests.get_mut(&self.id) {
            own.bytes = after;
        }
        Ok(())
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.active_requests.state().requests.remove(&self.id);
    }
}

/// A caller's share of the places.
pub(crate) fn part(all: usize) -> usize {
    (all / limits::PART).max(1)
}

/// The error of reaching a limit of how many there may be at a time.
pub(crate) fn too_many(what: &str) -> Error {
    Error::new(
        Code::TooMany,
        format!("{what}: try again when some have finished"),
    )
    .without_example()
}
