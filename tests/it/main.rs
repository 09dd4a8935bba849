//! The laws of promptyoself, each tested against real parts.

// Helpers are tests too, but clippy sees only functions marked as such.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod fake_letta;
mod fake_target;
mod real_letta;
