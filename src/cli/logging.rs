//! Logs: to stderr, since stdout carries the answer.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Environment;
use crate::error::{Code, Error, Result};

/// Starts logging at the level of `PROMPTYOSELF_LOG`, or at `usual`.
///
/// # Errors
/// [`Code::ConfigInvalid`] if the level can't be read.
pub(super) fn start(env: &Environment, usual: &str) -> Result<()> {
    let levels = env.get("PROMPTYOSELF_LOG").unwrap_or(usual);
    let filter = EnvFilter::try_new(levels).map_err(|e| {
        Error::new(
            Code::ConfigInvalid,
            format!("PROMPTYOSELF_LOG: {levels:?} is not a log level"),
        )
        .caused_by(e)
        .example("PROMPTYOSELF_LOG=info")
    })?;
    // A second start, as in tests, keeps the first one's logging.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .try_init();
    Ok(())
}
