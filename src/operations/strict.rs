//! Reading a request over HTTP: a field that does not exist, or is of another kind, is a mistake.

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;

use super::Values;
use super::definition::Operation;
use super::field::{Field, Kind, Parameter};
use crate::error::{Code, Error, Result};

/// The body of a request.
///
/// # Errors
/// [`Code::RequestInvalid`].
pub fn read_body(operation: &'static Operation, bytes: &[u8]) -> Result<Values> {
    let wrong = |e: String| {
        Error::new(
            Code::RequestInvalid,
            format!("the body can't be understood: {e}"),
        )
    };
    let Pairs(pairs) = serde_json::from_slice(bytes).map_err(|e| wrong(e.to_string()))?;
    read(operation, pairs, of_kind).map_err(wrong)
}

/// The query of a request.
///
/// # Errors
/// [`Code::RequestInvalid`].
pub fn read_query(operation: &'static Operation, query: &str) -> Result<Values> {
    let wrong = |e: String| {
        Error::new(
            Code::RequestInvalid,
            format!("the query can't be understood: {e}"),
        )
    };
    let mut pairs: Vec<(String, Value)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if pairs.iter().any(|(other, _)| *other == *name) {
            return Err(wrong(format!("duplicate field `{name}`")));
        }
        pairs.push((name.into_owned(), value.into_owned().into()));
    }
    read(operation, pairs, of_text).map_err(wrong)
}

/// No query at all, for an operation that takes a body or nothing.
///
/// # Errors
/// [`Code::RequestInvalid`].
pub fn refuse_query(query: &str) -> Result<()> {
    match form_urlencoded::parse(query.as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => Err(Error::new(
            Code::RequestInvalid,
            format!("the query can't be understood: unknown field `{name}`, there are no fields"),
        )),
    }
}

type Reading = fn(&'static Field, Value) -> std::result::Result<Option<Value>, String>;

fn read(
    operation: &'static Operation,
    pairs: Vec<(String, Value)>,
    of: Reading,
) -> std::result::Result<Values, String> {
    let mut values = Values::default();
    let known = || operation.parameters().filter(|p| p.is_over_http());
    for (name, value) in pairs {
        let Some(parameter) = known().find(|p| p.field.name == name) else {
            return Err(unknown(&name, known()));
        };
        let field = parameter.field;
        let must = parameter.is_required && value.is_null();
        let read = match must {
            true => Err(format!("invalid type: null, expected {}", expected(field))),
            false => of(field, value),
        };
        if let Some(value) = read.map_err(|e| format!("{name}: {e}"))? {
            values.set(field, value);
        }
    }
    match known().find(|p| p.is_required && !values.has(p.field)) {
        Some(missing) => Err(format!("missing field `{}`", missing.field.name)),
        None => Ok(values),
    }
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a Parameter>) -> String {
    let names: Vec<String> = known.map(|p| format!("`{}`", p.field.name)).collect();
    let name: String = name.chars().take(200).collect();
    match names.is_empty() {
        true => format!("unknown field `{name}`, there are no fields"),
        false => format!(
            "unknown field `{name}`, expected one of {}",
            names.join(", ")
        ),
    }
}

/// A value in JSON. `null` is as good as nothing.
fn of_kind(field: &'static Field, value: Value) -> std::result::Result<Option<Value>, String> {
    let fits = match (field.kind, &value) {
        (Kind::Switch, Value::Null) => false,
        (_, Value::Null) => return Ok(None),
        (Kind::Switch, value) => value.is_boolean(),
        (Kind::Number(..), value) => value.is_i64(),
        (Kind::Text | Kind::Word(_), value) => value.is_string(),
    };
    match fits {
        true => Ok(Some(value)),
        false => Err(format!(
            "invalid type: {}, expected {}",
            shown(&value),
            expected(field)
        )),
    }
}

/// A value in a query, where everything is text.
fn of_text(field: &'static Field, value: Value) -> std::result::Result<Option<Value>, String> {
    let text = value.as_str().unwrap_or_default();
    let wrong = || Err(format!("{:?} is not {}", short(text), expected(field)));
    match field.kind {
        Kind::Text => Ok(Some(value)),
        Kind::Switch => match text {
            "true" => Ok(Some(true.into())),
            "false" => Ok(Some(false.into())),
            _ => wrong(),
        },
        Kind::Number(least, most) => match text.parse::<i64>() {
            // Where a page begins and ends is never more than that.
            Ok(n) if most <= u32::MAX.into() && !(0..=u32::MAX.into()).contains(&n) => {
                Err(format!("{n} is not from {least} to {most}"))
            }
            Ok(number) if !text.starts_with('+') => Ok(Some(number.into())),
            _ => wrong(),
        },
        Kind::Word(words) => match words.contains(&text) {
            true => Ok(Some(value)),
            false => Err(format!("{:?} is none of {}", short(text), words.join(", "))),
        },
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

fn expected(field: &Field) -> &'static str {
    match field.kind {
        Kind::Text | Kind::Word(_) => "a string",
        Kind::Number(..) => "a whole number",
        Kind::Switch => "a boolean",
    }
}

/// A value as an error names it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(on) => format!("boolean `{on}`"),
        Value::Number(n) if n.is_f64() => format!("floating point `{n}`"),
        Value::Number(n) => format!("integer `{n}`"),
        Value::String(text) => format!("string {:?}", short(text)),
        Value::Array(_) => "sequence".to_owned(),
        Value::Object(_) => "map".to_owned(),
    }
}

/// The entries of a JSON object. A key that stands there twice is refused.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Pairs, A::Error> {
                let mut pairs: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if pairs.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        de::Deserializer::deserialize_map(deserializer, Entries)
    }
}
