//! The laws of delivery, under a manual clock.

mod backlog;
mod by_hand;
mod control;
mod decisions;
mod failures;
mod lanes;
mod pause;
mod policies;
mod repeats;
mod takeover;
mod waits;
