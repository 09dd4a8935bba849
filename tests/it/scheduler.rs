//! The laws of delivery, under a manual clock.

mod backlog;
mod control;
mod failures;
mod lanes;
mod pause;
mod takeover;
