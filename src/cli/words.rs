//! The words of a command line before parsing: which is a flag and which a value.

use std::ffi::{OsStr, OsString};
use std::ops::Range;

use clap::{Arg, Command};

use super::describe::is_required;
use crate::operations::ALL;

/// A flag and its value.
struct Given<'a, 'b> {
    command: &'b str,
    arg: &'b Arg,
    value: Option<&'a OsStr>,
    words: Range<usize>,
}

/// Whether a flag is given, and not as the value of another one.
pub(super) fn has_flag(args: &[OsString], definitions: &Command, flag: &str) -> bool {
    let definitions = built(definitions);
    flags(args, &definitions)
        .iter()
        .any(|given| given.arg.get_long() == Some(flag))
}

/// The value that is given for a flag, the last one if there are several.
pub(super) fn value_of<'a>(
    args: &'a [OsString],
    definitions: &Command,
    flag: &str,
) -> Option<&'a OsStr> {
    let definitions = built(definitions);
    let given = flags(args, &definitions);
    let mut given = given.iter().rev();
    given
        .find(|given| given.arg.get_long() == Some(flag))?
        .value
}

/// The command line without what SMCP servers write for an argument without a value: they pass on
/// Python's `None` and JSON's `null` as text. Required arguments keep such a text, which is then a
/// value like any other.
pub(super) fn without_nothing(args: Vec<OsString>, definitions: &Command) -> Vec<OsString> {
    let definitions = built(definitions);
    let mut dropped: Vec<usize> = Vec::new();
    for given in flags(&args, &definitions) {
        let is_needed = given
            .arg
            .get_long()
            .is_some_and(|flag| is_required(ALL, given.command, flag));
        let is_nothing = given
            .value
            .and_then(OsStr::to_str)
            .is_some_and(|text| means_nothing(text, given.arg));
        if is_nothing && !is_needed {
            dropped.extend(given.words);
        }
    }
    let kept = args.into_iter().enumerate();
    kept.filter(|(at, _)| !dropped.contains(at))
        .map(|(_, word)| word)
        .collect()
}

/// Whether a text stands for no value. `none` does unless the flag takes that word.
fn means_nothing(text: &str, arg: &Arg) -> bool {
    let text = text.trim();
    let takes_none = || {
        let names = arg.get_value_names().unwrap_or_default();
        names
            .iter()
            .any(|name| name.split('|').any(|w| w == "none"))
    };
    match text.to_ascii_lowercase().as_str() {
        "null" | "undefined" => true,
        "none" => text != "none" || !takes_none(),
        _ => false,
    }
}

fn built(definitions: &Command) -> Command {
    let mut definitions = definitions.clone();
    definitions.build();
    definitions
}

fn flags<'a, 'b>(args: &'a [OsString], definitions: &'b Command) -> Vec<Given<'a, 'b>> {
    let mut command = definitions;
    let mut found = Vec::new();
    let mut at = 1;
    while let Some(word) = args.get(at) {
        let begins = at;
        at += 1;
        let Some(word) = word.to_str() else { continue };
        let Some(flag) = word.strip_prefix("--") else {
            if let Some(sub) = command.find_subcommand(word) {
                command = sub;
            }
            continue;
        };
        if flag.is_empty() {
            break;
        }
        let (name, joined) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(OsStr::new(value))),
            None => (flag, None),
        };
        let is_called = |arg: &&Arg| {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            arg.get_long() == Some(name) || aliases.contains(&name)
        };
        let Some(arg) = command.get_arguments().find(is_called) else {
            continue;
        };
        let next = || args.get(at).map(OsString::as_os_str);
        let value = match joined {
            Some(value) => Some(value),
            None if !arg.get_action().takes_values() => None,
            // A switch takes the next word unless it is a flag.
            None if arg.get_num_args().is_some_and(|n| n.min_values() == 0) => {
                next().filter(|word| !word.as_encoded_bytes().starts_with(b"-"))
            }
            None => next(),
        };
        if value.is_some() && joined.is_none() {
            at += 1;
        }
        found.push(Given {
            command: command.get_name(),
            arg,
            value,
            words: begins..at,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::SWITCH;
    use crate::cli::definitions::definitions;

    fn words(words: &[&str]) -> Vec<OsString> {
        let all = ["promptyoself"].iter().chain(words);
        all.map(OsString::from).collect()
    }

    fn without(given: &[&str]) -> Vec<OsString> {
        without_nothing(words(given), &definitions(ALL, true))
    }

    #[test]
    fn nothing_is_written_for_any_optional_argument_of_any_command() {
        let definitions = built(&definitions(ALL, true));
        let mut seen = 0;
        for command in definitions.get_subcommands() {
            for arg in command.get_arguments() {
                let Some(flag) = arg.get_long().filter(|_| arg.get_action().takes_values()) else {
                    continue;
                };
                let flag = format!("--{flag}");
                let name = command.get_name();
                let is_kept = is_required(ALL, name, arg.get_long().unwrap());
                for nothing in ["None", "null", "undefined", " None ", "NULL"] {
                    for given in [
                        vec![name, &flag, nothing, "--json"],
                        vec![name, &format!("{flag}={nothing}"), "--json"],
                    ] {
                        let wanted = match is_kept {
                            true => words(&given),
                            false => words(&[name, "--json"]),
                        };
                        assert_eq!(without(&given), wanted, "{given:?}");
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 500, "{seen}");
    }

    #[test]
    fn what_is_no_value_of_an_optional_argument_is_left_alone() {
        for kept in [
            &["register", "--prompt", "None", "--every", "5m"][..],
            &["show", "--id", "None"],
            &["show", "None"],
            &["register", "--prompt", "--note", "--name", "n"],
            &["register", "--prompt", "say None", "--name", "None of them"],
            &["register", "--envelope", "none"],
            &["list", "--", "--agent-id", "None"],
        ] {
            assert_eq!(without(kept), words(kept), "{kept:?}");
        }
        assert_eq!(
            without(&["register", "--prompt", "--name", "--name", "None"]),
            words(&["register", "--prompt", "--name"])
        );
        assert_eq!(
            without(&[
                "update",
                "--id",
                "1",
                "--schedule_id",
                "1",
                "--max_repetitions",
                "None"
            ]),
            words(&["update", "--id", "1", "--schedule_id", "1"])
        );
    }

    #[test]
    fn whatever_takes_a_text_takes_one_that_looks_like_a_flag() {
        let definitions = definitions(ALL, false);
        let mut seen = 0;
        for command in built(&definitions).get_subcommands() {
            for arg in command.get_arguments() {
                let names = arg.get_value_names().unwrap_or_default();
                let is_text = arg.get_action().takes_values() && !arg.is_global_set();
                let is_switch = names.first().is_some_and(|name| *name == SWITCH);
                let Some(flag) = arg.get_long().filter(|_| is_text && !is_switch) else {
                    continue;
                };
                for text in ["--json", "--db", "-h", "-5", "--"] {
                    let flag = format!("--{flag}");
                    let given = words(&[command.get_name(), &flag, text]);
                    let parsed = definitions.clone().try_get_matches_from(&given);
                    let parsed = parsed.unwrap_or_else(|e| panic!("{given:?}: {e}"));
                    let (_, of_command) = parsed.subcommand().unwrap();
                    let mut raw = of_command.get_raw(arg.get_id().as_str()).unwrap();
                    assert_eq!(raw.next(), Some(OsStr::new(text)), "{given:?}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 200, "{seen}");
    }

    #[test]
    fn a_switch_takes_no_flag_for_its_value() {
        let definitions = definitions(ALL, false);
        let has = |given: &[&str]| has_flag(&words(given), &definitions, "json");
        assert!(has(&["list", "--all", "--json"]));
        assert!(has(&["--json", "list"]));
        assert!(!has(&["list", "--all"]));
        for command in built(&definitions).get_subcommands() {
            for arg in command.get_arguments() {
                let names = arg.get_value_names().unwrap_or_default();
                let Some(flag) = arg.get_long().filter(|_| arg.get_action().takes_values()) else {
                    continue;
                };
                let is_switch = names.first().is_some_and(|name| *name == SWITCH);
                let flag = format!("--{flag}");
                // Everything that takes text takes this text too.
                let given = [command.get_name(), &flag, "--json"];
                assert_eq!(has(&given), is_switch, "{given:?}");
            }
        }
    }
}
