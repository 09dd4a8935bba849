//! What only a SQLite file has: opening and checking it, writes by other programs, older tables,
//! copies, and the locks next to it that show which schedulers are alive.

pub(in crate::db) mod adoption;
pub(in crate::db) mod checkup;
pub(in crate::db) mod clean;
pub(in crate::db) mod connection;
pub(in crate::db) mod copies;
pub(in crate::db) mod filesystem;
pub(in crate::db) mod foreign;
pub(in crate::db) mod liveness;
pub(in crate::db) mod migrations;
pub(in crate::db) mod open;
mod release_0_1_0;
mod tables;
pub(in crate::db) mod upgrade;
mod watch;
pub(in crate::db) mod wording;
