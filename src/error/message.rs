//! The parts of an error's text, which each face renders in its own words.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Text that is the same on every face.
    Text(Cow<'static, str>),
    /// A field of a request, by its name in JSON.
    Field(Cow<'static, str>),
    /// The caller's own words, shown in quotation marks.
    Given(String),
    /// An operation that the text mentions, by name.
    Operation(Cow<'static, str>),
    /// An operation to call, with its fields.
    Call(Call),
    /// Something in the operator's shell or settings, the same on every face.
    Shell(Cow<'static, str>),
}

/// Names of fields with their values.
pub type Fields = Vec<(Cow<'static, str>, Value)>;

/// An operation of ours, with the fields to give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its name on the command line.
    pub operation: Cow<'static, str>,
    /// The fields to give.
    pub fields: Fields,
}

impl Call {
    /// Adds a field to the call.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }
}

/// A corrected form of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Example {
    /// Fields to give instead; the rest of the request stays as it was.
    Fields(Fields),
    /// Another operation to call.
    Call(Call),
    /// Something to do in the operator's shell or settings, or to send beside a request: the same
    /// on every face.
    Shell(String),
    /// The caller's whole command line, corrected, without the name of the program.
    Line(Vec<String>),
    /// A part of a request or a whole one, in a form that only one face has.
    Json(Value),
}

/// The text of an error, in parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Message(Vec<Part>);

/// How a face words the parts of a message that differ between faces.
pub trait Words {
    /// A field of a request.
    fn field(&self, name: &str) -> String;

    /// An operation that a sentence mentions.
    fn operation(&self, name: &str) -> String;

    /// A call to make.
    fn call(&self, call: &Call) -> String;
}

impl Message {
    /// Appends to the message.
    pub fn push(&mut self, more: impl Into<Message>) {
        self.0.extend(more.into().0);
    }

    /// Renders the message in the words of a face.
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

    /// The beginning of the message, if the caller's words in it are longer than `most` characters.
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

/// Anything that can be displayed becomes text that is the same on every face.
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

/// The caller's own words, shown in quotation marks.
pub fn quoted(text: impl Into<String>) -> Part {
    Part::Given(text.into())
}

/// An operation that a sentence mentions, by name.
pub fn operation(name: &'static str) -> Part {
    Part::Operation(name.into())
}

/// An operation to call, by name.
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

/// Something in the operator's shell or settings, as a part of a message or as an example.
pub fn shell(text: impl Into<Cow<'static, str>>) -> Shell {
    Shell(text.into())
}

/// Something in the operator's shell or settings.
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

/// Builds a message from its parts: a literal is text that may contain `{}` as in `format!`;
/// everything else is a [`Part`], a call, another message, or text.
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
