//! The only place that creates random ids; a simulation draws them from a seed, so that it can be
//! repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

tokio::task_local! {
    static DRAWN: Drawn;
}

/// How many ids were drawn from a seed.
#[derive(Clone, Debug)]
struct Drawn {
    seed: u64,
    count: Arc<AtomicU64>,
}

/// A new random id.
pub fn new_id() -> Uuid {
    let drawn = DRAWN.try_with(|drawn| {
        let n = u128::from(drawn.count.fetch_add(1, Ordering::Relaxed));
        Uuid::new_v5(&Uuid::from_u128(drawn.seed.into()), &n.to_be_bytes())
    });
    drawn.unwrap_or_else(|_| Uuid::new_v4())
}

/// Runs `work` with all new ids drawn from `seed`, for simulations.
pub async fn drawn_from<T>(seed: u64, work: impl Future<Output = T>) -> T {
    let count = Arc::default();
    DRAWN.scope(Drawn { seed, count }, work).await
}

/// Where a task's ids come from, so that it can hand that to another thread.
#[derive(Clone, Debug)]
pub(crate) struct Source(Option<Drawn>);

impl Source {
    /// The source of the current task.
    pub(crate) fn current() -> Self {
        Source(DRAWN.try_with(Drawn::clone).ok())
    }

    /// Runs `work` with ids from this source.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(drawn) => DRAWN.sync_scope(drawn.clone(), work),
            None => work(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn identities_differ_and_come_again_only_with_their_seed() {
        let two = || async { (new_id(), new_id()) };
        let (a, b) = drawn_from(1, two()).await;
        assert_ne!(a, b);
        assert_eq!(drawn_from(1, two()).await, (a, b));
        assert_ne!(drawn_from(2, two()).await.0, a);
        assert_ne!(new_id(), new_id());
    }
}
