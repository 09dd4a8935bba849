//! Connections of the HTTP server: how many there may be, and how long they may be silent. What
//! strangers hold open must not use up the file descriptors that deliveries need.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::discard::IncomingBody;
use super::places::{Owed, Place, Places};
use super::wire::Wire;
use crate::clock::Clock;
use crate::limits;

/// How long to wait after failing to accept a connection, most likely because no file descriptor
/// was left.
const PAUSE: Duration = Duration::from_millis(100);

/// The limits of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many there may be at a time; others wait for a place.
    pub(crate) connections: usize,
    /// How long the header of a request may take, and how long a connection may wait for one.
    pub(crate) header: Duration,
    /// Addresses of proxies, which may use any number of places.
    pub(crate) proxies: Vec<IpAddr>,
}

impl Limits {
    /// The limits of this process: a quarter of the files it may open.
    pub(crate) fn of_process(proxies: &[IpAddr]) -> Self {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let quarter = usize::try_from(files / 4).unwrap_or(usize::MAX);
        Limits {
            connections: quarter.clamp(1, limits::CONNECTIONS),
            header: limits::HEADER,
            proxies: proxies.to_vec(),
        }
    }

    /// The places for these limits.
    pub(crate) fn places(&self, clock: Clock) -> Arc<Places> {
        Places::new(self.connections, self.proxies.clone(), clock)
    }
}

/// Answers requests until `stop`, and then finishes running ones. Once a request has been read, it
/// may take as long as it needs.
pub(crate) async fn answer(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    places: Arc<Places>,
    clock: Clock,
    stop: CancellationToken,
) {
    let open = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header);
    let next = async || {
        let (socket, address) = accept(&listener, &clock).await;
        Some((socket, places.take(address).await?))
    };
    while let Some(next) = stop.run_until_cancelled(next()).await {
        // An address that already has its share of places is not answered.
        let Some((socket, place)) = next else {
            continue;
        };
        let wire = TokioIo::new(Wire::new(socket, place.clone()));
        let closed = place.closed();
        let service = service_fn(handler(router.clone(), place));
        let connection = open.watch(http.serve_connection(wire, service));
        tokio::spawn(async move {
            match closed.run_until_cancelled(connection).await {
                Some(Ok(())) => {}
                Some(Err(e)) => tracing::debug!("a connection ended: {e}"),
                None => tracing::debug!("a connection was closed for another one"),
            }
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// The service that answers the requests of one connection.
fn handler(
    router: Router,
    place: Arc<Place>,
) -> impl Fn(hyper::Request<Incoming>) -> Handled + Clone {
    let router = TowerToHyperService::new(router);
    move |request: hyper::Request<Incoming>| {
        let mut request = request.map(|body| Body::new(IncomingBody::new(body, place.clone())));
        request.extensions_mut().insert(place.clone());
        place.gave(Owed::Request);
        let answered = Answered(place.clone());
        let answering = router.call(request);
        Box::pin(async move {
            let response = answering.await?;
            Ok(response.map(|body| Body::new(Answer::new(body, answered))))
        })
    }
}

type Handled = std::pin::Pin<
    Box<dyn Future<Output = Result<hyper::Response<Body>, std::convert::Infallible>> + Send>,
>;

/// A request being answered.
struct Answered(Arc<Place>);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.answered();
    }
}

async fn accept(listener: &TcpListener, clock: &Clock) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => return (stream, from.ip()),
            Err(e) => {
                tracing::warn!("a connection could not be accepted: {e}");
                clock.sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    async fn serve(router: Router, connections: usize) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits {
            connections,
            header: Duration::from_millis(100),
            proxies: Vec::new(),
        };
        let stop = CancellationToken::new();
        let clock = Clock::system();
        let places = limits.places(clock.clone());
        let serving = answer(listener, router, limits, places, clock, stop.clone());
        tokio::spawn(serving);
        (address, stop)
    }

    async fn send(address: SocketAddr, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test]
    async fn silent_connections_do_not_keep_others_from_being_answered() {
        let router = Router::new().route("/", get(|| async { "hello" }));
        let (address, _stop) = serve(router, 3).await;
        let silent = send(address, b"").await;
        let half = send(address, b"GET / HTTP/1.1\r\nhost: x\r\n").await;
        let mut answered = send(address, ASK).await;
        let mut first = [0; 15];
        answered.read_exact(&mut first).await.unwrap();
        // All places are taken, and nobody but the server gives one up.
        assert!(rest(send(address, ASK).await).await.ends_with("hello"));
        rest(silent).await;
        rest(half).await;
        rest(answered).await;
    }

    #[tokio::test]
    async fn an_answer_may_take_longer_than_a_header() {
        let go_on = Arc::new(Notify::new());
        let waits = go_on.clone();
        let slow = get(move || async move {
            waits.notified().await;
            "at last"
        });
        let (address, stop) = serve(Router::new().route("/", slow), 2).await;
        let asked = send(address, ASK).await;
        // Its end says that the time for a header has passed, for the one before as well.
        rest(send(address, b"").await).await;
        rest(send(address, b"").await).await;
        // Nor does the end of the server cut it off.
        stop.cancel();
        go_on.notify_one();
        assert!(rest(asked).await.ends_with("at last"));
    }

    #[test]
    fn strangers_get_a_part_of_the_files_that_may_be_open() {
        let limits = Limits::of_process(&[]);
        assert!((1..=limits::CONNECTIONS).contains(&limits.connections));
    }
}
