//! A real Letta 0.16.8 for tests, started by `scripts/letta/v1_up.sh` once per test binary.
//!
//! It is stopped and its data removed when the test process ends, however it ends. A test that
//! can't have it fails.

mod client;
mod daemon;
mod outage;
mod requests;
mod sdks;
mod through_mcp;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use promptyoself::letta_client::{Rest, RestSettings};
use promptyoself::models::AgentId;
use serde_json::{Value, json};
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};
use uuid::Uuid;

/// A real Letta server.
pub struct RealLetta {
    /// Its address.
    pub url: String,
    /// Its password.
    pub password: String,
    /// The address of its stub model, whose `/__calls` tells what it was asked.
    pub llm_url: String,
    /// The name of its folder in `.peers`.
    state: String,
    http: reqwest::Client,
    /// Ends the server when this process ends, however it does: it waits for its input to close.
    _watchdog: Child,
}

static WITH_REDIS: OnceCell<RwLock<RealLetta>> = OnceCell::const_new();
static WITHOUT_REDIS: OnceCell<RwLock<RealLetta>> = OnceCell::const_new();

impl RealLetta {
    /// The server with Redis, shared with other tests. A test takes it once: a second time would
    /// wait for a test that wants it alone, which waits for the first.
    pub async fn get() -> RwLockReadGuard<'static, RealLetta> {
        Self::with_redis().await.read().await
    }

    /// The server with Redis, for a test that stops it: no other test has it meanwhile.
    pub async fn alone() -> Alone {
        Alone(Self::with_redis().await.write().await)
    }

    /// The server without Redis, shared with other tests.
    pub async fn without_redis() -> RwLockReadGuard<'static, RealLetta> {
        Self::no_redis().await.read().await
    }

    /// The server without Redis, for a test that stops it.
    pub async fn alone_without_redis() -> Alone {
        Alone(Self::no_redis().await.write().await)
    }

    async fn no_redis() -> &'static RwLock<RealLetta> {
        let start = || async { RwLock::new(Self::start("0").await) };
        WITHOUT_REDIS.get_or_init(start).await
    }

    async fn with_redis() -> &'static RwLock<RealLetta> {
        let start = || async { RwLock::new(Self::start("1").await) };
        WITH_REDIS.get_or_init(start).await
    }

    async fn start(redis: &'static str) -> Self {
        let state = format!("test-{}-redis-{redis}", std::process::id());
        let watchdog = Command::new("sh")
            .arg("-c")
            .arg("trap '' INT TERM HUP; cat >/dev/null; exec \"$0\" \"$1\" --wipe")
            .arg(script("v1_down.sh"))
            .arg(&state)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let up = {
            let state = state.clone();
            tokio::task::spawn_blocking(move || bring_up(&state, Some(redis)))
                .await
                .unwrap()
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = reqwest::header::HeaderMap::new();
        let bearer = format!("Bearer {}", up["LETTA_PASSWORD"]);
        headers.insert("authorization", bearer.parse().unwrap());
        // Each test has a runtime of its own, and a connection ends with the runtime it was made
        // in: none is kept for another test.
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .default_headers(headers);
        RealLetta {
            url: up["LETTA_URL"].clone(),
            password: up["LETTA_PASSWORD"].clone(),
            llm_url: up["LLM_URL"].clone(),
            state,
            http: http.build().unwrap(),
            _watchdog: watchdog,
        }
    }

    /// How a client reaches it.
    pub fn settings(&self) -> RestSettings {
        RestSettings {
            api_key: Some(self.password.clone().into()),
            ..crate::client::settings(&self.url)
        }
    }

    /// A client for it.
    pub fn client(&self) -> Rest {
        Rest::new(self.settings(), promptyoself::clock::Clock::system()).unwrap()
    }

    /// Makes an agent without tools.
    pub async fn new_agent(&self) -> AgentId {
        self.make_agent(false).await
    }

    /// Makes an agent with Letta's base tools, such as `conversation_search {"query": "x"}`.
    pub async fn new_agent_with_tools(&self) -> AgentId {
        self.make_agent(true).await
    }

    async fn make_agent(&self, tools: bool) -> AgentId {
        let body = json!({
            "name": format!("test-{}", Uuid::new_v4()), "model": "openai-proxy/gpt-4o-mini",
            "embedding": "openai/text-embedding-3-small", "include_base_tools": tools,
        });
        let agent = self.call("POST", "/v1/agents/", Some(body)).await;
        AgentId::parse(agent["id"].as_str().unwrap()).unwrap()
    }

    /// Makes every call of `tool` wait for a person's approval.
    pub async fn require_approval(&self, agent: &AgentId, tool: &str) {
        let path = format!("/v1/agents/{agent}/tools/approval/{tool}");
        self.call("PATCH", &path, Some(json!({"requires_approval": true})))
            .await;
    }

    /// The agent's newest messages, oldest first.
    pub async fn messages(&self, agent: &AgentId) -> Vec<Value> {
        let path = format!("/v1/agents/{agent}/messages?limit=200");
        match self.call("GET", &path, None).await {
            Value::Array(messages) => messages,
            other => panic!("not a list of messages: {other}"),
        }
    }

    /// How many of the agent's messages have this otid.
    pub async fn count(&self, agent: &AgentId, otid: Uuid) -> usize {
        let messages = self.messages(agent).await;
        messages
            .iter()
            .filter(|m| m["otid"] == otid.to_string())
            .count()
    }

    /// Waits until the model has been asked something that contains `text`.
    pub async fn wait_for_model(&self, text: &str) {
        let url = format!("{}/__calls", self.llm_url);
        self.until(async || {
            let calls = self
                .http
                .get(&url)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
            calls.contains(text)
        })
        .await;
    }

    /// Waits until the agent has this many runs that go on.
    pub async fn wait_for_active_runs(&self, agent: &AgentId, n: usize) {
        let path = format!("/v1/runs/?agent_id={agent}&active=true");
        self.until(async || {
            self.call("GET", &path, None)
                .await
                .as_array()
                .unwrap()
                .len()
                == n
        })
        .await;
    }

    /// Asks again and again, as only a real peer makes necessary.
    async fn until(&self, mut is_so: impl AsyncFnMut() -> bool) {
        let clock = promptyoself::clock::Clock::system();
        for _ in 0..3_000 {
            if is_so().await {
                return;
            }
            clock.sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("it did not come to that within five minutes");
    }

    /// Calls it as anybody would.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}{path}", self.url);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap().error_for_status().unwrap();
        response.json().await.unwrap()
    }
}

/// A server that no other test has meanwhile. It is up again when this is dropped.
pub struct Alone(RwLockWriteGuard<'static, RealLetta>);

impl std::ops::Deref for Alone {
    type Target = RealLetta;

    fn deref(&self) -> &RealLetta {
        &self.0
    }
}

impl Alone {
    /// Kills Letta as a crash would; its database, Redis and model stay up.
    pub async fn stop_letta(&self) {
        let state = self.state.clone();
        let stop = move || run(Command::new(script("v1_down.sh")).arg(state).arg("--letta"));
        tokio::task::spawn_blocking(stop).await.unwrap();
    }

    /// Stops all of it: what only Redis knew, such as the lock of a turn, is forgotten.
    pub async fn stop_everything(&self) {
        let state = self.state.clone();
        let stop = move || run(Command::new(script("v1_down.sh")).arg(state));
        tokio::task::spawn_blocking(stop).await.unwrap();
    }

    /// Starts Letta again, at the same address with the same data.
    pub async fn start_letta(&self) {
        let state = self.state.clone();
        tokio::task::spawn_blocking(move || bring_up(&state, None))
            .await
            .unwrap();
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // Does nothing if Letta runs. A panic here would hide the test's own.
        let _ = Command::new(script("v1_up.sh"))
            .arg(&self.state)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// Starts what does not run, and gives what the script prints. Whether there is a Redis is said the
/// first time and stays.
fn bring_up(state: &str, redis: Option<&str>) -> HashMap<String, String> {
    let mut up = Command::new(script("v1_up.sh"));
    up.arg(state).envs(redis.map(|redis| ("WITH_REDIS", redis)));
    let printed = run(&mut up);
    let pairs = printed.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn script(name: &str) -> &'static Path {
    static DIR: OnceLock<HashMap<&str, PathBuf>> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/letta");
        ["v1_up.sh", "v1_down.sh"]
            .map(|name| (name, dir.join(name)))
            .into()
    });
    &dir[name]
}
