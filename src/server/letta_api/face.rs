//! The state of the API at `/v1`.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;

use super::proxy::Upstream;
use crate::error::Result;
use crate::service::Service;
use crate::web::Guard;

/// The state of the API at `/v1`.
pub(super) struct Face {
    pub(super) service: Service,
    pub(super) guard: Arc<Guard>,
    /// The Letta server, or why it can't be used as configured.
    pub(super) upstream: Result<Upstream>,
    /// When Letta was last seen to reject a request without credentials, by the clock that never
    /// jumps.
    pub(super) checks_seen: Mutex<Option<SignedDuration>>,
}
