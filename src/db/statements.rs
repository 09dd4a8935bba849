//! Every SQL statement that both stores understand, and how its rows are read. Nothing is decided
//! here.

pub(in crate::db) mod keys;
pub(in crate::db) mod migrations;
pub(in crate::db) mod rows;
