//! Connections that only read, each with a thread of its own: no page makes a claim wait.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::batch::{End, Waiting};
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

/// Reads in one snapshot, and answers.
pub(super) fn read(connection: &Connection, mut job: Box<dyn Waiting>) {
    if !job.is_wanted() {
        return;
    }
    let statement = |sql: &str| -> sql::Result<()> {
        connection.prepare_cached(sql)?.execute(())?;
        Ok(())
    };
    if let Err(e) = statement("BEGIN") {
        job.answer(End::NotBegun(Arc::new(e)));
        return;
    }
    let ran = super::batch::run(connection, job.as_mut());
    if !connection.is_autocommit()
        && let Err(e) = statement("ROLLBACK")
    {
        tracing::error!("a snapshot could not be given up: {e}");
    }
    job.answer(ran.end());
}
