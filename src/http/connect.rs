//! Connections that must be established within a limit, by our clock.
//!
//! A connection that was not established in time proves that nothing was sent; no later timeout
//! does.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::limits::CONNECT;
use crate::clock::Clock;

/// The error of a connector.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A connection was not established in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {CONNECT:?}")]
struct TooLong;

/// Adds the limit to connectors.
#[derive(Clone)]
pub(super) struct InTime(pub(super) Clock);

/// A connector with a limit.
#[derive(Clone)]
pub(super) struct Limited<S> {
    inner: S,
    clock: Clock,
}

impl<S> Layer<S> for InTime {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        let clock = self.0.clone();
        Limited { inner, clock }
    }
}

impl<S, R> Service<R> for Limited<S>
where
    S: Service<R, Error = Failure>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, to: R) -> Self::Future {
        let (connecting, clock) = (self.inner.call(to), self.clock.clone());
        Box::pin(async move {
            match clock.within(CONNECT, connecting).await {
                Some(connected) => connected,
                None => Err(TooLong.into()),
            }
        })
    }
}
