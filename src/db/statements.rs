//! Every SQL statement that both stores understand, and how its rows are read. Nothing is decided
//! here.

pub(in crate::db) mod control;
pub(in crate::db) mod keys;
pub(in crate::db) mod rows;
pub(in crate::db) mod schedules;
