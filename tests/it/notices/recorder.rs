//! A web server that records what it is sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::sync::watch;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The path, with the query if there is one.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl Recorded {
    /// A value of its JSON body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A web server on this machine; it ends with the test.
pub struct Recorder {
    address: String,
    seen: Arc<Seen>,
}

struct Seen {
    requests: watch::Sender<Vec<Recorded>>,
    held: watch::Sender<bool>,
    answers: Mutex<VecDeque<StatusCode>>,
}

impl Recorder {
    /// One that answers 200 to everything.
    pub async fn start() -> Recorder {
        let seen = Arc::new(Seen {
            requests: watch::Sender::default(),
            held: watch::Sender::default(),
            answers: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = Router::new().fallback(record).with_state(seen.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Recorder { address, seen }
    }

    /// The address of a path of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Adds the status of the next answer that nothing is planned for yet.
    pub fn answer(&self, status: u16) {
        let status = StatusCode::from_u16(status).unwrap();
        self.seen.answers.lock().unwrap().push_back(status);
    }

    /// Lets requests hang, after they were recorded, or lets them go on.
    pub fn hold(&self, held: bool) {
        self.seen.held.send_replace(held);
    }

    /// Everything that arrived so far.
    pub fn all(&self) -> Vec<Recorded> {
        self.seen.requests.borrow().clone()
    }

    /// Waits until `n` requests have arrived, and gives them.
    pub async fn wait_for(&self, n: usize) -> Vec<Recorded> {
        let mut requests = self.seen.requests.subscribe();
        requests.wait_for(|r| r.len() >= n).await.unwrap().clone()
    }

    /// Event and kind of every notice so far.
    pub fn events(&self) -> Vec<(String, String)> {
        let word = |json: &Value, key: &str| json[key].as_str().unwrap().to_owned();
        let events = self.all();
        let events = events.iter().map(Recorded::json);
        events
            .map(|n| (word(&n, "event"), word(&n, "kind")))
            .collect()
    }
}

async fn record(State(seen): State<Arc<Seen>>, request: Request) -> StatusCode {
    let path = request.uri().path_and_query().unwrap().to_string();
    let headers = request.headers().clone();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
    let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
    let recorded = Recorded {
        path,
        headers,
        body,
    };
    let answer = seen.answers.lock().unwrap().pop_front();
    seen.requests.send_modify(|all| all.push(recorded));
    let mut held = seen.held.subscribe();
    held.wait_for(|held| !held).await.unwrap();
    answer.unwrap_or(StatusCode::OK)
}
