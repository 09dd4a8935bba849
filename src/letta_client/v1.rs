//! Letta's V1 REST API, offered by self-hosted servers and Letta Cloud.

pub(super) mod address;
mod agents;
pub(super) mod classify;
mod conversations;
mod find;
mod headers;
mod history;
pub(super) mod http;
mod mcp_servers;
pub(super) mod otids;
mod pages;
mod polling;
mod responsiveness;
mod rest;
mod route;
mod runs;
mod send;
mod settings;
mod sightings;
mod sse;
mod stream;
mod tools;
pub(super) mod turn;

pub use mcp_servers::McpServer;
pub use rest::Rest;
pub use settings::RestSettings;
