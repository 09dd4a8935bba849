//! A job on a database thread, and how it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use crate::db::sql::{self, Tx};

/// A job waiting for its turn.
pub(super) trait Waiting: Send {
    /// Whether its caller is still waiting for it.
    fn is_wanted(&self) -> bool;
    /// Whether it only reads.
    fn only_reads(&self) -> bool;
    /// Cancelled when the caller of a read has gone.
    fn left(&self) -> CancellationToken;
    /// Runs it and keeps its result. `true` if that should be committed.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// Sends the result to the caller.
    fn answer(self: Box<Self>, end: End);
}

/// How a job's transaction ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// The changes are durable.
    Committed,
    /// It never began.
    NotBegun(Arc<sql::Error>),
    /// It is unknown whether it is durable.
    CommitUnknown(Arc<sql::Error>),
    /// The job panicked, and was rolled back.
    Panicked,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// It succeeded and should be committed.
    Done,
    /// It failed and is rolled back.
    Failed,
    /// It panicked and is rolled back.
    Panicked,
}

impl Ran {
    /// How it ended, if nothing else happens.
    pub(super) fn end(self) -> End {
        match self {
            Ran::Panicked => End::Panicked,
            Ran::Done | Ran::Failed => End::Committed,
        }
    }
}

/// Runs a job in the open transaction of its connection.
pub(super) fn run(connection: &Connection, job: &mut dyn Waiting) -> Ran {
    let tx = match job.only_reads() {
        true => Tx::reading(connection),
        false => Tx::on(connection),
    };
    match catch_unwind(AssertUnwindSafe(|| job.run(&tx))) {
        Ok(true) => Ran::Done,
        Ok(false) => Ran::Failed,
        Err(_) => Ran::Panicked,
    }
}

/// Executes a statement that belongs to no job.
pub(super) fn statement(connection: &Connection, sql: &str) -> sql::Result<()> {
    connection.prepare_cached(sql)?.execute(())?;
    Ok(())
}
