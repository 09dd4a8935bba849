//! Whose fault it is that a claim fails: its own row's, or the database's.

use super::Db;
use crate::error::Error;

/// Why a claim could not be made. Nothing has changed.
pub(super) enum Fault {
    /// What it needs can't be read, and never will be: why.
    Row(String),
    /// A statement failed.
    Statement(sql::Error),
    /// The transaction could not be begun or committed.
    Transaction(Error),
}

impl Fault {
    /// What it needs can't be read.
    pub(super) fn of_row(error: &Error) -> Self {
        Fault::Row(error.chain())
    }
}

impl From<sql::Error> for Fault {
    fn from(error: sql::Error) -> Self {
        match error {
            sql::Error::ColumnDecode { .. } | sql::Error::Decode(_) => {
                Fault::Row(error.to_string())
            }
            error => Fault::Statement(error),
        }
    }
}

impl Db {
    /// The error of a statement, and whether the database as such works: then it is what this
    /// statement would have written that it refuses.
    pub(super) fn refused(&self, doing: &str, error: sql::Error) -> (Error, bool) {
        let code = error.as_database_error().and_then(|e| e.code());
        let primary = code.and_then(|c| c.parse::<i64>().ok()).map(|c| c & 0xff);
        // An error of its own, too big, a constraint, another type, out of range
        // (https://sqlite.org/rescode.html). All others concern the file, the disk or the lock.
        let is_own = matches!(primary, Some(1 | 18 | 19 | 20 | 25));
        (self.failed(doing, error), is_own)
    }
}
