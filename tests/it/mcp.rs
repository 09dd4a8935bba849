//! The MCP server: unmodified clients call every tool, and nobody sees what isn't theirs.

mod beside;
mod broken;
mod clients;
mod conformance;
pub mod peer;
pub mod raw;
mod schemas;
mod scope;

pub use peer::{NEWEST, Peer};
pub use raw::Raw;
