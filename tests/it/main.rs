//! The laws of promptyoself, each tested against real parts.

// Helpers are tests too, but clippy sees only functions marked as such.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod command_line;
mod daemon;
mod documentation;
mod fake_letta;
mod fake_target;
mod many;
mod plugin_install;
mod real_letta;
mod scheduler;
mod smcp;
mod time_rules;
mod world;
