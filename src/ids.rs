//! The only place that makes identities: by chance, except in a simulation, which has to be
//! repeatable.

use std::cell::Cell;

use uuid::Uuid;

tokio::task_local! {
    /// How many identities were drawn from a seed.
    static DRAWN: (u64, Cell<u128>);
}

/// A new identity.
pub fn new_id() -> Uuid {
    let drawn = DRAWN.try_with(|(seed, count)| {
        let n = count.replace(count.get() + 1);
        Uuid::new_v5(&Uuid::from_u128(u128::from(*seed)), &n.to_be_bytes())
    });
    drawn.unwrap_or_else(|_| Uuid::new_v4())
}

/// Does `work` with every new identity drawn from `seed`, for simulations.
pub async fn drawn_from<T>(seed: u64, work: impl Future<Output = T>) -> T {
    DRAWN.scope((seed, Cell::new(0)), work).await
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
