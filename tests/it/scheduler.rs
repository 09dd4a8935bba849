//! The laws of delivery, under a manual clock.

mod backlog;
mod by_hand;
mod clock;
mod control;
mod decisions;
mod failures;
mod false_clock;
mod lanes;
mod pause;
mod policies;
mod takeover;
