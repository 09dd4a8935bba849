//! Errors as an agent gets them that calls the plugin's tools: a command with a tool of the same
//! name is told as that tool, and an example stands in the form in which the call was written.

use std::borrow::Cow;

use clap::{Arg, Command};
use serde_json::{Value, json};

use super::args::{NUMBER, SWITCH};
use super::definitions::definitions;
use super::plugin_guard::{is_command_refused, is_refused};
use crate::config::Environment;
use crate::error::Error;

/// How a call's arguments were written: as flags, unless an SMCP server passes them as one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `--every 30m`
    Flags,
    /// `every=30m`
    Pairs,
    /// `{'every': '30m'}`
    Python,
    /// `{"every": "30m"}`
    Json,
}

impl Form {
    /// The form that the shim has found.
    pub(super) fn of(env: &Environment) -> Form {
        match env.get("PROMPTYOSELF_KWARGS") {
            Some("pairs") => Form::Pairs,
            Some("python") => Form::Python,
            Some("json") => Form::Json,
            _ => Form::Flags,
        }
    }
}

/// An error in the words of the plugin's tools, without an example that would be refused in its turn.
pub(super) fn reword(error: Error, form: Form) -> Error {
    let text = in_tool_words(&error.chain());
    let told = Error::new(error.code(), text);
    match error.corrected() {
        None => told,
        Some(example) if example.ends_with("--help") => told,
        Some(example) if is_operators(example) => {
            told.hint("; this is for the operator of the plugin to put right")
        }
        Some(example) => told.example(in_form(example, form)),
    }
}

/// Whether an example is a matter of settings, or a command or flag that is refused in the plugin.
fn is_operators(example: &str) -> bool {
    let words: Vec<&str> = example.split_whitespace().collect();
    let is_flag_refused = |command: &str| {
        let mut flags = words.iter().filter_map(|word| word.strip_prefix("--"));
        flags.any(|flag| is_refused(command, flag))
    };
    match words.as_slice() {
        ["promptyoself", command, ..] => is_command_refused(command) || is_flag_refused(command),
        [flag, ..] if flag.starts_with("--") => is_flag_refused("register"),
        _ => true,
    }
}

/// A text in which `promptyoself list` is the tool `list`. What was quoted is the caller's own.
fn in_tool_words(text: &str) -> String {
    let commands = definitions(true);
    let is_tool = |word: &str| {
        let name = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        commands.find_subcommand(name).is_some() && !is_command_refused(name)
    };
    let mut told = String::with_capacity(text.len());
    for (at, part) in text.split('"').enumerate() {
        if at > 0 {
            told.push('"');
        }
        let mut rest = part;
        while let Some((before, after)) = rest.split_once("promptyoself ").filter(|_| at % 2 == 0) {
            told.push_str(before);
            let next = after.split(' ').next().unwrap_or_default();
            if !is_tool(next) {
                told.push_str("promptyoself ");
            }
            rest = after;
        }
        told.push_str(rest);
    }
    told
}

/// An example in the form of the call.
fn in_form(example: &str, form: Form) -> String {
    let words = crate::mcp::split_words(example);
    let (tool, flags) = match words.as_slice() {
        [program, tool, flags @ ..] if program == "promptyoself" => (Some(tool.as_str()), flags),
        flags => (None, flags),
    };
    if form == Form::Flags {
        return example.trim_start_matches("promptyoself ").to_owned();
    }
    let arguments = arguments(tool, flags);
    let written = match form {
        Form::Flags | Form::Pairs => {
            let pairs = arguments.iter().map(|(name, value)| pair(name, value));
            pairs.collect::<Vec<_>>().join(" ")
        }
        Form::Json => {
            let object = arguments.iter().cloned().collect();
            Value::Object(object).to_string()
        }
        Form::Python => {
            let items = arguments
                .iter()
                .map(|(name, value)| format!("'{name}': {}", python(value)));
            format!("{{{}}}", items.collect::<Vec<_>>().join(", "))
        }
    };
    match tool {
        Some(tool) if arguments.is_empty() => tool.to_owned(),
        Some(tool) => format!("{tool} {written}"),
        None => written,
    }
}

/// Flags and their values as arguments of a tool.
fn arguments(tool: Option<&str>, words: &[String]) -> Vec<(String, Value)> {
    let definitions = definitions(true);
    let commands: Vec<&Command> = match tool.and_then(|t| definitions.find_subcommand(t)) {
        Some(command) => vec![command],
        None => definitions.get_subcommands().collect(),
    };
    let kind_of = |flag: &str| {
        let mut all = commands.iter().flat_map(|c| c.get_arguments());
        let arg: Option<&Arg> = all.find(|arg| arg.get_long() == Some(flag));
        let names = arg.and_then(Arg::get_value_names).unwrap_or_default();
        names
            .first()
            .map(|name| name.to_string())
            .unwrap_or_default()
    };
    let mut arguments = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else {
            continue;
        };
        let value = match kind_of(flag).as_str() {
            SWITCH => json!(true),
            NUMBER => {
                let text = words.next().map(String::as_str).unwrap_or_default();
                text.parse::<i64>()
                    .map_or_else(|_| json!(text), |n| json!(n))
            }
            _ => json!(words.next().map(String::as_str).unwrap_or_default()),
        };
        arguments.push((flag.replace('-', "_"), value));
    }
    arguments
}

fn pair(name: &str, value: &Value) -> String {
    let text: Cow<'_, str> = match value {
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@+".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => format!("{name}={text}"),
        false => {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{name}=\"{escaped}\"")
        }
    }
}

/// A value as Python writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => {
            let escaped = text
                .replace('\\', "\\\\")
                .replace('\'', "\\'")
                .replace('\n', "\\n");
            format!("'{escaped}'")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn told(example: &str, form: Form) -> Option<String> {
        let error = Error::new(Code::Usage, "wrong").example(example);
        reword(error, form).corrected().map(str::to_owned)
    }

    #[test]
    fn an_example_stands_in_the_form_of_the_call() {
        for (example, flags, pairs, python, json) in [
            (
                "--every 30m",
                "--every 30m",
                "every=30m",
                "{'every': '30m'}",
                r#"{"every":"30m"}"#,
            ),
            (
                "--cron \"0 9 * * 1-5\"",
                "--cron \"0 9 * * 1-5\"",
                "cron=\"0 9 * * 1-5\"",
                "{'cron': '0 9 * * 1-5'}",
                r#"{"cron":"0 9 * * 1-5"}"#,
            ),
            (
                "--max-repetitions 10",
                "--max-repetitions 10",
                "max_repetitions=10",
                "{'max_repetitions': 10}",
                r#"{"max_repetitions":10}"#,
            ),
            (
                "promptyoself list --all",
                "list --all",
                "list all=true",
                "list {'all': True}",
                r#"list {"all":true}"#,
            ),
            ("promptyoself test", "test", "test", "test", "test"),
        ] {
            for (form, wanted) in [
                (Form::Flags, flags),
                (Form::Pairs, pairs),
                (Form::Python, python),
                (Form::Json, json),
            ] {
                assert_eq!(told(example, form).as_deref(), Some(wanted), "{form:?}");
            }
        }
    }

    #[test]
    fn nothing_is_advised_that_an_agent_cannot_do() {
        for example in [
            "promptyoself serve",
            "promptyoself halt --off",
            "promptyoself list --db x",
            "--db x",
            "--prompt-file f",
            "LETTA_BASE_URL=http://localhost:8283",
            "[remote]",
            "timezone = \"UTC\"",
        ] {
            let error = reword(
                Error::new(Code::Usage, "wrong").example(example),
                Form::Json,
            );
            assert_eq!(error.corrected(), None, "{example}");
            assert!(error.to_string().contains("operator"), "{example}");
        }
        assert_eq!(told("promptyoself register --help", Form::Flags), None);
    }

    #[test]
    fn a_command_with_a_tool_of_its_name_is_told_as_that_tool() {
        for (text, wanted) in [
            (
                "move it with promptyoself update --id 5 --time …, or see promptyoself list.",
                "move it with update --id 5 --time …, or see list.",
            ),
            (
                "start one with: promptyoself serve --db x",
                "start one with: promptyoself serve --db x",
            ),
            (
                "\"promptyoself list\" is not an interval",
                "\"promptyoself list\" is not an interval",
            ),
        ] {
            assert_eq!(in_tool_words(text), wanted);
        }
    }
}
