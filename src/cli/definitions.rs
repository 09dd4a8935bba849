//! The definitions as a clap command: what the derive can't say by itself.

use clap::{Command, CommandFactory, Subcommand};

use super::args::{Cli, Verb};
use super::{asked, plugin_guard, version};

/// How many schedules a list shows in the plugin if nobody says: a model reads all of it.
const PLUGIN_PAGE: &str = "100";

/// The definitions, ready to parse. In the plugin, help leaves out what is refused there.
pub fn definitions(in_plugin: bool) -> Command {
    let command = in_order(Verb::augment_subcommands(asked::add_commands(
        Command::new(""),
    )));
    let mut command = underscores(command).long_version(version::full());
    if in_plugin {
        command = plugin_guard::hide_refused(command);
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

/// The commands in the order in which help lists them; one that is not among them comes at the end.
const ORDER: &[&str] = &[
    "register", "list", "show", "update", "pause", "resume", "run", "preview", "cancel", "execute",
    "test", "agents", "upload", "connect", "serve", "mcp", "history", "doctor", "prune", "purge",
    "backup", "restore", "halt", "key", "plugin",
];

/// The program with these commands.
fn in_order(commands: Command) -> Command {
    let mut all: Vec<Command> = commands.get_subcommands().cloned().collect();
    let place = |command: &Command| ORDER.iter().position(|name| *name == command.get_name());
    all.sort_by_key(|command| place(command).unwrap_or(ORDER.len()));
    Cli::command().subcommands(all)
}

/// Accepts `--agent_id` for `--agent-id` and so on, as JSON keys and the Python original write it.
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

    #[test]
    fn the_definitions_are_sound() {
        definitions(false).debug_assert();
        definitions(true).debug_assert();
    }

    #[test]
    fn help_ends_with_the_block_that_old_servers_read() {
        let help = definitions(false).term_width(100).render_help().to_string();
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
        assert_eq!(
            names,
            [
                "register", "list", "show", "update", "pause", "resume", "run", "preview",
                "cancel", "execute", "test", "agents", "upload", "connect", "serve", "mcp",
                "history", "doctor", "prune", "purge", "backup", "restore", "halt", "key",
                "plugin"
            ]
        );
        assert!(rest.starts_with("Examples:\n  promptyoself register"));
        assert!(
            !definitions(true)
                .render_help()
                .to_string()
                .contains("  serve")
        );
    }
}
