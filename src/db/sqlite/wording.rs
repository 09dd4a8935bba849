//! Words for what fails outside of the database's threads.

use std::path::Path;

use crate::db::database_error;
use crate::db::jobs::Failed;
use crate::error::Result;

/// Does something. Where a statement of it fails, that is told as an error of `doing`, as in "could
/// not …".
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
