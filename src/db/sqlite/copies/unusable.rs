//! Errors of files that a copy needs.

use std::path::Path;

use crate::error::{Code, Error, shell};

/// The error of a file or folder that a copy needs and that can't be used.
pub(super) fn unusable(path: &Path, doing: &str, error: std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            ": the file already exists and is not overwritten; give another name"
        }
        std::io::ErrorKind::NotFound => ": there is no such file or folder",
        _ => "",
    };
    Error::new(
        Code::FileUnusable,
        format!("could not {doing} {}{hint}", path.display()),
    )
    .example(shell("promptyoself backup promptyoself-backup.db"))
    .caused_by(error)
}
