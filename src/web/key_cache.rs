//! The callers' keys, cached for a moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;

use crate::error::Result;
use crate::models::StoredKey;
use crate::service::Service;

/// How long keys are cached. What a caller may do is always read from the database.
const KEYS_STAY: SignedDuration = SignedDuration::from_secs(1);

/// The keys as they were a moment ago, so that counting requests rarely needs the database.
#[derive(Debug, Default)]
pub(crate) struct KeyCache(Mutex<Option<(SignedDuration, Arc<Vec<StoredKey>>)>>);

impl KeyCache {
    pub(crate) async fn read(
        &self,
        service: &Service,
        now: SignedDuration,
    ) -> Result<Arc<Vec<StoredKey>>> {
        let known = self.lock().clone();
        if let Some((at, keys)) = known
            && now - at < KEYS_STAY
        {
            return Ok(keys);
        }
        let keys = Arc::new(service.stored_keys().await?);
        *self.lock() = Some((now, keys.clone()));
        Ok(keys)
    }

    /// A panic elsewhere leaves the cache intact.
    fn lock(&self) -> MutexGuard<'_, Option<(SignedDuration, Arc<Vec<StoredKey>>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
