//! The flags of the commands that keep the database: prune, purge, backup, restore.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

use super::{NUMBER, SWITCH};

/// How much history to keep.
#[derive(Clone, Debug, Default, Args)]
pub struct PruneArgs {
    /// Prune what was settled before this; without it, what is older than the retention
    ///
    /// A time, or how far back to go. Examples: 30d, 2026-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub before: Option<String>,
}

/// Whose texts to remove.
#[derive(Clone, Debug, Default, Args)]
pub struct PurgeArgs {
    /// Texts of this schedule
    #[arg(long, aliases = ["schedule-id", "schedule_id"], value_name = NUMBER, allow_hyphen_values = true)]
    pub id: Option<String>,

    /// Texts of every schedule of this agent
    #[arg(
        long,
        value_name = "AGENT",
        allow_hyphen_values = true,
        conflicts_with = "id"
    )]
    pub agent_id: Option<String>,

    /// Only texts of what was settled before this
    ///
    /// A time, or how far back to go. Examples: 30d, 2026-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub before: Option<String>,
}

/// Where to put a backup.
#[derive(Clone, Debug, Default, Args)]
pub struct BackupArgs {
    /// The file to make
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// What to restore, and how.
#[derive(Clone, Debug, Default, Args)]
pub struct RestoreArgs {
    /// The backup; without one, settle says what is meant
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Skip what has passed since the backup, as is done unless replay is set
    ///
    /// Without a file it does so with the database that is there: a copy that was put into its place
    /// by other means, such as a snapshot of the disk.
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub settle: bool,

    /// Catch up with what has passed since the backup, instead of skipping it
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub replay: bool,
}
