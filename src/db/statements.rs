//! Every SQL statement that SQLite and PostgreSQL both understand, and how its rows are read.
//! Nothing is decided here.

pub(in crate::db) mod account;
pub(in crate::db) mod attempts;
pub(in crate::db) mod budget;
pub(in crate::db) mod changes;
pub(in crate::db) mod claims;
pub(in crate::db) mod clock;
pub(in crate::db) mod control;
pub(in crate::db) mod due;
pub(in crate::db) mod gauges;
pub(in crate::db) mod halt;
pub(in crate::db) mod health;
pub(in crate::db) mod history;
pub(in crate::db) mod incidents;
pub(in crate::db) mod keys;
pub(in crate::db) mod replan;

pub(in crate::db) mod by_uid;
pub(in crate::db) mod manual;
pub(in crate::db) mod migrations;
pub(in crate::db) mod notices;
pub(in crate::db) mod occurrences;
pub(in crate::db) mod orphans;
pub(in crate::db) mod outbox;
pub(in crate::db) mod outbox_messages;
pub(in crate::db) mod payloads;
pub(in crate::db) mod plans;
pub(in crate::db) mod prune;
pub(in crate::db) mod purge;
pub(in crate::db) mod requests;
pub(in crate::db) mod restored;
pub(in crate::db) mod revisions;
pub(in crate::db) mod rows;
pub(in crate::db) mod schedulers;
pub(in crate::db) mod schedules;
pub(in crate::db) mod settle;
pub(in crate::db) mod stamps;
pub(in crate::db) mod unreadable;
pub(in crate::db) mod updates;
