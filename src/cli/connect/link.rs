//! A Letta agent and how it reaches this server.

use std::sync::Arc;

use reqwest::Url;

use crate::cli::Context;
use crate::letta_client::Rest;
use crate::models::AgentAt;
use crate::service::Service;

/// The name of our MCP server in Letta.
pub(super) const SERVER: &str = "promptyoself";

/// One Letta agent and how it reaches this server.
pub(super) struct Link<'a> {
    pub(super) ctx: &'a Context,
    pub(super) service: Service,
    pub(super) letta: Arc<Rest>,
    pub(super) agent: AgentAt,
    /// The address at which Letta reaches this server.
    pub(super) url: Url,
}

impl Link<'_> {
    /// The agent as people know it.
    pub(super) fn shown(&self) -> String {
        self.service.show_agent(&self.agent)
    }
}
