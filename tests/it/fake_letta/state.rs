//! The state of a fake Letta.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Options;
use super::load::{Load, Trap};

/// What happens to a prompt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    /// A turn of one step that says `fake: ` and the prompt.
    Turn,
    /// This answer, and no turn. A string as body is sent as it is, anything else as JSON.
    Answer {
        /// The status.
        status: u16,
        /// The body.
        body: Value,
        /// Headers, such as `retry-after`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The turn runs to its end unheard, and this is the answer: a proxy that gave up.
    AnswerAfter {
        /// The status.
        status: u16,
        /// The body, as text.
        body: String,
    },
    /// The connection ends before anything is done.
    CutBefore,
    /// The turn runs to its end, then the connection ends without an answer.
    CutAfter,
    /// The run is told, then the connection ends; the turn goes on.
    CutMidStream,
    /// The run is told, then the connection ends and the server with it: the run never ends.
    Orphan,
    /// The turn is told to its end, then the connection ends before the stream does.
    CutBeforeDone,
    /// Events that are no JSON, then the end of the stream; the turn goes on.
    Garbage,
    /// This many signs of life before the turn goes on.
    Pings(usize),
    /// The run is told, then nothing more ever, while the run goes on.
    Silence,
    /// The headers of the answer come, then nothing more ever; the turn runs to its end unheard.
    Stall,
    /// Signs of life without end, while nothing works on the run any more.
    Endless,
    /// A success whose body is no JSON; the turn runs to its end unheard.
    GarbledAnswer,
    /// A well-formed answer after which nothing ran and nothing was kept.
    NothingRan,
    /// The turn ends with this reason; `kept` if its first step was kept.
    Ends {
        /// Letta's reason.
        stop_reason: String,
        /// Whether the prompt was kept.
        kept: bool,
        /// Letta's word for the error.
        #[serde(default)]
        error_type: Option<String>,
        /// The provider's words for the error.
        #[serde(default)]
        detail: String,
    },
}

/// One prompt as it was received.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Received {
    /// Whom it was for.
    pub agent: String,
    /// The otid of its first message.
    pub otid: Option<String>,
    /// The content of its first message.
    pub text: String,
    /// The whole request.
    pub body: Value,
    /// The route it came by: `background`, `stream`, `async` or `sync`.
    pub way: String,
    /// The run it was given.
    pub run_id: String,
    /// When it came, as a number that grows with every event of the server.
    pub received: u64,
    /// When its turn ended, likewise.
    pub ended: Option<u64>,
    /// Whether it is among the agent's messages.
    pub kept: bool,
    /// Whether its run was left behind by a crash: it never ends, and nothing works on it.
    pub dead: bool,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its agent.
    pub agent: String,
    /// Letta's word for its state.
    pub status: &'static str,
    /// When it was made.
    pub created: Timestamp,
    /// Why it ended.
    pub stop_reason: Option<String>,
    /// The error it ended with.
    pub error: Option<Value>,
    /// The events a stream of it tells after the first ping, once it has ended.
    pub events: Vec<String>,
    /// Which prompt it is for.
    pub received: Option<usize>,
    /// Whether nothing works on it any more, although it says that it goes on.
    pub dead: bool,
}

/// Everything a fake Letta remembers. It survives a stop, as a database does.
pub struct State {
    pub clock: Clock,
    pub password: Option<String>,
    pub redis: bool,
    pub missing: HashSet<String>,
    pub healthy: bool,
    pub streams: bool,
    pub app_server: bool,
    pub cursors: bool,
    pub agents: Vec<String>,
    pub messages: HashMap<String, Vec<Value>>,
    pub runs: BTreeMap<String, Run>,
    pub active: HashMap<String, HashSet<String>>,
    /// The run that holds an agent's lock, and since when.
    pub locks: HashMap<String, (String, Timestamp)>,
    pub runs_by_otid: HashMap<String, String>,
    pub received: Vec<Received>,
    pub scripts: HashMap<String, VecDeque<Script>>,
    pub script_for_all: Option<Script>,
    /// What happens to every request for a path.
    pub scripts_of_paths: HashMap<String, Script>,
    /// The agent whose turns end just before the next request for a path is answered.
    pub releases: HashMap<String, String>,
    pub held: HashSet<String>,
    pub hold_all: bool,
    pub overlaps: usize,
    /// How often a prompt was sent again that is kept, or may yet be.
    pub repeats: usize,
    /// How long a lock lasts.
    pub lock: SignedDuration,
    /// How long it takes over things, and what goes wrong by chance.
    pub load: Option<Load>,
    pub trap: Option<Trap>,
    /// How many requests came, by path.
    pub asked: HashMap<String, usize>,
    pub tools: super::tools::Tools,
    pub oddities: super::oddities::Oddities,
    pub spells: super::spells::Spells,
    sequence: u64,
}

impl State {
    pub fn new(options: Options) -> Self {
        State {
            clock: options.clock,
            password: options.password,
            redis: options.redis,
            lock: options.lock,
            load: None,
            tools: super::tools::Tools::default(),
            oddities: super::oddities::Oddities::default(),
            spells: super::spells::Spells::default(),
            trap: None,
            missing: HashSet::new(),
            healthy: true,
            streams: true,
            app_server: false,
            cursors: true,
            agents: Vec::new(),
            messages: HashMap::new(),
            runs: BTreeMap::new(),
            active: HashMap::new(),
            locks: HashMap::new(),
            runs_by_otid: HashMap::new(),
            received: Vec::new(),
            scripts: HashMap::new(),
            script_for_all: None,
            scripts_of_paths: HashMap::new(),
            releases: HashMap::new(),
            held: HashSet::new(),
            hold_all: false,
            overlaps: 0,
            repeats: 0,
            asked: HashMap::new(),
            sequence: 0,
        }
    }

    /// What happens to a request for a path.
    pub fn script_of_path(&self, path: &str) -> Option<Script> {
        let scripts = self.scripts_of_paths.iter();
        let of_all = |key: &str| key.strip_suffix('*').is_some_and(|p| path.starts_with(p));
        let own = self.scripts_of_paths.get(path);
        let any = || scripts.clone().find(|(key, _)| of_all(key)).map(|(_, s)| s);
        own.or_else(any).cloned()
    }

    pub fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// What is to happen to the next prompt of `agent`.
    pub fn take_script(&mut self, agent: &str) -> Script {
        if let Some(rule) = self.oddities.rules.get(agent) {
            return rule.clone();
        }
        let own = self.scripts.get_mut(agent).and_then(VecDeque::pop_front);
        own.or_else(|| self.script_for_all.clone())
            .or_else(|| self.load.as_mut()?.mishap())
            .unwrap_or(Script::Turn)
    }

    /// Begins a run that nobody has sent a prompt for through us.
    pub fn foreign_run(&mut self, agent: &str, age: SignedDuration) -> String {
        let created = self.clock.now().checked_sub(age).unwrap();
        self.begin_run(agent, created, None)
    }

    pub fn begin_run(
        &mut self,
        agent: &str,
        created: Timestamp,
        received: Option<usize>,
    ) -> String {
        let n = self.next();
        let id = format!("run-00000000-0000-4000-8000-{n:012}");
        let active = self.active.entry(agent.into()).or_default();
        let alive = active.iter().any(|id| !self.runs[id].dead);
        if alive && received.is_some() {
            self.overlaps += 1;
        }
        active.insert(id.clone());
        self.runs.insert(
            id.clone(),
            Run {
                agent: agent.into(),
                status: "created",
                created,
                stop_reason: None,
                error: None,
                events: Vec::new(),
                received,
                dead: false,
            },
        );
        id
    }

    /// Leaves every run that goes on as it is, with nothing that works on it.
    pub fn orphan_all(&mut self) {
        for run in self.runs.values_mut().filter(|r| r.stop_reason.is_none()) {
            run.dead = true;
            if let Some(at) = run.received {
                self.received[at].dead = true;
            }
        }
    }

    pub fn age_messages(&mut self, agent: &str, by: SignedDuration) {
        for message in self.messages.entry(agent.into()).or_default() {
            let date: Timestamp = message["date"].as_str().unwrap().parse().unwrap();
            message["date"] = date.checked_sub(by).unwrap().to_string().into();
        }
    }

    pub fn revive(&mut self, id: &str) {
        let run = self.runs.get_mut(id).unwrap();
        run.status = "created";
        run.stop_reason = None;
        self.active
            .entry(run.agent.clone())
            .or_default()
            .insert(id.into());
    }

    /// Ends a run as `script` says, keeping its prompt and the agent's answer if it says so.
    pub fn end_run(&mut self, id: &str, messages: &[Value], script: &Script) {
        let at = self.next();
        let Some(run) = self.runs.get_mut(id) else {
            return;
        };
        let agent = run.agent.clone();
        let (stop_reason, kept, error) = match script {
            Script::NothingRan => ("end_turn".to_owned(), false, None),
            Script::Ends {
                stop_reason,
                kept,
                error_type,
                detail,
            } => {
                let error = error_type.as_ref().map(|t| {
                    json!({"message_type": "error_message", "run_id": id, "error_type": t,
                           "message": "An error occurred with the LLM request.", "detail": detail})
                });
                (stop_reason.clone(), *kept, error)
            }
            _ => ("end_turn".to_owned(), true, None),
        };
        let date = self.clock.now().to_string();
        let text = messages.first().map(content).unwrap_or_default();
        let said = json!({
            "id": format!("message-00000000-0000-4000-8000-1{at:011}"), "date": date,
            "message_type": "assistant_message", "otid": null, "run_id": id,
            "content": format!("fake: {text}"),
        });
        run.status = match &error {
            Some(_) => "failed",
            None if stop_reason == "cancelled" => "cancelled",
            None => "completed",
        };
        run.stop_reason = Some(stop_reason.clone());
        run.error = error.clone();
        let steps = usize::from(kept);
        run.events.extend(kept.then(|| event(&said)));
        run.events.push(event(
            &json!({"message_type": "stop_reason", "stop_reason": stop_reason}),
        ));
        match &error {
            Some(error) => run.events.push(format!("event: error\n{}", event(error))),
            None => {
                run.events.push(event(&json!({
                    "message_type": "usage_statistics", "total_tokens": 15, "step_count": steps,
                })));
                run.events.push("data: [DONE]\n\n".into());
            }
        }
        if let Some(received) = run.received {
            self.received[received].ended = Some(at);
            self.received[received].kept = kept;
        }
        if kept {
            let list = self.messages.entry(agent.clone()).or_default();
            for (n, message) in messages.iter().enumerate() {
                list.push(json!({
                    "id": format!("message-00000000-0000-4000-8000-0{at:08}{n:03}"),
                    "date": date, "run_id": id, "otid": message.get("otid"),
                    "message_type": format!("{}_message", message["role"].as_str().unwrap_or("user")),
                    "content": message["content"],
                }));
            }
            list.push(said);
        }
        if let Some(active) = self.active.get_mut(&agent) {
            active.remove(id);
        }
        self.locks.retain(|_, (run, _)| run != id);
    }
}

/// The text of a message that was received.
pub fn content(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// One event of a stream.
pub fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}
