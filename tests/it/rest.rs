//! The REST API: a real server on loopback in this process, and the document of it.

pub mod api;
mod document;
mod idempotency;
mod operations;
mod requests;
mod schemathesis;
mod scope;

pub use api::{client, tools};
