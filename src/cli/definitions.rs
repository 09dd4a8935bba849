//! The definitions as a clap command, with what derive macros can't express.

use clap::{Command, CommandFactory, Subcommand};

use super::args::{Cli, Verb};
use super::{operation_commands, plugin_guard, version};
use crate::operations::Offer;

/// How many schedules a list shows by default in the plugin: a model reads all of them.
const PLUGIN_PAGE: &str = "100";

/// The commands that are not operations, each group after the operation it follows. Others come at
/// the end.
const FOLLOWING: &[(&str, &[&str])] = &[
    ("cancel", &["execute"]),
    ("agents", &["upload", "connect", "import", "serve", "mcp"]),
    (
        "history",
        &["doctor", "prune", "purge", "backup", "restore"],
    ),
];

/// The definitions, ready to parse. In the plugin, help leaves out what is refused.
pub fn definitions(offer: Offer, in_plugin: bool) -> Command {
    let mut command = underscores(Cli::command().subcommands(in_order(offer)));
    command = command.long_version(version::full());
    if in_plugin {
        command = plugin_guard::hide_refused(offer, command);
        command = command.mut_subcommands(|sub| match sub.get_name() {
            "list" => sub.mut_args(|arg| match arg.get_id() == "limit" {
                true => arg.default_value(PLUGIN_PAGE),
                false => arg,
            }),
            _ => sub,
        });
    }
    let help = available_commands(&command);
    command.after_help(help)
}

/// All commands, in the order in which help lists them.
fn in_order(offer: Offer) -> Vec<Command> {
    let verbs = Verb::augment_subcommands(Command::new(""));
    let mut verbs: Vec<Command> = verbs.get_subcommands().cloned().collect();
    let mut ordered = Vec::new();
    for operation in operation_commands::commands(offer) {
        let groups = FOLLOWING.iter().filter(|(o, _)| *o == operation.get_name());
        let names: Vec<&str> = groups
            .flat_map(|(_, group)| group.iter().copied())
            .collect();
        ordered.push(operation);
        ordered.extend(verbs.extract_if(.., |verb| names.contains(&verb.get_name())));
    }
    ordered.append(&mut verbs);
    ordered
}

/// Also accepts `--agent_id` for `--agent-id` and so on, as JSON keys and the Python original have
/// it.
fn underscores(command: Command) -> Command {
    command
        .mut_args(|arg| {
            // The derive names an argument after its field, which is the form we want.
            let field = arg.get_id().clone();
            if arg.get_long().is_some() && field.as_str().contains('_') {
                arg.alias(field)
            } else {
                arg
            }
        })
        .mut_subcommands(underscores)
}

/// The end of `--help`. SMCP servers of 2025 read the commands from exactly this block: a heading,
/// lines indented by two spaces, an empty line.
fn available_commands(command: &Command) -> String {
    let mut text = String::from("Available commands:\n");
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("  {:<10}  {about}\n", sub.get_name()));
    }
    text.push_str(
        "\nExamples:\n  \
         promptyoself register --agent-id AGENT --prompt \"Stand up\" --every 30m\n  \
         promptyoself register --agent-id AGENT --prompt \"Daily report\" --cron \"0 9 * * *\"\n  \
         promptyoself register --agent-id AGENT --prompt \"Happy 2030\" --time 2030-01-01T00:00:00Z\n  \
         promptyoself list --agent-id AGENT\n  \
         promptyoself cancel --id 5\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::ALL;

    #[test]
    fn the_definitions_are_sound() {
        definitions(ALL, false).debug_assert();
        definitions(ALL, true).debug_assert();
    }

    #[test]
    fn every_command_that_follows_an_operation_exists_and_so_does_the_operation() {
        let definitions = definitions(ALL, false);
        let all: Vec<&str> = definitions
            .get_subcommands()
            .map(Command::get_name)
            .collect();
        for (operation, group) in FOLLOWING {
            let at = all.iter().position(|name| name == operation).unwrap();
            assert_eq!(all[at + 1..=at + group.len()], **group);
        }
    }

    #[test]
    fn help_ends_with_the_block_that_old_servers_read() {
        let definitions = definitions(ALL, false);
        let shown = definitions.get_subcommands().filter(|c| !c.is_hide_set());
        let shown: Vec<String> = shown.map(|c| c.get_name().to_owned()).collect();
        let help = definitions.term_width(100).render_help().to_string();
        let (_, block) = help.split_once("\n\nAvailable commands:\n").unwrap();
        let (list, rest) = block.split_once("\n\n").unwrap();
        let names: Vec<&str> = list
            .lines()
            .map(|line| {
                line.strip_prefix("  ")
                    .unwrap()
                    .split_whitespace()
                    .next()
                    .unwrap()
            })
            .collect();
        assert_eq!(names, shown);
        assert!(rest.starts_with("Examples:\n  promptyoself register"));
        let in_plugin = super::definitions(ALL, true).render_help().to_string();
        assert!(!in_plugin.contains("  serve"));
    }
}
