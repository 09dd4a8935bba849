//! Letta's V1 REST API, offered by self-hosted servers and Letta Cloud.

mod address;
mod agents;
mod classify;
mod find;
mod headers;
mod history;
mod http;
mod mcp_servers;
mod otids;
mod pages;
mod responsiveness;
mod rest;
mod route;
mod runs;
mod send;
mod sightings;
mod sse;
mod stream;
mod tools;
mod turn;

pub use mcp_servers::McpServer;
pub use rest::{Rest, RestSettings};
