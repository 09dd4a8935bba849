//! Connections that only read, each with a thread of its own, so that no page delays a claim. They
//! are opened when first needed, so that a short command opens at most one. On Linux these threads
//! have a lower priority: a read can take seconds, but a prompt is due now.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::job::{End, Ran, Waiting, run, statement};
use crate::db::sql;

/// How many there are at most.
const MOST: usize = 2;

/// Opens a connection.
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
    /// How many threads are waiting for a job.
    idle: usize,
    is_closed: bool,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

impl Readers {
    /// Readers whose connections are opened by this function.
    pub(super) fn new(open: Open) -> Arc<Self> {
        Arc::new(Readers {
            open,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Hands a job to the first free reader. `false` if they have stopped.
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
                // The existing ones do it.
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

    /// Stops the threads when all waiting jobs are done.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// The threads, to wait for.
    pub(super) fn take_threads(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.state().threads)
    }

    fn work(&self) {
        lower_priority();
        let mut connection = None;
        while let Some(job) = self.next() {
            match connection.take().map_or_else(|| (self.open)(), Ok) {
                Ok(open) => read(connection.insert(open), job),
                Err(e) => job.answer(End::NotBegun(Arc::new(e))),
            }
        }
    }

    /// Waits for the next job; `None` if there will be no more.
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

    /// A panic elsewhere leaves the state intact.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much is added to the nice value of a thread that reads. With 10, it gets about a tenth of the
/// processor time of a thread that competes with it.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lowers the priority of this thread. Only Linux can do that for a single thread.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(e) = rustix::process::nice(NICE) {
        tracing::debug!("a thread that reads keeps its priority: {e}");
    }
}

/// How many steps of SQLite pass between checks whether the caller of a read is still waiting.
const STEPS: i32 = 10_000;

/// Runs a job in one snapshot, and answers.
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
