//! A server in this process, and a client for it.

use std::net::SocketAddr;
use std::sync::Arc;

use promptyoself::config::ServerSettings;
use promptyoself::error::Code;
use promptyoself::mcp;
use promptyoself::operations::{self, Offer};
use promptyoself::server::{App, Metrics, Running, router};
use promptyoself::service::Service;
use promptyoself::web::Guard;
use reqwest::{Client, Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::world::{World, agent_at};

/// A server on a database, with a target in memory.
pub struct Api {
    pub world: World,
    pub url: String,
    client: Client,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub json: Value,
}

impl Api {
    pub async fn new() -> Api {
        Api::offering(operations::ALL).await
    }

    pub async fn offering(operations: Offer) -> Api {
        Api::on(World::new().await, operations).await
    }

    pub async fn on(world: World, operations: Offer) -> Api {
        let url = serve(&world.service, operations).await;
        Api {
            world,
            url,
            client: client(),
        }
    }

    /// Another server on the same database, as after a restart.
    pub async fn restart(&mut self) {
        self.url = serve(&self.world.another().await, operations::ALL).await;
    }

    /// A new key: an agent's, or the operator's.
    pub async fn key(&self, agent: Option<&str>) -> String {
        let agent = agent.map(agent_at);
        let made = self.world.service.create_key("k", agent.as_ref()).await;
        made.unwrap().1.expose_secret().to_owned()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        send(self.request(method, path).json(&body)).await
    }
}

impl Answer {
    /// Checks that it is a problem of this status and code, which teaches.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: Code) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.kind, "application/problem+json", "{self:?}");
        assert_eq!(self.json["code"], code.as_str(), "{self:?}");
        assert_eq!(self.json["status"], status, "{self:?}");
        assert!(self.json["detail"].is_string(), "{self:?}");
        let example = self.json.get("example");
        assert!(example.is_none_or(|e| e.is_string()), "{self:?}");
    }

    /// Checks that it is what was wanted.
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.kind, "application/json", "{self:?}");
        self.json
    }

    pub fn detail(&self) -> &str {
        self.json["detail"].as_str().unwrap_or_default()
    }
}

pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type");
    let kind = kind.map_or("", |v| v.to_str().unwrap()).to_owned();
    let bytes = response.bytes().await.unwrap();
    Answer {
        status,
        kind,
        json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    }
}

pub fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

/// A server that offers these operations; returns its address.
pub async fn serve(service: &Service, operations: Offer) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let settings = ServerSettings {
        listen: Some(address),
        chosen: true,
        hosts: Vec::new(),
        allow_upload: false,
        proxies: Vec::new(),
        origins: Vec::new(),
    };
    let app = App {
        service: service.clone(),
        operations,
        guard: Arc::new(Guard::new(&settings, address)),
        metrics: Metrics::default(),
        mcp: tools(service),
        running: Running::default(),
    };
    tokio::spawn(async move { axum::serve(listener, router(app)).await.unwrap() });
    format!("http://{address}")
}

/// What the tools of MCP are given; nothing here calls them.
pub fn tools(service: &Service) -> mcp::Shared {
    mcp::Shared {
        backend: mcp::Backend::Here(Box::new(service.clone())),
        executor: None,
        clock: service.clock.clone(),
        zone: service.zone.clone(),
        default_agent: None,
        agent_shell: None,
        settings: promptyoself::config::McpSettings::default(),
        letta_url: String::new(),
        has_letta_key: false,
        stop: Default::default(),
        calls: Default::default(),
    }
}
