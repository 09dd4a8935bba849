//! Letta's API at `/v1`: schedules here, everything else at the Letta behind us.

mod access;
mod lists;
mod passing;
mod payloads;
mod schedules;
mod tricks;
mod upstream;
mod waits;

use std::net::SocketAddr;
use std::sync::Arc;

use promptyoself::clock::Clock;
use promptyoself::config::{McpSettings, ServerSettings};
use promptyoself::letta_client::Rest;
use promptyoself::mcp::{Backend, Shared};
use promptyoself::models::AgentId;
use promptyoself::server::{App, Metrics, router};
use promptyoself::web::Guard;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::fake_letta::{FakeLetta, Options};
use crate::world::{START, World, agent_at};

/// The password of the fake Letta.
pub const PASSWORD: &str = "pw-test";

/// Where a server may be reached from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This machine alone.
    Local,
    /// Anywhere, through a proxy on this machine.
    Proxied,
    /// Anywhere.
    World,
}

/// Our server; it stops when it is dropped.
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    http: reqwest::Client,
    task: AbortHandle,
}

/// Our server before a fake Letta, both on a manual clock.
pub struct Scene {
    /// Our server.
    pub served: Served,
    /// The Letta behind it.
    pub fake: FakeLetta,
    /// What it serves.
    pub world: World<Rest>,
    /// An agent of that Letta.
    pub agent: AgentId,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Its body as JSON, or as text.
    pub body: Value,
}

impl Served {
    /// Serves a world, as if at an address of this reach.
    pub async fn start(world: &World<Rest>, reach: Reach) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = ServerSettings {
            listen: None,
            chosen: false,
            hosts: match reach {
                Reach::Proxied => vec!["prompts.example.org".into()],
                Reach::Local | Reach::World => Vec::new(),
            },
            origins: Vec::new(),
            allow_upload: false,
            proxies: Vec::new(),
        };
        let seen_as = match reach {
            Reach::Local | Reach::Proxied => address,
            Reach::World => "0.0.0.0:8465".parse().unwrap(),
        };
        let app = App {
            operations: promptyoself::operations::ALL,
            running: Default::default(),
            service: world.service.clone(),
            guard: Arc::new(Guard::new(&settings, seen_as)),
            metrics: Metrics::default(),
            mcp: tools(world),
        };
        let task = tokio::spawn(async { axum::serve(listener, router(app)).await.unwrap() });
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Served {
            address,
            http: http.build().unwrap(),
            task: task.abort_handle(),
        }
    }

    /// A request to it.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method: Method = method.parse().unwrap();
        let url = format!("http://{}{path}", self.address);
        self.http.request(method, url)
    }

    /// Sends bytes as they are, and gives what came back until the connection ended.
    pub async fn raw(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = head.replace('\n', "\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// The tools of MCP, which stand at the same server.
fn tools(world: &World<Rest>) -> Shared {
    let service = world.service.clone();
    Shared {
        executor: None,
        clock: service.clock.clone(),
        zone: service.zone.clone(),
        default_agent: None,
        agent_shell: None,
        settings: McpSettings::default(),
        letta_url: service.letta.address(),
        has_letta_key: true,
        stop: CancellationToken::new(),
        calls: Default::default(),
        backend: Backend::Here(Box::new(service)),
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scene {
    /// A server on this machine's loopback before a Letta with a password.
    pub async fn new() -> Self {
        Scene::with(Reach::Local, Some(PASSWORD)).await
    }

    /// A server of this reach before a Letta with or without a password.
    pub async fn with(reach: Reach, password: Option<&str>) -> Self {
        let clock = Clock::manual(START.parse().unwrap());
        let fake = FakeLetta::start_with(Options {
            clock: clock.clone(),
            password: password.map(str::to_owned),
            ..Options::default()
        })
        .await;
        let agent = fake.add_agent();
        let mut settings = crate::client::settings(&fake.url());
        settings.api_key = password.map(|p| p.to_owned().into());
        let rest = Rest::new(settings, clock.clone()).unwrap();
        let world = World::on(Arc::new(rest), clock).await;
        let served = Served::start(&world, reach).await;
        Scene {
            served,
            fake,
            world,
            agent,
        }
    }

    /// Where the agent's schedules are.
    pub fn schedules(&self) -> String {
        format!("/v1/agents/{}/schedule", self.agent)
    }

    /// A call with Letta's password.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let request = self.served.request(method, path).bearer_auth(PASSWORD);
        read(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// Makes a schedule and gives its id.
    pub async fn create(&self, schedule: Value) -> String {
        let body =
            json!({"messages": [{"role": "user", "content": "hello"}], "schedule": schedule});
        let made = self.call("POST", &self.schedules(), Some(body)).await;
        assert_eq!(made.status, 200, "{made:?}");
        made.body["id"].as_str().unwrap().to_owned()
    }

    /// A key of ours: the operator's, or an agent's.
    pub async fn key(&self, agent: Option<&AgentId>) -> String {
        let agent = agent.map(|agent| agent_at(agent.as_str()));
        let made = self.world.service.create_key("test", agent.as_ref());
        let made = made.await.unwrap();
        made.1.expose_secret().to_owned()
    }
}

/// Sends a request and reads the answer.
pub async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    Answer {
        status: status.as_u16(),
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

impl Answer {
    /// The text of an error in Letta's shape, with the code of ours beside it.
    #[track_caller]
    pub fn refused(&self, status: StatusCode, code: &str) -> String {
        assert_eq!(self.status, status.as_u16(), "{self:?}");
        assert_eq!(self.body["code"], code, "{self:?}");
        self.body["detail"].as_str().unwrap().to_owned()
    }
}

/// A time in milliseconds, so many seconds after the start.
pub fn millis(seconds: i64) -> i64 {
    let start: jiff::Timestamp = START.parse().unwrap();
    start.as_millisecond() + seconds * 1_000
}
