//! Requests that may be repeated: each is carried out once and always gets the same answer.

use super::Service;
use crate::error::Result;
use crate::models::{RequestKey, RequestStatus, StoredAnswer};

impl Service {
    /// Records that a request has come; `hash` covers everything it asks for.
    pub async fn begin_request(&self, request: &RequestKey, hash: &str) -> Result<RequestStatus> {
        self.db.begin_request(request, hash, self.now()).await
    }

    /// Stores the answer to a request.
    pub async fn answer_request(&self, request: &RequestKey, answer: &StoredAnswer) -> Result<()> {
        self.db.answer_request(request, answer).await
    }

    /// Deletes a request that created nothing, so that it can be tried again.
    pub async fn forget_request(&self, request: &RequestKey) -> Result<()> {
        self.db.forget_request(request).await
    }
}
