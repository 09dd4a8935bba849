//! One registration over each face.

use serde_json::{Map, Value, json};

use crate::mcp::Raw;
use crate::program::World;

/// The fields of a registration by the names of the REST API.
pub type Asked = Map<String, Value>;

/// What a registration came to.
#[derive(Debug)]
pub enum Told {
    /// The schedule as `show` tells it.
    Made(Value),
    /// An error, and its example.
    Refused {
        error: String,
        example: Option<Value>,
    },
}

/// A way to register.
pub trait Face {
    fn name(&self) -> &'static str;
    fn register(&mut self, asked: &Asked) -> Told;
    /// Does what an example says.
    fn follow(&mut self, asked: &Asked, example: &Value) -> Told;
}

const TIMES: [&str; 3] = ["time", "cron", "every"];

/// The fields with those of an example in their place: one time stands for another.
fn corrected(asked: &Asked, example: Asked) -> Asked {
    let mut fields = asked.clone();
    if TIMES.iter().any(|time| example.contains_key(*time)) {
        fields.retain(|name, _| !TIMES.contains(&name.as_str()));
    }
    fields.extend(example);
    fields
}

fn refused(answer: &Value) -> Told {
    Told::Refused {
        error: answer.to_string(),
        example: answer.get("example").cloned(),
    }
}

/// The command line.
pub struct Cli<'a>(&'a World);

impl<'a> Cli<'a> {
    pub fn new(world: &'a World) -> Self {
        Cli(world)
    }
}

impl Face for Cli<'_> {
    fn name(&self) -> &'static str {
        "command line"
    }

    fn register(&mut self, asked: &Asked) -> Told {
        let mut argv = vec![
            "register",
            "--agent-id",
            self.0.agent.as_str(),
            "--prompt",
            "p",
        ];
        let flags: Vec<(String, &str)> = asked
            .iter()
            .map(|(name, value)| {
                (
                    format!("--{}", name.replace('_', "-")),
                    value.as_str().unwrap(),
                )
            })
            .collect();
        argv.extend(
            flags
                .iter()
                .flat_map(|(flag, value)| [flag.as_str(), *value]),
        );
        let answer = self.0.run(&argv);
        match answer.status {
            0 => {
                let id = answer.json["id"].to_string();
                Told::Made(self.0.run(&["show", "--id", &id]).succeeded())
            }
            _ => refused(&answer.json),
        }
    }

    fn follow(&mut self, asked: &Asked, example: &Value) -> Told {
        let words = shlex::split(example.as_str().unwrap()).unwrap();
        let flags = words.chunks(2).map(|pair| {
            let name = pair[0].strip_prefix("--").unwrap().replace('-', "_");
            (name, json!(pair[1]))
        });
        self.register(&corrected(asked, flags.collect()))
    }
}

/// MCP over stdio.
pub struct Mcp {
    raw: Raw,
    agent: String,
}

impl Mcp {
    pub fn new(world: &World) -> Self {
        // How often an agent may be woken is not what is asked here.
        let much = [
            ("PROMPTYOSELF_BUDGET_SCHEDULES", "10000"),
            ("PROMPTYOSELF_BUDGET_REGISTRATIONS_PER_DAY", "10000"),
            ("PROMPTYOSELF_BUDGET_FIRES_PER_DAY", "100000"),
        ];
        Mcp {
            raw: Raw::start_with(world, &much),
            agent: world.agent.as_str().to_owned(),
        }
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        let mut answer = self.raw.ask("tools/call", params);
        answer["result"]["structuredContent"].take()
    }

    fn make(&mut self, tool: &str, arguments: &Value) -> Told {
        let answer = self.call(tool, arguments);
        match answer.get("error") {
            None => {
                let shown = json!({ "schedule_id": answer["id"] });
                Told::Made(self.call("promptyoself_get", &shown))
            }
            Some(_) => refused(&answer),
        }
    }
}

impl Face for Mcp {
    fn name(&self) -> &'static str {
        "mcp"
    }

    fn register(&mut self, asked: &Asked) -> Told {
        let time = TIMES
            .iter()
            .find(|time| asked.contains_key(**time))
            .unwrap();
        let mut arguments = asked.clone();
        arguments.insert("prompt_text".to_owned(), json!("p"));
        arguments.insert("agentId".to_owned(), json!(self.agent));
        self.make(&format!("promptyoself_schedule_{time}"), &arguments.into())
    }

    fn follow(&mut self, _: &Asked, example: &Value) -> Told {
        // It is whole: nothing of the first call is added.
        self.make(example["tool"].as_str().unwrap(), &example["arguments"])
    }
}

/// The REST API.
pub struct Rest {
    http: reqwest::Client,
    url: String,
    agent: String,
}

impl Rest {
    pub fn new(world: &World) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Rest {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            url: format!("{}/api/v1/schedules", world.serve()),
            agent: world.agent.as_str().to_owned(),
        }
    }

    fn send(&self, request: reqwest::RequestBuilder) -> (bool, Value) {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let response = request.send().await.unwrap();
                let is_done = response.status().is_success();
                (
                    is_done,
                    serde_json::from_str(&response.text().await.unwrap()).unwrap(),
                )
            })
        })
    }
}

impl Face for Rest {
    fn name(&self) -> &'static str {
        "rest"
    }

    fn register(&mut self, asked: &Asked) -> Told {
        let mut body = asked.clone();
        body.insert("prompt".to_owned(), json!("p"));
        body.insert("agent_id".to_owned(), json!(self.agent));
        let (is_made, answer) = self.send(self.http.post(&self.url).json(&body));
        match is_made {
            true => {
                let shown = self.http.get(format!("{}/{}", self.url, answer["id"]));
                Told::Made(self.send(shown).1)
            }
            false => refused(&answer),
        }
    }

    fn follow(&mut self, asked: &Asked, example: &Value) -> Told {
        let example: Value = serde_json::from_str(example.as_str().unwrap()).unwrap();
        self.register(&corrected(asked, example.as_object().unwrap().clone()))
    }
}
