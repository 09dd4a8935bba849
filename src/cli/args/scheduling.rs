//! What is asked of a schedule: its prompt, its time and how it is delivered.

use std::path::PathBuf;

use super::{IdArgs, NUMBER, PolicyArgs, SWITCH};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

/// What to schedule, for whom and when.
#[derive(Clone, Debug, Default, Args)]
pub struct RegisterArgs {
    /// The agent that gets the prompt
    ///
    /// Its id begins with "agent-". An agent that schedules for itself gives its own id. Without
    /// it, the configured default agent is meant. Example: agent-00000000-0000-4000-8000-000000000000
    #[arg(long, value_name = "AGENT", allow_hyphen_values = true)]
    pub agent_id: Option<String>,

    /// What the agent is told when the time comes
    ///
    /// It is delivered exactly as given. Write it so that it can be understood later without
    /// the present conversation. Example: Check whether the backup finished, and tell Ada.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prompt: Option<String>,

    /// A file that holds the prompt; "-" reads it from standard input
    #[arg(
        long,
        value_name = "FILE",
        allow_hyphen_values = true,
        conflicts_with = "prompt"
    )]
    pub prompt_file: Option<PathBuf>,

    /// When.
    #[command(flatten)]
    pub when: WhenArgs,

    /// How it is delivered.
    #[command(flatten)]
    pub policy: PolicyArgs,

    /// Do not ask Letta whether the agent exists
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub skip_validation: bool,

    /// A name for the schedule, unique among the agent's live schedules
    ///
    /// Registering the same name and schedule again answers with the schedule that exists, so a
    /// call may safely be repeated. Example: morning-report
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub name: Option<String>,
}

/// When a prompt runs.
#[derive(Clone, Debug, Default, Args)]
pub struct WhenArgs {
    /// Run once, at this time
    ///
    /// A time without an offset is meant in timezone. It must be in the future.
    /// Examples: 2030-01-31T09:00:00Z, 2030-01-31T09:00:00+02:00, 2030-01-31 09:00
    #[arg(long, alias = "at", value_name = "TIME", allow_hyphen_values = true)]
    pub time: Option<String>,

    /// Run again and again, on this cron pattern of five fields
    ///
    /// The fields are minute, hour, day of month, month, day of week, in timezone.
    /// Examples: "0 9 * * *" (daily at 09:00), "*/15 * * * *", "30 8 * * mon-fri", "@hourly"
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub cron: Option<String>,

    /// Run again and again, this far apart
    ///
    /// The first run is one interval from now, or at start_at.
    /// Examples: 30s, 5m, 1h30m, 2d, 1w; a number alone is seconds
    #[arg(long, value_name = "INTERVAL", allow_hyphen_values = true)]
    pub every: Option<String>,

    /// The IANA time zone in which times and patterns are meant
    ///
    /// Examples: Europe/Berlin, America/New_York, UTC. Without it, the configured zone is used,
    /// which is UTC unless it was changed.
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub timezone: Option<String>,

    /// Do not run before this time
    ///
    /// For an interval it is the first run. Example: 2030-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub start_at: Option<String>,

    /// Do not run after this time
    ///
    /// A run at exactly this time still happens. Example: 2030-12-31T18:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub end_at: Option<String>,

    /// Stop after this many runs
    ///
    /// At least 1; without it the schedule has no end. Example: 10
    #[arg(long, value_name = NUMBER, allow_hyphen_values = true)]
    pub max_repetitions: Option<String>,
}

/// What to change of a schedule.
#[derive(Clone, Debug, Default, Args)]
pub struct UpdateArgs {
    /// Which schedule.
    #[command(flatten)]
    pub id: IdArgs,

    /// Another agent that gets the prompt from now on
    #[arg(long, value_name = "AGENT", allow_hyphen_values = true)]
    pub agent_id: Option<String>,

    /// What the agent is told from now on
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prompt: Option<String>,

    /// A file that holds the prompt; "-" reads it from standard input
    #[arg(
        long,
        value_name = "FILE",
        allow_hyphen_values = true,
        conflicts_with = "prompt"
    )]
    pub prompt_file: Option<PathBuf>,

    /// When from now on.
    #[command(flatten)]
    pub when: WhenArgs,

    /// How it is delivered from now on.
    #[command(flatten)]
    pub policy: PolicyArgs,

    /// Do not ask Letta whether another agent exists
    #[arg(long, value_name = SWITCH, num_args = 0..=1, action = ArgAction::Set,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub skip_validation: bool,

    /// Another name for the schedule
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub name: Option<String>,
}

/// What to preview.
#[derive(Clone, Debug, Default, Args)]
pub struct PreviewArgs {
    /// When.
    #[command(flatten)]
    pub when: WhenArgs,

    /// How many runs to show
    #[arg(long, value_name = NUMBER, default_value = "10", allow_hyphen_values = true)]
    pub count: Option<String>,
}
