//! What an agent may not do through the plugin.
//!
//! In an SMCP server an agent chooses the arguments, and nothing tells us which agent. So whatever
//! reads files, changes settings or never returns is refused there.

use clap::Command;

use super::args::{Cli, PauseArgs, RegisterArgs, ResumeArgs, UpdateArgs, Verb};
use crate::error::{
    Code, Error, Example, Message, Result, call, field, fields, message, operation, shell,
};

/// The commands that are refused in the plugin.
pub(super) const COMMANDS: &[&str] = &[
    "serve", "mcp", "halt", "prune", "purge", "backup", "restore", "key", "plugin", "upload",
    "connect", "rows",
];
/// The flags that are refused in the plugin, with those that only make sense beside them.
pub(super) const FLAGS: &[&str] = &[
    "prompt-file",
    "ping-url",
    "db",
    "config",
    "loop",
    "interval",
];

/// The commands of which `--all` is refused: there it is what is done to every agent's schedules.
const NOT_TO_ALL: &[&str] = &["cancel", "pause", "resume"];

/// Whether a flag of a command is refused.
pub(super) fn is_refused(command: &str, flag: &str) -> bool {
    FLAGS.contains(&flag) || flag == "all" && NOT_TO_ALL.contains(&command)
}

/// Hides what is refused from help.
pub(super) fn hide_refused(command: Command) -> Command {
    let name = command.get_name().to_owned();
    command
        .mut_args(|arg| {
            let refused = arg.get_long().is_some_and(|long| is_refused(&name, long));
            if refused { arg.hide(true) } else { arg }
        })
        .mut_subcommands(|sub| {
            let refused = COMMANDS.contains(&sub.get_name());
            hide_refused(sub.hide(refused))
        })
}

/// Refuses what an agent may not choose.
///
/// # Errors
/// [`Code::RefusedInPlugin`], with what to do instead.
pub(super) fn check(cli: &Cli) -> Result<()> {
    if cli.db.is_some() {
        return refuse(
            shell("--db"),
            "which database is used is the operator's choice",
            call("list"),
        );
    }
    if cli.config.is_some() {
        return refuse(
            shell("--config"),
            "which settings are used is the operator's choice",
            call("list"),
        );
    }
    match &cli.command {
        Some(Verb::Register(args)) if args.prompt_file.is_some() => refuse(
            field("prompt_file"),
            "it would read any file of the server; give the text itself",
            fields([("prompt", "Check the backup")]),
        ),
        Some(Verb::Update(args)) if args.prompt_file.is_some() => refuse(
            field("prompt_file"),
            "it would read any file of the server; give the text itself",
            fields([("prompt", "Check the backup")]),
        ),
        Some(
            Verb::Register(RegisterArgs { policy, .. }) | Verb::Update(UpdateArgs { policy, .. }),
        ) if policy.ping_url.is_some() => refuse(
            field("ping_url"),
            "it would let an agent reach any server that this one can reach; the operator sets it",
            call("list"),
        ),
        Some(Verb::Execute(args)) if args.r#loop => refuse(
            call("execute").with("loop", true),
            message![
                "it would never return; without ",
                field("loop"),
                " it delivers what is due and returns, and a scheduler that runs all the time is \
                 started by the operator, from a shell: ",
                shell("promptyoself serve")
            ],
            call("execute"),
        ),
        Some(
            Verb::Cancel(which)
            | Verb::Pause(PauseArgs { which, .. })
            | Verb::Resume(ResumeArgs { which, .. }),
        ) if which.all => refuse(
            field("all"),
            message![
                "it would touch every agent's schedules; ",
                field("agent_id"),
                " touches those of one"
            ],
            call("list"),
        ),
        Some(Verb::Serve(_)) => refuse(
            "serve",
            message![
                "it would never return; the operator runs the scheduler, and ",
                operation("test"),
                " says whether it runs"
            ],
            call("test"),
        ),
        Some(Verb::Mcp) => refuse(
            "mcp",
            "it would never return; the operator connects MCP clients, and the plugin has the same \
             commands",
            call("list"),
        ),
        Some(Verb::Halt(_)) => refuse(
            "halt",
            message![
                "it would stop every agent's prompts; ",
                operation("pause"),
                " stops one schedule"
            ],
            call("list"),
        ),
        Some(Verb::Prune(_) | Verb::Purge(_)) => refuse(
            "what removes history",
            message![
                "which history is kept is the operator's choice; ",
                operation("history"),
                " shows it"
            ],
            call("history"),
        ),
        Some(Verb::Backup(_) | Verb::Restore(_)) => refuse(
            "what copies the database",
            message![
                "it reads or writes files of the server; ",
                operation("doctor"),
                " says whether the database is sound"
            ],
            call("doctor"),
        ),
        Some(Verb::Upload(_)) => refuse(
            "upload",
            "it reads files of the server, and a tool is code that runs beside Letta",
            call("list"),
        ),
        Some(Verb::Connect(_)) => refuse(
            "connect",
            "which agents have which tools is the operator's choice",
            call("list"),
        ),
        Some(Verb::Rows) => refuse(
            "rows",
            message![
                "it changes every schedule as other programs on this machine may; ",
                operation("list"),
                " and ",
                operation("update"),
                " show and change them here"
            ],
            call("list"),
        ),
        Some(Verb::Key(_)) => refuse("key", "who may call is the operator's choice", call("list")),
        Some(Verb::Plugin(_)) => refuse(
            "plugin",
            "it writes files on the server; the operator installs the plugin",
            call("test"),
        ),
        _ => Ok(()),
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
    use clap::Parser;

    fn checked(words: &[&str]) -> Result<()> {
        let mut all = vec!["promptyoself"];
        all.extend(words);
        check(&Cli::try_parse_from(all).unwrap())
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
