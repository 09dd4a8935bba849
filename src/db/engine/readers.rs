//! Connections that only read, each with a thread of its own: no page makes a claim wait. They are
//! opened when they are first needed, so that a short command pays for one at most. Where others
//! want the processor too, reading waits: it can take seconds, and a prompt is due now.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::job::{End, Ran, Waiting, run, statement};
use crate::db::sql;

/// How many read at once.
const MOST: usize = 2;

/// How a connection is opened.
type Open = Box<dyn Fn() -> sql::Result<Connection> + Send + Sync>;

/// The readers of one file.
pub(super) struct Readers {
    open: Open,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Box<dyn Waiting>>,
    threads: Vec<JoinHandle<()>>,
    /// How many threads wait for a job.
    idle: usize,
    is_closed: bool,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

impl Readers {
    /// Readers whose connections are opened like this.
    pub(super) fn new(open: Open) -> Arc<Self> {
        Arc::new(Readers {
            open,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Hands a job to whoever is free first. `false` if they have ended.
    pub(super) fn add(self: &Arc<Self>, job: Box<dyn Waiting>) -> bool {
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        state.waiting.push_back(job);
        if state.waiting.len() > state.idle && state.threads.len() < MOST {
            let readers = self.clone();
            let thread = std::thread::Builder::new().name("reads".to_owned());
            match thread.spawn(move || readers.work()) {
                Ok(thread) => state.threads.push(thread),
                // Those that there are do it.
                Err(e) => tracing::warn!("a thread for reading could not be started: {e}"),
            }
            if state.threads.is_empty() {
                state.waiting.clear();
                return false;
            }
        }
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Ends the threads once what waits is done.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// The threads, to be waited for.
    pub(super) fn take_threads(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.state().threads)
    }

    fn work(&self) {
        yield_to_others();
        let mut connection = None;
        while let Some(job) = self.next() {
            match connection.take().map_or_else(|| (self.open)(), Ok) {
                Ok(open) => read(connection.insert(open), job),
                Err(e) => job.answer(End::NotBegun(Arc::new(e))),
            }
        }
    }

    /// The next job, once there is one; `None` if there will be none.
    fn next(&self) -> Option<Box<dyn Waiting>> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                return Some(job);
            }
            if state.is_closed {
                return None;
            }
            state.idle += 1;
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// A panic elsewhere leaves it whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much less urgent than the rest of the process a thread that reads is: where there are too
/// few processors it gets a tenth of what the others get.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lets other threads go before this one. Elsewhere than on Linux that is for whole processes only.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(e) = rustix::process::nice(NICE) {
        tracing::debug!("reading is as urgent as the rest: {e}");
    }
}

/// After so many steps of SQLite it is looked whether anybody still waits for a reading.
const STEPS: i32 = 10_000;

/// Reads in one snapshot, and answers.
pub(super) fn read(connection: &Connection, mut job: Box<dyn Waiting>) {
    if !job.is_wanted() {
        return;
    }
    match in_snapshot(connection, job.as_mut()) {
        Ok(ran) => job.answer(ran.end()),
        Err(e) => job.answer(End::NotBegun(Arc::new(e))),
    }
}

fn in_snapshot(connection: &Connection, job: &mut dyn Waiting) -> sql::Result<Ran> {
    let left = job.left();
    connection.progress_handler(STEPS, Some(move || left.is_cancelled()))?;
    statement(connection, "BEGIN")?;
    let ran = run(connection, job);
    if !connection.is_autocommit()
        && let Err(e) = statement(connection, "ROLLBACK")
    {
        tracing::error!("a snapshot could not be given up: {e}");
    }
    connection.progress_handler(0, None::<fn() -> bool>)?;
    Ok(ran)
}
