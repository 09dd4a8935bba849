//! The body of an answer, with everything that has to live as long.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A body that keeps something alive until it has been sent or abandoned, and that can be ended
/// early.
pub struct Answer<T> {
    body: Body,
    ended: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Whether it is complete whenever it ends, as a stream is.
    is_stream: bool,
    _kept: T,
}

impl<T> Answer<T> {
    /// A body that keeps something alive.
    pub fn new(body: Body, kept: T) -> Self {
        Answer {
            body,
            ended: None,
            is_stream: false,
            _kept: kept,
        }
    }

    /// The same, but it breaks off once `ended` is cancelled.
    pub fn until(body: Body, ended: CancellationToken, kept: T) -> Self {
        Answer {
            ended: Some(Box::pin(ended.cancelled_owned())),
            ..Answer::new(body, kept)
        }
    }

    /// The same for a stream, which then ends as if it were complete.
    pub fn ending_with(body: Body, ended: CancellationToken, kept: T) -> Self {
        Answer {
            is_stream: true,
            ..Answer::until(body, ended, kept)
        }
    }
}

impl<T: Unpin> HttpBody for Answer<T> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(ended) = &mut self.ended
            && ended.as_mut().poll(context).is_ready()
        {
            let broken_off = (!self.is_stream).then(|| Err("the answer was ended".into()));
            return Poll::Ready(broken_off);
        }
        Pin::new(&mut self.body)
            .poll_frame(context)
            .map_err(BoxError::from)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
