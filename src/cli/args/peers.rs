//! The flags of commands that change something at Letta.

use std::path::PathBuf;

use clap::Args;

/// The tool to upload.
#[derive(Clone, Debug, Default, Args)]
pub struct UploadArgs {
    /// A file with one Python function that has a docstring and type hints; "-" reads standard
    /// input
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub source_code: Option<PathBuf>,

    /// The name you expect; Letta names a tool after its function
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub name: Option<String>,

    /// A description to use instead of the docstring
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub description: Option<String>,
}

/// The schedules to take over.
#[derive(Clone, Debug, Default, Args)]
pub struct ImportArgs {
    /// Those that Letta Code's App Server keeps itself
    #[arg(long)]
    pub letta_code_cron: bool,

    /// The App Server, by its name in the settings [default: the default target]
    #[arg(long, value_name = "TARGET", allow_hyphen_values = true)]
    pub target: Option<String>,

    /// Only show what would be taken over
    #[arg(long)]
    pub dry_run: bool,
}

/// The agent to connect, and how it reaches this server.
#[derive(Clone, Debug, Default, Args)]
pub struct ConnectArgs {
    /// The agent to give the tools to
    #[arg(long, value_name = "AGENT", allow_hyphen_values = true)]
    pub agent_id: Option<String>,

    /// The address at which Letta reaches serve [default: the address serve listens on]
    #[arg(long, value_name = "URL", allow_hyphen_values = true)]
    pub url: Option<String>,

    /// An existing key of the agent [default: create one if the server requires keys]
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub key: Option<String>,

    /// Write the settings and a skill for the agents of Letta Code's App Server on this machine
    #[arg(long)]
    pub app_server: bool,

    /// Only print settings for Letta Code and other MCP clients
    #[arg(long)]
    pub print: bool,
}
