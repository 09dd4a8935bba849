//! Connections that only read, each with a thread of its own: no page makes a claim wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::batch::{End, Ran, Waiting, run, statement};
use crate::db::sql;

/// The readers. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Readers {
    to: Mutex<Option<mpsc::Sender<Box<dyn Waiting>>>>,
}

impl Readers {
    /// Starts a thread for each connection.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(super) fn start(
        connections: Vec<Connection>,
    ) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (to, from) = mpsc::channel::<Box<dyn Waiting>>();
        let from = Arc::new(Mutex::new(from));
        let mut threads = Vec::with_capacity(connections.len());
        for connection in connections {
            let from = from.clone();
            let thread = std::thread::Builder::new()
                .name("reads".to_owned())
                .spawn(move || {
                    loop {
                        let next = from.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        match next {
                            Ok(job) => read(&connection, job),
                            Err(_) => return,
                        }
                    }
                })?;
            threads.push(thread);
        }
        let readers = Readers {
            to: Mutex::new(Some(to)),
        };
        Ok((readers, threads))
    }

    /// Hands a job to whoever is free first. `false` if they have ended.
    pub(super) fn add(&self, job: Box<dyn Waiting>) -> bool {
        let to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        to.as_ref().is_some_and(|to| to.send(job).is_ok())
    }

    /// Ends the threads once what waits is done.
    pub(super) fn close(&self) {
        self.to
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

/// Whether the caller of a reading has left.
#[derive(Debug, Default)]
pub(super) struct Leash(AtomicBool);

impl Leash {
    /// The caller, who leaves when this is dropped.
    pub(super) fn held(self: &Arc<Self>) -> Held {
        Held(self.clone())
    }
}

/// A caller who waits for a reading.
pub(super) struct Held(Arc<Leash>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
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
    let leash = job.leash();
    let has_left = move || leash.0.load(Ordering::Relaxed);
    connection.progress_handler(STEPS, Some(has_left))?;
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
