//! Every SQL statement that both stores understand, and how its rows are read. Nothing is decided
//! here.

pub(in crate::db) mod account;
pub(in crate::db) mod anew;
pub(in crate::db) mod keys;
pub(in crate::db) mod migrations;
pub(in crate::db) mod payloads;
pub(in crate::db) mod prune;
pub(in crate::db) mod purge;
pub(in crate::db) mod restored;
pub(in crate::db) mod rows;
pub(in crate::db) mod stamps;
