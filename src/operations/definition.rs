//! The definition of an operation: its parameters and answer, who may use it and where, and the
//! function that carries it out. The command line, the plugin's description, MCP's tools, HTTP's
//! routes and the client of a server on another machine are derived from it.

use std::borrow::Cow;
use std::pin::Pin;

use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Values;
use super::field::{Parameter, Refused, sentences};
use crate::error::Result;
use crate::service::Service;

/// The future of an operation's answer.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Value>> + Send + 'a>>;

/// An operation.
pub struct Operation {
    /// Its name, which is also its command's.
    pub name: &'static str,
    /// What it does, in one line.
    pub title: &'static str,
    /// Further details.
    pub details: &'static str,
    /// Its parameters, in groups.
    pub parameters: &'static [&'static [Parameter]],
    /// A request that works, as JSON; empty if there is none.
    pub example: &'static str,
    /// What it answers.
    pub answer: Answer,
    /// Who may use it.
    pub who: Who,
    /// What it does.
    pub effect: Effect,
    /// Its route over HTTP.
    pub route: Route,
    /// Its MCP tool; `None` if it has none, or several.
    pub tool: Option<Tool>,
    /// Whether it has a command of its own.
    pub is_command: bool,
    /// Other names of the command.
    pub command_aliases: &'static [&'static str],
    /// Why the plugin refuses it, and what to do instead; `None` if the plugin offers it.
    pub refused_in_plugin: Option<Refused>,
    /// Checks its values without doing anything.
    pub check: fn(&Values) -> Result<()>,
    /// Carries it out.
    pub carry_out: for<'a> fn(&'a Service, &'a Values) -> Answering<'a>,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Who may use an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody. A known agent only sees and changes what is its own.
    Anyone,
    /// Only the operator. A known agent is refused, with this as the name of the operation.
    Operator(&'static str),
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Reads,
    /// It adds something.
    Adds,
    /// It changes something, and repeating it changes nothing more.
    Sets,
    /// It sends something to an agent, or ends something for good.
    Acts,
}

/// An MCP tool that carries out an operation. It has the operation's parameters and description.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Additional advice for models; empty if there is none.
    pub advice: &'static str,
}

/// The HTTP route of an operation.
#[derive(Debug)]
pub struct Route {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// The path after `/api/v1`; `{id}` is the schedule's id.
    pub path: &'static str,
    /// The operation's id in the OpenAPI document.
    pub id: &'static str,
    /// Its section in the document.
    pub tag: &'static str,
    /// Whether a request has a body.
    pub body: Body,
    /// The statuses of an answer with their meanings, the usual one first.
    pub answers: &'static [(u16, &'static str)],
    /// The statuses of problems that not every operation has.
    pub problems: &'static [u16],
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none; values are in the query.
    None,
    /// It is optional.
    Optional,
    /// It is required.
    Required,
}

/// The answer of an operation.
pub struct Answer {
    /// The name of the answer's schema.
    pub name: fn() -> Cow<'static, str>,
    /// Its schema.
    pub schema: fn() -> RefOr<Schema>,
    /// The schemas it refers to.
    pub others: fn(&mut Vec<(String, RefOr<Schema>)>),
    /// Checks whether JSON is such an answer.
    pub check: fn(&Value) -> serde_json::Result<()>,
    /// The key of its list, if it is a page of one.
    pub page_of: Option<&'static str>,
}

impl Route {
    /// Whether it is about one schedule.
    pub fn has_id(&self) -> bool {
        self.path.contains("{id}")
    }
}

/// The answer with a type.
pub const fn answers<T: ToSchema + PartialSchema + DeserializeOwned>() -> Answer {
    Answer {
        name: T::name,
        schema: T::schema,
        others: T::schemas,
        check: |value| T::deserialize(value).map(drop),
        page_of: None,
    }
}

impl Answer {
    /// An answer that is a page of the list under this key.
    pub const fn page(self, key: &'static str) -> Self {
        Answer {
            page_of: Some(key),
            ..self
        }
    }
}

impl Operation {
    /// All its parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &'static Parameter> + use<> {
        self.parameters.iter().flat_map(|group| group.iter())
    }

    /// Who may use it, and further details.
    pub fn details(&self) -> String {
        let whose = match self.who {
            Who::Anyone => "",
            Who::Operator(_) => "Only for the operator.",
        };
        let parts = [whose, self.details];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    }

    /// What it does, in whole sentences.
    pub fn described(&self) -> String {
        sentences(self.title, &self.details())
    }

    /// Whether a request may have an idempotency key.
    pub fn takes_request_key(&self) -> bool {
        self.route.method == "POST" && self.effect != Effect::Reads
    }
}
