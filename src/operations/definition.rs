//! What an operation is: what it takes and answers, who may ask for it and where, and what carries it
//! out. The command line, the plugin's description, MCP's tools, HTTP's routes and the client of a
//! server on another machine are all made from it.

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

/// The answer of an operation, on its way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Value>> + Send + 'a>>;

/// Something that can be asked of us.
pub struct Operation {
    /// Its name, which is that of its command.
    pub name: &'static str,
    /// What it does, in one line.
    pub title: &'static str,
    /// What else is to be known of it.
    pub details: &'static str,
    /// What it takes, in groups.
    pub parameters: &'static [&'static [Parameter]],
    /// A request that works, as JSON; empty if there is nothing to say.
    pub example: &'static str,
    /// What it answers.
    pub answer: Answer,
    /// Who may ask for it.
    pub who: Who,
    /// What it does.
    pub effect: Effect,
    /// Where it is found over HTTP.
    pub route: Route,
    /// The tool of MCP that it is; `None` if it is none, or several.
    pub tool: Option<Tool>,
    /// Whether it is a command of its own.
    pub is_command: bool,
    /// Other names of the command.
    pub command_aliases: &'static [&'static str],
    /// Why the plugin refuses it, and what to do there instead; `None` if it offers it.
    pub refused_in_plugin: Option<Refused>,
    /// Reads what it is given, without doing anything.
    pub check: fn(&Values) -> Result<()>,
    /// Carries it out.
    pub carry_out: for<'a> fn(&'a Service, &'a Values) -> Answering<'a>,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Who may ask for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody. An agent that is known sees and changes only what is its own.
    Anyone,
    /// Only the operator: an agent that is known is refused, with this as the name of what it asked for.
    Operator(&'static str),
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only looks.
    Reads,
    /// It adds something.
    Adds,
    /// It changes something, and doing it again changes nothing more.
    Sets,
    /// It sends something to an agent, or ends something for good.
    Acts,
}

/// A tool of MCP that carries out an operation. It takes what the operation takes, and is described as
/// the operation is.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What a model is told in addition; empty if there is nothing to add.
    pub advice: &'static str,
}

/// Where an operation is found over HTTP.
#[derive(Debug)]
pub struct Route {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// The path after `/api/v1`; `{id}` is the schedule's number.
    pub path: &'static str,
    /// Its name in the OpenAPI document.
    pub id: &'static str,
    /// The part of the document that it stands in.
    pub tag: &'static str,
    /// Whether a request has a body, and must.
    pub body: Body,
    /// The statuses of an answer and what each means, the usual one first.
    pub answers: &'static [(u16, &'static str)],
    /// The statuses of problems that not every operation has.
    pub problems: &'static [u16],
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none; what is said stands in the query.
    None,
    /// It may be left out.
    Optional,
    /// It must be there.
    Required,
}

/// What an operation answers.
pub struct Answer {
    /// The name of the answer's schema.
    pub name: fn() -> Cow<'static, str>,
    /// Its schema.
    pub schema: fn() -> RefOr<Schema>,
    /// The schemas that it refers to.
    pub others: fn(&mut Vec<(String, RefOr<Schema>)>),
    /// Whether JSON is such an answer.
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

/// The answer of a type.
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
    /// The same, as a page of the list under this key.
    pub const fn page(self, key: &'static str) -> Self {
        Answer {
            page_of: Some(key),
            ..self
        }
    }
}

impl Operation {
    /// Everything it takes.
    pub fn parameters(&self) -> impl Iterator<Item = &'static Parameter> + use<> {
        self.parameters.iter().flat_map(|group| group.iter())
    }

    /// Who may ask for it, and what else is to be known of it.
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

    /// Whether a request for it may carry a key under which it is carried out once, however often it
    /// comes.
    pub fn takes_request_key(&self) -> bool {
        self.route.method == "POST" && self.effect != Effect::Reads
    }
}
