//! The laws of promptyoself, each tested against real parts.
