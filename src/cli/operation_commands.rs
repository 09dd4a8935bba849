//! The commands of operations, generated from their definitions.

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

use super::args::Verb;
use super::remind;
use crate::operations::definition::Operation;
use crate::operations::field::{Field, Given, Kind, Parameter};
use crate::operations::fields::{
    AGENT, END_AT, EXCEPT, EXCEPT_FILE, ID, MAX_REPETITIONS, NAME, SKIP_VALIDATION, START_AT,
    TIMEZONE,
};
use crate::operations::{self, Offer, REGISTER, Values};

/// The name of the positional argument that may replace `--id`.
const POSITION: &str = "position";

/// A parsed command line.
#[derive(Clone, Debug)]
pub(super) enum Invocation {
    /// An operation, with its values.
    Operation(&'static Operation, Values),
    /// A command that is not an operation.
    Command(Verb),
}

impl Invocation {
    /// The parsed command line.
    pub(super) fn read(
        offer: Offer,
        matches: &ArgMatches,
    ) -> std::result::Result<Option<Self>, clap::Error> {
        if let Some((operation, values)) = read(offer, matches)? {
            return Ok(Some(Invocation::Operation(operation, values)));
        }
        match matches.subcommand() {
            Some(_) => Verb::from_arg_matches(matches).map(|verb| Some(Invocation::Command(verb))),
            None => Ok(None),
        }
    }
}

/// The command of every operation that is one.
pub(super) fn commands(offer: Offer) -> impl Iterator<Item = Command> {
    let commands = offer.iter().filter(|o| o.is_command);
    commands.flat_map(|o| {
        let in_words = (o.name == REGISTER.name).then(|| remind::command().args(shared().map(arg)));
        std::iter::once(command(o)).chain(in_words)
    })
}

/// The parameters of registering that `remind` has too: when and what are taken by position only.
fn shared() -> impl Iterator<Item = &'static Parameter> {
    let shared = [
        &AGENT,
        &SKIP_VALIDATION,
        &TIMEZONE,
        &NAME,
        &MAX_REPETITIONS,
        &START_AT,
        &END_AT,
        &EXCEPT,
        &EXCEPT_FILE,
    ];
    let taken = REGISTER.parameters();
    taken.filter(move |p| shared.iter().any(|field| field.name == p.field.name))
}

/// The operation that was invoked, if it is one.
fn read(
    offer: Offer,
    matches: &ArgMatches,
) -> std::result::Result<Option<(&'static Operation, Values)>, clap::Error> {
    let Some((name, given)) = matches.subcommand() else {
        return Ok(None);
    };
    let (operation, parameters, mut values): (_, Vec<_>, _) = match name == remind::NAME {
        true => (&REGISTER, shared().collect(), remind::read(given)?),
        false => {
            let Some(operation) = operations::of_command(offer, name) else {
                return Ok(None);
            };
            let parameters = operation.parameters().collect();
            (operation, parameters, Values::default())
        }
    };
    for parameter in parameters {
        let field = parameter.field;
        match field.kind {
            Kind::Switch => values.set(field, given.get_flag(field.name)),
            _ => {
                let texts = given.get_many::<String>(field.name);
                let texts = texts.into_iter().flatten();
                let joined = texts.fold(None, |before, text| Some(field.joined(before, text)));
                if let Some(joined) = joined {
                    values.set(field, joined);
                }
            }
        }
        if parameter.given == Given::InPath
            && let Some(text) = given.get_one::<String>(POSITION)
        {
            values.set(&ID, text.as_str());
        }
    }
    Ok(Some((operation, values)))
}

fn command(operation: &'static Operation) -> Command {
    let mut command = Command::new(operation.name).about(operation.title);
    let details = operation.details();
    if !details.is_empty() {
        command = command.long_about(format!("{}\n\n{details}", operation.title));
    }
    if !operation.command_aliases.is_empty() {
        command = command.visible_aliases(operation.command_aliases.iter().copied());
    }
    for parameter in operation.parameters() {
        command = command.arg(arg(parameter));
        if parameter.given == Given::InPath {
            command = command.arg(
                Arg::new(POSITION)
                    .value_name("ID")
                    .help("The id, without writing --id")
                    .conflicts_with(parameter.field.name)
                    .allow_negative_numbers(true),
            );
        }
    }
    command
}

/// The flag of a field, with hyphens.
pub(super) fn flag(field: &Field) -> String {
    field.flag.unwrap_or(field.name).replace('_', "-")
}

fn arg(parameter: &'static Parameter) -> Arg {
    let field = parameter.field;
    let mut arg = Arg::new(field.name)
        .long(flag(field))
        .value_name(field.placeholder)
        .help(parameter.help())
        .aliases(field.flag_aliases.iter().copied());
    if let Some(long) = long_help(parameter) {
        arg = arg.long_help(long);
    }
    if let Some(other) = field.instead_of {
        arg = arg.conflicts_with(other);
    }
    if let Some(default) = parameter.default {
        arg = arg.default_value(default);
    }
    match field.kind {
        Kind::Switch => arg
            .num_args(0..=1)
            .action(ArgAction::Set)
            .default_value("false")
            .default_missing_value("true")
            .hide_default_value(true)
            .hide_possible_values(true)
            .value_parser(BoolishValueParser::new()),
        _ if field.takes_several() => arg.allow_hyphen_values(true).action(ArgAction::Append),
        _ => arg.allow_hyphen_values(true),
    }
}

/// What else is to be known of it, and examples.
fn long_help(parameter: &Parameter) -> Option<String> {
    let field = parameter.field;
    if parameter.meaning.is_some() {
        return None;
    }
    let mut more = field.details.to_owned();
    let examples = match field.kind {
        Kind::Word(_) | Kind::Switch => &[][..],
        _ => field.examples,
    };
    if !examples.is_empty() && !field.details.is_empty() {
        let quoted: Vec<String> = examples.iter().map(|e| quoted(e)).collect();
        let word = if quoted.len() == 1 {
            "Example"
        } else {
            "Examples"
        };
        more.push_str(&format!(" {word}: {}", quoted.join(", ")));
    }
    (!more.is_empty()).then(|| format!("{}\n\n{more}", parameter.help()))
}

/// A value as a shell needs it.
fn quoted(example: &str) -> String {
    match example.contains([' ', '*']) && !example.ends_with('.') {
        true => format!("\"{example}\""),
        false => example.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definitions::definitions;
    use crate::operations::fields::*;

    fn parse(words: &[&str]) -> Result<Values, clap::Error> {
        let mut all = vec!["promptyoself"];
        all.extend(words);
        let offer = operations::ALL;
        let matches = definitions(offer, false).try_get_matches_from(all)?;
        Ok(read(offer, &matches).unwrap().unwrap().1)
    }

    fn register(words: &[&str]) -> Values {
        let mut all = vec!["register"];
        all.extend(words);
        parse(&all).unwrap()
    }

    #[test]
    fn a_prompt_is_taken_as_it_is_whatever_it_looks_like() {
        for prompt in [
            "--evil", "-5", "", "a\nb", "👋🏽", "--", "--help", "--db", "list", "-h", "--prompt",
            "=", "'\"$x",
        ] {
            let given = register(&["--prompt", prompt, "--agent-id", "a"]);
            assert_eq!(given.text(&PROMPT).as_deref(), Some(prompt));
            assert_eq!(given.text(&AGENT).as_deref(), Some("a"));
            let joined = format!("--prompt={prompt}");
            assert_eq!(register(&[&joined]).text(&PROMPT).as_deref(), Some(prompt));
        }
    }

    #[test]
    fn several_patterns_may_be_given_one_by_one() {
        let given = register(&["--cron", "0 9 * * 1-5", "--cron=30 17 * * 1-5"]);
        let both = "0 9 * * 1-5; 30 17 * * 1-5";
        assert_eq!(given.text(&CRON).as_deref(), Some(both));
        assert!(parse(&["register", "--time", "a", "--time", "b"]).is_err());
    }

    #[test]
    fn a_switch_is_bare_or_says_true_or_false() {
        let all = |words: &[&str]| parse(words).unwrap().is_set(&ALL);
        assert!(!all(&["list"]));
        assert!(all(&["list", "--all"]));
        assert!(all(&["list", "--all", "--full"]));
        assert!(all(&["list", "--all", "true"]));
        assert!(all(&["list", "--all", "True"]));
        assert!(!all(&["list", "--all", "false"]));
        assert!(parse(&["list", "--all", "maybe"]).is_err());
    }

    #[test]
    fn every_flag_is_also_known_with_underscores() {
        let given = register(&[
            "--agent_id",
            "a",
            "--max_repetitions",
            "5.0",
            "--start_at",
            "x",
            "--skip_validation",
        ]);
        assert_eq!(given.text(&AGENT).as_deref(), Some("a"));
        assert_eq!(given.text(&MAX_REPETITIONS).as_deref(), Some("5.0"));
        assert!(given.is_set(&SKIP_VALIDATION));
    }

    #[test]
    fn an_id_is_a_flag_or_a_bare_word_but_not_both() {
        for words in [
            &["show", "5"][..],
            &["show", "--id", "5"],
            &["cancel", "--schedule_id", "5"],
        ] {
            assert_eq!(parse(words).unwrap().text(&ID).as_deref(), Some("5"));
        }
        assert!(parse(&["show", "-5"]).is_ok());
        assert!(parse(&["show", "5", "--id", "5"]).is_err());
    }
}
