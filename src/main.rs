//! The `promptyoself` program.

use std::process::ExitCode;

use promptyoself::config::Environment;

fn main() -> ExitCode {
    promptyoself::panics::install();
    promptyoself::cli::run(std::env::args_os(), Environment::of_process())
}
