//! What a fake App Server knows and remembers.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::harm::{Harm, Opening};
use super::load::{Load, Record, Trap};

/// How long the ids of inputs are remembered.
const MEMORY: SignedDuration = SignedDuration::from_mins(60);

/// A conversation of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    pub agent: String,
    pub conversation: String,
}

impl Scope {
    pub fn new(agent: impl ToString, conversation: &str) -> Self {
        Scope {
            agent: agent.to_string(),
            conversation: conversation.to_owned(),
        }
    }

    pub fn json(&self) -> Value {
        json!({"agent_id": self.agent, "conversation_id": self.conversation})
    }
}

/// What happens to an input.
#[derive(Clone, Debug)]
pub enum Script {
    /// The connection ends before the input is looked at.
    CutBefore,
    /// The connection ends after so many more messages over it.
    CutAfter(usize),
    /// The model's provider answers with an error.
    ModelError(String),
    /// The turn fails in these words before it has a run, and nothing is stored.
    FailsUnstored(String),
    /// The input is not taken, for this reason.
    NotTaken(String),
    /// The turn waits for somebody to approve a tool call.
    Asks,
    /// The turn goes on in several runs, one for each call of the model.
    Runs(usize),
    /// Nothing of it is read, and nothing answered.
    Silence,
}

/// An input that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub at: Timestamp,
    pub finished: bool,
    pub content: Value,
}

/// A message on its way to a client.
pub enum Out {
    Text(String),
    /// The end of the connection after so many more.
    CutAfter(usize),
}

/// One client.
pub struct Client {
    pub out: mpsc::UnboundedSender<Out>,
    pub follows: HashSet<Scope>,
}

/// Everything a fake App Server knows. What follows `clients` is forgotten when it is killed.
pub struct State {
    pub clock: Clock,
    pub token: Option<String>,
    pub agents: Vec<String>,
    /// Whose the named conversations are.
    pub owners: BTreeMap<String, String>,
    /// The schedules that the server keeps itself.
    pub tasks: Vec<Value>,
    messages: HashMap<Scope, Vec<Value>>,
    /// The inputs that were taken, in order.
    pub ledger: BTreeMap<(Scope, String), Taken>,
    pub held: HashSet<String>,
    pub frozen: bool,
    pub scripts: HashMap<String, Script>,
    pub begun: Vec<Vec<String>>,
    pub asked: HashMap<String, usize>,
    pub load: Option<Load>,
    pub trap: Option<Trap>,
    pub record: Record,
    pub opening: Option<Opening>,
    /// What is done to messages of this type, and to how many more of them.
    pub harm: Option<(&'static str, Harm, usize)>,
    sequence: u64,
    pub clients: HashMap<u64, Client>,
    /// Conversations that another client listens to for good.
    observed: HashSet<Scope>,
    /// The run that has a conversation, and whose it is; by the conversation's id alone.
    pub active: HashMap<String, (Scope, String)>,
    /// Conversations that were left during a turn, and by which run.
    pub wedged: HashMap<String, String>,
    pub queues: HashMap<Scope, Vec<(String, Value)>>,
    pub runs: HashMap<Scope, BTreeMap<String, Vec<String>>>,
    pub asking: HashSet<Scope>,
    pub cancelled: HashSet<Scope>,
    next_run: u64,
}

impl State {
    pub fn new(clock: Clock) -> Self {
        State {
            clock,
            token: None,
            agents: Vec::new(),
            owners: BTreeMap::new(),
            tasks: Vec::new(),
            messages: HashMap::new(),
            ledger: BTreeMap::new(),
            held: HashSet::new(),
            frozen: false,
            scripts: HashMap::new(),
            begun: Vec::new(),
            asked: HashMap::new(),
            load: None,
            trap: None,
            record: Record::default(),
            opening: None,
            harm: None,
            sequence: 0,
            clients: HashMap::new(),
            observed: HashSet::new(),
            active: HashMap::new(),
            wedged: HashMap::new(),
            queues: HashMap::new(),
            runs: HashMap::new(),
            asking: HashSet::new(),
            cancelled: HashSet::new(),
            next_run: 0,
        }
    }

    /// Forgets what only the process knew.
    pub fn forget_what_runs(&mut self) {
        self.clients.clear();
        self.observed.clear();
        self.active.clear();
        self.wedged.clear();
        self.queues.clear();
        self.runs.clear();
        self.asking.clear();
        self.cancelled.clear();
        self.next_run = 0;
    }

    pub fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub fn next_run(&mut self) -> String {
        self.next_run += 1;
        format!("local-run-{}", self.next_run)
    }

    pub fn messages_of(&mut self, scope: &Scope) -> &mut Vec<Value> {
        self.messages.entry(scope.clone()).or_default()
    }

    /// Every conversation with its messages.
    pub fn all_messages(&self) -> Vec<(Scope, Vec<Value>)> {
        let all = self.messages.iter();
        all.map(|(scope, of)| (scope.clone(), of.clone())).collect()
    }

    /// Why a conversation can't be started, if it can't.
    pub fn lacks(&self, scope: &Scope) -> Option<String> {
        if !self.agents.contains(&scope.agent) {
            return Some(format!("Agent {} not found", scope.agent));
        }
        match self.owners.get(&scope.conversation) {
            _ if scope.conversation == "default" => None,
            None => Some(format!("Conversation {} not found", scope.conversation)),
            Some(owner) if *owner != scope.agent => Some(format!(
                "Conversation {} belongs to {owner}, not {}",
                scope.conversation, scope.agent
            )),
            Some(_) => None,
        }
    }

    pub fn store(&mut self, scope: &Scope, kind: &str, otid: Option<&str>, content: Value) {
        let n = self.next();
        let date = self.clock.now().to_string();
        let mut message = json!({
            "id": format!("ui-msg-{n}"), "date": date, "message_type": kind, "content": content,
        });
        if let Some(otid) = otid {
            message["otid"] = otid.into();
        }
        self.messages_of(scope).push(message);
    }

    /// What the ledger says of an input that is still remembered.
    pub fn remembered(&mut self, scope: &Scope, id: &str) -> bool {
        let now = self.clock.now();
        self.ledger
            .retain(|_, taken| now.duration_since(taken.at) < MEMORY);
        self.ledger.contains_key(&(scope.clone(), id.to_owned()))
    }

    /// Whether an input that was taken has yet to run to its end, or is stored.
    pub fn keeps(&self, scope: &Scope, id: &str) -> bool {
        let taken = self.ledger.get(&(scope.clone(), id.to_owned()));
        let mut messages = self.messages.get(scope).into_iter().flatten();
        taken.is_some_and(|taken| !taken.finished) || messages.any(|m| m["otid"] == id)
    }

    /// Makes another client listen for good.
    pub fn stay(&mut self, scope: &Scope) {
        self.observed.insert(scope.clone());
    }

    pub fn is_followed(&self, scope: &Scope) -> bool {
        self.observed.contains(scope) || self.clients.values().any(|c| c.follows.contains(scope))
    }

    /// Says something to everybody who follows a conversation.
    pub fn tell(&mut self, scope: &Scope, kind: &str, mut body: Value) {
        body["type"] = kind.into();
        body["runtime"] = scope.json();
        body["event_seq"] = self.next().into();
        let text = body.to_string();
        for client in self.clients.values().filter(|c| c.follows.contains(scope)) {
            let _ = client.out.send(Out::Text(text.clone()));
        }
    }

    /// Says where the loop of a conversation stands.
    pub fn tell_loop(&mut self, scope: &Scope, status: &str) {
        let runs = self.runs.get(scope).cloned().unwrap_or_default();
        let status = json!({
            "status": status, "active_run_ids": [], "client_message_ids_by_run_id": runs,
        });
        self.tell(scope, "update_loop_status", json!({"loop_status": status}));
    }

    /// Says what waits in a conversation.
    pub fn tell_queue(&mut self, scope: &Scope, removed: Value) {
        let waiting = self.queues.get(scope).into_iter().flatten();
        let waiting: Vec<Value> = waiting
            .map(|(id, _)| json!({"client_message_id": id}))
            .collect();
        let body = json!({"queue": waiting, "removed": removed});
        self.tell(scope, "update_queue", body);
    }

    /// Gives a picture of a conversation.
    pub fn tell_all(&mut self, scope: &Scope) {
        let asks = self.asking.contains(scope);
        let is_active = self
            .active
            .get(&scope.conversation)
            .is_some_and(|(of, _)| of == scope);
        let requests: Vec<Value> = asks
            .then(|| json!({"request_id": "perm-1"}))
            .into_iter()
            .collect();
        let device = json!({"is_processing": is_active, "pending_control_requests": requests});
        self.tell(
            scope,
            "update_device_status",
            json!({"device_status": device}),
        );
        self.tell_loop(
            scope,
            match (is_active, asks) {
                (_, true) => "WAITING_ON_APPROVAL",
                (true, false) => "PROCESSING_API_RESPONSE",
                (false, false) => "WAITING_ON_INPUT",
            },
        );
        self.tell_queue(scope, json!([]));
    }
}
