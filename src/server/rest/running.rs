//! Requests with an idempotency key that are being carried out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::models::RequestKey;

/// Requests that are being carried out; a repeated one waits for the answer of the first.
#[derive(Clone, Debug, Default)]
pub struct Running(Arc<Mutex<HashMap<RequestKey, Weak<tokio::sync::Mutex<()>>>>>);

impl Running {
    /// The lock to hold while a request is carried out.
    pub(super) fn turn(&self, request: &RequestKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(request).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(request.clone(), Arc::downgrade(&turn));
        turn
    }
}
