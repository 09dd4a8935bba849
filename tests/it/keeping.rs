//! Keeping the database: what is pruned, purged, copied and restored, and what doctor finds.

mod copies;
mod doctor;
mod ended;
mod prune;
mod purge;
