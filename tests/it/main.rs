//! The laws of promptyoself, each tested against real parts.

mod client;
mod fake_letta;
mod fake_target;
mod real_letta;
