//! Errors of statements.

use rusqlite::ErrorCode;

/// The result of a statement.
pub(in crate::db) type Result<T> = std::result::Result<T, Error>;

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::db) enum Error {
    /// SQLite refused it.
    #[error("{}", sqlite_message(.0))]
    Sqlite(rusqlite::Error),
    /// A column has unreadable content.
    #[error("the column {column} can't be read: {problem}")]
    Unreadable {
        /// The column.
        column: String,
        /// What is wrong with its content.
        problem: String,
    },
    /// The value can't be serialised.
    #[error("what is to be stored can't be written: {0}")]
    Unwritable(serde_json::Error),
    /// The number of values differs from the number of places, which is an internal error.
    #[error(
        "a statement with {places} places was given {values} values, or its places aren't $1 to \
         the last one"
    )]
    Misfit {
        /// How many places it has.
        places: usize,
        /// How many values it was given.
        values: usize,
    },
    /// A row that must exist is missing.
    #[error("no row was found where there must be one")]
    NoRow,
    /// A lock was requested in a transaction that only reads.
    #[error("{0} can't be locked in a transaction that only reads")]
    OnlyReads(String),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::Sqlite(error)
    }
}

/// SQLite's message, with its result code.
fn sqlite_message(error: &rusqlite::Error) -> String {
    use rusqlite::Error::{SqlInputError, SqliteFailure};
    match error {
        // The path is in our own message.
        SqliteFailure(e, Some(text)) if e.code == ErrorCode::CannotOpen => {
            let text = text.split(':').next().unwrap_or_default();
            format!("(code: {}) {text}", e.extended_code)
        }
        SqliteFailure(e, Some(text)) => format!("(code: {}) {text}", e.extended_code),
        SqlInputError { error, msg, .. } => format!("(code: {}) {msg}", error.extended_code),
        other => other.to_string(),
    }
}

impl Error {
    /// SQLite's extended result code (<https://sqlite.org/rescode.html>), if it is SQLite's error.
    pub(in crate::db) fn code(&self) -> Option<i32> {
        match self {
            Error::Sqlite(rusqlite::Error::SqliteFailure(e, _)) => Some(e.extended_code),
            Error::Sqlite(rusqlite::Error::SqlInputError { error, .. }) => {
                Some(error.extended_code)
            }
            _ => None,
        }
    }

    /// Whether another program has the file locked.
    pub(in crate::db) fn is_busy(&self) -> bool {
        self.code().is_some_and(|code| code & 0xff == 5)
    }
}
