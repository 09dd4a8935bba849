//! Runs jobs on the database's threads, and turns their failures into our errors.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Db;
use super::engine::{Failure, JobOwner, Subscription, Topic};
use super::failed::Failed;
use super::sql::{self, Tx};
use crate::db::sqlite::wording::database_error;
use crate::error::{Code, Error, Result};

impl Db {
    /// A handle for a scheduler, whose jobs go before all others.
    pub fn for_scheduler(&self) -> Db {
        static SCHEDULERS: AtomicU64 = AtomicU64::new(0);
        Db {
            owner: JobOwner::Scheduler(SCHEDULERS.fetch_add(1, Ordering::Relaxed)),
            ..self.clone()
        }
    }

    /// A handle for a process that uses the database alone: opening a second connection would take
    /// longer than waiting for the first.
    pub fn with_one_connection(&self) -> Db {
        Db {
            one_connection: true,
            ..self.clone()
        }
    }

    /// Subscribes to commits from now on. A scheduler isn't notified of its own changes.
    pub fn subscribe(&self, topic: Topic) -> Subscription {
        self.engine.subscribe(topic, self.owner)
    }

    /// Notifies every subscriber, because another program has written.
    pub fn notify_all(&self) {
        self.engine.notify_all();
    }

    /// Runs a transaction; `doing` completes "could not …". The job may run more than once, and
    /// must have no effects other than on the database.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        job: impl FnMut(&Tx<'_>) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T> {
        let job = self.knowing_targets(job);
        let written = self.engine.write(self.owner, job).await;
        written.map_err(|failure| self.to_error(doing, failure))
    }

    /// Reads one snapshot. A scheduler's reads don't wait for other readers, and others' reads
    /// don't wait for writers.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        job: impl FnMut(&Tx<'_>) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T> {
        if self.one_connection || self.owner != JobOwner::Face {
            return self.read_by_writer(doing, job).await;
        }
        let read = self.engine.read(self.knowing_targets(job)).await;
        read.map_err(|failure| self.to_error(doing, failure))
    }

    /// Reads through the connection that writes.
    pub(super) async fn read_by_writer<T: Send + 'static>(
        &self,
        doing: &'static str,
        job: impl FnMut(&Tx<'_>) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T> {
        let job = self.knowing_targets(job);
        let read = self.engine.read_by_writer(self.owner, job).await;
        read.map_err(|failure| self.to_error(doing, failure))
    }

    /// A job that knows what the settings say about targets.
    pub(super) fn knowing_targets<T, E>(
        &self,
        mut job: impl FnMut(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> impl FnMut(&Tx<'_>) -> Result<T, E> + Send + 'static {
        let targets = self.targets.clone();
        move |tx| job(&tx.knowing(&targets))
    }

    /// Our error for a job without a result.
    fn to_error(&self, doing: &'static str, failure: Failure<Failed>) -> Error {
        match failure {
            Failure::Job(Failed::Told(error)) => error,
            Failure::Job(Failed::Statement(e)) => self.failed(doing, e),
            other => self.broken_off(doing, other),
        }
    }

    /// Our error for a job whose transaction failed.
    pub(super) fn broken_off<E>(&self, doing: &str, failure: Failure<E>) -> Error {
        let path = self.path.display();
        match failure {
            Failure::NotBegun(e) => {
                let code = e.code();
                database_error(&self.path, doing, code, e)
            }
            Failure::CommitUnknown(e) => {
                let code = e.code();
                let error = database_error(&self.path, doing, code, e);
                error.hint("; it is unknown whether this was done")
            }
            Failure::Full => Error::new(
                Code::DatabaseUnavailable,
                format!("could not {doing}: too many changes are waiting for the database {path}"),
            ),
            Failure::Closed => Error::new(
                Code::DatabaseUnavailable,
                format!("could not {doing}: the database {path} is closed"),
            ),
            Failure::Panicked | Failure::Job(_) => Error::new(
                Code::Internal,
                format!("could not {doing}: stopped by an internal error"),
            ),
        }
    }

    /// Our error for a statement that failed; `doing` completes "could not …".
    pub(super) fn failed(&self, doing: &str, error: sql::Error) -> Error {
        if let sql::Error::OnlyReads(_) = error {
            let text = format!("could not {doing}: stopped by an internal error");
            return Error::new(Code::Internal, text).caused_by(error);
        }
        let code = error.code();
        database_error(&self.path, doing, code, error)
    }
}
