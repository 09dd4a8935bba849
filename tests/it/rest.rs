//! The REST API: a real server on loopback in this process, and its document.

pub mod api;
mod document;
mod idempotency;
mod operations;
mod requests;
mod schemathesis;
mod scope;

pub use api::{client, tools};
