//! The laws of promptyoself, each tested against real parts.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod command_line;
mod daemon;
mod documentation;
mod fake_letta;
mod fake_target;
mod foreign_writers;
mod many;
mod plugin_install;
mod python;
mod scheduler;
mod smcp;
mod time_rules;
mod upgrades;
mod world;
