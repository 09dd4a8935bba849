//! Reads HTTP requests strictly: an unknown field, or a value of the wrong kind, is an error.
//! Nothing of a request is kept beyond its first mistake, however large it is.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected, Visitor,
};
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
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = Body(operation).deserialize(&mut json);
    let read = read.and_then(|values| json.end().map(|()| values));
    let values = read.map_err(|e| {
        // The error of an unreadable value has no position of its own in the text.
        let text = e.to_string();
        let place = format!(" at line {} column {}", e.line(), e.column());
        let text = match e.is_data() {
            true => text.strip_suffix(&place).unwrap_or(&text),
            false => &text,
        };
        wrong("body", text)
    })?;
    complete(operation, values).map_err(|e| wrong("body", &e))
}

/// The query of a request.
///
/// # Errors
/// [`Code::RequestInvalid`].
pub fn read_query(operation: &'static Operation, query: &str) -> Result<Values> {
    let mut values = Values::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        parameter_of(operation, &values, &name)
            .and_then(|parameter| {
                let read = of_text(parameter.field, value.into_owned().into());
                put(&mut values, parameter, read)
            })
            .map_err(|e| wrong("query", &e))?;
    }
    complete(operation, values).map_err(|e| wrong("query", &e))
}

fn wrong(what: &str, problem: &str) -> Error {
    Error::new(
        Code::RequestInvalid,
        format!("the {what} is invalid: {problem}"),
    )
}

/// Refuses any query, for an operation that takes a body or nothing.
///
/// # Errors
/// [`Code::RequestInvalid`].
pub fn refuse_query(query: &str) -> Result<()> {
    match form_urlencoded::parse(query.as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => Err(Error::new(
            Code::RequestInvalid,
            format!("the query is invalid: unknown field `{name}`, there are no fields"),
        )),
    }
}

/// The result of a check, with what is wrong.
type Checked<T> = std::result::Result<T, String>;

fn known(operation: &'static Operation) -> impl Iterator<Item = &'static Parameter> {
    operation.parameters().filter(|p| p.is_over_http())
}

/// The parameter with a name, which must not be given twice.
fn parameter_of(
    operation: &'static Operation,
    values: &Values,
    name: &str,
) -> Checked<&'static Parameter> {
    match known(operation).find(|p| p.field.name == name) {
        None => Err(unknown(name, known(operation))),
        Some(parameter) if values.has(parameter.field) => Err(format!("duplicate field `{name}`")),
        Some(parameter) => Ok(parameter),
    }
}

fn put(values: &mut Values, parameter: &Parameter, read: Checked<Value>) -> Checked<()> {
    let field = parameter.field;
    match read {
        Ok(Value::Null) if parameter.is_required => Err(format!(
            "{}: invalid type: null, expected {}",
            field.name,
            expected(field)
        )),
        // Kept, so that it can't be given again.
        Ok(value) => {
            values.set(field, value);
            Ok(())
        }
        Err(e) => Err(format!("{}: {e}", field.name)),
    }
}

/// The values without nulls, if nothing is missing.
fn complete(operation: &'static Operation, mut values: Values) -> Checked<Values> {
    values.forget_nothings();
    match known(operation).find(|p| p.is_required && !values.has(p.field)) {
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

/// A value in JSON. `null` counts as absent.
fn of_kind(field: &Field, value: Value) -> Checked<Value> {
    let fits = match (field.kind, &value) {
        (Kind::Switch, Value::Null) => false,
        (_, Value::Null) => true,
        (Kind::Switch, value) => value.is_boolean(),
        (Kind::Number(..), value) => value.is_i64(),
        (Kind::Text | Kind::Word(_), value) => value.is_string(),
    };
    match fits {
        true => Ok(value),
        false => Err(format!(
            "invalid type: {}, expected {}",
            shown(&value),
            expected(field)
        )),
    }
}

/// A value in a query, where everything is text.
fn of_text(field: &Field, value: Value) -> Checked<Value> {
    let text = value.as_str().unwrap_or_default();
    let wrong = || Err(format!("{:?} is not {}", short(text), expected(field)));
    match field.kind {
        Kind::Text => Ok(value),
        Kind::Switch => match text {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => wrong(),
        },
        Kind::Number(least, most) => match text.parse::<i64>() {
            // A page never begins or ends beyond that.
            Ok(n) if most <= u32::MAX.into() && !(0..=u32::MAX.into()).contains(&n) => {
                Err(format!("{n} is not from {least} to {most}"))
            }
            Ok(number) if !text.starts_with('+') => Ok(number.into()),
            _ => wrong(),
        },
        Kind::Word(words) => match words.contains(&text) {
            true => Ok(value),
            false => Err(format!(
                "{:?} is not one of {}",
                short(text),
                words.join(", ")
            )),
        },
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

fn expected(field: &Field) -> &'static str {
    match field.kind {
        _ if field.takes_several() => "a string or a list of strings",
        Kind::Text | Kind::Word(_) => "a string",
        Kind::Number(..) => "a whole number",
        Kind::Switch => "a boolean",
    }
}

/// A value, as shown in an error.
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

/// The JSON object of a request.
struct Body(&'static Operation);

impl<'de> DeserializeSeed<'de> for Body {
    type Value = Values;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<Values, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Values, A::Error> {
        let mut values = Values::default();
        while let Some(name) = map.next_key::<String>()? {
            let parameter = parameter_of(self.0, &values, &name).map_err(A::Error::custom)?;
            let Scalar(value) = map.next_value_seed(OfField(parameter.field))?;
            let read = of_kind(parameter.field, value);
            put(&mut values, parameter, read).map_err(A::Error::custom)?;
        }
        Ok(values)
    }
}

/// The value of a field, which is not an object, and a list only if the field takes several.
struct OfField(&'static Field);

struct Scalar(Value);

impl<'de> DeserializeSeed<'de> for OfField {
    type Value = Scalar;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<Scalar, D::Error> {
        let name = self.0.name;
        json.deserialize_any(self)
            .map_err(|e| D::Error::custom(format_args!("{name}: {e}")))
    }
}

impl<'de> Visitor<'de> for OfField {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(expected(self.0))
    }

    fn visit_unit<E>(self) -> std::result::Result<Scalar, E> {
        Ok(Scalar(Value::Null))
    }

    fn visit_bool<E>(self, on: bool) -> std::result::Result<Scalar, E> {
        Ok(Scalar(on.into()))
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<Scalar, E> {
        Ok(Scalar(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<Scalar, E> {
        Ok(Scalar(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<Scalar, E> {
        Ok(Scalar(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Scalar, E> {
        Ok(Scalar(text.into()))
    }

    fn visit_string<E>(self, text: String) -> std::result::Result<Scalar, E> {
        Ok(Scalar(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Scalar, A::Error> {
        if !self.0.takes_several() {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        // One by one: a list of many short texts takes several times its length in memory.
        let mut joined = None;
        while let Some(text) = list.next_element_seed(InList)? {
            joined = Some(self.0.joined(joined, &text));
        }
        let none = match self.0.clears_by_none {
            true => ", or \"none\"",
            false => "",
        };
        let empty = format_args!("the list is empty: give at least one string{none}");
        let joined = joined.ok_or_else(|| A::Error::custom(empty))?;
        Ok(Scalar(joined.into()))
    }
}

/// A text in a list.
struct InList;

impl<'de> DeserializeSeed<'de> for InList {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<String, D::Error> {
        json.deserialize_string(self)
    }
}

impl Visitor<'_> for InList {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string in the list")
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> std::result::Result<String, E> {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::fields::{NAME, PROMPT};
    use crate::operations::{LIST, REGISTER};

    fn problem(body: &str) -> String {
        let error = read_body(&REGISTER, body.as_bytes()).unwrap_err();
        assert_eq!(error.code(), Code::RequestInvalid);
        error.to_string()
    }

    #[test]
    fn a_request_is_read_no_further_than_its_first_mistake() {
        // What follows is not JSON at all.
        for (body, wanted) in [
            (r#"{"evry": 1, ?"#, "unknown field `evry`"),
            (r#"{"prompt": [1, ?"#, "prompt: invalid type: sequence"),
            (r#"{"prompt": {"a": ?"#, "prompt: invalid type: map"),
            (
                r#"{"cron": ["0 9 * * *", 5, ?"#,
                "cron: invalid type: integer `5`",
            ),
            (
                r#"{"prompt": 5, ?"#,
                "prompt: invalid type: integer `5`, expected a string",
            ),
            (r#"{"prompt": null, ?"#, "prompt: invalid type: null"),
            (r#"{"name": null, "name": ?"#, "duplicate field `name`"),
            (
                r#"{"max_repetitions": 1.5, ?"#,
                "max_repetitions: invalid type: floating",
            ),
        ] {
            let text = problem(body);
            assert!(text.contains(wanted), "{body}: {text}");
        }
        let error = read_query(&LIST, "al=1&all=maybe").unwrap_err().to_string();
        assert!(error.contains("unknown field `al`"), "{error}");
    }

    #[test]
    fn nothing_is_as_good_as_not_given() {
        let values = read_body(&REGISTER, br#"{"prompt": "p", "name": null}"#).unwrap();
        assert_eq!(values.text(&PROMPT).as_deref(), Some("p"));
        assert!(!values.has(&NAME));
        assert!(problem(r#"{"name": "n"}"#).contains("missing field `prompt`"));
        assert!(problem(r#"{"prompt": "p"} x"#).contains("trailing"));
    }
}
