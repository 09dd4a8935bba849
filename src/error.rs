//! One error for every face: a stable code, a message that teaches, and an example that works.
//!
//! Message and example are made of parts ([`Part`], [`Example`]), and each face renders them in its
//! own words ([`Words`]). So nobody edits finished text, and the caller's own words come back
//! unchanged.

mod code;
mod command_line;
mod message;

use serde_json::Value;

use crate::limits;

pub use code::Code;
pub use command_line::CommandLine;
pub(crate) use command_line::command;
pub(crate) use message::message;
pub use message::{
    Call, Example, Fields, Message, Part, Words, call, field, fields, operation, quoted, shell,
};

/// What went wrong, for a person, a program and an LLM alike.
///
/// The message says what was understood, what is wrong with it and, if time matters, the current
/// time. The example, if there is one, is what the caller wanted, in a form that is accepted as it
/// stands. `Display` uses the words of the command line.
#[derive(Debug, thiserror::Error)]
#[error("{}", cut(message.in_words(&CommandLine)))]
pub struct Error {
    code: Code,
    message: Message,
    example: Option<Example>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything that can fail with our [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Creates an error with a code and a message.
    pub fn new(code: Code, message: impl Into<Message>) -> Self {
        Error {
            code,
            message: message.into().cut(limits::ERROR),
            example: None,
            source: None,
        }
    }

    /// Adds a corrected example. It will be copied word for word, so it must ask for what the
    /// caller wanted; if that can't be known, there must be none.
    pub fn example(mut self, example: impl Into<Example>) -> Self {
        let example = example.into();
        // An example longer than an error may be would be cut, and wrong.
        let written = CommandLine.example(&example);
        let is_short = written.char_indices().nth(limits::ERROR).is_none();
        self.example = is_short.then_some(example);
        self
    }

    /// Adds a corrected example, if there is one.
    pub fn example_if(self, example: Option<impl Into<Example>>) -> Self {
        match example {
            Some(example) => self.example(example),
            None => self,
        }
    }

    /// Adds a hint to the end of the message.
    pub fn hint(mut self, hint: impl Into<Message>) -> Self {
        self.message.push(hint);
        self
    }

    /// Says which field the error is about, for messages that several fields share. The example
    /// then gives that field, or is dropped if it isn't just another time.
    pub fn about(mut self, name: &'static str) -> Self {
        self.message = message![field(name), ": ", self.message];
        let time = ["time", name].iter().find_map(|n| self.corrected_field(n));
        let time = time.cloned();
        self.example = time.map(|time| fields([(name, time)]));
        self
    }

    /// Says which of several things the error is about.
    pub fn preceded_by(mut self, which: impl Into<Message>) -> Self {
        self.message = message![which, ": ", self.message];
        self
    }

    /// Replaces the code.
    pub fn with_code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// Drops the example, if it can't be followed.
    pub fn without_example(mut self) -> Self {
        self.example = None;
        self
    }

    /// Adds the cause. It is printed once, after the message, so the message does not repeat it.
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The corrected example, if there is one.
    pub fn correction(&self) -> Option<&Example> {
        self.example.as_ref()
    }

    /// The corrected example as written on a command line.
    pub fn corrected(&self) -> Option<String> {
        self.example.as_ref().map(|e| CommandLine.example(e))
    }

    /// The value of a field, if the example gives only this field.
    pub fn corrected_field(&self, name: &str) -> Option<&Value> {
        match &self.example {
            Some(Example::Fields(fields)) => match fields.as_slice() {
                [(only, value)] if only == name => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// The message and all its causes in one line: `message: cause: cause`.
    pub fn chain(&self) -> String {
        self.chain_in(&CommandLine)
    }

    /// The message and all its causes, in the words of a face.
    pub fn chain_in(&self, words: &dyn Words) -> String {
        cut(self.whole().in_words(words))
    }

    /// The message and all its causes, in parts.
    pub fn whole(&self) -> Message {
        let mut whole = self.message.clone();
        let mut said = whole.in_words(&CommandLine);
        let mut cause = std::error::Error::source(self);
        while let Some(c) = cause {
            let text = c.to_string();
            // Many errors already end with the text of their own cause.
            if !said.ends_with(&text) {
                match c.downcast_ref::<Error>() {
                    Some(ours) => whole.push(message![": ", ours.message.clone()]),
                    None => whole.push(message![": ", text.as_str()]),
                }
                said = text;
            }
            cause = c.source();
        }
        whole
    }
}

/// Cuts a text that is longer than an error may be: it repeats what callers sent.
fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(limits::ERROR) {
        text.truncate(end);
        text.push('…');
    }
    text
}
