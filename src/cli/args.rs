//! The command line: the commands that are no operations, and the flags of all.
//!
//! The operations' own commands are made from their definitions, in `cli::asked`. Numbers arrive
//! as text and are read later, so that what is wrong with them is said in our words and with our
//! codes; the same goes for what is missing.

mod keeping;
mod peers;

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};

pub use keeping::{BackupArgs, PruneArgs, PurgeArgs, RestoreArgs};
pub use peers::{ConnectArgs, UploadArgs};

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

    /// Read settings from this TOML file instead of the default one
    #[arg(long, global = true, value_name = "FILE", display_order = 902)]
    pub config: Option<PathBuf>,

    /// Print JSON even on a terminal
    #[arg(long, global = true, display_order = 903)]
    pub json: bool,

    /// Print the SMCP plugin's description as JSON
    #[arg(long)]
    pub describe: bool,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Deliver every prompt that is due, then exit
    ///
    /// You don't need this if a scheduler runs all the time (promptyoself serve).
    Execute(ExecuteArgs),

    /// Upload a Python tool to Letta, if the operator allows it
    Upload(UploadArgs),

    /// Give a Letta agent the tools to schedule prompts
    ///
    /// serve is made known to Letta as an MCP server, and its tools are attached to the agent. Where
    /// that can't be done from here, the settings to write by hand are printed.
    Connect(ConnectArgs),

    /// Run the scheduler until it is stopped
    Serve(ServeArgs),

    /// Serve an MCP client over standard input and output
    ///
    /// It delivers as well, unless another scheduler runs on the same database: then it stands by,
    /// and takes over when that one ends.
    Mcp,

    /// Look for everything that can keep prompts from being accounted for
    ///
    /// The database, the account of every schedule, the scheduler, the clock and Letta are examined,
    /// and nothing is changed. Each finding says what mends it.
    Doctor,
    /// Reduce old deliveries to totals
    Prune(PruneArgs),
    /// Remove the prompts and replies of finished deliveries
    Purge(PurgeArgs),
    /// Copy the database to a new file, even while the scheduler runs
    Backup(BackupArgs),
    /// Replace the database with a backup
    ///
    /// What has passed since the backup is skipped, since it may have been sent already, or with replay
    /// caught up with. With settle and no file the same is done to the database that is there.
    Restore(RestoreArgs),
    /// Read and write the table of schedules for other programs of this machine
    ///
    /// One request in JSON is read from standard input. The plugin's Python modules are the ones that
    /// ask.
    #[command(hide = true)]
    Rows,

    /// Create, list and revoke keys for HTTP callers
    #[command(subcommand)]
    Key(KeyVerb),

    /// Install the SMCP plugin
    #[command(subcommand)]
    Plugin(PluginVerb),
}

/// Which key.
#[derive(Clone, Debug, Default, Args)]
pub struct IdArgs {
    /// The id of the key, as key list shows it
    #[arg(long, aliases = ["schedule-id", "schedule_id"], value_name = NUMBER, allow_hyphen_values = true)]
    pub id: Option<String>,

    /// The id, without writing --id
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
    /// Keep going until stopped
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
    /// Prompt at most this many agents at a time [default: 64]
    #[arg(long, value_name = NUMBER, allow_hyphen_values = true)]
    pub concurrency: Option<String>,

    /// The HTTP server's address and port, or off for none [default: 127.0.0.1:8465]
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    pub listen: Option<String>,
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
    /// Revoke a key, so that it opens nothing from then on
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
            Verb::Execute(_) => "execute",
            Verb::Upload(_) => "upload",
            Verb::Connect(_) => "connect",
            Verb::Serve(_) => "serve",
            Verb::Mcp => "mcp",
            Verb::Doctor => "doctor",
            Verb::Prune(_) => "prune",
            Verb::Purge(_) => "purge",
            Verb::Backup(_) => "backup",
            Verb::Restore(_) => "restore",
            Verb::Rows => "rows",
            Verb::Key(_) => "key",
            Verb::Plugin(_) => "plugin",
        }
    }
}
