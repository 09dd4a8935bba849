//! The flags of the database commands: prune, purge, backup, restore.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

use super::{NUMBER, SWITCH};

/// How much history to keep.
#[derive(Clone, Debug, Default, Args)]
pub struct PruneArgs {
    /// Prune deliveries settled before this [default: older than the retention]
    ///
    /// A time, or an age. Examples: 30d, 2026-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub before: Option<String>,
}

/// The texts to remove.
#[derive(Clone, Debug, Default, Args)]
pub struct PurgeArgs {
    /// Remove texts of this schedule
    #[arg(long, aliases = ["schedule-id", "schedule_id"], value_name = NUMBER, allow_hyphen_values = true)]
    pub id: Option<String>,

    /// Remove texts of all schedules of this agent
    ///
    /// TARGET/AGENT is the agent of that server, and an id alone every agent with that id.
    #[arg(
        long,
        value_name = "AGENT",
        allow_hyphen_values = true,
        conflicts_with = "id"
    )]
    pub agent_id: Option<String>,

    /// Only texts of deliveries settled before this
    ///
    /// A time, or an age. Examples: 30d, 2026-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub before: Option<String>,
}

/// Where to put a backup.
#[derive(Clone, Debug, Default, Args)]
pub struct BackupArgs {
    /// The file to create
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// What to restore, and how.
#[derive(Clone, Debug, Default, Args)]
pub struct RestoreArgs {
    /// The backup file; leave it out with settle
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Skip runs that have passed since the backup (the default)
    ///
    /// Without a file, does this to the current database, if it was put there by other means such
    /// as a disk snapshot.
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub settle: bool,

    /// Catch up on runs that have passed since the backup instead of skipping them
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub replay: bool,
}
