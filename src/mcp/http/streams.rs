//! Open streams and running calls: how many there may be, and that no two calls of a session use
//! the same id.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::limits;

/// The open streams.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    last: u64,
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    id: u64,
    session: String,
    owner: Option<String>,
    ended: CancellationToken,
}

/// One open stream.
#[derive(Debug)]
pub(super) struct OpenStream {
    id: u64,
    ended: CancellationToken,
    streams: Streams,
}

impl Streams {
    /// Opens a stream of a session; if the session has as many as allowed, its oldest one ends.
    /// `None` if the owner has as many as allowed.
    pub fn open(&self, session: &str, owner: Option<&str>) -> Option<OpenStream> {
        let mut open = lock(&self.0);
        let of_session = |s: &Stream| s.session == session;
        if open.streams.iter().filter(|s| of_session(s)).count() >= limits::STREAMS_OF_SESSION
            && let Some(oldest) = open.streams.iter().position(of_session)
        {
            open.streams.remove(oldest).ended.cancel();
        }
        let of_owner = open.streams.iter().filter(|s| s.owner.as_deref() == owner);
        if of_owner.count() >= limits::STREAMS_OF_KEY {
            return None;
        }
        open.last += 1;
        let id = open.last;
        let ended = CancellationToken::new();
        open.streams.push(Stream {
            id,
            session: session.to_owned(),
            owner: owner.map(str::to_owned),
            ended: ended.clone(),
        });
        Some(OpenStream {
            id,
            ended,
            streams: self.clone(),
        })
    }
}

impl OpenStream {
    /// Cancelled when the stream has to end for another one.
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        lock(&self.streams.0).streams.retain(|s| s.id != self.id);
    }
}

/// The running calls, by session and id (as JSON).
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<Mutex<HashSet<(String, String)>>>);

/// A call, until it is answered and nothing works on it any more.
#[derive(Debug)]
pub(super) struct GoingCall {
    name: (String, String),
    calls: Calls,
}

impl Calls {
    /// Registers a call. `None` if one with the same id is running in its session: the second
    /// caller would get the first one's answer.
    pub fn begin(&self, session: &str, id: &Value) -> Option<GoingCall> {
        let name = (session.to_owned(), id.to_string());
        let is_new = lock(&self.0).insert(name.clone());
        is_new.then(|| GoingCall {
            name,
            calls: self.clone(),
        })
    }
}

impl Drop for GoingCall {
    fn drop(&mut self) {
        lock(&self.calls.0).remove(&self.name);
    }
}

/// A panic elsewhere leaves these values intact.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_opens_another_stream_loses_its_oldest_one_and_a_key_gets_no_more() {
        let streams = Streams::default();
        let mut open: Vec<OpenStream> = Vec::new();
        for _ in 0..limits::STREAMS_OF_SESSION {
            open.push(streams.open("s", Some("key")).unwrap());
        }
        open.push(streams.open("s", Some("key")).unwrap());
        let ended: Vec<bool> = open.iter().map(|s| s.ended().is_cancelled()).collect();
        assert!(ended[0] && !ended[1..].contains(&true), "{ended:?}");
        open.remove(0);
        for n in open.len()..limits::STREAMS_OF_KEY {
            let session = format!("s{}", n / limits::STREAMS_OF_SESSION);
            open.push(streams.open(&session, Some("key")).unwrap());
        }
        assert!(streams.open("new", Some("key")).is_none());
        assert!(streams.open("new", None).is_some());
        open.pop();
        assert!(streams.open("new", Some("key")).is_some());
    }

    #[test]
    fn an_id_is_free_again_once_its_call_is_over() {
        let calls = Calls::default();
        let first = calls.begin("s", &1.into()).unwrap();
        assert!(calls.begin("s", &1.into()).is_none());
        assert!(calls.begin("t", &1.into()).is_some());
        assert!(calls.begin("s", &"1".into()).is_some());
        drop(first);
        assert!(calls.begin("s", &1.into()).is_some());
    }
}
