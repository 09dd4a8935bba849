//! Time of a manual clock that waits for what happens in it: a slow machine changes nothing.

use std::pin::pin;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::db::Db;
use tokio::runtime::{Handle, RuntimeFlavor};

/// How many things that follow from each other by way of the database happen at one time.
const CONSEQUENCES: usize = 4;

/// How often all else in this thread goes on before it is asked again.
const TURNS: usize = 20;

/// Carries something out while time passes in steps, none of which is taken before the databases have
/// done what they were asked, and this thread what followed.
pub async fn while_time_passes<T>(
    clock: &Clock,
    step: SignedDuration,
    databases: &[&Db],
    what: impl Future<Output = T>,
) -> T {
    let mut what = pin!(what);
    loop {
        tokio::select! {
            biased;
            done = &mut what => return done,
            () = let_happen(databases) => clock.advance(step),
        }
    }
}

/// Lets everything happen that takes no time.
pub async fn let_happen(databases: &[&Db]) {
    // Another thread could be left behind.
    assert_eq!(
        Handle::current().runtime_flavor(),
        RuntimeFlavor::CurrentThread
    );
    for _ in 0..CONSEQUENCES {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        for db in databases {
            // It is answered after all that was asked before.
            db.data_version().await.unwrap();
        }
    }
}
