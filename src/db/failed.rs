//! Why a job failed.

use super::sql;
use crate::error::Error;

/// Why a job failed by itself; nothing of it was kept.
#[derive(Debug)]
pub(super) enum Failed {
    /// A statement did.
    Statement(sql::Error),
    /// What was found there forbids it.
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
