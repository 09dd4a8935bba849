//! Settings from the command line.

use std::path::PathBuf;

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--db`.
    pub database: Option<String>,
    /// `--concurrency`, not yet read as a number.
    pub concurrency: Option<String>,
    /// `--listen`, not yet read as an address.
    pub listen: Option<String>,
}
