//! Requests that may come again: each is carried out once, and answered as before.

use super::Service;
use crate::error::Result;
use crate::models::{RequestKey, RequestStatus, StoredAnswer};

impl Service {
    /// Notes that a request has come; `hash` is of everything it asks.
    pub async fn begin_request(&self, request: &RequestKey, hash: &str) -> Result<RequestStatus> {
        self.db.begin_request(request, hash, self.now()).await
    }

    /// Keeps what a request was answered.
    pub async fn answer_request(&self, request: &RequestKey, answer: &StoredAnswer) -> Result<()> {
        self.db.answer_request(request, answer).await
    }

    /// Forgets a request that made nothing, so that it can be tried again.
    pub async fn forget_request(&self, request: &RequestKey) -> Result<()> {
        self.db.forget_request(request).await
    }
}
