//! The process that stays with the turns at an App Server when the one that began them is gone.

use std::io::{BufRead, Write};
use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::sync::mpsc;

use super::signals::stopped_by_sigterm;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::letta_client::{self, ObserverProgram};

/// The argument that makes this program an observer. It is not for people.
pub(crate) const COMMAND: &str = "observe-turns";

/// Programs that start another one in a container and end with it.
#[cfg(unix)]
const CONTAINER_INITS: [&str; 4] = ["tini", "docker-init", "dumb-init", "catatonit"];

/// How many orders are read ahead.
const ORDERS: usize = 64;

/// This program as an observer; none where it could not outlive this process.
pub(super) fn own_observer() -> Option<ObserverProgram> {
    if ends_with_container() {
        return None;
    }
    let path = std::env::current_exe().ok()?;
    // On Linux an upgrade may have removed the file, and this still leads to it.
    let path = match path.exists() {
        true => path,
        false => "/proc/self/exe".into(),
    };
    let argument = COMMAND;
    Some(ObserverProgram { path, argument })
}

/// Whether everything in this container ends when this process does, because the kernel kills all
/// processes of a container when its first one ends.
fn ends_with_container() -> bool {
    #[cfg(unix)]
    {
        let of_container = || {
            let first = std::fs::read_to_string("/proc/1/comm").unwrap_or_default();
            CONTAINER_INITS.contains(&first.trim())
        };
        let is_first = |pid: rustix::process::Pid| pid.is_init();
        is_first(rustix::process::getpid())
            || rustix::process::getppid().is_some_and(is_first) && of_container()
    }
    #[cfg(not(unix))]
    false
}

/// Observes until there is nothing left to observe.
pub(crate) fn observe() -> Result<()> {
    // In a session of its own, so that no terminal and no signal to a group ends it. That fails only
    // if it has one already.
    #[cfg(unix)]
    let _ = rustix::process::setsid();
    let failed = |e| Error::new(Code::Internal, "could not start to observe").caused_by(e);
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(failed)?.block_on(async {
        #[cfg(unix)]
        let stop = stopped_by_sigterm().map_err(failed)?;
        #[cfg(not(unix))]
        let stop = super::signals::stopped_by_signal()?;
        let (sender, orders) = mpsc::channel(ORDERS);
        // Its reads can't be interrupted, and the process doesn't wait for this thread at its end.
        std::thread::spawn(move || {
            let lines = std::io::stdin().lock().lines();
            for line in lines.map_while(std::result::Result::ok) {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        let answer = |line: &str| {
            let mut stdout = std::io::stdout().lock();
            // Whoever asked may be gone.
            let _ = stdout
                .write_all(line.as_bytes())
                .and_then(|()| stdout.flush());
        };
        letta_client::observe(orders, Arc::new(answer), stop, Clock::system()).await
    })
}
