//! Who makes the requests that go on: no key, nor all that have none, may make so many that nobody
//! else is answered, and some places are the operator's alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::key_cache::KeyCache;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::limits;

/// Whose a request is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// Whoever reaches a server that asks for no key.
    Anybody,
    /// The operator's key of this hash.
    Operator(String),
    /// An agent's key of this hash.
    Agent(String),
    /// Somebody without a key that opens anything.
    Stranger,
}

/// What kind of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whether we are well, which everybody may ask however much others ask.
    Health,
    /// A request of ours, which ends by itself.
    Own,
    /// A call or a stream of MCP.
    Mcp,
    /// One that is passed on to Letta.
    Passed,
}

impl Kind {
    /// Whether it may go on for as long as its client or Letta likes.
    fn lasts(self) -> bool {
        matches!(self, Kind::Mcp | Kind::Passed)
    }
}

impl Holder {
    fn is_operator(&self) -> bool {
        matches!(self, Holder::Anybody | Holder::Operator(_))
    }
}

/// The requests that go on.
#[derive(Debug)]
pub(crate) struct Holders {
    all: usize,
    clock: Clock,
    state: Mutex<State>,
    /// The keys by which holders are known.
    pub(crate) keys: KeyCache,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// Requests that go on, with what they have sent.
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
    holders: Arc<Holders>,
}

impl Holders {
    pub(crate) fn new(all: usize, clock: Clock) -> Arc<Self> {
        Arc::new(Holders {
            all,
            clock,
            state: Mutex::default(),
            keys: KeyCache::default(),
        })
    }

    /// Notes a request.
    ///
    /// # Errors
    /// [`Code::TooMany`] if its holder makes its part of all requests already, or if only places are
    /// left that are kept for others.
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
                "as many requests of this key, or of callers without one, go on as may",
            ));
        }
        if !holder.is_operator() && count(&|r| !r.holder.is_operator()) >= kept {
            return Err(too_many(
                "as many requests go on as may, and what is left is kept for the operator",
            ));
        }
        if kind.lasts() && count(&|r| r.kind.lasts()) >= kept {
            return Err(too_many(
                "as many streams and requests to Letta go on as may, and what is left is kept for \
                 requests that end by themselves",
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
            holders: self.clone(),
        }
    }

    /// Ends the answers of those that `may_go_on` does not hold for.
    pub(crate) fn end_unless(&self, may_go_on: impl Fn(&Holder, Kind) -> bool) {
        for request in self.state().requests.values() {
            if !may_go_on(&request.holder, request.kind) {
                request.ended.cancel();
            }
        }
    }

    /// Whether any request goes on.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().requests.is_empty()
    }

    /// The time.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A panic elsewhere leaves it whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Request {
    /// Is cancelled when the answer has to end: its key was revoked.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Notes that so many bytes of its body are kept.
    ///
    /// # Errors
    /// [`Code::TooMany`] if too much is kept already, of its key or of all.
    pub(crate) fn keep(&self, bytes: usize) -> Result<()> {
        let mut state = self.holders.state();
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
                return Err(too_many("more bodies are being read than may be at a time"));
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
        self.holders.state().requests.remove(&self.id);
    }
}

/// A part of the places.
pub(crate) fn part(all: usize) -> usize {
    (all / limits::PART).max(1)
}

/// What is said of something that there is as much of as may be.
pub(crate) fn too_many(what: &str) -> Error {
    Error::new(
        Code::TooMany,
        format!("{what}: wait for some of them to end, and try again"),
    )
    .without_example()
}
