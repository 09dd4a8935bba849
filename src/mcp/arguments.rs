//! Reads the arguments of a tool. Language models and the routers between them and us fill in what
//! they see: other spellings of a name, numbers as text, lists, "None" for nothing, and fields of
//! their own. All of that is understood; unknown arguments are refused with a list of the known ones.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::error::{Code, Error, Result};
use crate::operations::Values;
use crate::operations::field::{Field, Kind, Parameter};

/// Fields that clients and routers add for their own use.
pub(super) const PASSED_THROUGH: &[&str] = &[
    "request_heartbeat",
    "heartbeat",
    "mcp_server_name",
    "mcp_server_id",
    "server_name",
    "tool_name",
    "thinking",
    "inner_thoughts",
    "ctx",
    "_meta",
];

/// The longest text that is compared with known names, in characters: the time that takes grows
/// with its square.
const LONGEST_COMPARED: usize = 64;

/// How many characters of the caller's text an error repeats.
const LONGEST_REPEATED: usize = 80;

/// A tool, as far as its arguments go.
#[derive(Clone, Copy, Debug)]
pub struct Takes<'a> {
    /// Its name.
    pub name: &'static str,
    /// Its parameters.
    pub parameters: &'a [Parameter],
}

/// The arguments of a call, under the names of the definition and without those that mean nothing.
#[derive(Clone, Debug)]
pub struct Arguments {
    given: BTreeMap<&'static str, Value>,
}

impl Arguments {
    /// Reads the arguments of a call.
    ///
    /// # Errors
    /// [`Code::Usage`] for an argument that the tool doesn't have, that is of another kind, or that
    /// was given twice under two names.
    pub fn read(tool: Takes<'_>, call: &JsonObject) -> Result<Self> {
        let mut given = BTreeMap::new();
        for (key, value) in call {
            let name = snake_case(key);
            let Some(parameter) = find(tool, &name) else {
                if PASSED_THROUGH.contains(&name.as_str()) || is_nothing(value) {
                    continue;
                }
                return Err(unknown(tool, key, &name));
            };
            let joined = joined(parameter.field, value);
            let value = joined.as_ref().unwrap_or(value);
            if means_nothing(parameter, value) {
                continue;
            }
            check_kind(tool, parameter, value)?;
            if let Some(other) = given.insert(parameter.argument(), value.clone())
                && text_of(&other) != text_of(value)
            {
                let name = parameter.argument();
                return Err(Error::new(
                    Code::Usage,
                    format!(
                        "{name} was given twice, as {} and as {}: give it once",
                        shorten(&other.to_string()),
                        shorten(&value.to_string())
                    ),
                ));
            }
        }
        Ok(Arguments { given })
    }

    /// An argument as text, if it was given.
    pub fn text(&self, name: &str) -> Option<String> {
        self.given.get(name).map(text_of)
    }

    /// Whether a switch was set.
    pub fn switch(&self, name: &str) -> bool {
        self.given.get(name).and_then(as_switch).unwrap_or(false)
    }

    /// All arguments, under the fields' own names.
    pub fn values(&self, tool: Takes<'_>) -> Values {
        let mut values = Values::default();
        for parameter in tool.parameters {
            let field = parameter.field;
            if let Some(value) = self.given.get(parameter.argument()) {
                match field.kind {
                    Kind::Switch => values.set(field, as_switch(value).unwrap_or(false)),
                    _ => values.set(field, text_of(value)),
                }
            }
        }
        values
    }

    /// Whether anything was given under a name.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }
}

/// `agentId`, `agent-id` and `AgentID` as `agent_id`.
pub(super) fn snake_case(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 2);
    let mut after_lower = false;
    for c in key.trim().chars() {
        if c == '-' || c == ' ' {
            name.push('_');
        } else {
            if c.is_ascii_uppercase() && after_lower {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    name
}

/// The parameter with a name or alias.
pub(super) fn find<'a>(tool: Takes<'a>, name: &str) -> Option<&'a Parameter> {
    let is_called = |p: &&Parameter| p.argument() == name || p.field.aliases.contains(&name);
    tool.parameters.iter().find(is_called)
}

/// A list of texts as the one text that they make, where several may be given.
fn joined(field: &Field, value: &Value) -> Option<Value> {
    let list = value.as_array().filter(|_| field.takes_several())?;
    let mut joined = None;
    for text in list {
        joined = Some(field.joined(joined, text.as_str()?));
    }
    joined.map(Value::from)
}

/// Whether an argument means nothing, as in [`is_nothing`]; one of the parameter's own words is
/// never nothing, and neither is `none` where it clears something.
pub(super) fn means_nothing(parameter: &Parameter, value: &Value) -> bool {
    let is_word = match (parameter.field.kind, value) {
        (Kind::Word(words), Value::String(text)) => words.contains(&text.trim()),
        (_, Value::String(text)) => parameter.field.clears_by_none && text.trim() == "none",
        _ => false,
    };
    !is_word && is_nothing(value)
}

/// What models write into a field when they have nothing for it.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            matches!(text.as_str(), "" | "none" | "null" | "undefined")
        }
        _ => false,
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn as_switch(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::Number(n) => match n.as_f64() {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Refuses a value of the wrong kind. The content of texts and numbers is checked later, with
/// better errors.
fn check_kind(tool: Takes<'_>, parameter: &Parameter, value: &Value) -> Result<()> {
    let (fits, wanted) = match parameter.field.kind {
        Kind::Switch => (as_switch(value).is_some(), "true or false"),
        Kind::Number(..) => (value.is_number() || value.is_string(), "a whole number"),
        Kind::Text | Kind::Word(_) => {
            let field = parameter.field;
            let wanted = match (field.takes_several(), field.clears_by_none) {
                (true, true) => "text, a list of at least one text, or \"none\"",
                (true, false) => "text or a list of at least one text",
                (false, _) => "text",
            };
            (value.is_string() || value.is_number(), wanted)
        }
    };
    if fits {
        return Ok(());
    }
    let name = parameter.argument();
    Err(Error::new(
        Code::Usage,
        format!(
            "{name} is {}, but {} takes {wanted} there",
            shorten(&value.to_string()),
            tool.name
        ),
    ))
}

fn unknown(tool: Takes<'_>, key: &str, name: &str) -> Error {
    let names: Vec<&str> = tool.parameters.iter().map(|p| p.argument()).collect();
    let near = nearest(name, names.iter().copied());
    let suggestion = near.map_or(String::new(), |n| format!(" Did you mean {n}?"));
    Error::new(
        Code::Usage,
        format!(
            "{} has no argument {:?}. It takes {}.{suggestion}",
            tool.name,
            shorten(key),
            names.join(", ")
        ),
    )
}

/// The one of `names` that `text` probably stands for.
pub(super) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if text.chars().nth(LONGEST_COMPARED).is_some() {
        return None;
    }
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(name, text), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The beginning of the caller's text, for an error to repeat.
pub(super) fn shorten(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_REPEATED) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::tools;
    use serde_json::json;

    fn read(tool: &str, call: Value) -> Result<Arguments> {
        let Value::Object(call) = call else {
            panic!("{call}")
        };
        Arguments::read(tools::find(tool).unwrap().takes(), &call)
    }

    #[test]
    fn every_spelling_of_a_name_is_understood() {
        for key in [
            "agent_id",
            "agentId",
            "agent-id",
            "AgentID",
            "agentID",
            " agent_id",
        ] {
            let read = read("promptyoself_list", json!({ key: "agent-1" })).unwrap();
            assert_eq!(read.text("agent_id").as_deref(), Some("agent-1"), "{key}");
        }
        for key in ["schedule_id", "scheduleId", "id", "ID"] {
            let read = read("promptyoself_cancel", json!({ key: 5 })).unwrap();
            assert_eq!(read.text("schedule_id").as_deref(), Some("5"), "{key}");
        }
    }

    #[test]
    fn what_models_write_for_nothing_is_nothing() {
        for nothing in [
            json!(null),
            json!(""),
            json!(" "),
            json!("None"),
            json!("null"),
        ] {
            let given = json!({ "agent_id": nothing, "whatever": nothing });
            assert!(!read("promptyoself_list", given).unwrap().has("agent_id"));
        }
        let both = json!({ "agent_id": "None", "agentId": "agent-1" });
        let read = read("promptyoself_list", both).unwrap();
        assert_eq!(read.text("agent_id").as_deref(), Some("agent-1"));
    }

    #[test]
    fn what_routers_add_for_themselves_is_ignored() {
        let added = json!({ "request_heartbeat": true, "mcp_server_name": "p", "mcpServerId": 1 });
        assert!(read("promptyoself_test", added).is_ok());
    }

    #[test]
    fn an_unknown_argument_is_refused_with_those_there_are() {
        let error = read("promptyoself_cancel", json!({ "schedule": 5 })).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.code(), Code::Usage);
        assert!(
            text.contains("\"schedule\"") && text.contains("Did you mean schedule_id?"),
            "{text}"
        );
    }

    #[test]
    fn none_is_a_word_where_it_is_one_of_the_words() {
        let call = json!({ "prompt": "x", "every": "1h", "envelope": "none", "catch_up": "None" });
        let read = read("promptyoself_schedule_every", call).unwrap();
        assert_eq!(read.text("envelope").as_deref(), Some("none"));
        assert_eq!(read.text("catch_up"), None);
    }

    #[test]
    fn what_is_long_is_neither_compared_nor_repeated_whole() {
        let long = "schedule_id".to_owned() + &"ü".repeat(1_000_000);
        for call in [
            json!({ long.as_str(): 5 }),
            json!({ "schedule_id": [long.as_str()] }),
            json!({ "schedule_id": 5, "id": long.as_str() }),
        ] {
            let text = read("promptyoself_cancel", call).unwrap_err().to_string();
            assert!(
                text.contains("schedule_idü") && text.contains('…'),
                "{text}"
            );
            assert!(text.chars().count() < 300, "{text}");
        }
        assert_eq!(nearest("schedule_ic", ["schedule_id"]), Some("schedule_id"));
        let long = "schedule_id".repeat(6);
        assert_eq!(nearest(&long, [long.as_str()]), None);
    }

    #[test]
    fn a_value_of_another_kind_is_refused_and_a_number_may_be_text() {
        let switch = |v: Value| read("promptyoself_list", json!({ "include_cancelled": v }));
        for on in [
            json!(true),
            json!("true"),
            json!("True"),
            json!(1),
            json!("yes"),
        ] {
            assert!(switch(on).unwrap().switch("include_cancelled"));
        }
        for off in [json!(false), json!("False"), json!(0), json!("no")] {
            assert!(!switch(off).unwrap().switch("include_cancelled"));
        }
        for bad in [json!("maybe"), json!(2), json!([true]), json!({})] {
            assert_eq!(switch(bad).unwrap_err().code(), Code::Usage);
        }
        let id = |v: Value| read("promptyoself_cancel", json!({ "schedule_id": v }));
        assert_eq!(id(json!(5.0)).unwrap().text("schedule_id").unwrap(), "5.0");
        assert_eq!(id(json!("5")).unwrap().text("schedule_id").unwrap(), "5");
        assert!(id(json!(true)).is_err() && id(json!([5])).is_err());
    }

    #[test]
    fn the_same_argument_twice_is_refused_unless_both_say_the_same() {
        let twice =
            |a: Value, b: Value| read("promptyoself_cancel", json!({ "schedule_id": a, "id": b }));
        assert!(twice(json!(5), json!("5")).is_ok());
        assert_eq!(twice(json!(5), json!(6)).unwrap_err().code(), Code::Usage);
    }
}
