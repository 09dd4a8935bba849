//! Words errors for an agent that calls the plugin's tools: a command with a tool of the same name
//! becomes that tool, and an example has the form in which the call was written.

use std::borrow::Cow;

use clap::{Arg, Command};
use serde_json::{Value, json};

use super::args::{NUMBER, SWITCH};
use super::definitions::definitions;
use super::plugin_guard::{is_command_refused, is_refused};
use crate::config::Environment;
use crate::error::{Call, CommandLine, Error, Example, Fields, Words, command, shell};
use crate::operations::ALL;

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
    /// The form that the shim has detected.
    pub(super) fn of(env: &Environment) -> Form {
        match env.get("PROMPTYOSELF_KWARGS") {
            Some("pairs") => Form::Pairs,
            Some("python") => Form::Python,
            Some("json") => Form::Json,
            _ => Form::Flags,
        }
    }
}

/// The words of the plugin's tools: those of the command line, but with tools for commands.
struct Plugin;

impl Words for Plugin {
    fn field(&self, name: &str) -> String {
        CommandLine.field(name)
    }

    fn operation(&self, name: &str) -> String {
        CommandLine.operation(name)
    }

    fn call(&self, call: &Call) -> String {
        match is_command_refused(ALL, &call.operation) {
            true => CommandLine.call(call),
            false => command(call),
        }
    }
}

/// An error in the words of the plugin's tools, without an example that would itself be refused.
pub(super) fn reword(error: Error, form: Form) -> Error {
    let told = Error::new(error.code(), error.chain_in(&Plugin));
    match error.correction() {
        None => told,
        Some(Example::Shell(text)) if text.ends_with("--help") => told,
        Some(example) if is_operators(example) => {
            told.hint("; the plugin's operator has to fix this")
        }
        Some(example) => told.example(shell(in_form(example, form))),
    }
}

/// Whether an example is about settings, or a command or flag that the plugin refuses.
fn is_operators(example: &Example) -> bool {
    let refuses = |command: &str, fields: &Fields| {
        let mut names = fields.iter().map(|(name, _)| name.replace('_', "-"));
        is_command_refused(ALL, command) || names.any(|name| is_refused(ALL, command, &name))
    };
    match example {
        Example::Shell(_) => true,
        Example::Json(_) => false,
        Example::Fields(fields) => refuses("register", fields),
        Example::Call(call) => refuses(&call.operation, &call.fields),
        Example::Line(words) => {
            let command = words.first().map(String::as_str).unwrap_or_default();
            let mut flags = words.iter().filter_map(|word| word.strip_prefix("--"));
            is_command_refused(ALL, command) || flags.any(|flag| is_refused(ALL, command, flag))
        }
    }
}

/// An example in the form of the call.
fn in_form(example: &Example, form: Form) -> String {
    let (tool, arguments) = match example {
        Example::Fields(fields) => (None, as_arguments(fields)),
        Example::Call(call) => (Some(&*call.operation), as_arguments(&call.fields)),
        Example::Line(words) => match words.split_first() {
            Some((tool, flags)) => (Some(tool.as_str()), arguments(tool, flags)),
            None => (None, Fields::new()),
        },
        Example::Shell(_) | Example::Json(_) => return CommandLine.example(example),
    };
    let written = match form {
        Form::Flags => {
            let typed = CommandLine.example(example);
            return typed
                .strip_prefix("promptyoself ")
                .unwrap_or(&typed)
                .to_owned();
        }
        Form::Pairs => {
            let pairs = arguments.iter().map(|(name, value)| pair(name, value));
            pairs.collect::<Vec<_>>().join(" ")
        }
        Form::Json => {
            let given = arguments.iter();
            let object = given.map(|(name, value)| (name.to_string(), value.clone()));
            Value::Object(object.collect()).to_string()
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

/// Fields under the names of their flags.
fn as_arguments(fields: &Fields) -> Fields {
    let renamed = fields.iter().map(|(name, value)| {
        let flag = CommandLine.field(name);
        let name = flag.trim_start_matches('-').replace('-', "_");
        (name.into(), value.clone())
    });
    renamed.collect()
}

/// Flags and their values as arguments of a tool.
fn arguments(tool: &str, words: &[String]) -> Fields {
    let definitions = definitions(ALL, true);
    let commands: Vec<&Command> = match definitions.find_subcommand(tool) {
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
    let mut arguments = Fields::new();
    let mut words = words.iter();
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
        arguments.push((flag.replace('-', "_").into(), value));
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
    use crate::error::{Code, call, fields, message};

    fn told(example: &Example, form: Form) -> Option<String> {
        let error = Error::new(Code::Usage, "wrong").example(example.clone());
        reword(error, form).corrected()
    }

    #[test]
    fn an_example_stands_in_the_form_of_the_call() {
        for (example, flags, pairs, python, json) in [
            (
                fields([("every", "30m")]),
                "--every 30m",
                "every=30m",
                "{'every': '30m'}",
                r#"{"every":"30m"}"#,
            ),
            (
                fields([("cron", "0 9 * * 1-5")]),
                "--cron \"0 9 * * 1-5\"",
                "cron=\"0 9 * * 1-5\"",
                "{'cron': '0 9 * * 1-5'}",
                r#"{"cron":"0 9 * * 1-5"}"#,
            ),
            (
                fields([("max_repetitions", 10)]),
                "--max-repetitions 10",
                "max_repetitions=10",
                "{'max_repetitions': 10}",
                r#"{"max_repetitions":10}"#,
            ),
            (
                fields([("schedule_id", 5)]),
                "--id 5",
                "id=5",
                "{'id': 5}",
                r#"{"id":5}"#,
            ),
            (
                call("list").with("all", true).into(),
                "list --all",
                "list all=true",
                "list {'all': True}",
                r#"list {"all":true}"#,
            ),
            (
                Example::Line(vec!["list".into(), "--limit".into(), "5".into()]),
                "list --limit 5",
                "list limit=5",
                "list {'limit': 5}",
                r#"list {"limit":5}"#,
            ),
            (call("test").into(), "test", "test", "test", "test"),
        ] {
            for (form, wanted) in [
                (Form::Flags, flags),
                (Form::Pairs, pairs),
                (Form::Python, python),
                (Form::Json, json),
            ] {
                assert_eq!(told(&example, form).as_deref(), Some(wanted), "{form:?}");
            }
        }
    }

    #[test]
    fn nothing_is_advised_that_an_agent_cannot_do() {
        for example in [
            call("serve").into(),
            call("halt").with("off", true).into(),
            call("execute").with("loop", true).into(),
            Example::Line(vec!["list".into(), "--db".into(), "x".into()]),
            Example::Line(vec!["serve".into()]),
            shell("--db x").into(),
            fields([("prompt_file", "f")]),
            shell("LETTA_BASE_URL=http://localhost:8283").into(),
            shell("timezone = \"UTC\"").into(),
        ] {
            let shown = format!("{example:?}");
            let error = reword(
                Error::new(Code::Usage, "wrong").example(example),
                Form::Json,
            );
            assert_eq!(error.corrected(), None, "{shown}");
            assert!(error.to_string().contains("operator"), "{shown}");
        }
        let help = shell("promptyoself register --help").into();
        assert_eq!(told(&help, Form::Flags), None);
    }

    #[test]
    fn a_command_with_a_tool_of_its_name_is_told_as_that_tool() {
        for (message, wanted) in [
            (
                message![
                    "move it with ",
                    call("update").with("id", 5).with("time", "…"),
                    ", or see ",
                    call("list"),
                    "."
                ],
                "move it with update --id 5 --time …, or see list.",
            ),
            (
                message!["start one with: ", shell("promptyoself serve --db x")],
                "start one with: promptyoself serve --db x",
            ),
            (
                message![call("halt").with("off", true), " lets it go on"],
                "promptyoself halt --off lets it go on",
            ),
        ] {
            assert_eq!(message.in_words(&Plugin), wanted);
        }
    }
}
