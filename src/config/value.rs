//! Helpers that every setting uses.

use crate::error::{Code, Error, message, shell};

/// A setting that can't be used: where it came from, what is wrong, and what to write instead.
pub(super) fn invalid(source: &str, problem: impl std::fmt::Display, example: &str) -> Error {
    let message = message![shell(source.to_owned()), ": {problem}"];
    Error::new(Code::ConfigInvalid, message).example(shell(example.to_owned()))
}

/// Empty text in the file counts as not given, as it does in the environment.
pub(super) fn filled(text: Option<String>) -> Option<String> {
    text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}
