//! Settings from the command line.

use std::path::PathBuf;

/// Settings given on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The value of `--config`.
    pub config: Option<PathBuf>,
    /// The value of `--db`.
    pub database: Option<String>,
    /// The value of `--concurrency`, not yet parsed.
    pub concurrency: Option<String>,
    /// The value of `--listen`, not yet parsed.
    pub listen: Option<String>,
}
