//! The laws of delivery, with a manual clock.

mod backlog;
mod bulk;
mod by_hand;
mod clock;
mod control;
mod decisions;
mod failures;
mod false_clock;
mod lanes;
mod pause;
mod policies;
mod repeats;
mod takeover;
mod waits;
