//! Why a job failed.

use super::sql;
use crate::error::Error;

/// Why a job failed; it was rolled back.
#[derive(Debug)]
pub(super) enum Failed {
    /// A statement failed.
    Statement(sql::Error),
    /// What it found forbids it.
    Told(Error),
}

impl From<sql::Error> for Failed {
    fn from(error: sql::Error) -> Self {
        Failed::Statement(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Told(error)
    }
}
