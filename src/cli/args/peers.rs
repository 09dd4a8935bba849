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
