//! Corrects a wrong call to what was probably meant.

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use super::arguments::{Arguments, PASSED_THROUGH, find, is_nothing, snake_case};
use super::definition::Definition;
use super::tools;
use crate::error::{Example, Result};
use crate::schedule::nearest;

/// The longest text of a call that its correction repeats, in bytes.
const LONGEST: usize = 4_096;

/// Arguments that exclude each other, each with a tool of its own.
pub(super) const EXCLUSIVE: &[&str] = &["time", "cron", "every", "when"];

/// The tool that takes one of these arguments.
pub(super) fn tool_of(exclusive: &str) -> Option<&'static Definition> {
    match exclusive {
        "when" => tools::find("promptyoself_schedule"),
        name => tools::find(&format!("promptyoself_schedule_{name}")),
    }
}

/// Reads the arguments of a call. If they are wrong, the error contains the corrected call,
/// provided it is clear what was meant.
///
/// # Errors
/// Those of [`Arguments::read`].
pub(super) fn read(tool: &'static Definition, given: &JsonObject) -> Result<Arguments> {
    Arguments::read(tool.takes(), given)
        .map_err(|error| error.example_if(call(tool, given).map(Example::Json)))
}

/// The corrected call, if its names and kinds leave no doubt: a misspelt name, a single value in a
/// list, the time of another tool.
fn call(tool: &Definition, call: &JsonObject) -> Option<Value> {
    let mut tool = tool;
    let mut corrected = JsonObject::new();
    for (key, value) in call {
        let name = snake_case(key);
        let known = find(tool.takes(), &name).map(|p| p.argument());
        let name = match known {
            Some(name) => name,
            None if PASSED_THROUGH.contains(&name.as_str()) || is_nothing(value) => continue,
            None if EXCLUSIVE.contains(&name.as_str()) => {
                tool = tool_of(&name)?;
                find(tool.takes(), &name)?.argument()
            }
            None => nearest(&name, tool.parameters.iter().map(|p| p.argument()))?,
        };
        let value = match value {
            Value::Array(only) if only.len() == 1 => only.first()?,
            value => value,
        };
        if corrected.insert(name.to_owned(), value.clone()).is_some() {
            return None;
        }
    }
    Arguments::read(tool.takes(), &corrected).ok()?;
    can_be_repeated(&corrected).then(|| json!({ "tool": tool.name, "arguments": corrected }))
}

/// Whether a call is short enough for an error to repeat it.
pub(super) fn can_be_repeated(call: &JsonObject) -> bool {
    call.values().all(|value| length(value) <= LONGEST)
}

/// The length of a text, or of those in a list.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(length).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn refused(tool: &str, call: Value) -> Error {
        let Value::Object(call) = call else {
            panic!("{call}")
        };
        let tool = tools::find(tool).unwrap();
        read(tool, &call).unwrap_err()
    }

    #[test]
    fn a_call_with_a_slip_is_repeated_as_it_was_meant() {
        let every = "promptyoself_schedule_every";
        for (tool, call, wanted) in [
            (
                every,
                json!({ "prompt": "x", "evry": "30m", "agentId": "agent-1", "request_heartbeat": true }),
                json!({ "tool": every, "arguments": { "prompt": "x", "every": "30m", "agent_id": "agent-1" } }),
            ),
            (
                every,
                json!({ "prompt": ["x"], "every": "30m" }),
                json!({ "tool": every, "arguments": { "prompt": "x", "every": "30m" } }),
            ),
            (
                every,
                json!({ "prompt": "x", "cron": "0 9 * * *", "timezome": "UTC" }),
                json!({ "tool": "promptyoself_schedule_cron",
                    "arguments": { "prompt": "x", "cron": "0 9 * * *", "timezone": "UTC" } }),
            ),
            (
                "promptyoself_cancel",
                json!({ "schedule_id": [5] }),
                json!({ "tool": "promptyoself_cancel", "arguments": { "schedule_id": 5 } }),
            ),
        ] {
            let error = refused(tool, call.clone());
            let example: Value = serde_json::from_str(&error.corrected().unwrap()).unwrap();
            assert_eq!(example, wanted, "{call}");
        }
        for call in [
            json!({ "prompt": "x", "every": "30m", "colour": "red" }),
            json!({ "prompt": "x", "every": { "minutes": 30 } }),
            json!({ "prompt": "x".repeat(5_000), "evry": "30m" }),
            json!({ "prompt": "x", "evry": "30m", "except": ["x".repeat(5_000), "y"] }),
        ] {
            assert_eq!(refused(every, call.clone()).corrected(), None, "{call}");
        }
    }
}
