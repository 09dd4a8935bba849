//! What answers at `/v1`.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;

use super::proxy::Upstream;
use crate::error::Result;
use crate::service::Service;
use crate::web::Guard;

/// What answers at `/v1`.
pub(super) struct Face {
    pub(super) service: Service,
    pub(super) guard: Arc<Guard>,
    /// The Letta server; the error where it can't be reached as it is set.
    pub(super) upstream: Result<Upstream>,
    /// When Letta was last seen to turn away whoever shows no credentials, by the clock that never
    /// jumps.
    pub(super) checks_seen: Mutex<Option<SignedDuration>>,
}
