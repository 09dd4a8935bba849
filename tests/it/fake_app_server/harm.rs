//! What can be wrong on the wire of a fake App Server: with the opening of a WebSocket, or with one kind
//! of message over it.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{FakeAppServer, Inner};

/// More than a client reads of one message.
const TOO_MUCH: usize = (32 << 20) + 1;

/// What a client that opens a WebSocket gets instead.
#[derive(Clone, Copy, Debug)]
pub enum Opening {
    /// An answer with this status, and for a redirect another address.
    Status(u16),
    /// The end of the connection.
    Cut,
    /// Nothing.
    Silence,
    /// What is no HTTP.
    Garbage,
    /// Headers without end.
    Endless,
    /// A status that opens a WebSocket, without the proof that it is one.
    Unproved,
    /// A WebSocket, and its end.
    OpenedAndCut,
    /// A WebSocket, and what is no frame of one.
    OpenedAndGarbage,
}

impl Opening {
    /// Carries it out; `opened` is what would open the WebSocket.
    pub async fn carry_out(self, mut stream: TcpStream, opened: &str) {
        let answer = match self {
            Opening::Status(status) => format!(
                "HTTP/1.1 {status} Whatever\r\nlocation: http://127.0.0.1:9/login\r\n\
                 content-length: 4\r\nconnection: close\r\n\r\npage"
            ),
            Opening::Cut => return,
            Opening::Silence => std::future::pending().await,
            Opening::Garbage => "this is no HTTP\r\n\r\n".to_owned(),
            Opening::Endless => {
                let line = format!("x-more: {}\r\n", "x".repeat(1 << 16));
                let mut written = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
                // Whoever still reads after so much keeps everything.
                for _ in 0..1_000 {
                    if written.is_err() {
                        return;
                    }
                    written = stream.write_all(line.as_bytes()).await;
                }
                return;
            }
            Opening::Unproved => {
                let lines = opened.lines();
                let kept = lines.filter(|line| !line.starts_with("sec-websocket-accept"));
                kept.fold(String::new(), |all, line| all + line + "\r\n")
            }
            Opening::OpenedAndCut => opened.to_owned(),
            Opening::OpenedAndGarbage => format!("{opened}this is no WebSocket"),
        };
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// What becomes of a message to a client.
#[derive(Clone, Copy, Debug)]
pub enum Harm {
    /// The connection ends instead.
    Cut,
    /// It is lost.
    Lost,
    /// It is lost, as is everything after it on this connection.
    Silence,
    /// Something comes in its place that is no JSON.
    Garbage,
    /// It says nothing but what it is an answer to.
    Misshapen,
    /// It is larger than anybody reads.
    Oversize,
    /// It says that this went wrong.
    Failed(&'static str),
    /// The server is killed, and there again at once.
    Killed,
}

/// What a client gets for a message.
pub enum Harmed {
    Text(String),
    Nothing,
    Silence,
    Cut,
}

impl Inner {
    /// Does to a message what is to be done to those of its type.
    pub fn harmed(&self, text: String) -> Harmed {
        let harm = {
            let mut state = self.state();
            let Some((kind, harm, left)) = &mut state.harm else {
                return Harmed::Text(text);
            };
            if *left == 0 || !text.contains(&format!("\"type\":\"{kind}\"")) {
                return Harmed::Text(text);
            }
            *left -= 1;
            *harm
        };
        let answer = |mut body: Value| {
            let message: Value = serde_json::from_str(&text).unwrap();
            for key in ["type", "request_id", "runtime"] {
                body[key] = message[key].clone();
            }
            Harmed::Text(body.to_string())
        };
        match harm {
            Harm::Cut => Harmed::Cut,
            Harm::Lost => Harmed::Nothing,
            Harm::Silence => Harmed::Silence,
            Harm::Garbage => Harmed::Text("<html>this is no JSON</html>".to_owned()),
            Harm::Misshapen => answer(json!({"success": [], "accepted": []})),
            Harm::Oversize => Harmed::Text("x".repeat(TOO_MUCH)),
            Harm::Failed(error) => answer(json!({"success": false, "error": error})),
            Harm::Killed => {
                self.restart();
                Harmed::Cut
            }
        }
    }

    /// Waits until the server goes on, if it stands still.
    pub async fn thaw(&self) {
        if self.state().frozen {
            *self.state().asked.entry("while frozen".into()).or_default() += 1;
        }
        self.until(|s| !s.frozen).await;
    }

    /// Cuts off whoever is connected, and forgets what was running.
    pub fn restart(&self) {
        self.tasks.lock().unwrap().abort_all();
        self.state().forget_what_runs();
        self.changed();
    }
}

impl FakeAppServer {
    /// Says what whoever opens a WebSocket gets instead of one, if anything.
    pub fn open_with(&self, opening: Option<Opening>) {
        self.inner.state().opening = opening;
    }

    /// Harms the next messages of a type, so many of them.
    pub fn harm(&self, kind: &'static str, harm: Harm, times: usize) {
        self.inner.state().harm = Some((kind, harm, times));
    }

    /// Harms nothing any more.
    pub fn heal(&self) {
        let mut state = self.inner.state();
        (state.opening, state.harm) = (None, None);
        state.scripts.clear();
        state.held.clear();
        drop(state);
        self.inner.changed();
    }
}
