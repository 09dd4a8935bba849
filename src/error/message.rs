//! What an error says, in parts, so that each face says it in its own words.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Text that is the same for everybody.
    Text(Cow<'static, str>),
    /// A field of a request, by its name in JSON.
    Field(Cow<'static, str>),
    /// The caller's own words, which are shown in quotation marks.
    Given(String),
    /// An operation that the text speaks of, by its name.
    Operation(Cow<'static, str>),
    /// An operation that is to be called, with what it is to be given.
    Call(Call),
    /// What belongs to the operator's shell and settings, and is the same on every face.
    Shell(Cow<'static, str>),
}

/// Names of fields with their values.
pub type Fields = Vec<(Cow<'static, str>, Value)>;

/// An operation of ours, with the fields to give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its name on the command line.
    pub operation: Cow<'static, str>,
    /// What it is given.
    pub fields: Fields,
}

impl Call {
    /// The same call with another field.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }
}

/// A corrected form of what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Example {
    /// Fields to give instead, beside the rest of the request as it was.
    Fields(Fields),
    /// Another operation to call.
    Call(Call),
    /// What is to be done in the operator's shell or settings, or is sent beside a request: the same
    /// on every face.
    Shell(String),
    /// A whole command line of the caller's, corrected, without the name of the program.
    Line(Vec<String>),
    /// A part of a request, or a whole one, as only one face has it.
    Json(Value),
}

/// What an error says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Message(Vec<Part>);

/// How a face says the parts of a message that differ from face to face.
pub trait Words {
    /// A field of a request.
    fn field(&self, name: &str) -> String;

    /// An operation that a sentence speaks of.
    fn operation(&self, name: &str) -> String;

    /// A call to make.
    fn call(&self, call: &Call) -> String;
}

impl Message {
    /// Adds what comes after it.
    pub fn push(&mut self, more: impl Into<Message>) {
        self.0.extend(more.into().0);
    }

    /// The message as a face says it.
    pub fn in_words(&self, words: &dyn Words) -> String {
        let mut said = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) | Part::Shell(text) => said.push_str(text),
                Part::Field(name) => said.push_str(&words.field(name)),
                Part::Given(text) => said.push_str(&format!("{text:?}")),
                Part::Operation(name) => said.push_str(&words.operation(name)),
                Part::Call(call) => said.push_str(&words.call(call)),
            }
        }
        said
    }

    /// The beginning of the message, if what it repeats is longer than `most` characters.
    pub(super) fn cut(mut self, most: usize) -> Self {
        let mut left = most;
        for part in &mut self.0 {
            let text = match part {
                Part::Text(text) => text.to_mut(),
                Part::Given(text) => text,
                _ => continue,
            };
            match text.char_indices().nth(left) {
                Some((end, _)) => {
                    text.truncate(end);
                    text.push('…');
                    left = 0;
                }
                None => left -= text.chars().count(),
            }
        }
        self
    }
}

impl From<Part> for Message {
    fn from(part: Part) -> Self {
        Message(vec![part])
    }
}

/// Whatever can be shown is text, which is the same for everybody.
impl<T: fmt::Display> From<T> for Message {
    fn from(text: T) -> Self {
        Message::from(Part::Text(text.to_string().into()))
    }
}

impl From<Call> for Example {
    fn from(call: Call) -> Self {
        Example::Call(call)
    }
}

impl From<Call> for Message {
    fn from(call: Call) -> Self {
        Message::from(Part::Call(call))
    }
}

/// A field of a request, by its name in JSON.
pub fn field(name: &'static str) -> Part {
    Part::Field(name.into())
}

/// The caller's own words, to be shown in quotation marks.
pub fn quoted(text: impl Into<String>) -> Part {
    Part::Given(text.into())
}

/// An operation that a sentence speaks of, by its name.
pub fn operation(name: &'static str) -> Part {
    Part::Operation(name.into())
}

/// An operation to call, by its name.
pub fn call(operation: &'static str) -> Call {
    Call {
        operation: operation.into(),
        fields: Fields::new(),
    }
}

/// Fields to give instead, as an example.
pub fn fields<V: Into<Value>, const N: usize>(given: [(&'static str, V); N]) -> Example {
    let given = given.into_iter();
    Example::Fields(
        given
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
    )
}

/// What belongs to the operator's shell and settings, as a part of a message or as an example.
pub fn shell(text: impl Into<Cow<'static, str>>) -> Shell {
    Shell(text.into())
}

/// What belongs to the operator's shell and settings.
#[derive(Clone, Debug)]
pub struct Shell(Cow<'static, str>);

impl From<Shell> for Message {
    fn from(shell: Shell) -> Self {
        Message::from(Part::Shell(shell.0))
    }
}

impl From<Shell> for Example {
    fn from(shell: Shell) -> Self {
        Example::Shell(shell.0.into_owned())
    }
}

/// Makes a message of its parts: a literal is text with `{}` in it as in `format!`, and everything
/// else is a [`Part`], a call, a message of its own, or text.
macro_rules! message {
    (@push $message:ident;) => {};
    (@push $message:ident; $text:literal $(, $($rest:tt)*)?) => {
        $message.push(format!($text));
        $($crate::error::message!(@push $message; $($rest)*);)?
    };
    (@push $message:ident; $part:expr $(, $($rest:tt)*)?) => {
        $message.push($part);
        $($crate::error::message!(@push $message; $($rest)*);)?
    };
    ($($parts:tt)+) => {{
        let mut message = $crate::error::Message::default();
        $crate::error::message!(@push message; $($parts)+);
        message
    }};
}
pub(crate) use message;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CommandLine;

    #[test]
    fn a_message_is_its_parts_in_order_whatever_the_callers_words_look_like() {
        let (n, given) = (5, "--time {n}, list shows");
        let message = message![
            field("max_age"),
            " ",
            quoted(given),
            " of {n}: see ",
            call("show").with("id", n),
            message![" or ", shell("promptyoself serve --db x"), "."],
        ];
        let wanted = "--max-age \"--time {n}, list shows\" of 5: see promptyoself show --id 5 or \
                      promptyoself serve --db x.";
        assert_eq!(message.in_words(&CommandLine), wanted);
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
    }

    #[test]
    fn what_repeats_more_than_fits_is_cut_and_no_part_is_left_out() {
        let long = "ü".repeat(50);
        let message = message!["the ", field("name"), " is ", quoted(&long), " and {long}"].cut(20);
        let shown = message.in_words(&CommandLine);
        assert_eq!(shown, "the --name is \"üüüüüüüüüüüü…\"…");
    }

    #[test]
    fn a_value_is_quoted_as_a_shell_takes_it() {
        for (value, wanted) in [
            ("30m", "--name 30m"),
            ("0 9 * * *", "--name \"0 9 * * *\""),
            ("", "--name \"\""),
            ("Ada's \"tea\" `$x`", r#"--name 'Ada'\''s "tea" `$x`'"#),
        ] {
            assert_eq!(CommandLine.example(&fields([("name", value)])), wanted);
        }
    }
}
