//! The laws of promptyoself, each tested against real parts.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bad_input;
mod client;
mod command_line;
mod errors;
mod fake_letta;
mod fake_target;
mod original_bugs;
mod plugin_install;
mod program;
mod smcp;
