//! Errors in the words of tools. The texts are written for a command line; a model that calls tools
//! needs the names of arguments and tools instead of flags and commands.

use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde_json::{Value, json};

use super::arguments::{EXCLUSIVE, can_be_repeated, find, means_nothing, snake_case};
use super::definition::Definition;
use super::tools;
use crate::error::Error;
use crate::operations::definition::Kind;

/// The tools by the command that does the same.
const TOOLS: &[(&str, &str)] = &[
    ("list", "promptyoself_list"),
    ("show", "promptyoself_get"),
    ("update", "promptyoself_update"),
    ("pause", "promptyoself_pause"),
    ("resume", "promptyoself_resume"),
    ("run", "promptyoself_run_now"),
    ("preview", "promptyoself_preview"),
    ("cancel", "promptyoself_cancel"),
    ("history", "promptyoself_history"),
    ("execute", "promptyoself_execute"),
    ("test", "promptyoself_test"),
    ("agents", "promptyoself_agents"),
];

/// Arguments whose name is not that of the flag.
const RENAMED: &[(&str, &str)] = &[("id", "schedule_id"), ("all", "include_cancelled")];

/// Commands that texts name without the program.
const PHRASES: &[(&str, &str)] = &[
    ("list shows", "promptyoself_list shows"),
    ("show says", "promptyoself_get says"),
    ("test says", "promptyoself_test says"),
    ("agents lists", "promptyoself_agents lists"),
    ("history shows", "promptyoself_history shows"),
    ("register another", "schedule another"),
    ("registers without", "schedules without"),
];

/// A failure as a tool answers it: a text that teaches, and the same for programs. The correction
/// repeats what was right in the call.
pub fn to_result(tool: &'static Definition, given: &JsonObject, error: &Error) -> CallToolResult {
    let text = in_tool_words(&error.chain());
    let mut structured = json!({ "error": text, "code": error.code().as_str() });
    let mut told = text;
    match error.corrected().map(|e| example(tool, given, e)) {
        Some(Correction::Call(example)) => {
            told.push_str(&format!("\nExample: {example}"));
            structured["example"] = example;
        }
        Some(Correction::Arguments(tool, arguments)) => {
            told.push_str(&format!(
                "\nCall {tool} with {}, and the rest as it was",
                Value::from(arguments)
            ));
        }
        None => {}
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(told)]);
    result.structured_content = Some(structured);
    result
}

/// What is to be done instead.
enum Correction {
    /// A whole call.
    Call(Value),
    /// These arguments of a tool, beside others that are too long to repeat.
    Arguments(&'static str, JsonObject),
}

/// A corrected form as a call.
fn example(tool: &'static Definition, given: &JsonObject, example: &str) -> Correction {
    // One of ours, which is a call already.
    if let Ok(call @ Value::Object(_)) = serde_json::from_str(example) {
        return Correction::Call(call);
    }
    let words = split(example);
    match words.as_slice() {
        [program, verb, flags @ ..] if program == "promptyoself" => {
            Correction::Call(match tool_of(verb) {
                Some(name) => json!({ "tool": name, "arguments": arguments(name, flags) }),
                None => json!({ "command": example }),
            })
        }
        flags if flags.first().is_some_and(|w| w.starts_with("--")) => {
            let tool = meant(tool, flags);
            let corrected = arguments(tool.name, flags);
            let repeated = repeat(tool, given, corrected.clone());
            match can_be_repeated(&repeated) {
                true => Correction::Call(json!({ "tool": tool.name, "arguments": repeated })),
                false => Correction::Arguments(tool.name, corrected),
            }
        }
        _ => Correction::Call(json!({ "command": example })),
    }
}

/// The tool that takes the kind of time that a correction gives, which may be another one.
fn meant(tool: &'static Definition, flags: &[String]) -> &'static Definition {
    let takes = |name: &str| tool.parameters().any(|p| p.argument() == name);
    let other = EXCLUSIVE
        .iter()
        .filter(|name| !takes(name))
        .find(|name| flags.iter().any(|f| f.strip_prefix("--") == Some(name)))
        .and_then(|name| tools::find(&format!("promptyoself_schedule_{name}")));
    other.unwrap_or(tool)
}

/// The call again, under the names of the tool, with what is corrected.
fn repeat(tool: &Definition, given: &JsonObject, corrected: JsonObject) -> JsonObject {
    let has_time = EXCLUSIVE.iter().any(|name| corrected.contains_key(*name));
    let mut call = JsonObject::new();
    for (key, value) in given {
        let Some(parameter) = find(tool, &snake_case(key)) else {
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

/// Flags and their values as arguments.
fn arguments(tool: &str, words: &[String]) -> JsonObject {
    let mut arguments = JsonObject::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(name) = word.strip_prefix("--").and_then(argument_of) else {
            continue;
        };
        let kind = tools::find(tool)
            .and_then(|t| t.parameters().find(|p| p.argument() == name))
            .map(|p| p.field.kind);
        let value = match kind {
            Some(Kind::Switch) => json!(true),
            Some(Kind::Number(..)) => match words.next().map(|w| w.parse::<i64>()) {
                Some(Ok(number)) => json!(number),
                _ => continue,
            },
            _ => json!(words.next()),
        };
        arguments.insert(name, value);
    }
    arguments
}

/// A text with the names of tools and arguments in place of commands and flags.
pub fn in_tool_words(text: &str) -> String {
    let mut told = text.to_owned();
    for (phrase, instead) in PHRASES {
        if let Some(at) = told.find(phrase)
            && !told[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !told[..at].ends_with("promptyoself ")
        {
            told.replace_range(at..at + phrase.len(), instead);
        }
    }
    let words: Vec<&str> = told.split(' ').collect();
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let verb = words.get(at + 1).map(|w| bare(w));
        match verb {
            Some(verb) if *word == "promptyoself" => {
                let end = end_of_command(&words, at + 2);
                match tool_of(verb) {
                    Some(tool) => out.push(call(tool, &words[at + 1..end])),
                    // A command for a shell stays what it is, flags and all.
                    None => out.push(words[at..end].join(" ")),
                }
                at = end;
            }
            _ => {
                out.push(flag(word));
                at += 1;
            }
        }
    }
    out.join(" ")
}

/// Where the flags after a command, and their values, end.
fn end_of_command(words: &[&str], from: usize) -> usize {
    let mut end = from;
    while words.get(end).is_some_and(|w| w.starts_with("--")) {
        let name = words[end].trim_start_matches("--");
        end += 1;
        let has_value = !matches!(name, "off" | "all" | "replay" | "full" | "loop");
        if has_value && words.get(end).is_some_and(|w| !w.starts_with("--")) {
            end += 1;
        }
    }
    end.min(words.len())
}

/// A command with its flags, as a call; `words` begins with its name.
fn call(tool: &str, words: &[&str]) -> String {
    let last = words.last().copied().unwrap_or_default();
    let after = &last[bare(last).len()..];
    let flags: Vec<String> = split(&words[1..].join(" "))
        .iter()
        .map(|w| bare(w).to_owned())
        .collect();
    let arguments = arguments(tool, &flags);
    match arguments.is_empty() {
        true => format!("{tool}{after}"),
        false => format!("{tool} {}{after}", Value::from(arguments)),
    }
}

/// A word that may be a flag, or begin with one.
fn flag(word: &str) -> String {
    let Some(at) = word.find("--") else {
        return word.to_owned();
    };
    let (before, rest) = word.split_at(at);
    let name_end = rest[2..]
        .find(|c: char| !c.is_ascii_lowercase() && c != '-')
        .map_or(rest.len(), |n| n + 2);
    let (name, after) = rest.split_at(name_end);
    match argument_of(&name[2..]) {
        Some(argument) if before.chars().all(|c| !c.is_alphanumeric()) => {
            format!("{before}{argument}{after}")
        }
        _ => word.to_owned(),
    }
}

/// The argument of some tool that a flag is called there.
fn argument_of(flag: &str) -> Option<String> {
    if let Some((_, name)) = RENAMED.iter().find(|(old, _)| *old == flag) {
        return Some((*name).to_owned());
    }
    let name = flag.replace('-', "_");
    let mut known = tools::all().iter().flat_map(|t| t.parameters());
    known.any(|p| p.argument() == name).then_some(name)
}

/// The tool that does what a command does.
pub(super) fn tool_of(verb: &str) -> Option<&'static str> {
    TOOLS.iter().find(|(v, _)| *v == verb).map(|(_, t)| *t)
}

/// A word without what punctuates the sentence after it.
fn bare(word: &str) -> &str {
    word.trim_end_matches(['.', ',', ';', ':'])
}

/// A line as a shell splits it.
pub(crate) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut began = false;
    for c in line.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                began = true;
            }
            None if c == ' ' => {
                if began || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                began = false;
            }
            None => word.push(c),
        }
    }
    if began || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn told(tool: &str, error: &Error) -> Value {
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
    fn flags_and_commands_are_told_as_arguments_and_tools() {
        for (text, wanted) in [
            (
                "--max-repetitions \"0\" is not a whole number",
                "max_repetitions \"0\" is not a whole number",
            ),
            (
                "give one of --time (once), --cron (a pattern) or --every (an interval)",
                "give one of time (once), cron (a pattern) or every (an interval)",
            ),
            (
                "there is no schedule 5: list shows the ids that exist",
                "there is no schedule 5: promptyoself_list shows the ids that exist",
            ),
            (
                "give it another time with promptyoself update --id 5 --time … now",
                "give it another time with promptyoself_update {\"schedule_id\":5,\"time\":\"…\"} now",
            ),
            (
                "start one with: promptyoself serve --db /a/b.db",
                "start one with: promptyoself serve --db /a/b.db",
            ),
            (
                "halted; promptyoself halt --off --db x lets it go on, --id",
                "halted; promptyoself halt --off --db x lets it go on, schedule_id",
            ),
            ("see promptyoself list.", "see promptyoself_list."),
            (
                "--prompt-file is a file, a--b is text",
                "--prompt-file is a file, a--b is text",
            ),
            ("the blacklist shows nothing", "the blacklist shows nothing"),
        ] {
            assert_eq!(in_tool_words(text), wanted);
        }
    }

    #[test]
    fn an_example_is_a_call_that_can_be_made() {
        let error = |example: &str| Error::new(Code::Usage, "wrong").example(example);
        for (tool, given, wanted) in [
            (
                "promptyoself_schedule_every",
                "--every 30m",
                json!({ "tool": "promptyoself_schedule_every",
                        "arguments": { "prompt": "Stand up", "every": "30m" } }),
            ),
            (
                "promptyoself_schedule_cron",
                "--cron \"0 9 * * mon-fri\"",
                json!({ "tool": "promptyoself_schedule_cron",
                        "arguments": { "prompt": "Stand up", "cron": "0 9 * * mon-fri" } }),
            ),
            (
                "promptyoself_schedule_every",
                "--max-repetitions 10",
                json!({ "tool": "promptyoself_schedule_every",
                        "arguments": { "prompt": "Stand up", "every": "0s",
                                       "max_repetitions": 10 } }),
            ),
            (
                "promptyoself_cancel",
                "promptyoself list --all",
                json!({ "tool": "promptyoself_list", "arguments": { "include_cancelled": true } }),
            ),
            (
                "promptyoself_update",
                "promptyoself show --id 5",
                json!({ "tool": "promptyoself_get", "arguments": { "schedule_id": 5 } }),
            ),
            (
                "promptyoself_list",
                "promptyoself key create --name laptop",
                json!({ "command": "promptyoself key create --name laptop" }),
            ),
        ] {
            assert_eq!(told(tool, &error(given))["example"], wanted);
        }
    }
}
