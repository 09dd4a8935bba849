//! Every SQL statement that both stores understand, and how its rows are read. Nothing is decided
//! here.

pub(in crate::db) mod changes;
pub(in crate::db) mod clock;
pub(in crate::db) mod gauges;
pub(in crate::db) mod halt;
pub(in crate::db) mod health;
pub(in crate::db) mod incidents;
pub(in crate::db) mod keys;
pub(in crate::db) mod letters;
pub(in crate::db) mod notices;
pub(in crate::db) mod orphans;
pub(in crate::db) mod outbox;
pub(in crate::db) mod requests;
pub(in crate::db) mod rows;
pub(in crate::db) mod schedulers;
