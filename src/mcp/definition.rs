//! What a tool is: its name, what it takes and answers, and what carries it out.
//!
//! A tool is defined in one place, and listing, reading of arguments and calling all come from it.

use std::pin::Pin;
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use super::Call;
use crate::error::Result;

/// The answer of a tool, on its way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Value>> + Send + 'a>>;

/// A tool.
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does, for a language model.
    pub description: &'static str,
    /// What it takes.
    pub parameters: &'static [Parameter],
    /// What its answer holds.
    pub answers: &'static [Field],
    /// What it does to the schedules.
    pub effect: Effect,
    /// Whether only the operator may call it.
    pub is_operators: bool,
    /// Carries it out.
    pub carry_out: for<'a> fn(&'a Call) -> Answering<'a>,
}

/// What a tool does to the schedules.
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

/// Something that a tool takes.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Other names under which it is understood.
    pub aliases: &'static [&'static str],
    /// What kind of value it is.
    pub kind: Kind,
    /// Whether nothing can be done without it.
    pub is_required: bool,
    /// What it means, for a language model.
    pub description: &'static str,
    /// Values that work, as JSON; they are told at the end of the description.
    pub examples: &'static [&'static str],
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Switch,
    /// One of some words.
    Word(&'static [&'static str]),
}

/// Something that an answer holds.
#[derive(Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it may be null as well.
    pub is_nullable: bool,
    /// What it means.
    pub description: &'static str,
}

/// What a key of an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// A whole number.
    Whole,
    /// Yes or no.
    Truth,
    /// An object.
    Object,
    /// A list of texts.
    Texts,
    /// A list of objects.
    Objects,
}

impl Shape {
    fn schema(self) -> Value {
        match self {
            Shape::Text => json!({ "type": "string" }),
            Shape::Whole => json!({ "type": "integer" }),
            Shape::Truth => json!({ "type": "boolean" }),
            Shape::Object => json!({ "type": "object" }),
            Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Shape::Objects => json!({ "type": "array", "items": { "type": "object" } }),
        }
    }
}

/// A parameter that need not be given.
pub const fn optional(
    name: &'static str,
    kind: Kind,
    description: &'static str,
    examples: &'static [&'static str],
) -> Parameter {
    Parameter {
        name,
        aliases: &[],
        kind,
        is_required: false,
        description,
        examples,
    }
}

/// A parameter that must be given.
pub const fn required(
    name: &'static str,
    kind: Kind,
    description: &'static str,
    examples: &'static [&'static str],
) -> Parameter {
    Parameter {
        is_required: true,
        ..optional(name, kind, description, examples)
    }
}

impl Parameter {
    /// The same under other names too.
    pub const fn also(self, aliases: &'static [&'static str]) -> Parameter {
        Parameter { aliases, ..self }
    }

    /// The same with another meaning.
    pub const fn meaning(self, description: &'static str) -> Parameter {
        Parameter {
            description,
            ..self
        }
    }

    /// The same where it need not be given.
    pub const fn not_required(self) -> Parameter {
        Parameter {
            is_required: false,
            ..self
        }
    }

    /// Its schema, in the words that every model's API takes: Gemini's refuses a request whole for
    /// a keyword it does not know, and JSON Schema's `examples` is one.
    fn schema(&self) -> Value {
        let kind = match self.kind {
            Kind::Text | Kind::Word(_) => "string",
            Kind::Number => "integer",
            Kind::Switch => "boolean",
        };
        let mut schema = json!({ "type": kind, "description": self.told() });
        if let Kind::Word(words) = self.kind {
            schema["enum"] = json!(words);
        }
        schema
    }

    /// What it means, with values that work.
    fn told(&self) -> String {
        let examples: Vec<String> = match self.kind {
            // Its words are told already.
            Kind::Word(_) | Kind::Switch => Vec::new(),
            Kind::Number => self.examples.iter().map(|n| (*n).to_owned()).collect(),
            Kind::Text => self.examples.iter().map(|t| format!("{t:?}")).collect(),
        };
        let stop = if self.description.ends_with('.') {
            ""
        } else {
            "."
        };
        match examples.as_slice() {
            [] => self.description.to_owned(),
            [one] => format!("{}{stop} Example: {one}", self.description),
            several => format!(
                "{}{stop} Examples: {}",
                self.description,
                several.join(", ")
            ),
        }
    }
}

/// What an answer holds under a key.
pub const fn field(name: &'static str, shape: Shape, description: &'static str) -> Field {
    Field {
        name,
        shape,
        is_nullable: false,
        description,
    }
}

/// What an answer holds under a key, or null.
pub const fn nullable(name: &'static str, shape: Shape, description: &'static str) -> Field {
    Field {
        is_nullable: true,
        ..field(name, shape, description)
    }
}

impl Definition {
    /// The tool as clients are told of it.
    pub fn to_tool(&self) -> Tool {
        let annotations = ToolAnnotations::with_title(self.title)
            .read_only(self.effect == Effect::Reads)
            .destructive(self.effect == Effect::Acts)
            .idempotent(matches!(self.effect, Effect::Reads | Effect::Sets))
            .open_world(false);
        Tool::new(self.name, self.description, Arc::new(self.input_schema()))
            .with_title(self.title)
            .with_raw_output_schema(Arc::new(self.output_schema()))
            .with_annotations(annotations)
    }

    /// Not closed: routers add fields of their own, which clients must be able to send.
    fn input_schema(&self) -> JsonObject {
        let properties: Map<String, Value> = self
            .parameters
            .iter()
            .map(|p| (p.name.to_owned(), p.schema()))
            .collect();
        let required: Vec<&str> = self
            .parameters
            .iter()
            .filter(|p| p.is_required)
            .map(|p| p.name)
            .collect();
        let mut schema = JsonObject::new();
        schema.insert("type".into(), "object".into());
        schema.insert("properties".into(), properties.into());
        if !required.is_empty() {
            schema.insert("required".into(), json!(required));
        }
        schema
    }

    /// Nothing is required in it: an error has other keys, and some clients check those as well.
    /// What may be null is told in words, since a key of two types is more than some APIs take.
    fn output_schema(&self) -> JsonObject {
        let errors = [
            field(
                "error",
                Shape::Text,
                "What is wrong and what to do; only of an error",
            ),
            field("code", Shape::Text, "The stable code of an error"),
            field(
                "example",
                Shape::Object,
                "The call that was meant; only of an error, where that can be known",
            ),
        ];
        let described = |f: &Field| {
            let mut schema = f.shape.schema();
            schema["description"] = f.description.into();
            (f.name.to_owned(), schema)
        };
        let fields = || self.answers.iter().chain(&errors);
        let properties: Map<String, Value> =
            fields().filter(|f| !f.is_nullable).map(described).collect();
        let nullable: Vec<String> = fields()
            .filter(|f| f.is_nullable)
            .map(|f| format!("{} ({})", f.name, f.description))
            .collect();
        let mut schema = JsonObject::new();
        schema.insert("type".into(), "object".into());
        if !nullable.is_empty() {
            let told = format!("Also, each of them perhaps null: {}", nullable.join(", "));
            schema.insert("description".into(), told.into());
        }
        schema.insert("properties".into(), properties.into());
        schema
    }
}
