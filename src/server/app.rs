//! What the handlers of the server share.

use std::sync::Arc;

use super::metrics::Metrics;
use super::rest::Running;
use crate::mcp;
use crate::operations::Offer;
use crate::service::Service;
use crate::web::Guard;

/// The state of every handler.
#[derive(Clone)]
pub struct App {
    /// The use cases.
    pub service: Service,
    /// The operations that `/api/v1` offers.
    pub operations: Offer,
    /// Which hosts and origins are answered.
    pub guard: Arc<Guard>,
    /// The counters.
    pub metrics: Metrics,
    /// The state of the MCP tools.
    pub mcp: mcp::Shared,
    /// Requests with an idempotency key that are being carried out.
    pub running: Running,
}
