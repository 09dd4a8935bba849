//! The command line: every command and flag, defined once.
//!
//! Parsing, `--help` and the plugin's `--describe` all come from these definitions. Numbers arrive
//! as text and are read in [`super::input`], so that what is wrong with them is said in our words
//! and with our codes; the same goes for what is missing.

mod keeping;
mod peers;
mod policy;
mod scheduling;
mod which;

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};

pub use keeping::{BackupArgs, PruneArgs, PurgeArgs, RestoreArgs};
pub use peers::{ConnectArgs, UploadArgs};
pub use policy::PolicyArgs;
pub use scheduling::{PreviewArgs, RegisterArgs, UpdateArgs, WhenArgs};
pub use which::WhichArgs;

/// The value name that marks a whole number; `--describe` calls its type `integer`.
pub(super) const NUMBER: &str = "N";
/// The value name that marks a switch; `--describe` gives it `"action": "store_true"`.
pub(super) const SWITCH: &str = "true|false";

/// Schedule prompts for Letta agents: once, on a cron pattern, or at an interval.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "promptyoself",
    version,
    help_template = "{about-with-newline}\n{usage-heading} {usage}\n\nOptions:\n{options}{after-help}"
)]
pub struct Cli {
    /// The SQLite file that holds the schedules [default: ./promptyoself.db]
    #[arg(long, global = true, value_name = "FILE", display_order = 901)]
    pub db: Option<String>,

    /// A settings file in TOML, instead of the usual one
    #[arg(long, global = true, value_name = "FILE", display_order = 902)]
    pub config: Option<PathBuf>,

    /// Answer in JSON on a terminal too
    #[arg(long, global = true, display_order = 903)]
    pub json: bool,

    /// Print what the SMCP plugin offers, as JSON
    #[arg(long)]
    pub describe: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Option<Verb>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Schedule a prompt for an agent
    ///
    /// The prompt is delivered to the agent as a user message, and the agent wakes up and acts on
    /// it. Give exactly one of time (once), cron (a pattern) or every (an interval). The answer
    /// holds the id of the schedule and the first time it runs.
    Register(RegisterArgs),

    /// List schedules, the next to run first
    ///
    /// Active and paused schedules are listed, and those that are over or can't be read if all is set. Prompts over 100 characters are
    /// shortened unless full is set.
    List(ListArgs),

    /// Show one schedule whole, with its next runs and what became of the last ones
    Show(IdArgs),

    /// Change a schedule: its prompt, agent, time, end, name or policy
    ///
    /// Only what is given changes. A changed time is counted from now; a prompt that is on its way
    /// already stays as it is.
    Update(UpdateArgs),

    /// Pause a schedule: nothing of it is sent until it is resumed
    ///
    /// With agent_id every schedule of an agent is paused.
    Pause(PauseArgs),

    /// Let a paused schedule run again
    ///
    /// What passed during the pause is skipped, unless replay is set: then the newest of it is sent.
    /// With agent_id every paused schedule of an agent runs again.
    Resume(ResumeArgs),

    /// Run a schedule once now, beside its own times
    ///
    /// The prompt is sent as soon as the agent is free; the schedule's next run stays as it is.
    Run(IdArgs),

    /// Show when a time, pattern or interval would run, without scheduling anything
    Preview(PreviewArgs),

    /// Cancel a schedule, so that it never runs again
    ///
    /// A prompt that is on its way to the agent already is not called back. With agent_id every
    /// schedule of an agent is cancelled.
    #[command(visible_aliases = ["delete", "remove", "rm"])]
    Cancel(WhichArgs),

    /// Deliver every prompt that is due now, then stop
    ///
    /// This is not needed where a scheduler runs all the time (promptyoself serve).
    Execute(ExecuteArgs),

    /// Check that Letta answers, and that a scheduler is running
    Test,

    /// List the agents of the Letta server
    Agents,

    /// Give the Letta server a Python tool, where the operator allows that
    Upload(UploadArgs),

    /// Give an agent of the Letta server the tools that schedule prompts
    ///
    /// serve is made known to Letta as an MCP server, and its tools are attached to the agent. Where
    /// that can't be done from here, the settings to write by hand are printed.
    Connect(ConnectArgs),

    /// Run the scheduler until it is stopped
    Serve(ServeArgs),

    /// Speak MCP with the client that started this, on standard input and output
    ///
    /// It delivers as well, unless another scheduler runs on the same database: then it stands by,
    /// and takes over when that one ends.
    Mcp,

    /// Show what became of past and pending deliveries, the newest first
    History(HistoryArgs),

    /// Look for everything that can keep prompts from being accounted for
    ///
    /// The database, the account of every schedule, the scheduler, the clock and Letta are examined,
    /// and nothing is changed. Each finding says what mends it.
    Doctor,
    /// Keep old settled deliveries as sums only
    Prune(PruneArgs),
    /// Remove prompts and replies of what is over
    Purge(PurgeArgs),
    /// Copy the database to a new file, also while the scheduler runs
    Backup(BackupArgs),
    /// Put a backup into the place of the database
    ///
    /// What has passed since the backup is skipped, since it may have been sent already, or with replay
    /// caught up with. With settle and no file the same is done to the database that is there.
    Restore(RestoreArgs),
    /// Halt all delivery, or with --off let it go on
    ///
    /// What is on its way ends by itself, and nothing else is sent until the halt is lifted.
    Halt(HaltArgs),

    /// Read and write the table of schedules for other programs of this machine
    ///
    /// One request in JSON is read from standard input. The plugin's Python modules are the ones that
    /// ask.
    #[command(hide = true)]
    Rows,

    /// Make, list and revoke keys for callers over HTTP
    #[command(subcommand)]
    Key(KeyVerb),

    /// Install the SMCP plugin
    #[command(subcommand)]
    Plugin(PluginVerb),
}

/// Which schedules to pause, and why.
#[derive(Clone, Debug, Default, Args)]
pub struct PauseArgs {
    /// Which schedules.
    #[command(flatten)]
    pub which: WhichArgs,

    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub note: Option<String>,
}

/// Which schedules to resume, and how.
#[derive(Clone, Debug, Default, Args)]
pub struct ResumeArgs {
    /// Which schedules.
    #[command(flatten)]
    pub which: WhichArgs,

    /// Catch up with what passed during the pause, instead of skipping it
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub replay: bool,
}

/// Which schedules to list.
#[derive(Clone, Debug, Default, Args)]
pub struct ListArgs {
    /// Only schedules of this agent
    #[arg(long, value_name = "AGENT", allow_hyphen_values = true)]
    pub agent_id: Option<String>,

    /// Finished, cancelled and broken schedules too
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub all: bool,

    /// Whole prompts, however long
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub full: bool,

    /// At most this many schedules
    #[arg(long, value_name = NUMBER, default_value = "1000", allow_hyphen_values = true)]
    pub limit: Option<String>,

    /// Leave out this many schedules at the beginning
    #[arg(long, value_name = NUMBER, default_value = "0", allow_hyphen_values = true)]
    pub offset: Option<String>,
}

/// Which schedule.
#[derive(Clone, Debug, Default, Args)]
pub struct IdArgs {
    /// The id of the schedule, as register and list give it
    #[arg(long, aliases = ["schedule-id", "schedule_id"], value_name = NUMBER, allow_hyphen_values = true)]
    pub id: Option<String>,

    /// The same without writing --id
    #[arg(
        value_name = "ID",
        conflicts_with = "id",
        allow_negative_numbers = true
    )]
    pub position: Option<String>,
}

/// How to deliver what is due.
#[derive(Clone, Debug, Default, Args)]
pub struct ExecuteArgs {
    /// Go on until stopped
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub r#loop: bool,

    /// With --loop: the longest time in seconds between two looks at the database
    #[arg(long, value_name = NUMBER, default_value = "60", allow_hyphen_values = true)]
    pub interval: Option<String>,
}

/// How to run the scheduler.
#[derive(Clone, Debug, Default, Args)]
pub struct ServeArgs {
    /// Speak to at most this many agents at the same time [default: 64]
    #[arg(long, value_name = NUMBER, allow_hyphen_values = true)]
    pub concurrency: Option<String>,

    /// Where the HTTP server listens, or off for none [default: 127.0.0.1:8465]
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    pub listen: Option<String>,
}

/// Whose deliveries to show.
#[derive(Clone, Debug, Default, Args)]
pub struct HistoryArgs {
    /// Show who changed what instead, the newest first
    ///
    /// Each change with its time, who made it and how, and what of the schedule it was. With id,
    /// agent_id and since as for deliveries.
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub changes: bool,

    /// Only deliveries of this schedule
    #[arg(long, aliases = ["schedule-id", "schedule_id"], value_name = NUMBER, allow_hyphen_values = true)]
    pub id: Option<String>,

    /// Only deliveries to this agent
    #[arg(long, value_name = "AGENT", allow_hyphen_values = true)]
    pub agent_id: Option<String>,

    /// Only deliveries in this state
    ///
    /// One of waiting, sending, unknown, delivered, dead, coalesced, skipped, missed, cancelled.
    #[arg(long, value_name = "STATE", allow_hyphen_values = true)]
    pub state: Option<String>,

    /// Only deliveries meant for this time or later
    ///
    /// A time, or how far back to go. Examples: 24h, 7d, 2030-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,

    /// At most this many deliveries
    #[arg(long, value_name = NUMBER, default_value = "50", allow_hyphen_values = true)]
    pub limit: Option<String>,

    /// Leave out this many deliveries at the beginning, for the next page
    #[arg(long, value_name = NUMBER, default_value = "0", allow_hyphen_values = true)]
    pub offset: Option<String>,
}

/// Whether to halt, and why.
#[derive(Clone, Debug, Default, Args)]
pub struct HaltArgs {
    /// Let deliveries go on
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub off: bool,

    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub note: Option<String>,
}

/// What to do about keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeyVerb {
    /// Make a key, and show it this once
    Create {
        /// What to call it
        #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
        name: Option<String>,
        /// The agent it acts for; without one it is an operator's key
        #[arg(long, value_name = "AGENT", allow_hyphen_values = true)]
        agent_id: Option<String>,
    },
    /// List the keys, without what they are
    List,
    /// Let a key open nothing any more
    Revoke(IdArgs),
}

/// What to do about the plugin.
#[derive(Clone, Debug, Subcommand)]
pub enum PluginVerb {
    /// Put a working plugin into an SMCP server's folder of plugins
    Install {
        /// The folder of plugins, such as smcp/plugins
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Copy the program into the plugin's folder instead of linking it, so that the folder can be
        /// moved to where this program is not
        #[arg(long)]
        copy: bool,
    },
}

impl Verb {
    /// The command's name as it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Register(_) => "register",
            Verb::List(_) => "list",
            Verb::Show(_) => "show",
            Verb::Update(_) => "update",
            Verb::Pause(_) => "pause",
            Verb::Resume(_) => "resume",
            Verb::Run(_) => "run",
            Verb::Preview(_) => "preview",
            Verb::Cancel(_) => "cancel",
            Verb::Execute(_) => "execute",
            Verb::Test => "test",
            Verb::Agents => "agents",
            Verb::Upload(_) => "upload",
            Verb::Connect(_) => "connect",
            Verb::Serve(_) => "serve",
            Verb::Mcp => "mcp",
            Verb::History(_) => "history",
            Verb::Doctor => "doctor",
            Verb::Prune(_) => "prune",
            Verb::Purge(_) => "purge",
            Verb::Backup(_) => "backup",
            Verb::Restore(_) => "restore",
            Verb::Halt(_) => "halt",
            Verb::Rows => "rows",
            Verb::Key(_) => "key",
            Verb::Plugin(_) => "plugin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definitions::definitions;
    use clap::FromArgMatches;

    fn parse(words: &[&str]) -> Result<Verb, clap::Error> {
        let mut all = vec!["promptyoself"];
        all.extend(words);
        let matches = definitions(false).try_get_matches_from(all)?;
        Ok(Cli::from_arg_matches(&matches)?.command.unwrap())
    }

    fn register(words: &[&str]) -> RegisterArgs {
        let mut all = vec!["register"];
        all.extend(words);
        match parse(&all).unwrap() {
            Verb::Register(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_prompt_is_taken_as_it_is_whatever_it_looks_like() {
        for prompt in [
            "--evil", "-5", "", "a\nb", "👋🏽", "--", "--help", "--db", "list", "-h", "--prompt",
            "=", "'\"$x",
        ] {
            let args = register(&["--prompt", prompt, "--agent-id", "a"]);
            assert_eq!(args.prompt.as_deref(), Some(prompt));
            assert_eq!(args.agent_id.as_deref(), Some("a"));
            let joined = format!("--prompt={prompt}");
            assert_eq!(register(&[&joined]).prompt.as_deref(), Some(prompt));
        }
    }

    #[test]
    fn a_switch_is_bare_or_says_true_or_false() {
        let all = |words: &[&str]| match parse(words).unwrap() {
            Verb::List(args) => args.all,
            other => panic!("{other:?}"),
        };
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
        let args = register(&[
            "--agent_id",
            "a",
            "--max_repetitions",
            "5.0",
            "--start_at",
            "x",
            "--skip_validation",
        ]);
        assert_eq!(args.agent_id.as_deref(), Some("a"));
        assert_eq!(args.when.max_repetitions.as_deref(), Some("5.0"));
        assert!(args.skip_validation);
    }

    #[test]
    fn an_id_is_a_flag_or_a_bare_word_but_not_both() {
        for words in [
            &["show", "5"][..],
            &["show", "--id", "5"],
            &["cancel", "--schedule_id", "5"],
        ] {
            let args = match parse(words).unwrap() {
                Verb::Show(args) => args,
                Verb::Cancel(args) => args.id,
                other => panic!("{other:?}"),
            };
            assert_eq!(args.id.or(args.position).as_deref(), Some("5"));
        }
        assert!(parse(&["show", "-5"]).is_ok());
        assert!(parse(&["show", "5", "--id", "5"]).is_err());
    }
}
