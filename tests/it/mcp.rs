//! The MCP server: unmodified clients call every tool, and nobody sees what is not theirs.

mod beside;
mod clients;
mod conformance;
pub mod peer;
mod scope;
