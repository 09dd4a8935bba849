//! The wording of SQLite's errors.

use std::path::Path;

use crate::db::failed::Failed;
use crate::error::{Code, Error, Example, Result, call, shell};

/// Runs something. If one of its statements fails, the error says what was being done; `doing`
/// completes "could not …".
pub(in crate::db) fn worded<T>(
    path: &Path,
    doing: &str,
    work: impl FnOnce() -> Result<T, Failed>,
) -> Result<T> {
    work().map_err(|failed| match failed {
        Failed::Told(error) => error,
        Failed::Statement(e) => {
            let code = e.code();
            database_error(path, doing, code, e)
        }
    })
}

/// SQLite's codes for a full disk: `SQLITE_FULL`, and `SQLITE_IOERR_SHMSIZE` if not even the index
/// of the log fits.
const FULL: [i32; 2] = [13, 4874];

/// Maps an SQLite error to one of our codes, because what to do differs. `extended` is SQLite's
/// result code, if it is SQLite's error.
pub(in crate::db) fn database_error(
    path: &Path,
    doing: &str,
    extended: Option<i32>,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let other = other_path(path);
    let path = path.display();
    // The primary code is in the low byte (https://sqlite.org/rescode.html).
    let primary = extended.map(|code| code & 0xff);
    let (code, hint) = match primary {
        _ if extended.is_some_and(|code| FULL.contains(&code)) => (
            Code::DatabaseFull,
            "the disk is full: nothing was lost; free some space and try again",
        ),
        // 1 is a statement that doesn't fit the tables: they are not ours.
        Some(1 | 11 | 26) => (
            Code::DatabaseInvalid,
            "the file is not a promptyoself database, or it is damaged: give another path, or \
             restore a backup",
        ),
        Some(8) => (
            Code::DatabaseUnavailable,
            "the file or its folder can't be written by this user",
        ),
        Some(5 | 6) => (
            Code::DatabaseUnavailable,
            "another program has it locked: try again in a moment",
        ),
        Some(10) => (
            Code::DatabaseUnavailable,
            "the disk could not be read or written (it fails, or a limit on it is reached): \
             nothing was lost; fix it and try again",
        ),
        _ => (
            Code::DatabaseUnavailable,
            "give a writable path with --db or PROMPTYOSELF_DB_PATH",
        ),
    };
    let error =
        Error::new(code, format!("database {path}: could not {doing}: {hint}")).caused_by(error);
    match primary {
        // Another file would have other schedules, which no scheduler delivers.
        Some(5 | 6 | 10 | 13) => error.example(call("list")),
        _ => error.example(other),
    }
}

/// The flag for another database than the unusable one.
pub(in crate::db) fn other_path(path: &Path) -> Example {
    let usual = Path::new("./promptyoself.db");
    let is_usual = std::path::absolute(usual).is_ok_and(|usual| {
        std::path::absolute(path).is_ok_and(|path| path.components().eq(usual.components()))
    });
    match is_usual {
        true => shell("--db ./promptyoself-2.db").into(),
        false => shell(format!("--db {}", usual.display())).into(),
    }
}
