//! The laws of promptyoself, each tested against real parts.

mod time_rules;
