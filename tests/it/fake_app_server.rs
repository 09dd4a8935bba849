//! A fake App Server for tests: it behaves as Letta Code's App Server 0.34.12 was seen to, records
//! every prompt that its model was asked, and fails where it is told to.

mod harm;
mod load;
mod requests;
mod state;
mod turns;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use promptyoself::clock::Clock;
use promptyoself::models::AgentId;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use harm::{Harm, Opening};
pub use load::Load;
use state::State;
pub use state::{Scope, Script};

use crate::ports::{self, Port};

/// A fake App Server. It stops when it is dropped.
pub struct FakeAppServer {
    inner: Arc<Inner>,
    port: Port,
    serving: JoinHandle<()>,
}

struct Inner {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    tasks: Mutex<JoinSet<()>>,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        while !is_so(&self.state()) {
            changes.changed().await.unwrap();
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl FakeAppServer {
    /// A server without a token, on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::start_at(Clock::system()).await
    }

    /// The same, by a clock of the test's.
    pub async fn start_at(clock: Clock) -> Self {
        Self::start_with(Port::new(), clock)
    }

    /// The same, at the address of a server that was stopped.
    pub async fn start_on(address: SocketAddr) -> Self {
        Self::start_with(Port::at(address), Clock::system())
    }

    fn start_with(port: Port, clock: Clock) -> Self {
        let inner = Arc::new(Inner {
            state: Mutex::new(State::new(clock)),
            changes: watch::Sender::new(0),
            tasks: Mutex::default(),
        });
        FakeAppServer {
            serving: serve(&port, &inner),
            inner,
            port,
        }
    }

    /// Stops as by SIGKILL: what was stored and taken stays, what ran and who listened is forgotten.
    pub fn kill(&mut self) {
        self.serving.abort();
        self.inner.tasks.lock().unwrap().abort_all();
        self.inner.state().forget_what_runs();
    }

    /// Listens again at the same address.
    pub async fn start_again(&mut self) {
        self.kill();
        ports::end(&self.serving).await;
        self.serving = serve(&self.port, &self.inner);
    }

    /// Its address over HTTP.
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Its address as a WebSocket.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.port.address())
    }

    /// Makes an agent.
    pub fn add_agent(&self) -> AgentId {
        let mut state = self.inner.state();
        let id = format!("agent-local-{:012}", state.agents.len() + 1);
        state.agents.push(id.clone());
        AgentId::parse(&id).unwrap()
    }

    /// Makes a conversation of an agent.
    pub fn add_conversation(&self, agent: &AgentId, id: &str) {
        let mut state = self.inner.state();
        state.owners.insert(id.to_owned(), agent.to_string());
    }

    /// Adds a schedule of the server's own. It can't pause one with the name `stubborn`.
    pub fn add_task(&self, task: Value) {
        self.inner.state().tasks.push(task);
    }

    /// The schedules of the server's own.
    pub fn tasks(&self) -> Vec<Value> {
        self.inner.state().tasks.clone()
    }

    /// Asks every client for a token, or for none.
    pub fn set_token(&self, token: Option<&str>) {
        self.inner.state().token = token.map(str::to_owned);
    }

    /// Keeps the model from answering in a conversation, or lets it.
    pub fn hold(&self, conversation: &str, hold: bool) {
        let mut state = self.inner.state();
        match hold {
            true => state.held.insert(conversation.to_owned()),
            false => state.held.remove(conversation),
        };
        drop(state);
        self.inner.changed();
    }

    /// Reads everything and does nothing of it until it goes on.
    pub fn freeze(&self, frozen: bool) {
        self.inner.state().frozen = frozen;
        self.inner.changed();
    }

    /// Says what happens to the next input of a conversation.
    pub fn script(&self, conversation: &str, script: Script) {
        let mut state = self.inner.state();
        state.scripts.insert(conversation.to_owned(), script);
    }

    /// Sends an input as another client would that goes on listening.
    pub fn input_by_another(&self, scope: &Scope, id: &str, text: &str) {
        self.inner.state().stay(scope);
        turns::input_of(&self.inner, scope, id, text);
    }

    /// Makes another client listen to a conversation for good.
    pub fn observe(&self, scope: &Scope) {
        self.inner.state().stay(scope);
    }

    /// The messages of a conversation, oldest first.
    pub fn messages(&self, scope: &Scope) -> Vec<Value> {
        self.inner.state().messages_of(scope).clone()
    }

    /// How many messages of a conversation have this otid.
    pub fn count(&self, scope: &Scope, otid: &str) -> usize {
        let messages = self.messages(scope);
        messages.iter().filter(|m| m["otid"] == otid).count()
    }

    /// How often the model was asked for a turn with this input.
    pub fn turns(&self, id: &str) -> usize {
        let state = self.inner.state();
        state
            .begun
            .iter()
            .filter(|of| of.iter().any(|i| i == id))
            .count()
    }

    /// The inputs of every turn that was begun, in order.
    pub fn begun(&self) -> Vec<Vec<String>> {
        self.inner.state().begun.clone()
    }

    /// Waits until this many turns have begun.
    pub async fn wait_for_begun(&self, n: usize) {
        self.inner.until(|s| s.begun.len() >= n).await;
    }

    /// Waits until no turn goes on.
    pub async fn wait_for_quiet(&self) {
        self.inner.until(|s| s.active.is_empty()).await;
    }

    /// Waits until so many clients follow conversations.
    pub async fn wait_for_clients(&self, n: usize) {
        let following = |s: &State| s.clients.values().filter(|c| !c.follows.is_empty()).count();
        let until = self.inner.until(|s| following(s) == n);
        let waited = tokio::time::timeout(Duration::from_secs(60), until).await;
        let now = following(&self.inner.state());
        assert!(
            waited.is_ok(),
            "{now} clients follow conversations, not {n}"
        );
    }

    /// Whether a conversation was left during a turn and takes nothing any more.
    pub fn is_wedged(&self, conversation: &str) -> bool {
        self.inner.state().wedged.contains_key(conversation)
    }

    /// How many requests of this type have come.
    pub fn asked(&self, kind: &str) -> usize {
        self.inner.state().asked.get(kind).copied().unwrap_or(0)
    }

    /// Waits until a request of this type has come so often.
    pub async fn wait_for_asked(&self, kind: &str, n: usize) {
        self.inner
            .until(|s| s.asked.get(kind).is_some_and(|asked| *asked >= n))
            .await;
    }
}

impl Drop for FakeAppServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(port: &Port, inner: &Arc<Inner>) -> JoinHandle<()> {
    tokio::spawn(wire::serve(port.listen(), inner.clone()))
}
