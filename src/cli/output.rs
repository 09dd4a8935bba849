//! Prints JSON for programs, tables for people, and errors for both.
//!
//! stdout carries the answer and nothing else. SMCP servers read an error from stdout, those of
//! mid-2025 from stderr, so a failed command writes it to both.

mod any;
mod canvas;
mod details;
mod relative;
mod screen;
mod settled;
mod span;
mod table;
mod tables;
mod text;
mod width;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anstream::ColorChoice;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Code, Error, Result};
use crate::printable::{printable, printable_json};

pub use any::{any_answer, any_table};
pub(super) use canvas::Canvas;
pub use details::schedule_details;
use settled::settled_line;

pub use screen::{Screen, Tone};
pub use tables::{
    agents_table, changes_table, findings_text, keys_table, occurrences_table, runs_table,
    schedules_table,
};
pub use text::Text;

/// The answer of a command.
#[derive(Clone, Debug)]
pub struct Reply {
    json: Value,
    text: Text,
    failing: Option<Text>,
    is_printed: bool,
}

impl Reply {
    /// An answer for programs, and the same for people.
    ///
    /// # Errors
    /// [`Code::Internal`] if the value has no JSON form.
    pub fn new(json: &impl Serialize, text: impl Into<Text>) -> Result<Reply> {
        let json = serde_json::to_value(json).map_err(|e| {
            Error::new(Code::Internal, "could not put the answer into JSON").caused_by(e)
        })?;
        Ok(Reply {
            json,
            text: text.into(),
            failing: None,
            is_printed: false,
        })
    }

    /// An answer that has been printed piece by piece.
    pub fn printed() -> Reply {
        Reply {
            json: Value::Null,
            text: Text::default(),
            failing: None,
            is_printed: true,
        }
    }

    /// Makes the exit status 1: something is wrong, though not with the call. `stderr_text` is the text
    /// for those who read errors from standard error.
    pub fn failing(self, stderr_text: impl Into<Text>) -> Reply {
        Reply {
            failing: Some(stderr_text.into()),
            ..self
        }
    }
}

/// How to print.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    terminal: bool,
    colours: ColorChoice,
}

impl Output {
    /// JSON if it is requested or if stdout is not a terminal, otherwise text.
    pub fn new(json: bool, colours: ColorChoice) -> Output {
        let terminal = io::stdout().is_terminal();
        Output {
            json: json || !terminal,
            terminal,
            colours,
        }
    }

    /// Text, whoever reads it.
    pub fn for_people() -> Output {
        Output {
            json: false,
            terminal: false,
            colours: ColorChoice::Never,
        }
    }

    /// The screen that shows what people read on standard output.
    pub fn screen(self) -> Screen {
        Screen::of_stdout(self.colours)
    }

    /// Prints a text for people beside the answer. It is no failure if nobody reads it.
    pub(super) fn print_beside(self, text: &Text) {
        let shown = text.render(Screen::of_stderr(self.colours));
        let _ = writeln!(io::stderr().lock(), "{shown}");
    }

    /// Whether the answer is for a program.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints a command's answer.
    pub fn print(self, reply: &Reply) -> ExitCode {
        if reply.is_printed {
            return ExitCode::SUCCESS;
        }
        let code = match &reply.failing {
            Some(stderr_text) => {
                // People read the answer itself.
                if self.json {
                    let text = stderr_text.render(Screen::default());
                    write_err(&format!("error: {text}"));
                }
                ExitCode::FAILURE
            }
            None => ExitCode::SUCCESS,
        };
        if self.json {
            self.print_json_with(&reply.json, code)
        } else {
            write_out(&reply.text.render(self.screen()), code)
        }
    }

    /// Prints one JSON value: on one line for programs, indented for people.
    pub fn print_json(self, value: &impl Serialize) -> ExitCode {
        self.print_json_with(value, ExitCode::SUCCESS)
    }

    /// Prints deliveries that were settled, each on a line of its own; whether anybody still reads.
    ///
    /// # Errors
    /// [`Code::Internal`] if they can't be written.
    pub(super) fn print_settled(self, rows: &[Value]) -> Result<bool> {
        let screen = self.screen();
        let mut out = io::stdout().lock();
        let line = |row: &Value| match (self.json, self.terminal) {
            (false, _) => settled_line(row, screen),
            (true, true) => printable_json(&row.to_string()),
            (true, false) => row.to_string(),
        };
        let mut lines = rows.iter().map(line);
        let written = lines.try_for_each(|line| writeln!(out, "{line}"));
        match written.and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(e) => Err(Error::new(Code::Internal, "could not write the answer").caused_by(e)),
        }
    }

    fn print_json_with(self, value: &impl Serialize, code: ExitCode) -> ExitCode {
        let text = if self.terminal {
            serde_json::to_string_pretty(value).map(|json| printable_json(&json))
        } else {
            serde_json::to_string(value)
        };
        match text {
            Ok(text) => write_out(&text, code),
            Err(e) => {
                write_err(&format!("error: could not put the answer into JSON: {e}"));
                ExitCode::FAILURE
            }
        }
    }

    /// Prints an error: as JSON on stdout if a program reads it, and always as text on stderr. The
    /// exit status is 2 for wrong usage and 1 for everything else.
    pub fn print_error(self, error: &Error) -> ExitCode {
        let code = match error.code() {
            Code::Usage => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        };
        // A program that reads standard error gets no colours, whatever its environment says.
        let screen = match self.json {
            true => Screen::default(),
            false => Screen::of_stderr(self.colours),
        };
        let label = screen.tinted("error:", Tone::Bad);
        let text = printable(&sentence(error));
        let _ = writeln!(io::stderr().lock(), "{label} {text}");
        if self.json {
            self.print_json_with(&error_json(error), code)
        } else {
            code
        }
    }
}

/// An error in the form for programs.
pub fn error_json(error: &Error) -> Value {
    let mut value = json!({ "error": sentence(error), "code": error.code().as_str() });
    if let (Some(example), Some(object)) = (error.corrected(), value.as_object_mut()) {
        object.insert("example".to_owned(), json!(example));
    }
    value
}

/// The whole chain and the corrected example.
fn sentence(error: &Error) -> String {
    let mut text = error.chain();
    if let Some(example) = error.corrected() {
        text.truncate(text.trim_end_matches(['.', ' ']).len());
        text.push_str(if text.ends_with('?') { " " } else { ". " });
        text.push_str("Example: ");
        text.push_str(&example);
    }
    text
}

/// Prints text unchanged, such as help.
pub(super) fn write_out(text: &str, code: ExitCode) -> ExitCode {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| {
            if text.ends_with('\n') {
                Ok(())
            } else {
                out.write_all(b"\n")
            }
        })
        .and_then(|()| out.flush());
    match written {
        Ok(()) => code,
        // The reader has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => code,
        Err(e) => {
            write_err(&format!("error: could not write the answer: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints something beside the answer, on one line. It is no failure if nobody reads it.
fn write_err(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(text));
}

/// An answer followed by its warning.
pub(super) fn reply(answer: &Value, text: impl Into<Text>) -> Result<Reply> {
    let text = text.into();
    let warning = answer["warning"].as_str();
    Reply::new(
        answer,
        match warning {
            Some(warning) => text.toned(&format!("Warning: {warning}"), Tone::Notable),
            None => text,
        },
    )
}

/// An answer as JSON.
pub(super) fn to_value(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|e| Error::new(Code::Internal, "could not put the answer into JSON").caused_by(e))
}

/// The rows of a table as JSON.
pub(super) fn to_rows<T: Serialize>(items: &[T]) -> Result<Vec<Value>> {
    items.iter().map(to_value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::fields;

    #[test]
    fn an_error_is_one_text_with_its_causes_and_an_example() {
        let error = Error::new(Code::IntervalInvalid, "\"5x\" is not an interval.")
            .caused_by("no unit x")
            .example(fields([("every", "5m")]));
        assert_eq!(
            error_json(&error),
            json!({
                "error": "\"5x\" is not an interval.: no unit x. Example: --every 5m",
                "code": "interval_invalid",
                "example": "--every 5m",
            })
        );
        let plain = Error::new(Code::Internal, "it broke.");
        assert_eq!(
            error_json(&plain),
            json!({ "error": "it broke.", "code": "internal" })
        );
    }
}
