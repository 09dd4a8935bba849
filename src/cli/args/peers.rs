//! The flags of what is done at Letta itself.

use std::path::PathBuf;

use clap::Args;

/// The tool to upload.
#[derive(Clone, Debug, Default, Args)]
pub struct UploadArgs {
    /// A file with one Python function, its docstring and type hints; "-" reads standard input
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub source_code: Option<PathBuf>,

    /// What you take its name for; Letta names a tool after its function
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub name: Option<String>,

    /// What the tool does, instead of what its docstring says
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub description: Option<String>,
}

/// Which agent to connect, and how it reaches us.
#[derive(Clone, Debug, Default, Args)]
pub struct ConnectArgs {
    /// The agent that is to have the tools
    #[arg(long, value_name = "AGENT", allow_hyphen_values = true)]
    pub agent_id: Option<String>,

    /// Where Letta reaches the MCP server of serve [default: the address that serve listens at]
    #[arg(long, value_name = "URL", allow_hyphen_values = true)]
    pub url: Option<String>,

    /// A key of the agent's, instead of one that is made for it where keys are asked for
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub key: Option<String>,

    /// Only print what to write into the settings of Letta Code and of other MCP clients
    #[arg(long)]
    pub print: bool,
}
