//! The end of a connection whose request was answered before all of it had arrived.
//!
//! If a socket is closed while it holds unread bytes, the system resets the connection, and a
//! client that is still writing may never see its answer. So for a moment, what still arrives is
//! read and discarded.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use super::places::Place;
use crate::clock::Clock;
use crate::limits;

/// The body of a request; its place knows whether more of it is to come.
pub(crate) struct IncomingBody {
    body: Incoming,
    place: Arc<Place>,
}

impl IncomingBody {
    pub(crate) fn new(body: Incoming, place: Arc<Place>) -> Self {
        place.leaves_body(!body.is_end_stream());
        IncomingBody { body, place }
    }
}

impl Body for IncomingBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.place
            .leaves_body(frame.is_some() && !self.body.is_end_stream());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads what still arrives, until there is no more or its time is over.
pub(crate) struct Discard {
    time: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Discard {
    pub(crate) fn new(clock: &Clock) -> Self {
        let clock = clock.clone();
        Discard {
            time: Box::pin(async move { clock.sleep(limits::DISCARD_TIME).await }),
        }
    }

    pub(crate) fn poll(
        &mut self,
        socket: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 16 * 1024];
        loop {
            // A client that sends forever must not be read forever.
            if self.time.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *socket).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
