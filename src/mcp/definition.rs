//! The definition of a tool: its name, parameters and answer, and the function that carries it out.
//!
//! A tool is defined in one place; listing, reading arguments and calling are derived from it.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use super::answers::{Key, Shape, key};
use super::arguments::Takes;
use super::call::Call;
use crate::operations::definition::{Answering, Effect, Operation};
use crate::operations::field::{Kind, Parameter};

/// A tool.
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does, for a language model.
    pub description: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The keys of its answer, besides the time, which every answer has.
    pub answers: Vec<Key>,
    /// Its effect on the schedules.
    pub effect: Effect,
    /// Whether only the operator may call it.
    pub is_operators: bool,
    /// What carries it out.
    pub work: Work,
}

/// What carries a tool out.
#[derive(Clone, Copy)]
pub enum Work {
    /// An operation.
    Operation(&'static Operation),
    /// A function of its own.
    Own(for<'a> fn(&'a Call) -> Answering<'a>),
}

/// The schema of a parameter, with keywords that every model's API accepts: Gemini's rejects the
/// whole request because of an unknown one, and JSON Schema's `examples` is one.
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

impl Definition {
    /// Its parameters.
    pub fn takes(&self) -> Takes<'_> {
        Takes {
            name: self.name,
            parameters: &self.parameters,
        }
    }

    /// The tool as clients see it.
    pub fn to_tool(&self) -> Tool {
        let annotations = ToolAnnotations::with_title(self.title)
            .read_only(self.effect == Effect::Reads)
            .destructive(self.effect == Effect::Acts)
            .idempotent(matches!(self.effect, Effect::Reads | Effect::Sets))
            .open_world(false);
        let takes = Arc::new(self.input_schema());
        Tool::new(self.name, self.description.clone(), takes)
            .with_title(self.title)
            .with_raw_output_schema(Arc::new(self.output_schema()))
            .with_annotations(annotations)
    }

    /// Not closed, because routers add fields of their own and clients must be able to send them.
    fn input_schema(&self) -> JsonObject {
        let properties: Map<String, Value> = self
            .parameters
            .iter()
            .map(|p| (p.argument().to_owned(), schema(p)))
            .collect();
        let required: Vec<&str> = self
            .parameters
            .iter()
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

    /// Nothing is required in it, because an error has other keys, and some clients check those
    /// too. Nullable keys are listed in the description, because some APIs don't accept a key with
    /// two types.
    fn output_schema(&self) -> JsonObject {
        let always = [
            key("now", Shape::Text, "The current time in UTC"),
            key("now_local", Shape::Text, "The current time in timezone"),
            key("timezone", Shape::Text, "The IANA zone of local times"),
            key(
                "error",
                Shape::Text,
                "On an error: what is wrong and what to do",
            ),
            key("code", Shape::Text, "On an error: its stable code"),
            key(
                "example",
                Shape::Object,
                "On an error: the corrected call, if it is known",
            ),
        ];
        let described = |key: &Key| {
            let mut schema = key.schema.clone();
            schema["description"] = key.description.as_str().into();
            (key.name.clone(), schema)
        };
        let keys = || always.iter().chain(&self.answers);
        let properties: Map<String, Value> = keys()
            .filter(|key| !key.is_nullable)
            .map(described)
            .collect();
        let nullable: Vec<String> = keys()
            .filter(|key| key.is_nullable)
            .map(|key| {
                let told = key.description.trim_end_matches('.');
                format!("{} ({told})", key.name)
            })
            .collect();
        let mut schema = JsonObject::new();
        schema.insert("type".into(), "object".into());
        if !nullable.is_empty() {
            let told = format!("These may be null: {}", nullable.join(", "));
            schema.insert("description".into(), told.into());
        }
        schema.insert("properties".into(), properties.into());
        schema
    }
}
