//! Time of a manual clock that waits for what happens in it: a slow machine changes nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::db::Db;
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
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
        let_arrive().await;
        for db in databases {
            // It is answered after all that was asked before.
            db.data_version().await.unwrap();
        }
    }
}

/// Waits until whatever this thread has sent over connections to itself has arrived. A system that has
/// much to do may take its time for that, while this thread goes on.
pub async fn let_arrive() {
    thread_local! {
        static WIRE: [TcpStream; 2] = wire();
    }
    // It arrives in the order in which it was sent, over this one after all others.
    WIRE.with(|[from, _]| (&*from).write_all(b"x").unwrap());
    while WIRE.with(|[_, to]| (&*to).read(&mut [0]).is_err()) {
        tokio::task::yield_now().await;
    }
}

fn wire() -> [TcpStream; 2] {
    stay_on_this_processor();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let from = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (to, _) = listener.accept().unwrap();
    from.set_nodelay(true).unwrap();
    to.set_nonblocking(true).unwrap();
    [from, to]
}

/// Each processor passes on what was sent from it, in order; two of them know no common order.
fn stay_on_this_processor() {
    let mut this = CpuSet::new();
    this.set(sched_getcpu());
    sched_setaffinity(None, &this).unwrap();
}
