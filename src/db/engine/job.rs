//! A job on a database thread, and how it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use crate::db::sql::{self, Tx};

/// A job that waits for its turn.
pub(super) trait Waiting: Send {
    /// Whether anybody still waits for it.
    fn is_wanted(&self) -> bool;
    /// Whether it changes nothing.
    fn only_reads(&self) -> bool;
    /// Cancelled once the caller of a reading has left.
    fn left(&self) -> CancellationToken;
    /// Does it, and keeps its result. `true` if that is to be committed.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// Tells its result.
    fn answer(self: Box<Self>, end: End);
}

/// How a job's transaction ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// What succeeded is durable.
    Committed,
    /// It was never begun.
    NotBegun(Arc<sql::Error>),
    /// Nobody knows whether it is durable.
    CommitUnknown(Arc<sql::Error>),
    /// The job panicked, and was rolled back.
    Panicked,
}

/// What a job came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// It is done, and to be committed.
    Done,
    /// It failed, and is rolled back.
    Failed,
    /// It panicked, and is rolled back.
    Panicked,
}

impl Ran {
    /// What is told of it, once that is all.
    pub(super) fn end(self) -> End {
        match self {
            Ran::Panicked => End::Panicked,
            Ran::Done | Ran::Failed => End::Committed,
        }
    }
}

/// Runs a job in the transaction that its connection has open.
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

/// Carries out a statement that is no job's.
pub(super) fn statement(connection: &Connection, sql: &str) -> sql::Result<()> {
    connection.prepare_cached(sql)?.execute(())?;
    Ok(())
}
