//! An agent of a Letta server, and the way to it.

use std::sync::Arc;

use reqwest::Url;

use crate::cli::Context;
use crate::letta_client::Rest;
use crate::models::AgentId;
use crate::service::Service;

/// The name under which Letta knows our MCP server.
pub(super) const SERVER: &str = "promptyoself";

/// One agent and the way to it.
pub(super) struct Link<'a> {
    pub(super) ctx: &'a Context,
    pub(super) service: Service,
    pub(super) letta: Arc<Rest>,
    pub(super) agent: AgentId,
    /// Where Letta reaches us.
    pub(super) url: Url,
}
