//! The command line: the commands that are not operations, and the global flags.
//!
//! The commands of operations are generated from their definitions. Numbers arrive as text and are
//! read later, so that errors about them have our words and codes; the same goes for missing
//! values.

mod maintenance;
mod peers;

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand};

pub use maintenance::{BackupArgs, PruneArgs, PurgeArgs, RestoreArgs};
pub use peers::{ConnectArgs, ImportArgs, UploadArgs};

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

    /// When to use colours: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        display_order = 904
    )]
    pub color: ColorChoice,

    /// Print the SMCP plugin's description as JSON
    #[arg(long)]
    pub describe: bool,
}

/// The command to run.
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
    /// Registers serve with Letta as an MCP server and attaches its tools to the agent. If that
    /// isn't possible from here, prints the settings to add by hand. For an agent of Letta Code's
    /// App Server on this machine, --app-server writes them.
    Connect(ConnectArgs),

    /// Take over schedules from elsewhere
    ///
    /// Registers the schedules that Letta Code's App Server keeps itself, and pauses them there. They
    /// only run while a client is connected. You can safely repeat it.
    Import(ImportArgs),

    /// Run the scheduler until it is stopped
    Serve(ServeArgs),

    /// Serve an MCP client over standard input and output
    ///
    /// It also delivers prompts. If another scheduler runs on the same database it stands by, and
    /// takes over when that one stops.
    Mcp,

    /// Check that every prompt is accounted for, and find what is in the way
    ///
    /// Checks the database, the account of every schedule, the scheduler, the clock and Letta, and
    /// changes nothing. Each finding says how to fix it.
    Doctor,
    /// Reduce old deliveries to totals
    Prune(PruneArgs),
    /// Remove the prompts and replies of finished deliveries
    Purge(PurgeArgs),
    /// Copy the database to a new file, even while the scheduler runs
    Backup(BackupArgs),
    /// Replace the database with a backup
    ///
    /// Runs that have passed since the backup are skipped, because they may have been sent; with
    /// replay, schedules catch up on them. settle without a file does this to the current database.
    Restore(RestoreArgs),
    /// Read and write schedules for other programs on this machine
    ///
    /// Reads one JSON request from standard input. The plugin's Python modules use it.
    #[command(hide = true)]
    Rows,

    /// Create, list and revoke keys for HTTP callers
    #[command(subcommand)]
    Key(KeyVerb),

    /// Install the SMCP plugin
    #[command(subcommand)]
    Plugin(PluginVerb),
}

/// Selects a key.
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

    /// With --loop: check the database at least every N seconds
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

/// What to do with keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeyVerb {
    /// Create a key and show it once
    Create {
        /// A name for the key
        #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
        name: Option<String>,
        /// The agent it acts for; without this it is an operator's key
        ///
        /// An agent of a certain server can be written as TARGET/AGENT. Default: that of the default
        /// target.
        #[arg(long, value_name = "AGENT", allow_hyphen_values = true)]
        agent_id: Option<String>,
    },
    /// List keys, never their secrets
    List,
    /// Revoke a key
    Revoke(IdArgs),
}

/// What to do with the plugin.
#[derive(Clone, Debug, Subcommand)]
pub enum PluginVerb {
    /// Install the plugin in an SMCP server's plugins folder
    Install {
        /// The plugins folder, such as smcp/plugins
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Copy the program into the folder instead of linking to it, so that the folder can be
        /// moved elsewhere
        #[arg(long)]
        copy: bool,
    },
}

impl Verb {
    /// The command's name as typed.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Execute(_) => "execute",
            Verb::Upload(_) => "upload",
            Verb::Connect(_) => "connect",
            Verb::Import(_) => "import",
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
