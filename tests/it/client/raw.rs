//! A server that answers with given bytes, valid or not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How many came before it.
    pub n: usize,
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub target: String,
    /// All of its head, in lower case.
    pub head: String,
}

impl Asked {
    /// Its path.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// A parameter of its query.
    pub fn query(&self, name: &str) -> Option<&str> {
        let query = self.target.split_once('?')?.1;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub enum Act {
    /// These bytes, and the end of the connection.
    Say(Vec<u8>),
    /// These bytes, and nothing more for ever.
    Stall(Vec<u8>),
    /// These bytes, and then others at an interval for ever.
    Drip(Vec<u8>, Vec<u8>, SignedDuration),
    /// These bytes, and then others as fast as they are taken, so many times.
    Flood(Vec<u8>, Vec<u8>, usize),
}

/// The server. It stops when it is dropped.
pub struct Raw {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: JoinSet<()>,
}

impl Raw {
    /// A server that answers each request as `answer` says, by this clock.
    pub async fn start(clock: Clock, answer: impl Fn(&Asked) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, answer) = (asked.clone(), Arc::new(Mutex::new(answer)));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (clock, heard, answer) = (clock.clone(), heard.clone(), answer.clone());
                connections.spawn(async move {
                    let Some((method, target, head)) = read(&mut stream).await else {
                        return;
                    };
                    let asked = {
                        let mut heard = heard.lock().unwrap();
                        let asked = Asked {
                            n: heard.len(),
                            method,
                            target,
                            head,
                        };
                        heard.push(asked.clone());
                        asked
                    };
                    let act = answer.lock().unwrap()(&asked);
                    carry_out(act, stream, &clock).await;
                });
            }
        });
        Raw {
            address,
            asked,
            _serving: serving,
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request that came, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<(String, String, String)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut piece).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&piece[..n]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut words = head.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.trim().parse().unwrap());
    while bytes.len() < end + length {
        match stream.read(&mut piece).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&piece[..n]),
            _ => return None,
        }
    }
    Some((method, target, head))
}

async fn carry_out(act: Act, mut stream: TcpStream, clock: &Clock) {
    match act {
        Act::Say(bytes) => drop(stream.write_all(&bytes).await),
        Act::Stall(bytes) => {
            let _ = stream.write_all(&bytes).await;
            // Until whoever asked goes away.
            let _ = stream.read(&mut [0; 1]).await;
        }
        Act::Drip(bytes, drop, every) => {
            let _ = stream.write_all(&bytes).await;
            loop {
                clock.sleep(every.unsigned_abs()).await;
                if stream.write_all(&drop).await.is_err() {
                    return;
                }
            }
        }
        Act::Flood(bytes, wave, times) => {
            let _ = stream.write_all(&bytes).await;
            for _ in 0..times {
                if stream.write_all(&wave).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The head of an answer of a kind, whose body ends with the connection.
pub fn head(status: u16, kind: &str, more: &str) -> Vec<u8> {
    let text = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\n{more}Connection: close\r\n\r\n"
    );
    text.into_bytes()
}

/// A whole answer.
pub fn answer(status: u16, body: &Value) -> Act {
    said("application/json", body.to_string().as_bytes(), status)
}

/// A stream of events.
pub fn stream(events: &[u8]) -> Act {
    said("text/event-stream", events, 200)
}

fn said(kind: &str, body: &[u8], status: u16) -> Act {
    Act::Say([&head(status, kind, "")[..], body].concat())
}

/// A turn that ends well.
pub const TURN: &str = "data: {\"message_type\":\"ping\",\"run_id\":\"run-1\"}\n\n\
    data: {\"message_type\":\"assistant_message\",\"id\":\"m1\",\"content\":\"well\"}\n\n\
    data: {\"message_type\":\"stop_reason\",\"stop_reason\":\"end_turn\"}\n\n\
    data: {\"message_type\":\"usage_statistics\",\"step_count\":1,\"total_tokens\":2}\n\n\
    data: [DONE]\n\n";

/// A Letta that answers everything well.
pub fn well(asked: &Asked) -> Act {
    let ok = |body: Value| answer(200, &body);
    let agent = json!({"id": "agent-a", "name": "a", "secrets": []});
    match (asked.method.as_str(), asked.path()) {
        ("GET", "/v1/health/") => ok(json!({"status": "ok", "version": "0.16.8"})),
        ("GET", "/v1/agents/") => match asked.query("after") {
            Some(_) => ok(json!([])),
            None => ok(json!([agent])),
        },
        ("GET", "/v1/agents/agent-a/messages") => ok(json!([])),
        ("POST", path) if path.ends_with("/async") => ok(json!({"id": "run-1"})),
        ("POST", path) if path.contains("/messages") => stream(TURN.as_bytes()),
        ("GET", "/v1/runs/") => ok(json!([])),
        ("GET", "/v1/runs/run-1") => ok(json!({
            "id": "run-1", "status": "completed", "stop_reason": "end_turn",
        })),
        ("POST", "/v1/tools/") => ok(json!({"id": "tool-1"})),
        ("GET", "/v1/mcp-servers/" | "/v1/mcp-servers/mcp-1/tools") => ok(json!([])),
        (_, "/v1/mcp-servers/" | "/v1/mcp-servers/mcp-1") => ok(json!({"id": "mcp-1"})),
        ("PATCH", _) => ok(json!({})),
        ("GET", _) => ok(agent),
        other => panic!("{other:?}"),
    }
}
