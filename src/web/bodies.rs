//! The bodies of requests: how large they may be, how long they may take, and how much of them is
//! held in memory at a time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::request::Parts;
use hyper::body::{Frame, SizeHint};

use super::admission::Admitted;
use super::places::Owed;
use super::problem::Problem;
use crate::clock::Clock;
use crate::error::{Code, Error, Example};
use crate::limits;

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unread {
    error: Error,
    /// The HTTP status, if it is not the usual one of the error's code.
    status: Option<StatusCode>,
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Unread {
            error,
            status: None,
        }
    }
}

impl Unread {
    /// The problem to answer with; `example` is a body that is accepted.
    pub fn to_problem(&self, example: Option<Example>) -> Problem {
        let mut error = self.error();
        if let (Code::RequestInvalid, Some(example)) = (error.code(), example) {
            error = error.example(example);
        }
        match self.status {
            Some(status) => Problem::with_status(error, status),
            None => error.into(),
        }
    }

    /// The error.
    pub(crate) fn error(&self) -> Error {
        Error::new(self.error.code(), self.error.to_string())
    }

    /// Whether the body is too large.
    pub(crate) fn is_too_large(&self) -> bool {
        self.status == Some(StatusCode::PAYLOAD_TOO_LARGE)
    }
}

/// A body that ends with one of our errors when its client exceeds a limit.
struct Watched {
    body: Body,
    clock: Clock,
    /// Ends when the next piece has not come for too long; only set while we wait for it.
    silence: Option<Wait>,
    /// Ends when the whole body has taken too long.
    time: Option<Wait>,
    /// How much more may come; `None` if any amount may, because it is not kept.
    left: Option<usize>,
    admitted: Option<Arc<Admitted>>,
}

/// The request with its body limited to `most` bytes. It is held in memory and counts toward the
/// limit of all bodies.
///
/// # Errors
/// If it announces a larger size.
pub fn bounded(request: Request, most: usize) -> Result<Request, Unread> {
    let declared = request.body().size_hint().lower();
    if declared > most as u64 {
        return Err(too_large(most));
    }
    Ok(watched(request, Some(most)))
}

/// The request with a body that is passed on piece by piece.
pub(crate) fn passed_on(request: Request) -> Request {
    watched(request, None)
}

fn watched(request: Request, left: Option<usize>) -> Request {
    let admitted = request.extensions().get::<Arc<Admitted>>().cloned();
    let clock = match &admitted {
        Some(admitted) => admitted.place().clock().clone(),
        None => Clock::system(),
    };
    request.map(|body| match body.is_end_stream() {
        true => body,
        false => Body::new(Watched {
            time: left.is_some().then(|| wait(&clock, limits::BODY_TIME)),
            body,
            clock,
            silence: None,
            left,
            admitted,
        }),
    })
}

fn wait(clock: &Clock, time: std::time::Duration) -> Wait {
    let clock = clock.clone();
    Box::pin(async move { clock.sleep(time).await })
}

/// Reads a whole request.
///
/// # Errors
/// [`Code::TooMany`], and [`Code::RequestInvalid`] if the body is too large or incomplete.
pub async fn read(request: Request, most: usize) -> Result<(Parts, Bytes), Problem> {
    let bounded = bounded(request, most).map_err(|e| e.to_problem(None))?;
    let (parts, body) = bounded.into_parts();
    let bytes = to_bytes(body, most).await.map_err(|e| refused(&e, None))?;
    Ok((parts, bytes))
}

/// The answer to a body that could not be read: our reason for refusing it, or that it broke off.
pub(crate) fn refused(
    error: &(dyn std::error::Error + 'static),
    example: Option<Example>,
) -> Problem {
    match cause(error) {
        Some(own) => own.to_problem(example),
        None => Unread::from(broken()).to_problem(example),
    }
}

/// The error of ours that ended a body, if there is one.
pub(crate) fn cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Unread> {
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(own) = e.downcast_ref() {
            return Some(own);
        }
        next = e.source();
    }
    None
}

/// The error of a body that its client did not complete.
pub(crate) fn broken() -> Error {
    Error::new(Code::RequestInvalid, "the body is incomplete or malformed")
}

/// The error of a body that is larger than it may be.
pub fn too_large(most: usize) -> Unread {
    let most = limits::Amount::Bytes(most);
    Unread {
        error: Error::new(
            Code::RequestInvalid,
            format!("the body is larger than the limit of {most}"),
        ),
        status: Some(StatusCode::PAYLOAD_TOO_LARGE),
    }
}

impl Watched {
    fn came(&mut self, bytes: usize) -> Result<(), Unread> {
        let Some(left) = &mut self.left else {
            return Ok(());
        };
        match left.checked_sub(bytes) {
            Some(rest) => *left = rest,
            None => return Err(too_large(limits::BODY)),
        }
        match &self.admitted {
            Some(admitted) => Ok(admitted.keep(bytes)?),
            None => Ok(()),
        }
    }

    fn owes(&self, owes: bool) {
        match (&self.admitted, owes) {
            (Some(admitted), true) => admitted.place().owes(Owed::Body),
            (Some(admitted), false) => admitted.place().gave(Owed::Body),
            (None, _) => {}
        }
    }

    /// Whether the client has kept us waiting for too long.
    fn is_late(&mut self, context: &mut Context<'_>) -> Option<Error> {
        let clock = &self.clock;
        let silence = self
            .silence
            .get_or_insert_with(|| wait(clock, limits::BODY_SILENCE));
        let silent = silence.as_mut().poll(context).is_ready();
        let time = self.time.as_mut();
        let slow = time.is_some_and(|t| t.as_mut().poll(context).is_ready());
        let (what, limit) = match (silent, slow) {
            (true, _) => ("nothing more of the body arrived for", limits::BODY_SILENCE),
            (_, true) => ("the body was not complete within", limits::BODY_TIME),
            _ => return None,
        };
        let limit = limits::Amount::Time(limit);
        Some(Error::new(
            Code::RequestInvalid,
            format!("{what} {limit}, so the request was abandoned: send it again"),
        ))
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let Poll::Ready(frame) = polled else {
            self.owes(true);
            return match self.is_late(context) {
                Some(error) => Poll::Ready(Some(Err(Unread::from(error).into()))),
                None => Poll::Pending,
            };
        };
        self.owes(false);
        self.silence = None;
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                Some(self.came(bytes).map(|()| frame).map_err(BoxError::from))
            }
            Some(Err(e)) => {
                tracing::debug!("a body broke off: {e}");
                Some(Err(Unread::from(broken()).into()))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
