//! The places of connections: how many there are, who has them, and whose connection is closed when
//! none is left. A place is meant for clients that make the server work; one that only keeps it
//! waiting, by not sending or not reading, loses its place first.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::active_requests::{ActiveRequests, part};
use crate::clock::Clock;

/// How often to check for a place to free while somebody waits for one.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long a connection may wait for its next request while others wait for a place.
const IDLE_GRACE: SignedDuration = SignedDuration::from_secs(1);

/// How long a client may keep us waiting within a request while others wait for a place.
const STALL_GRACE: SignedDuration = SignedDuration::from_secs(5);

/// All places of a server.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    all: usize,
    trusted: Vec<IpAddr>,
    clock: Clock,
    held: Mutex<Held>,
    /// The requests made on these connections.
    pub(crate) active_requests: Arc<ActiveRequests>,
}

#[derive(Debug, Default)]
struct Held {
    last: u64,
    places: HashMap<u64, Arc<State>>,
}

/// What is known about a connection.
#[derive(Debug)]
struct State {
    network: IpAddr,
    waits: Mutex<Waits>,
    sending: Mutex<Sending>,
    closed: CancellationToken,
    /// Whether part of the current request's body has not been read.
    leaves_body: AtomicBool,
}

/// An answer being sent to the client.
#[derive(Default)]
struct Sending {
    /// Whether all of it has been written, even if the system has not taken it yet.
    is_whole: bool,
    /// Kept alive until it is sent.
    _kept: Option<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Sending");
        shown
            .field("is_whole", &self.is_whole)
            .finish_non_exhaustive()
    }
}

/// What a connection waits for from its client, and since when.
#[derive(Clone, Copy, Debug, Default)]
struct Waits {
    request: Option<SignedDuration>,
    body: Option<SignedDuration>,
    reader: Option<SignedDuration>,
}

/// The place of one connection. Requests that outlive their connection keep it too.
#[derive(Debug)]
pub(crate) struct Place {
    id: u64,
    state: Arc<State>,
    places: Arc<Places>,
    _permit: OwnedSemaphorePermit,
}

/// Something that the client has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owed {
    /// Send its next request.
    Request,
    /// Send the next piece of a body.
    Body,
    /// Read what we have written.
    Reading,
}

impl Places {
    /// Creates this many places. One address of another machine may hold a share of them, unless it
    /// is one of the `trusted` ones.
    pub(crate) fn new(all: usize, trusted: Vec<IpAddr>, clock: Clock) -> Arc<Self> {
        Arc::new(Places {
            free: Arc::new(Semaphore::new(all)),
            all,
            trusted,
            active_requests: ActiveRequests::new(all, clock.clone()),
            clock,
            held: Mutex::default(),
        })
    }

    /// A place for a connection from `address`, as soon as there is one. `None` if that address
    /// already has its share.
    pub(crate) async fn take(self: &Arc<Self>, address: IpAddr) -> Option<Arc<Place>> {
        let network = network(address);
        if self.is_limited(address) && self.held_by(network) >= part(self.all) {
            return None;
        }
        let permit = loop {
            let next = self.free.clone().acquire_owned();
            tokio::select! {
                biased;
                permit = next => break permit.ok()?,
                () = self.clock.sleep(LOOK_AGAIN) => self.free_one(),
            }
        };
        let state = Arc::new(State {
            network,
            waits: Mutex::default(),
            sending: Mutex::default(),
            closed: CancellationToken::new(),
            leaves_body: AtomicBool::new(false),
        });
        let mut held = self.held();
        held.last += 1;
        let id = held.last;
        held.places.insert(id, state.clone());
        drop(held);
        let place = Place {
            id,
            state,
            places: self.clone(),
            _permit: permit,
        };
        place.owes(Owed::Request);
        Some(Arc::new(place))
    }

    /// Closes the connection that has kept us waiting the longest, if that is long enough.
    fn free_one(&self) {
        let now = self.clock.moment().uptime;
        let held = self.held();
        let longest = held
            .places
            .values()
            .filter(|state| !state.closed.is_cancelled())
            .filter_map(|state| Some((lock(&state.waits).patience_ended(now)?, state)))
            .max_by_key(|(waited, _)| *waited);
        if let Some((_, state)) = longest {
            state.closed.cancel();
        }
    }

    fn is_limited(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        !address.is_loopback() && !self.trusted.contains(&address)
    }

    fn held_by(&self, network: IpAddr) -> usize {
        let held = self.held();
        let of = held.places.values().filter(|s| s.network == network);
        of.count()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }
}

impl Waits {
    /// How far it has exceeded the time it may keep us waiting.
    fn patience_ended(&self, now: SignedDuration) -> Option<SignedDuration> {
        let over = |since: Option<SignedDuration>, grace| {
            let over = now - since? - grace;
            (!over.is_negative()).then_some(over)
        };
        let all = [
            over(self.request, IDLE_GRACE),
            over(self.body, STALL_GRACE),
            over(self.reader, STALL_GRACE),
        ];
        all.into_iter().flatten().max()
    }
}

impl Place {
    /// Records that the client has to do something; the time counts from the first such call.
    pub(crate) fn owes(&self, what: Owed) {
        let now = self.places.clock.moment().uptime;
        lock(&self.state.waits).of(what).get_or_insert(now);
    }

    /// Records that the client has done it.
    pub(crate) fn gave(&self, what: Owed) {
        *lock(&self.state.waits).of(what) = None;
    }

    /// Keeps something alive until the answer to the current request has been sent, or can no
    /// longer be.
    pub(crate) fn keep_until_sent(&self, kept: Arc<dyn Any + Send + Sync>) {
        *lock(&self.state.sending) = Sending {
            is_whole: false,
            _kept: Some(kept),
        };
    }

    /// Records that all of an answer has been written.
    pub(crate) fn answered(&self) {
        self.gave(Owed::Body);
        lock(&self.state.sending).is_whole = true;
    }

    /// Records that the system has taken everything that was written: after a whole answer, it is
    /// the client's turn to send a request.
    pub(crate) fn flushed(&self) {
        if lock(&self.state.sending).is_whole {
            self.drop_kept();
            self.owes(Owed::Request);
        }
    }

    /// Drops what was kept until an answer is sent.
    pub(crate) fn drop_kept(&self) {
        let sent = std::mem::take(&mut *lock(&self.state.sending));
        drop(sent);
    }

    /// Records whether part of the current request's body has not been read.
    pub(crate) fn leaves_body(&self, leaves: bool) {
        self.state.leaves_body.store(leaves, Ordering::Relaxed);
    }

    /// Whether the last request was left before its body was complete.
    pub(crate) fn has_left_body(&self) -> bool {
        self.state.leaves_body.load(Ordering::Relaxed)
    }

    /// Cancelled when the connection has to be closed for another one.
    pub(crate) fn closed(&self) -> CancellationToken {
        self.state.closed.clone()
    }

    /// The places it belongs to.
    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// The time.
    pub(crate) fn clock(&self) -> &Clock {
        &self.places.clock
    }
}

impl Waits {
    fn of(&mut self, what: Owed) -> &mut Option<SignedDuration> {
        match what {
            Owed::Request => &mut self.request,
            Owed::Body => &mut self.body,
            Owed::Reading => &mut self.reader,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.held().places.remove(&self.id);
    }
}

/// What counts as one address: an IPv6 client has a whole network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let s = v6.segments();
            [s[0], s[1], s[2], s[3], 0, 0, 0, 0].into()
        }
        v4 => v4,
    }
}

/// A panic elsewhere leaves these values intact.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(all: usize, trusted: &[&str]) -> (Arc<Places>, Clock) {
        let clock = Clock::manual("2026-02-01T12:00:00Z".parse().unwrap());
        let trusted = trusted.iter().map(|a| a.parse().unwrap()).collect();
        (Places::new(all, trusted, clock.clone()), clock)
    }

    async fn take(places: &Arc<Places>, address: &str) -> Option<Arc<Place>> {
        places.take(address.parse().unwrap()).await
    }

    #[tokio::test]
    async fn one_address_of_another_machine_holds_a_part_and_a_proxy_or_this_machine_all() {
        for (address, all) in [
            ("192.0.2.1", 2),
            ("2001:db8::1", 2),
            ("::ffff:192.0.2.1", 2),
            ("127.0.0.1", 8),
            ("127.9.9.9", 8),
            ("::1", 8),
            ("192.0.2.9", 8),
        ] {
            let (places, _) = places(8, &["192.0.2.9"]);
            let mut held = Vec::new();
            for _ in 0..all {
                held.push(take(&places, address).await.expect(address));
            }
            if all == 2 {
                assert!(take(&places, address).await.is_none(), "{address}");
                // Nor does its neighbour on the same network, where there are that many.
                let near = take(&places, "2001:db8::2").await;
                assert_eq!(near.is_none(), address.starts_with("2001"), "{address}");
                held.pop();
                assert!(take(&places, address).await.is_some(), "{address}");
            }
        }
    }

    #[tokio::test]
    async fn whoever_keeps_us_waiting_the_longest_gives_its_place_up_and_nobody_else_does() {
        let (places, clock) = places(3, &[]);
        let works = take(&places, "127.0.0.1").await.unwrap();
        works.gave(Owed::Request);
        let stalls = take(&places, "127.0.0.1").await.unwrap();
        stalls.gave(Owed::Request);
        stalls.owes(Owed::Reading);
        let uploads = take(&places, "127.0.0.1").await.unwrap();
        uploads.gave(Owed::Request);
        let newcomer = tokio::spawn({
            let places = places.clone();
            async move { take(&places, "127.0.0.1").await }
        });
        let tick = async |times: u32| {
            for _ in 0..times {
                tokio::task::yield_now().await;
                clock.advance(SignedDuration::from_millis(250));
                tokio::task::yield_now().await;
            }
        };
        tick(10).await;
        uploads.owes(Owed::Body);
        assert!(!stalls.closed().is_cancelled(), "too soon");
        tick(12).await;
        assert!(stalls.closed().is_cancelled());
        drop(stalls);
        assert!(newcomer.await.unwrap().is_some());
        assert!(!works.closed().is_cancelled() && !uploads.closed().is_cancelled());
    }
}
