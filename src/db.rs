//! The database: every SQL statement of the program is in this module.
//!
//! SQLite in WAL mode with `synchronous=FULL`, one connection per process, and `BEGIN IMMEDIATE`
//! for everything that writes: a transaction that reads first and writes later under a plain
//! `BEGIN` fails under load instead of waiting.

mod adoption;
mod attempts;
mod claims;
mod occurrences;
mod open;
mod plans;
mod rows;
mod schedulers;
mod schedules;
mod settle;
mod time;
mod upgrade;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::sqlite::{Sqlite, SqlitePool};
use sqlx::{Connection, Transaction};
use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::models::{Identity, Trigger};

pub use adoption::Adopted;
pub use claims::{Claim, ClaimTerms, Job};
pub use occurrences::{HistoryFilter, OpenOccurrence};
pub use plans::{remaining, timetable};
pub use schedulers::{HeldTarget, OwnerLock, RunningScheduler};
pub use schedules::{DueSchedule, ListFilter, ScheduleUpdate};
pub use settle::Settlement;
pub use upgrade::UpgradeReport;

pub(crate) type Tx = Transaction<'static, Sqlite>;

/// An open database. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Db {
    pool: SqlitePool,
    path: Arc<PathBuf>,
    install_id: Uuid,
}

impl Db {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who this database is.
    pub fn install_id(&self) -> Uuid {
        self.install_id
    }

    /// What makes an occurrence of this database the one it is.
    fn identity(&self, uid: Uuid, trigger: Trigger, intended_at: Timestamp) -> Identity {
        Identity {
            install_id: self.install_id,
            uid,
            trigger,
            intended_at,
        }
    }

    /// Closes the database; later calls fail.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A number that changes whenever another process has written.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn data_version(&self) -> Result<i64> {
        sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&self.pool)
            .await
            .map_err(|e| self.failed("watch for changes", e))
    }

    /// Begins a transaction that may write.
    async fn begin(&self, doing: &str) -> Result<Tx> {
        self.pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|e| self.failed(doing, e))
    }

    /// Commits; `doing` says what, for the error.
    async fn commit(&self, tx: Tx, doing: &str) -> Result<()> {
        tx.commit().await.map_err(|e| self.failed(doing, e))
    }

    /// Our error for a failed statement; `doing` as in "could not …".
    fn failed(&self, doing: &str, error: sqlx::Error) -> Error {
        database_error(&self.path, doing, error)
    }

    /// Whether the connection works at all.
    ///
    /// # Errors
    /// If it doesn't.
    pub async fn ping(&self) -> Result<()> {
        let mut connection = self
            .pool
            .acquire()
            .await
            .map_err(|e| self.failed("reach it", e))?;
        connection
            .ping()
            .await
            .map_err(|e| self.failed("reach it", e))
    }
}

/// Sorts an SQLite error into our codes: what to do differs, so the code does.
fn database_error(path: &Path, doing: &str, error: sqlx::Error) -> Error {
    // Extended codes carry the primary code in their low byte (https://sqlite.org/rescode.html).
    let primary = match &error {
        sqlx::Error::Database(e) => e
            .code()
            .and_then(|c| c.parse::<i64>().ok())
            .map(|code| code & 0xff),
        _ => None,
    };
    let other = other_path(path);
    let path = path.display();
    let (code, hint) = match primary {
        Some(13) => (
            Code::DatabaseFull,
            "the disk is full: nothing was lost; free some space and do it again".to_owned(),
        ),
        Some(11 | 26) => (
            Code::DatabaseInvalid,
            "the file is not a database of promptyoself, or it is damaged: give another path, or \
             restore a backup"
                .to_owned(),
        ),
        Some(8) => (
            Code::DatabaseUnavailable,
            "the file or its folder can't be written by this user".to_owned(),
        ),
        Some(5 | 6) => (
            Code::DatabaseUnavailable,
            "another program keeps it locked: do it again in a moment".to_owned(),
        ),
        Some(10) => (
            Code::DatabaseUnavailable,
            "the disk could not be read or written (it fails, or a limit on it is reached): nothing \
             was lost; put it right and do it again"
                .to_owned(),
        ),
        _ => (
            Code::DatabaseUnavailable,
            "give a path that can be written with --db or PROMPTYOSELF_DB_PATH".to_owned(),
        ),
    };
    Error::new(code, format!("database {path}: could not {doing}: {hint}"))
        .example(match primary {
            // Another file would be another set of schedules, which no scheduler delivers.
            Some(5 | 6 | 10 | 13) => "promptyoself list".to_owned(),
            _ => other,
        })
        .caused_by(match error {
            sqlx::Error::Database(e) => e.into_error(),
            other => other.into(),
        })
}

/// The flag that names another database than the one that can't be used.
fn other_path(path: &Path) -> String {
    let usual = Path::new("./promptyoself.db");
    let is_usual = std::path::absolute(usual).is_ok_and(|usual| {
        std::path::absolute(path).is_ok_and(|path| path.components().eq(usual.components()))
    });
    match is_usual {
        true => "--db ./promptyoself-2.db".to_owned(),
        false => format!("--db {}", usual.display()),
    }
}
