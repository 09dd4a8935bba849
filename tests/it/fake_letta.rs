//! A fake Letta server for tests: it behaves as Letta 0.16.8 was seen to, records every prompt in
//! order, and fails on request.
//!
//! Tests that run the real binary steer it from outside: `POST /__fake/script`,
//! `POST /__fake/hold/{agent}`, `POST /__fake/release/{agent}`, `GET /__fake/received`.

mod conversations;
mod load;
mod net;
mod oddities;
mod routes;
mod spells;
mod state;
mod tests;
mod tools;
mod turns;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::models::AgentId;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use load::{Load, Moment};
use net::{Conn, Conns, Net};
pub use oddities::ShownRuns;
pub use spells::Spell;
use state::State;
pub use state::{Received, Script};

use crate::ports::{self, Port};

/// How a fake Letta is made.
pub struct Options {
    /// What it dates things by.
    pub clock: Clock,
    /// The password it asks for.
    pub password: Option<String>,
    /// Whether it has Redis: the lock, the memory of otids and background streams.
    pub redis: bool,
    /// How long a lock lasts, however long its turn is.
    pub lock: SignedDuration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            clock: Clock::system(),
            password: Some("pw-test".into()),
            redis: true,
            lock: SignedDuration::from_mins(5),
        }
    }
}

/// A fake Letta server. It stops when it is dropped.
pub struct FakeLetta {
    inner: Arc<Inner>,
    port: Port,
    conns: Conns,
    serving: JoinHandle<()>,
    listens: bool,
}

struct Inner {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    turns: Mutex<JoinSet<()>>,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    async fn wait(&self, until: impl Fn(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        while !until(&self.state()) {
            changes.changed().await.unwrap();
        }
    }

    async fn wait_for_end(&self, run: &str) {
        self.wait(|s| s.runs.get(run).is_none_or(|r| r.stop_reason.is_some()))
            .await;
    }

    fn spawn(&self, turn: impl Future<Output = ()> + Send + 'static) {
        let mut turns = self.turns.lock().unwrap();
        while turns.try_join_next().is_some() {}
        turns.spawn(turn);
    }

    fn hold(&self, agent: &str) {
        self.state().held.insert(agent.into());
    }

    fn release(&self, agent: &str) {
        self.state().held.remove(agent);
        self.changed();
    }
}

impl FakeLetta {
    /// A server with Redis and the password `pw-test`, on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// A server as described.
    pub async fn start_with(options: Options) -> Self {
        let inner = Arc::new(Inner {
            state: Mutex::new(State::new(options)),
            changes: watch::Sender::new(0),
            turns: Mutex::default(),
        });
        let (port, conns) = (Port::new(), Conns::default());
        FakeLetta {
            serving: serve(&port, &conns, &inner),
            listens: true,
            inner,
            port,
            conns,
        }
    }

    /// Stops listening, ends every connection and every turn, as a crash does. What was stored
    /// stays, and runs that went on stay so for ever.
    pub fn stop(&mut self) {
        self.serving.abort();
        self.listens = false;
        self.conns.cut();
        self.inner.turns.lock().unwrap().abort_all();
        self.inner.state().orphan_all();
    }

    /// Listens again, at the same address.
    pub async fn start_again(&mut self) {
        self.leave().await;
        self.serving = serve(&self.port, &self.conns, &self.inner);
        self.listens = true;
    }

    /// Stops, and gives the address, which another server may have then.
    pub async fn leave(&mut self) -> SocketAddr {
        self.stop();
        ports::end(&self.serving).await;
        self.address()
    }

    /// Where it listens, or did until it was stopped.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Makes an agent.
    pub fn add_agent(&self) -> AgentId {
        let mut state = self.inner.state();
        let id = format!(
            "agent-00000000-0000-4000-8000-{:012}",
            state.agents.len() + 1
        );
        state.agents.push(id.clone());
        AgentId::parse(&id).unwrap()
    }

    /// Makes an agent with this id.
    pub fn add_agent_with_id(&self, id: &str) -> AgentId {
        self.inner.state().agents.push(id.into());
        AgentId::parse(id).unwrap()
    }

    /// Makes a conversation of an agent with this id.
    pub fn add_conversation(&self, agent: &AgentId, id: &str) {
        let mut state = self.inner.state();
        state.conversations.insert(id.into(), agent.to_string());
    }

    /// Removes an agent and all that was said with it.
    pub fn remove_agent(&self, agent: &AgentId) {
        let mut state = self.inner.state();
        state.agents.retain(|a| a != agent.as_str());
        state.messages.remove(agent.as_str());
    }

    /// Every prompt that was taken, in order.
    pub fn received(&self) -> Vec<Received> {
        self.inner.state().received.clone()
    }

    /// Waits until `n` prompts have been taken, and gives them.
    pub async fn wait_for(&self, n: usize) -> Vec<Received> {
        self.inner.wait(|s| s.received.len() >= n).await;
        self.received()
    }

    /// Waits until `n` turns have ended.
    pub async fn wait_for_ended(&self, n: usize) {
        let ended = |s: &State| s.received.iter().filter(|r| r.ended.is_some()).count();
        self.inner.wait(|s| ended(s) >= n).await;
    }

    /// Waits until `n` requests for `path` have come.
    pub async fn wait_for_asked(&self, path: &str, n: usize) {
        self.inner
            .wait(|s| s.asked.get(path).is_some_and(|asked| *asked >= n))
            .await;
    }

    /// How many requests for `path` have come.
    pub fn asked(&self, path: &str) -> usize {
        self.inner
            .state()
            .asked
            .get(path)
            .copied()
            .unwrap_or_default()
    }

    /// How many requests have come in all.
    pub fn asked_in_all(&self) -> usize {
        self.inner.state().asked.values().sum()
    }

    /// Keeps the turns of `agent` from ending.
    pub fn hold(&self, agent: &AgentId) {
        self.inner.hold(agent.as_str());
    }

    /// Lets the turns of `agent` end.
    pub fn release(&self, agent: &AgentId) {
        self.inner.release(agent.as_str());
    }

    /// Keeps every turn from ending, or lets them end.
    pub fn hold_all(&self, hold: bool) {
        self.inner.state().hold_all = hold;
        self.inner.changed();
    }

    /// Adds what happens to the next prompt of `agent` that nothing is planned for yet.
    pub fn script(&self, agent: &AgentId, script: Script) {
        let mut state = self.inner.state();
        state
            .scripts
            .entry(agent.to_string())
            .or_default()
            .push_back(script);
    }

    /// What happens to every prompt without a script of its own.
    pub fn script_for_all(&self, script: Option<Script>) {
        self.inner.state().script_for_all = script;
    }

    /// What happens to every request for `path` that is let in: an answer, a cut before it,
    /// silence, or silence after the headers. A path that ends with `*` stands for all that begin so.
    pub fn script_path(&self, path: &str, script: Script) {
        let mut state = self.inner.state();
        state.scripts_of_paths.insert(path.into(), script);
    }

    /// Lets the turns of `agent` end just before the next request for `path` is answered.
    pub fn release_when_asked(&self, path: &str, agent: &AgentId) {
        let mut state = self.inner.state();
        state.releases.insert(path.into(), agent.to_string());
    }

    /// Dates everything by another clock.
    pub fn set_clock(&self, clock: Clock) {
        self.inner.state().clock = clock;
    }

    /// Whether it says that it is well.
    pub fn set_healthy(&self, healthy: bool) {
        self.inner.state().healthy = healthy;
    }

    /// Whether it has Redis.
    pub fn set_redis(&self, redis: bool) {
        self.inner.state().redis = redis;
    }

    /// The password it asks for.
    pub fn set_password(&self, password: Option<&str>) {
        self.inner.state().password = password.map(str::to_owned);
    }

    /// Answers 404 `Not Found` to every path that begins so, as a server without that route.
    pub fn lacks(&self, path: &str) {
        self.inner.state().missing.insert(path.into());
    }

    /// Has no streams of agents' messages, as an old server.
    pub fn lacks_streams(&self) {
        self.inner.state().streams = false;
    }

    /// Answers as a Letta Code App Server where it is asked what it is.
    pub fn set_app_server(&self, app_server: bool) {
        self.inner.state().app_server = app_server;
    }

    /// How many agents there are.
    pub fn agents(&self) -> usize {
        self.inner.state().agents.len()
    }

    /// Heeds no cursor of a list: every page is the first.
    pub fn forget_cursors(&self) {
        self.inner.state().cursors = false;
    }

    /// Makes everything said with an agent older.
    pub fn age_messages(&self, agent: &AgentId, by: SignedDuration) {
        self.inner.state().age_messages(agent.as_str(), by);
    }

    /// Lets a run that has ended go on, as between two steps of a turn.
    pub fn revive(&self, run: &str) {
        self.inner.state().revive(run);
    }

    /// Begins a run of somebody else's, that began `age` ago.
    pub fn foreign_run(&self, agent: &AgentId, age: SignedDuration) -> String {
        self.inner.state().foreign_run(agent.as_str(), age)
    }

    /// Ends every run of somebody else's with an agent.
    pub fn end_foreign_runs(&self, agent: &AgentId) {
        let active = self.inner.state().active.get(agent.as_str()).cloned();
        for run in active.unwrap_or_default() {
            let foreign = self.inner.state().runs[&run].received.is_none();
            if foreign {
                self.end_foreign_run(&run);
            }
        }
    }

    /// Ends a run of somebody else's.
    pub fn end_foreign_run(&self, run: &str) {
        let script = Script::Ends {
            stop_reason: "end_turn".into(),
            kept: false,
            error_type: None,
            detail: String::new(),
        };
        self.inner.state().end_run(run, &[], &script);
        self.inner.changed();
    }

    /// The messages of an agent, oldest first.
    pub fn messages(&self, agent: &AgentId) -> Vec<Value> {
        let state = self.inner.state();
        state
            .messages
            .get(agent.as_str())
            .cloned()
            .unwrap_or_default()
    }

    /// How often a prompt was sent again although its turn went on or had kept it: of a turn that
    /// kept nothing the server alone knows.
    pub fn repeats(&self) -> usize {
        self.inner.state().repeats
    }

    /// How often a prompt was taken for an agent whose turn had not ended.
    pub fn overlaps(&self) -> usize {
        self.inner.state().overlaps
    }
}

fn serve(port: &Port, conns: &Conns, inner: &Arc<Inner>) -> JoinHandle<()> {
    let net = Net {
        listener: port.listen(),
        conns: conns.clone(),
    };
    let router = routes::router(inner.clone());
    let service = router.into_make_service_with_connect_info::<Conn>();
    tokio::spawn(async { axum::serve(net, service).await.unwrap() })
}

impl Drop for FakeLetta {
    fn drop(&mut self) {
        self.stop();
    }
}
