//! Database maintenance: pruning, purging, copies, restoring, and what doctor finds.

mod copies;
mod doctor;
mod ended;
mod prune;
mod purge;
