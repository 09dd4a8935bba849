//! The words of the command line, which logs use too.

use serde_json::Value;

use super::{Call, Example, Fields, Words};

/// The fields whose flags are called otherwise, with those flags.
const FLAGS: [(&str, &str); 1] = [("schedule_id", "id")];

/// Writes fields as flags and calls as commands.
#[derive(Clone, Copy, Debug)]
pub struct CommandLine;

impl CommandLine {
    /// A corrected form, ready to be typed.
    pub fn example(&self, example: &Example) -> String {
        match example {
            Example::Fields(fields) => flags(fields),
            Example::Call(call) => self.call(call),
            Example::Shell(text) => text.clone(),
            Example::Line(words) => line(words),
            Example::Json(value) => value.to_string(),
        }
    }
}

impl Words for CommandLine {
    fn field(&self, name: &str) -> String {
        let other = FLAGS.iter().find(|(field, _)| *field == name);
        let flag = other.map_or(name, |(_, flag)| flag);
        format!("--{}", flag.replace('_', "-"))
    }

    fn operation(&self, name: &str) -> String {
        name.to_owned()
    }

    fn call(&self, call: &Call) -> String {
        format!("promptyoself {}", command(call))
    }
}

/// A call without the name of the program.
pub(crate) fn command(call: &Call) -> String {
    match call.fields.is_empty() {
        true => call.operation.to_string(),
        false => format!("{} {}", call.operation, flags(&call.fields)),
    }
}

/// Fields as flags.
pub(crate) fn flags(fields: &Fields) -> String {
    let flags = fields.iter().map(|(name, value)| {
        let flag = CommandLine.field(name);
        match value {
            Value::Bool(true) => flag,
            Value::String(text) => format!("{flag} {}", quoted(text)),
            other => format!("{flag} {other}"),
        }
    });
    flags.collect::<Vec<_>>().join(" ")
}

fn line(words: &[String]) -> String {
    let all = ["promptyoself"].into_iter();
    let all = all.chain(words.iter().map(String::as_str));
    // Only a zero byte can't be quoted, and no argument of a process contains one.
    shlex::try_join(all).unwrap_or_default()
}

/// Text quoted as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/+…".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else if text.contains(['"', '$', '`', '\\', '!']) {
        format!("'{}'", text.replace('\'', r"'\''"))
    } else {
        format!("\"{text}\"")
    }
}
