//! The keys of an answer, in the subset of JSON Schema that every model's API accepts: known
//! keywords only, and one type per key. They are derived from the schema of the answer's type.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::operations::definition::Answer;

/// A key of an answer.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// The schema of its value.
    pub schema: Value,
    /// Whether it may be null.
    pub is_nullable: bool,
    /// Its meaning.
    pub description: String,
}

/// The type of a key.
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

/// A key that is not part of an answer's type.
pub fn key(name: &str, shape: Shape, description: &str) -> Key {
    Key {
        name: name.to_owned(),
        schema: shape.schema(),
        is_nullable: false,
        description: description.to_owned(),
    }
}

/// The same, but it may be null.
pub fn nullable(name: &str, shape: Shape, description: &str) -> Key {
    Key {
        is_nullable: true,
        ..key(name, shape, description)
    }
}

/// The keys of an answer's type.
pub fn keys_of(answer: &Answer) -> Vec<Key> {
    let mut named = Vec::new();
    (answer.others)(&mut named);
    let others = named.iter().map(|(name, of)| (name.as_str(), to_value(of)));
    let others = Schemas(others.collect());
    let schema = to_value(&(answer.schema)());
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, of)| Key {
            name: name.clone(),
            schema: others.plain(of),
            is_nullable: others.is_nullable(of),
            description: others.description(of),
        })
        .collect()
}

fn to_value(schema: &impl Serialize) -> Value {
    // A schema consists of texts and numbers, which can't fail to become JSON.
    serde_json::to_value(schema).unwrap_or_default()
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null"
}

/// Schemas by the names under which others refer to them.
struct Schemas<'a>(BTreeMap<&'a str, Value>);

impl Schemas<'_> {
    /// The schema that this one stands for: the one it refers to, or the part that is not null.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let refers = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next());
        let other = refers.and_then(|name| self.0.get(name));
        let one_of = schema["oneOf"].as_array().into_iter().flatten();
        let not_null = || one_of.into_iter().find(|part| !is_null(part));
        match other.or_else(not_null) {
            Some(other) => self.resolve(other),
            None => schema,
        }
    }

    fn is_nullable(&self, schema: &Value) -> bool {
        let one_of = schema["oneOf"].as_array().into_iter().flatten();
        let kinds = schema["type"].as_array().into_iter().flatten();
        one_of.into_iter().any(is_null) || kinds.into_iter().any(|kind| kind == "null")
    }

    /// Only its type. The content of objects isn't described, because it would be read with every
    /// call.
    fn plain(&self, schema: &Value) -> Value {
        let schema = self.resolve(schema);
        let kinds = schema["type"].as_array().into_iter().flatten();
        let kind = kinds.into_iter().find(|kind| *kind != "null");
        match kind.unwrap_or(&schema["type"]).as_str() {
            Some("array") => json!({ "type": "array", "items": self.plain(&schema["items"]) }),
            Some(kind) => json!({ "type": kind }),
            None => json!({ "type": "object" }),
        }
    }

    /// Its description, or otherwise that of its type.
    fn description(&self, schema: &Value) -> String {
        let one_of = schema["oneOf"].as_array().into_iter().flatten();
        let mut told = std::iter::once(schema)
            .chain(one_of)
            .chain([self.resolve(schema)])
            .filter_map(|part| part["description"].as_str());
        told.next().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde::{Deserialize, Serialize};
    use utoipa::ToSchema;

    use super::*;
    use crate::operations::definition::answers;

    /// A word.
    #[derive(Deserialize, Serialize, ToSchema)]
    enum Word {
        /// The only one.
        Only,
    }

    /// Something with parts.
    #[derive(Deserialize, Serialize, ToSchema)]
    struct Part {
        /// One of them.
        a: i64,
    }

    /// Every shape that an answer has.
    #[derive(Deserialize, Serialize, ToSchema)]
    struct All {
        /// A word.
        word: Word,
        /// A time.
        at: Timestamp,
        /// A time or null.
        maybe: Option<Timestamp>,
        /// A count or null.
        count: Option<usize>,
        /// A word or null.
        maybe_word: Option<Word>,
        /// A part or null.
        maybe_part: Option<Part>,
        part: Part,
        /// Parts.
        parts: Vec<Part>,
        /// Times.
        times: Vec<Timestamp>,
        /// Left out, but never null.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        warning: Option<String>,
    }

    #[test]
    fn every_key_is_told_with_one_plain_type_and_in_words() {
        let keys = keys_of(&answers::<All>());
        let told = keys.iter().map(|k| {
            let description = k.description.as_str();
            (
                k.name.as_str(),
                k.schema.to_string(),
                k.is_nullable,
                description,
            )
        });
        let told: Vec<_> = told.collect();
        let plain = |kind: &str| format!("{{\"type\":\"{kind}\"}}");
        let list = |kind: &str| format!("{{\"items\":{{\"type\":\"{kind}\"}},\"type\":\"array\"}}");
        assert_eq!(
            told,
            [
                ("at", plain("string"), false, "A time."),
                ("count", plain("integer"), true, "A count or null."),
                ("maybe", plain("string"), true, "A time or null."),
                ("maybe_part", plain("object"), true, "A part or null."),
                ("maybe_word", plain("string"), true, "A word or null."),
                ("part", plain("object"), false, "Something with parts."),
                ("parts", list("object"), false, "Parts."),
                ("times", list("string"), false, "Times."),
                (
                    "warning",
                    plain("string"),
                    false,
                    "Left out, but never null."
                ),
                ("word", plain("string"), false, "A word."),
            ]
        );
    }
}
