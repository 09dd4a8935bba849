//! The words of tools: their names and those of their arguments.

use rmcp::model::JsonObject;
use serde_json::Value;

use super::tools;
use crate::error::{Call, CommandLine, Fields, Words};

/// Writes fields as arguments, and operations as tools. What has no tool, such as a command of the
/// operator's, is worded as on the command line.
pub(super) struct Tools;

impl Words for Tools {
    fn field(&self, name: &str) -> String {
        match argument(name) {
            Some(argument) => argument.to_owned(),
            None => CommandLine.field(name),
        }
    }

    fn operation(&self, name: &str) -> String {
        match tools::of_command(name) {
            Some(tool) => tool.to_owned(),
            None => CommandLine.operation(name),
        }
    }

    fn call(&self, call: &Call) -> String {
        let Some(tool) = tools::of_command(&call.operation) else {
            return CommandLine.call(call);
        };
        match arguments(&call.fields) {
            arguments if arguments.is_empty() => tool.to_owned(),
            arguments => format!("{tool} {}", Value::from(arguments)),
        }
    }
}

/// Fields as arguments, without those that no tool has.
pub(super) fn arguments(fields: &Fields) -> JsonObject {
    let known = fields
        .iter()
        .filter_map(|(name, value)| Some((argument(name)?.to_owned(), value.clone())));
    known.collect()
}

/// The name of a field as a tool's argument, if any tool has it.
fn argument(field: &str) -> Option<&'static str> {
    let mut known = tools::all().iter().flat_map(|t| &t.parameters);
    let parameter = known.find(|p| p.field.name == field)?;
    Some(parameter.argument())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{call, field, message, operation, quoted, shell};

    #[test]
    fn parts_are_told_as_arguments_and_tools() {
        for (message, wanted) in [
            (
                message![
                    field("max_repetitions"),
                    " ",
                    quoted("0"),
                    " is not a whole number"
                ],
                "max_repetitions \"0\" is not a whole number",
            ),
            (
                message![
                    "there is no schedule 5: ",
                    operation("list"),
                    " shows the ids"
                ],
                "there is no schedule 5: promptyoself_list shows the ids",
            ),
            (
                message![call("update").with("id", 5).with("time", "…"), " now"],
                "promptyoself_update {\"schedule_id\":5,\"time\":\"…\"} now",
            ),
            (
                message![
                    shell("promptyoself halt --off --db x"),
                    " lets it go on, ",
                    field("id")
                ],
                "promptyoself halt --off --db x lets it go on, schedule_id",
            ),
            (
                message!["see ", call("list"), "."],
                "see promptyoself_list.",
            ),
            (
                message![field("prompt_file"), " is a file"],
                "--prompt-file is a file",
            ),
        ] {
            assert_eq!(message.in_words(&Tools), wanted);
        }
    }
}
