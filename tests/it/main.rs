//! The laws of promptyoself, each tested against real parts.

// Helpers are tests too, but clippy sees only functions marked as such.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod account;
mod bad_input;
mod budget;
mod client;
mod command_line;
mod connect;
mod crash;
mod daemon;
mod disk;
mod documentation;
mod errors;
mod fake_letta;
mod fake_target;
mod faults;
mod foreign_writers;
mod keeping;
mod letta_api;
mod many;
mod mcp;
mod meant;
mod notices;
mod original_bugs;
mod plugin_install;
mod program;
mod python;
mod real_letta;
mod remote;
mod rest;
mod scheduler;
mod scope;
mod server;
mod simulation;
mod smcp;
mod time_rules;
mod upgrades;
mod upload;
mod whose_fault;
mod world;
