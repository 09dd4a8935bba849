//! The answer to a failed call: a text that teaches, and a corrected call that works.

use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde_json::{Value, json};

use super::arguments::{find, means_nothing, snake_case};
use super::corrected_call::{EXCLUSIVE, can_be_repeated, tool_of};
use super::definition::Definition;
use super::tools;
use super::words::{Tools, arguments};
use crate::error::{CommandLine, Error, Example, Fields};

/// The answer to a failed call: a text that teaches, and the same for programs. The correction
/// repeats what was right in the call.
pub fn to_result(tool: &'static Definition, given: &JsonObject, error: &Error) -> CallToolResult {
    let text = error.chain_in(&Tools);
    let mut structured = json!({ "error": text, "code": error.code().as_str() });
    let mut shown = text;
    match error.correction().map(|e| correct(tool, given, e)) {
        Some(Correction::Call(example)) => {
            shown.push_str(&format!("\nExample: {example}"));
            structured["example"] = example;
        }
        Some(Correction::Arguments(tool, arguments)) => {
            shown.push_str(&format!(
                "\nCall {tool} with {}, and the rest as it was",
                Value::from(arguments)
            ));
        }
        None => {}
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(shown)]);
    result.structured_content = Some(structured);
    result
}

/// What to do instead.
enum Correction {
    /// A whole call.
    Call(Value),
    /// These arguments of a tool; the others are too long to repeat.
    Arguments(&'static str, JsonObject),
}

/// Turns a corrected form into a call.
fn correct(tool: &'static Definition, given: &JsonObject, example: &Example) -> Correction {
    let typed = || Correction::Call(json!({ "command": CommandLine.example(example) }));
    match example {
        Example::Json(call) => Correction::Call(call.clone()),
        Example::Call(call) => match tools::of_command(&call.operation) {
            Some(name) => {
                Correction::Call(json!({ "tool": name, "arguments": arguments(&call.fields) }))
            }
            None => typed(),
        },
        Example::Fields(fields) => {
            let tool = tool_for(tool, fields);
            let corrected = arguments(fields);
            let repeated = repeat(tool, given, corrected.clone());
            match can_be_repeated(&repeated) {
                true => Correction::Call(json!({ "tool": tool.name, "arguments": repeated })),
                false => Correction::Arguments(tool.name, corrected),
            }
        }
        Example::Shell(_) | Example::Line(_) => typed(),
    }
}

/// The tool for the kind of time that a correction gives, which may be another one.
fn tool_for(tool: &'static Definition, corrected: &Fields) -> &'static Definition {
    let takes = |name: &str| tool.parameters.iter().any(|p| p.argument() == name);
    let other = EXCLUSIVE
        .iter()
        .filter(|name| !takes(name))
        .find(|name| corrected.iter().any(|(field, _)| field == **name))
        .and_then(|name| tool_of(name));
    other.unwrap_or(tool)
}

/// The call again, under the tool's own names, with the corrections.
fn repeat(tool: &Definition, given: &JsonObject, corrected: JsonObject) -> JsonObject {
    let has_time = EXCLUSIVE.iter().any(|name| corrected.contains_key(*name));
    let mut call = JsonObject::new();
    for (key, value) in given {
        let Some(parameter) = find(tool.takes(), &snake_case(key)) else {
            continue;
        };
        let is_replaced = has_time && EXCLUSIVE.contains(&parameter.argument());
        if !is_replaced && !means_nothing(parameter, value) {
            call.insert(parameter.argument().to_owned(), value.clone());
        }
    }
    call.extend(corrected);
    call
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, call, fields, shell};

    fn shown(tool: &str, error: &Error) -> Value {
        let given = JsonObject::from_iter([
            ("prompt".to_owned(), json!("Stand up")),
            ("every".to_owned(), json!("0s")),
            ("request_heartbeat".to_owned(), json!(true)),
        ]);
        let result = to_result(tools::find(tool).unwrap(), &given, error);
        assert_eq!(result.is_error, Some(true));
        result.structured_content.unwrap()
    }

    #[test]
    fn an_example_is_a_call_that_can_be_made() {
        let error = |example: Example| Error::new(Code::Usage, "wrong").example(example);
        for (tool, given, wanted) in [
            (
                "promptyoself_schedule_every",
                fields([("every", "30m")]),
                json!({ "tool": "promptyoself_schedule_every",
                        "arguments": { "prompt": "Stand up", "every": "30m" } }),
            ),
            (
                "promptyoself_schedule_cron",
                fields([("cron", "0 9 * * mon-fri")]),
                json!({ "tool": "promptyoself_schedule_cron",
                        "arguments": { "prompt": "Stand up", "cron": "0 9 * * mon-fri" } }),
            ),
            (
                "promptyoself_schedule_every",
                fields([("max_repetitions", 10)]),
                json!({ "tool": "promptyoself_schedule_every",
                        "arguments": { "prompt": "Stand up", "every": "0s",
                                       "max_repetitions": 10 } }),
            ),
            (
                "promptyoself_cancel",
                call("list").with("all", true).into(),
                json!({ "tool": "promptyoself_list", "arguments": { "include_cancelled": true } }),
            ),
            (
                "promptyoself_update",
                call("show").with("id", 5).into(),
                json!({ "tool": "promptyoself_get", "arguments": { "schedule_id": 5 } }),
            ),
            (
                "promptyoself_list",
                shell("promptyoself key create --name laptop").into(),
                json!({ "command": "promptyoself key create --name laptop" }),
            ),
        ] {
            assert_eq!(shown(tool, &error(given))["example"], wanted);
        }
    }
}
