//! What a tool is: its name, what it takes and answers, and what carries it out.
//!
//! A tool is defined in one place, and listing, reading of arguments and calling all come from it.

use std::pin::Pin;
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use super::arguments::Takes;
use super::call::Call;
use crate::error::Result;
use crate::operations::field::{Kind, Parameter};

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
    /// What it takes, in groups.
    pub parameters: &'static [&'static [Parameter]],
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

/// The schema of a parameter, in the words that every model's API takes: Gemini's refuses a request
/// whole for a keyword it does not know, and JSON Schema's `examples` is one.
fn schema(parameter: &Parameter) -> Value {
    let kind = match parameter.field.kind {
        Kind::Text | Kind::Word(_) => "string",
        Kind::Number(..) => "integer",
        Kind::Switch => "boolean",
    };
    let mut schema = json!({ "type": kind, "description": parameter.described() });
    if let Kind::Word(words) = parameter.field.kind {
        schema["enum"] = json!(words);
    }
    schema
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
    /// What it takes.
    pub fn takes(&self) -> Takes {
        Takes {
            name: self.name,
            groups: self.parameters,
        }
    }

    /// Everything it takes.
    pub fn parameters(&self) -> impl Iterator<Item = &'static Parameter> + use<> {
        self.takes().parameters()
    }

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
            .parameters()
            .map(|p| (p.argument().to_owned(), schema(p)))
            .collect();
        let required: Vec<&str> = self
            .parameters()
            .filter(|p| p.is_required)
            .map(|p| p.argument())
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
