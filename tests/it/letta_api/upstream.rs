//! A server behind ours that records requests, and answers piece by piece on request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use promptyoself::clock::Clock;
use promptyoself::letta_client::Rest;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinHandle;

use super::{Reach, Served};
use crate::ports::{self, Port};
use crate::world::{START, World};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Its method.
    pub method: String,
    /// Its path and query, as they stood there.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
}

struct Inner {
    arrived: Mutex<Vec<Arrived>>,
    answer_headers: Mutex<HeaderMap>,
    status: Mutex<StatusCode>,
    /// Pieces of requests, as they come.
    heard: mpsc::UnboundedSender<Bytes>,
    /// Pieces of the answer, as they are to be sent.
    pieces: AsyncMutex<mpsc::UnboundedReceiver<Result<Bytes, std::io::Error>>>,
}

/// The server.
pub struct Upstream {
    inner: Arc<Inner>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Pieces of requests to `/v1/stream`, as they come.
    pub heard: mpsc::UnboundedReceiver<Bytes>,
    /// Sends a piece of the answer of `/v1/stream`; dropping it ends the answer.
    pub say: Option<mpsc::UnboundedSender<Result<Bytes, std::io::Error>>>,
    _port: Port,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Starts it.
    pub async fn start() -> Self {
        let (heard_in, heard) = mpsc::unbounded_channel();
        let (say, pieces) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            arrived: Mutex::default(),
            answer_headers: Mutex::default(),
            status: Mutex::new(StatusCode::OK),
            heard: heard_in,
            pieces: AsyncMutex::new(pieces),
        });
        let port = Port::new();
        let (address, listener) = (port.address(), port.listen());
        let router = Router::new().fallback(answer).with_state(inner.clone());
        let task = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Upstream {
            inner,
            address,
            heard,
            say: Some(say),
            _port: port,
            task,
        }
    }

    /// Our server before it, and its world.
    pub async fn served(&self, prefix: &str) -> (Served, World<Rest>) {
        let url = format!("http://{}{prefix}", self.address);
        let clock = Clock::manual(START.parse().unwrap());
        let rest = Rest::new(crate::client::settings(&url), clock.clone()).unwrap();
        let world = World::on(Arc::new(rest), clock).await;
        (Served::start(&world, Reach::Local).await, world)
    }

    /// What came, in order.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.inner.arrived.lock().unwrap().clone()
    }

    /// The status and a header of every answer from now on.
    pub fn answers(&self, status: u16, headers: &[(&'static str, &str)]) {
        *self.inner.status.lock().unwrap() = StatusCode::from_u16(status).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        *self.inner.answer_headers.lock().unwrap() = map;
    }

    /// Stops listening.
    pub async fn stop(&self) {
        ports::end(&self.task).await;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    inner.arrived.lock().unwrap().push(Arrived {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: parts.headers.clone(),
    });
    let streams = parts.uri.path().ends_with("/v1/stream");
    let mut response = if streams {
        let hearing = inner.clone();
        tokio::spawn(async move {
            let mut pieces = body.into_data_stream();
            while let Some(Ok(piece)) = pieces.next().await {
                let _ = hearing.heard.send(piece);
            }
        });
        let said = futures_util::stream::unfold(inner.clone(), |inner| async move {
            let piece = inner.pieces.lock().await.recv().await?;
            Some((piece, inner))
        });
        Body::from_stream(said).into_response()
    } else {
        let body = axum::body::to_bytes(body, usize::MAX).await;
        (*inner.status.lock().unwrap(), body.unwrap_or_default()).into_response()
    };
    for name in inner.answer_headers.lock().unwrap().keys() {
        response.headers_mut().remove(name);
    }
    for (name, value) in inner.answer_headers.lock().unwrap().iter() {
        response.headers_mut().append(name, value.clone());
    }
    response
}
