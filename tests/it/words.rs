//! Times in words: what phrases mean, and that none is understood by dropping a word.

mod faces;
mod fuzz;
mod table;
