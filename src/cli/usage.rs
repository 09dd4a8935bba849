//! Wrong usage, as one of our errors.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::definitions::definitions;
use crate::error::{Code, CommandLine, Error, Example, shell};
use crate::operations::{ALL, other_words};
use crate::schedule::nearest;

/// The command that an unknown word probably stands for.
fn corrected_command(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase().replace('_', "-");
    if let Some(command) = other_words::command_of(&word) {
        return Some(command.to_owned());
    }
    let known = definitions(ALL, false);
    let names: Vec<String> = known
        .get_subcommands()
        .filter(|c| !c.is_hide_set())
        .map(|c| c.get_name().to_owned())
        .collect();
    nearest(&word, names.iter().map(String::as_str)).map(str::to_owned)
}

/// Turns clap's report of wrong usage into one of our errors: on one line, with the command that
/// was probably meant or the help to read. clap's own tips, which suggest similar names, are left
/// out: somebody who types `remove` doesn't want `restore`.
pub(super) fn error(report: &clap::Error, args: &[OsString]) -> Error {
    let text = report.render().to_string();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim().trim_start_matches("error: "))
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .filter(|line| !line.starts_with("tip:"))
        .collect();
    let mut text = lines.join("; ");
    let known = definitions(ALL, false);
    let at = args
        .iter()
        .skip(1)
        .filter_map(|arg| arg.to_str())
        .find_map(|arg| known.find_subcommand(arg));
    let wrong = |kind| match report.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    let corrected = match report.kind() {
        ErrorKind::InvalidSubcommand => wrong(ContextKind::InvalidSubcommand)
            .filter(|_| at.is_none())
            .and_then(|word| Some((word, corrected_command(word)?))),
        ErrorKind::UnknownArgument => wrong(ContextKind::InvalidArg).and_then(|word| {
            let word = word.split([' ', '=']).next()?;
            Some((word, corrected_flag(word, at?)?))
        }),
        _ => None,
    };
    let example = corrected
        .as_ref()
        .and_then(|(wrong, right)| replaced(args, wrong, right));
    if let Some((_, right)) = &corrected {
        text.push_str(&format!("; did you mean {right}?"));
    }
    let help = match at {
        Some(command) => format!("promptyoself {} --help", command.get_name()),
        None => "promptyoself --help".to_owned(),
    };
    Error::new(Code::Usage, text).example(example.unwrap_or_else(|| shell(help).into()))
}

/// The flag that a misspelt one probably stands for.
fn corrected_flag(word: &str, command: &Command) -> Option<String> {
    let word = word
        .strip_prefix("--")?
        .to_ascii_lowercase()
        .replace('_', "-");
    let flags: Vec<&str> = command
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .collect();
    nearest(&word, flags.iter().copied()).map(|flag| format!("--{flag}"))
}

/// The command line with one word replaced, if it is short enough.
fn replaced(args: &[OsString], wrong: &str, right: &str) -> Option<Example> {
    const LONGEST: usize = 1_000;
    let mut words = Vec::new();
    let mut is_replaced = false;
    for arg in args.iter().skip(1) {
        let arg = arg.to_str()?;
        let rest = arg
            .strip_prefix(wrong)
            .filter(|rest| rest.is_empty() || rest.starts_with('='));
        match rest.filter(|_| !is_replaced) {
            Some(rest) => {
                words.push(format!("{right}{rest}"));
                is_replaced = true;
            }
            None => words.push(arg.to_owned()),
        }
    }
    let line = Example::Line(words);
    (is_replaced && CommandLine.example(&line).len() <= LONGEST).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_stand_for_commands_that_are_defined() {
        let known = definitions(ALL, false);
        let shown = known.get_subcommands().filter(|c| !c.is_hide_set());
        let names: Vec<&str> = shown.map(Command::get_name).collect();
        for (word, command) in other_words::ALL {
            assert!(names.contains(command), "{word}");
            assert!(known.find_subcommand(word).is_none(), "{word}");
        }
    }

    #[test]
    fn a_command_is_recognised_by_another_word_or_a_misspelling_and_by_nothing_else() {
        for (word, wanted) in [
            ("add", Some("register")),
            ("regster", Some("register")),
            ("cancle", Some("cancel")),
            ("Show", Some("show")),
            ("run_now", Some("run")),
            ("erase", None),
            ("stop", None),
            ("start", None),
            ("status", None),
            ("ru", None),
            ("", None),
        ] {
            assert_eq!(corrected_command(word).as_deref(), wanted, "{word}");
        }
    }
}
