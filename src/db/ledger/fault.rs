//! Whether a claim failed because of its own row or because of the database.

use crate::db::Db;
use crate::db::engine::Failure;
use crate::db::sql::{self, Tx};
use crate::error::Error;

/// Why a claim could not be made. Nothing has changed.
pub(in crate::db) enum Fault {
    /// The row can't be read, and never will be, for this reason.
    Row(String),
    /// A statement failed.
    Statement(sql::Error),
    /// The transaction could not be begun or committed.
    Transaction(Error),
}

impl Fault {
    /// The row can't be read.
    pub(in crate::db) fn of_row(error: &Error) -> Self {
        Fault::Row(error.chain())
    }
}

impl From<sql::Error> for Fault {
    fn from(error: sql::Error) -> Self {
        match error {
            sql::Error::Unreadable { .. } => Fault::Row(error.to_string()),
            error => Fault::Statement(error),
        }
    }
}

impl Db {
    /// Runs the transaction of a claim.
    pub(in crate::db) async fn claim<T: Send + 'static>(
        &self,
        doing: &str,
        job: impl FnMut(&Tx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        match self
            .engine
            .write(self.owner, self.knowing_targets(job))
            .await
        {
            Ok(claimed) => Ok(claimed),
            Err(Failure::Job(fault)) => Err(fault),
            Err(other) => Err(Fault::Transaction(self.broken_off(doing, other))),
        }
    }

    /// The error of a statement, and whether the database itself works: then it refuses what this
    /// statement would have written.
    pub(in crate::db) fn refused(&self, doing: &str, error: sql::Error) -> (Error, bool) {
        let primary = error.code().map(|code| code & 0xff);
        // A generic error, too big, a constraint, a type mismatch, out of range
        // (https://sqlite.org/rescode.html). All others are about the file, the disk or the lock.
        let is_own = matches!(primary, Some(1 | 18 | 19 | 20 | 25));
        (self.failed(doing, error), is_own)
    }
}
