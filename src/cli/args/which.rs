//! The flags of what is done to one schedule, or to many at once: cancel, pause, resume.

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

use super::{IdArgs, SWITCH};

/// Which schedules: one, those of an agent, or all.
#[derive(Clone, Debug, Default, Args)]
pub struct WhichArgs {
    /// One schedule.
    #[command(flatten)]
    pub id: IdArgs,

    /// Instead of one schedule every one of this agent
    ///
    /// Which they are is shown first, and they are only touched with yes or after a question.
    #[arg(long, value_name = "AGENT", allow_hyphen_values = true)]
    pub agent_id: Option<String>,

    /// Instead of one schedule every one there is
    ///
    /// Which they are is shown first, and they are only touched with yes or after a question.
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub all: bool,

    /// Do it without asking, where it is more than one schedule
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub yes: bool,

    /// Only show which schedules it would be
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
}
