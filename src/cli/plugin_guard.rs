//! What an agent may not do through the plugin.
//!
//! In an SMCP server an agent chooses the arguments, and nothing tells us which agent. So whatever
//! reads files, changes settings or never returns is refused there.

use clap::Command;

use super::args::{Cli, Verb};
use super::operation_commands::{self, Invocation};
use crate::error::{
    self, Code, Error, Example, Message, Result, call, field, message, operation, shell,
};
use crate::operations::definition::Operation;
use crate::operations::field::Refused;
use crate::operations::{self, Offer, Values};

/// The commands other than operations that the plugin offers.
const OFFERED: &[&str] = &["execute", "doctor"];

/// Flags of those commands, and global ones, that are refused.
const FLAGS: &[&str] = &["db", "config", "loop", "interval"];

/// Whether a command is refused.
pub(super) fn is_command_refused(offer: Offer, command: &str) -> bool {
    match operations::of_command(offer, command) {
        Some(operation) => operation.refused_in_plugin.is_some(),
        None => !OFFERED.contains(&command),
    }
}

/// Whether a flag of a command is refused.
pub(super) fn is_refused(offer: Offer, command: &str, flag: &str) -> bool {
    let mut taken = operations::of_command(offer, command)
        .into_iter()
        .flat_map(Operation::parameters);
    FLAGS.contains(&flag)
        || taken.any(|p| {
            p.field.refused_in_plugin.is_some() && operation_commands::flag(p.field) == flag
        })
}

/// Hides refused commands and flags from help.
pub(super) fn hide_refused(offer: Offer, command: Command) -> Command {
    let name = command.get_name().to_owned();
    command
        .mut_args(|arg| {
            let refused = arg
                .get_long()
                .is_some_and(|long| is_refused(offer, &name, long));
            if refused { arg.hide(true) } else { arg }
        })
        .mut_subcommands(|sub| {
            let refused = is_command_refused(offer, sub.get_name());
            hide_refused(offer, sub.hide(refused))
        })
}

/// Refuses what agents may not choose.
///
/// # Errors
/// [`Code::RefusedInPlugin`], with what to do instead.
pub(super) fn check(cli: &Cli, invocation: Option<&Invocation>) -> Result<()> {
    if cli.db.is_some() {
        return refuse(
            shell("--db"),
            "only the operator may choose the database",
            call("list"),
        );
    }
    if cli.config.is_some() {
        return refuse(
            shell("--config"),
            "only the operator may choose the settings",
            call("list"),
        );
    }
    match invocation {
        Some(Invocation::Operation(operation, values)) => check_operation(operation, values),
        Some(Invocation::Command(verb)) => check_command(verb),
        None => Ok(()),
    }
}

fn check_operation(operation: &Operation, values: &Values) -> Result<()> {
    if let Some(Refused { why, instead }) = operation.refused_in_plugin {
        return refuse(operation.name, why, instead);
    }
    for parameter in operation.parameters() {
        let field = parameter.field;
        if let Some(Refused { why, instead }) = field.refused_in_plugin
            && values.is_said(field)
        {
            return refuse(error::field(field.name), why, instead);
        }
    }
    Ok(())
}

fn check_command(verb: &Verb) -> Result<()> {
    match verb {
        Verb::Execute(args) if args.r#loop => refuse(
            message![operation("execute"), " ", field("loop")],
            message![
                "it would never return; without ",
                field("loop"),
                " it delivers what is due and returns. The operator starts a permanent scheduler \
                 from a shell: ",
                shell("promptyoself serve")
            ],
            call("execute"),
        ),
        Verb::Serve(_) => refuse(
            "serve",
            message![
                "it would never return; the operator runs the scheduler, and ",
                operation("test"),
                " shows whether it is running"
            ],
            call("test"),
        ),
        Verb::Mcp => refuse(
            "mcp",
            "it would never return; the operator connects MCP clients, and the plugin has the same \
             commands",
            call("list"),
        ),
        Verb::Prune(_) | Verb::Purge(_) => refuse(
            "what removes history",
            message![
                "only the operator may remove history; ",
                operation("history"),
                " shows it"
            ],
            call("history"),
        ),
        Verb::Backup(_) | Verb::Restore(_) => refuse(
            "what copies the database",
            message![
                "it reads or writes files of the server; ",
                operation("doctor"),
                " checks the database"
            ],
            call("doctor"),
        ),
        Verb::Upload(_) => refuse(
            "upload",
            "it reads files of the server, and a tool is code that runs beside Letta",
            call("list"),
        ),
        Verb::Connect(_) => refuse(
            "connect",
            "only the operator may give tools to agents",
            call("list"),
        ),
        Verb::Import(_) => refuse(
            "import",
            "only the operator may take over schedules from elsewhere",
            call("list"),
        ),
        Verb::Rows => refuse(
            "rows",
            message![
                "it bypasses the checks for agents; ",
                operation("list"),
                " and ",
                operation("update"),
                " show and change schedules here"
            ],
            call("list"),
        ),
        Verb::Key(_) => refuse("key", "only the operator may manage keys", call("list")),
        Verb::Plugin(_) => refuse(
            "plugin",
            "it writes files on the server; the operator installs the plugin",
            call("test"),
        ),
        Verb::Execute(_) | Verb::Doctor => Ok(()),
    }
}

fn refuse(
    what: impl Into<Message>,
    why: impl Into<Message>,
    instead: impl Into<Example>,
) -> Result<()> {
    Err(Error::new(
        Code::RefusedInPlugin,
        message![
            what,
            " is refused in the plugin, because agents choose the plugin's arguments: ",
            why
        ],
    )
    .example(instead))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    fn checked(words: &[&str]) -> Result<()> {
        let mut all = vec!["promptyoself"];
        all.extend(words);
        let offer = operations::ALL;
        let matches = crate::cli::definitions::definitions(offer, true).get_matches_from(all);
        let cli = Cli::from_arg_matches(&matches).unwrap();
        check(&cli, Invocation::read(offer, &matches).unwrap().as_ref())
    }

    #[test]
    fn whatever_reads_files_changes_settings_or_never_returns_is_refused() {
        for words in [
            &["register", "--prompt-file", "/etc/passwd"][..],
            &["register", "--prompt-file", "-"],
            &["register", "--ping-url", "http://169.254.169.254/"],
            &["update", "1", "--ping-url", "none"],
            &["--db", "x", "list"],
            &["list", "--db", "x"],
            &["list", "--config", "x"],
            &["execute", "--loop"],
            &["execute", "--loop", "true"],
            &["serve"],
            &["mcp"],
            &["prune"],
            &["purge", "--id", "5"],
            &["backup", "x"],
            &["restore", "x"],
            &["plugin", "install", "x"],
            &["upload", "--source-code", "/etc/passwd"],
            &["key", "list"],
            &["rows"],
            &["connect", "--agent-id", "agent-a"],
            &["import", "--letta-code-cron"],
            &["cancel", "--all"],
            &["cancel", "--all", "true", "--yes"],
            &["pause", "--all", "--dry-run"],
            &["resume", "--all", "--yes"],
        ] {
            let error = checked(words).unwrap_err();
            assert_eq!(error.code(), Code::RefusedInPlugin, "{words:?}");
            assert!(error.corrected().is_some());
        }
    }

    #[test]
    fn whatever_answers_and_returns_is_allowed() {
        for words in [
            &["register", "--prompt", "--db"][..],
            &["list"],
            &["show", "5"],
            &["cancel", "5"],
            &["cancel", "--all", "false", "--id", "5"],
            &["pause", "--agent-id", "agent-a", "--yes"],
            &["list", "--all"],
            &["execute"],
            &["execute", "--loop", "false"],
            &["test"],
            &["agents"],
            &["history"],
            &["doctor"],
        ] {
            assert!(checked(words).is_ok(), "{words:?}");
        }
    }
}
