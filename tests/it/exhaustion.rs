//! Clients that use up everything they can: all others are still answered.

mod bodies;
mod readers;
mod streams;
mod together;

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::daemon::{Daemon, pause};
use crate::program::World;

/// How many files the server may open, so that it has a quarter of them for connections.
const FILES: u32 = 256;
const PLACES: usize = 64;

/// A server with few places.
struct Small {
    world: World,
    daemon: Daemon,
    address: SocketAddr,
    http: reqwest::Client,
}

impl Small {
    async fn start(world: World) -> Small {
        Small::start_with(world, &[]).await
    }

    async fn start_with(world: World, more: &[(&str, &str)]) -> Small {
        let env = [&[("PROMPTYOSELF_LOG", "info")], more].concat();
        let argv = ["serve", "--listen", "127.0.0.1:0"];
        let world = world.after(&format!("ulimit -n {FILES}"));
        let daemon = world.start(&argv, &env);
        let address = daemon.address().await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        Small {
            world,
            daemon,
            address,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.http.request(method.parse().unwrap(), url)
    }

    async fn status(&self, path: &str, key: Option<&str>) -> u16 {
        let mut request = self.request("GET", path);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        request.send().await.unwrap().status().as_u16()
    }

    /// A connection that has sent this. It takes little of what it is sent unless it reads.
    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        // Whoever is not accepted yet, or was closed, need not be able to send all of it.
        let _ = stream.write_all(bytes).await;
        stream
    }

    /// How many connections the system holds open at the server's end.
    fn connections(&self) -> usize {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let port = format!(":{:04X}", self.address.port());
        let established = |line: &&str| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().unwrap_or_default();
            local.ends_with(&port) && fields.nth(1) == Some("01")
        };
        table.lines().filter(established).count()
    }

    /// Waits until the system holds as few connections as wanted: another process, so nothing else
    /// tells.
    async fn until_connections(&self, wanted: impl Fn(usize) -> bool) {
        for _ in 0..900 {
            if wanted(self.connections()) {
                return;
            }
            pause().await;
        }
        panic!("{} connections are open", self.connections());
    }

    /// The most memory it has had so far, in MiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.pid()));
        let status = status.unwrap();
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = peak.unwrap().trim().trim_end_matches(" kB");
        kib.trim().parse::<u64>().unwrap() / 1024
    }

    /// A session of MCP.
    async fn session(&self) -> String {
        let hello = serde_json::json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } } });
        let answer = self.message(&hello).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let session = answer.headers()["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned();
        answer.text().await.unwrap();
        let ready = serde_json::json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let told = self.message(&ready).header("mcp-session-id", &session);
        assert_eq!(told.send().await.unwrap().status(), 202);
        session
    }

    fn message(&self, message: &Value) -> reqwest::RequestBuilder {
        self.request("POST", "/mcp")
            .header("accept", "application/json, text/event-stream")
            .json(message)
    }
}

/// Everything that comes until the connection ends, also if it is broken off.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
