//! Whose fault it is that a claim fails: its own row's, or the database's.

use crate::db::Db;
use crate::db::engine::Failure;
use crate::db::sql::{self, Tx};
use crate::error::Error;

/// Why a claim could not be made. Nothing has changed.
pub(in crate::db) enum Fault {
    /// What it needs can't be read, and never will be: why.
    Row(String),
    /// A statement failed.
    Statement(sql::Error),
    /// The transaction could not be begun or committed.
    Transaction(Error),
}

impl Fault {
    /// What it needs can't be read.
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
    /// Carries out the transaction of a claim.
    pub(in crate::db) async fn claim<T: Send + 'static>(
        &self,
        doing: &str,
        job: impl FnMut(&Tx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        match self.engine.write(self.whose, job).await {
            Ok(claimed) => Ok(claimed),
            Err(Failure::Job(fault)) => Err(fault),
            Err(other) => Err(Fault::Transaction(self.broken_off(doing, other))),
        }
    }

    /// The error of a statement, and whether the database as such works: then it is what this
    /// statement would have written that it refuses.
    pub(in crate::db) fn refused(&self, doing: &str, error: sql::Error) -> (Error, bool) {
        let primary = error.code().map(|code| code & 0xff);
        // An error of its own, too big, a constraint, another type, out of range
        // (https://sqlite.org/rescode.html). All others concern the file, the disk or the lock.
        let is_own = matches!(primary, Some(1 | 18 | 19 | 20 | 25));
        (self.failed(doing, error), is_own)
    }
}
