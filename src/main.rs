//! The `promptyoself` program.

use std::process::ExitCode;

use promptyoself::config::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    promptyoself::panics::install();
    promptyoself::cli::run(std::env::args_os(), Environment::of_process()).await
}
