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
use crate::error::{Example, Result, call, fields};
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
    /// Where it is found over HTTP.
    pub route: Route,
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

/// Why something is refused in the plugin, and what to do there instead.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Why.
    pub why: &'static str,
    /// What to do instead.
    pub instead: Instead,
}

/// What to do instead of what is refused.
#[derive(Clone, Copy, Debug)]
pub enum Instead {
    /// Another command.
    Call(&'static str),
    /// This value of another field.
    Give(&'static str, &'static str),
}

impl From<Instead> for Example {
    fn from(instead: Instead) -> Self {
        match instead {
            Instead::Call(name) => call(name).into(),
            Instead::Give(name, value) => fields([(name, value)]),
        }
    }
}

/// Something that a request may say.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its flag, where that is not its name.
    pub flag: Option<&'static str>,
    /// Its name as an argument of a tool, where that is another one.
    pub argument: Option<&'static str>,
    /// Other names that a tool understands.
    pub aliases: &'static [&'static str],
    /// Other flags, which help does not show.
    pub flag_aliases: &'static [&'static str],
    /// What kind of value it has.
    pub kind: Kind,
    /// What stands for its value in help.
    pub placeholder: &'static str,
    /// What it means, in one line.
    pub help: &'static str,
    /// What else is to be known of it.
    pub details: &'static str,
    /// Values that work.
    pub examples: &'static [&'static str],
    /// Why the plugin refuses it.
    pub refused_in_plugin: Option<Refused>,
    /// The field that can't be given beside it.
    pub instead_of: Option<&'static str>,
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number from the least to the greatest.
    Number(i64, i64),
    /// Yes or no.
    Switch,
    /// One of some words.
    Word(&'static [&'static str]),
}

/// A field as an operation takes it.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The field.
    pub field: &'static Field,
    /// Whether nothing can be done without it.
    pub is_required: bool,
    /// What it means here, where that is not what it always means.
    pub meaning: Option<&'static str>,
    /// What is taken on the command line if it isn't given.
    pub default: Option<&'static str>,
    /// Where it can be given.
    pub given: Given,
}

/// Where a parameter can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Everywhere.
    Everywhere,
    /// On the command line only, which does with it what other faces don't.
    OnCommandLine,
    /// Everywhere but in tools.
    NotInTools,
    /// In a path over HTTP, and as the first word of a command.
    InPath,
}

/// A field that need not be given.
pub const fn takes(field: &'static Field) -> Parameter {
    Parameter {
        field,
        is_required: false,
        meaning: None,
        default: None,
        given: Given::Everywhere,
    }
}

impl Parameter {
    /// The same where it must be given.
    pub const fn required(self) -> Self {
        Parameter {
            is_required: true,
            ..self
        }
    }

    /// The same with another meaning.
    pub const fn meaning(self, meaning: &'static str) -> Self {
        Parameter {
            meaning: Some(meaning),
            ..self
        }
    }

    /// The same with a default on the command line.
    pub const fn or(self, default: &'static str) -> Self {
        Parameter {
            default: Some(default),
            ..self
        }
    }

    /// The same where it can be given only there.
    pub const fn given(self, given: Given) -> Self {
        Parameter { given, ..self }
    }

    /// Its name as an argument of a tool.
    pub fn argument(&self) -> &'static str {
        self.field.argument.unwrap_or(self.field.name)
    }

    /// What it means, in one line.
    pub fn help(&self) -> &'static str {
        self.meaning.unwrap_or(self.field.help)
    }

    /// What it means in whole sentences, on one line, without examples.
    pub fn sentences(&self) -> String {
        let details = match self.meaning {
            Some(_) => "",
            None => self.field.details,
        };
        sentences(self.help(), details)
    }

    /// The same with examples.
    pub fn described(&self) -> String {
        let told = self.sentences();
        let examples = match self.field.kind {
            // Its words are told already.
            Kind::Word(_) | Kind::Switch => return told,
            Kind::Number(..) => self.field.examples.join(", "),
            Kind::Text => {
                let quoted: Vec<String> = (self.field.examples.iter())
                    .map(|e| format!("{e:?}"))
                    .collect();
                quoted.join(", ")
            }
        };
        match self.field.examples.len() {
            0 => told,
            1 => format!("{told} Example: {examples}"),
            _ => format!("{told} Examples: {examples}"),
        }
    }

    /// Whether it can be given over HTTP, in a body or a query.
    pub fn is_over_http(&self) -> bool {
        matches!(self.given, Given::Everywhere | Given::NotInTools)
    }
}

impl Operation {
    /// Everything it takes.
    pub fn parameters(&self) -> impl Iterator<Item = &'static Parameter> + use<> {
        self.parameters.iter().flat_map(|group| group.iter())
    }

    /// What it does, in whole sentences.
    pub fn described(&self) -> String {
        sentences(self.title, self.details)
    }
}

/// A line and what comes after it as whole sentences.
fn sentences(line: &str, details: &str) -> String {
    let stop = match line.ends_with(['.', '?', '!']) {
        true => "",
        false => ".",
    };
    match details.is_empty() {
        true => format!("{line}{stop}"),
        false => format!("{line}{stop} {details}"),
    }
}
