//! The `promptyoself` program.

fn main() {}
