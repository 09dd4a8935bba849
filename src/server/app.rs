//! What the handlers of the server share.

use std::sync::Arc;

use super::metrics::Metrics;
use super::rest::Running;
use crate::mcp;
use crate::operations::Offer;
use crate::service::Service;
use crate::web::Guard;

/// What every handler is given.
#[derive(Clone)]
pub struct App {
    /// What every face calls.
    pub service: Service,
    /// What `/api/v1` offers.
    pub operations: Offer,
    /// Whom it answers.
    pub guard: Arc<Guard>,
    /// What is counted.
    pub metrics: Metrics,
    /// What the tools of MCP share.
    pub mcp: mcp::Shared,
    /// Requests that may come again, while they are carried out.
    pub running: Running,
}
