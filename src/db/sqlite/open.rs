//! Opens a database: creates it if missing, upgrades an older one, refuses a newer one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use uuid::Uuid;

use super::connection::{Access, connect};
use super::filesystem::{create_new_private, network_file_system};
use super::migrations::{self, is_complete, migrate};
use super::upgrade;
use super::wording::worded;
use crate::clock::Clock;
use crate::db::Db;
use crate::db::engine::{Engine, JobOwner};
use crate::db::sql::{self, Tx, query};
use crate::db::sqlite::wording::{database_error, other_path};
use crate::error::{Code, Error, Result};
use crate::ids::{self, new_id};
use crate::models::UpgradeReport;
use crate::schedule::Zone;

/// How often, and how far apart, to try opening a locked file.
const CONNECT_TRIES: u32 = 100;
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

/// Completes "could not …".
pub(in crate::db) const OPEN: &str = "open it";

impl Db {
    /// The version of the tables that this program uses: that of the newest migration.
    pub fn schema() -> i64 {
        migrations::newest()
    }

    /// Opens the database at `path`: creates it (readable by this user only) if there is none, and
    /// upgrades an older one, with a backup next to it. `zone` is the time zone of schedules that
    /// have none of their own.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`], [`Code::DatabaseFull`], [`Code::DatabaseInvalid`] or
    /// [`Code::DatabaseNewer`].
    pub async fn open(
        path: &Path,
        zone: &Zone,
        now: Timestamp,
    ) -> Result<(Self, Option<UpgradeReport>)> {
        let (path, zone) = (path.to_owned(), zone.clone());
        apart(move || open(&path, zone, now)).await
    }

    /// A database whose writer is this connection.
    pub(in crate::db) fn on(path: PathBuf, zone: Zone, writer: Connection) -> Result<Self> {
        let install_id = read_install_id(&Tx::on(&writer), &path)?;
        worded(&path, OPEN, || {
            // A savepoint keeps the pages that a job changes; in a file that costs more than the
            // job.
            Ok(query("PRAGMA temp_store = MEMORY").execute(&Tx::on(&writer))?)
        })?;
        let to_read = path.clone();
        let reader = move || connect(&to_read, Access::Read);
        let engine = Engine::start(&path, writer, reader, Clock::system())
            .map_err(|e| database_error(&path, OPEN, None, e))?;
        Ok(Db {
            engine: Arc::new(engine),
            owner: JobOwner::Face,
            one_connection: false,
            path: Arc::new(path),
            install_id,
            zone,
            targets: Arc::default(),
            by: Arc::default(),
            settle_failures: Arc::default(),
        })
    }
}

/// Runs blocking work on a thread for it.
pub(in crate::db) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let ids = ids::Source::current();
    let done = tokio::task::spawn_blocking(move || ids.within(work)).await;
    done.unwrap_or_else(|e| {
        let text = "work on the database was stopped by an internal error";
        Err(Error::new(Code::Internal, text).caused_by(e))
    })
}

fn open(path: &Path, zone: Zone, now: Timestamp) -> Result<(Db, Option<UpgradeReport>)> {
    let path = absolute(path)?;
    create_private(&path)?;
    // The lock files are next to the file itself, whatever link leads to it.
    let path = std::fs::canonicalize(&path).map_err(|e| unusable(&path, "find", e))?;
    let is_new = std::fs::metadata(&path).is_ok_and(|file| file.len() == 0);
    let access = match is_new {
        true => Access::Make,
        false => Access::Write,
    };
    let writer = worded(&path, OPEN, || Ok(connect_in_time(&path, access)?))?;
    let report = match is_current(&Tx::on(&writer), &path)? {
        true => None,
        false => bring_up_to_date(&writer, &path, now)?,
    };
    if !is_new {
        use_wal(&writer);
    }
    if let Some(kind) = network_file_system(&path) {
        tracing::warn!(
            "the database {} lies on a network file system ({kind}), where locks can't be relied \
             on: keep it on a disk of this machine",
            path.display()
        );
    }
    Ok((Db::on(path, zone, writer)?, report))
}

/// Whether there is nothing to migrate or take over. It needs no lock, so that opening a database
/// never waits for writers.
pub(in crate::db) fn is_current(tx: &Tx<'_>, path: &Path) -> Result<bool> {
    let complete = worded(path, "read the version", || is_complete(tx, path))?;
    Ok(complete && upgrade::look(tx, path)?.is_empty())
}

/// Creates our tables and takes over those of older programs, all in one transaction: if anything
/// interrupts it, the database is as it was. If several processes start together, one of them does
/// it.
fn bring_up_to_date(
    connection: &Connection,
    path: &Path,
    now: Timestamp,
) -> Result<Option<UpgradeReport>> {
    let mut backup = None;
    let done = worded(path, "bring the tables up to date", || {
        let all = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
            .map_err(sql::Error::from)?;
        let tx = &Tx::on(&all);
        let legacy = upgrade::look(tx, path)?;
        if !legacy.is_empty() {
            backup = Some(upgrade::back_up(path, now)?);
        }
        upgrade::set_aside(tx, legacy)?;
        migrate(tx, path, now)?;
        let report = upgrade::bring_over(tx, legacy, now)?;
        all.commit().map_err(sql::Error::from)?;
        Ok(report)
    });
    match (done, backup) {
        (Ok(report), Some(backup)) => Ok(Some(UpgradeReport {
            backup: Some(backup),
            ..report
        })),
        (Ok(_), None) => Ok(None),
        (Err(e), backup) => {
            if let Some(backup) = backup {
                let _ = std::fs::remove_file(backup);
            }
            Err(e)
        }
    }
}

/// Connects. While another process switches a new file to the write-ahead log, or removes the log
/// as the last one to close it, SQLite answers "locked" at once instead of waiting, so we wait.
fn connect_in_time(path: &Path, access: Access) -> sql::Result<Connection> {
    let mut tries = 1;
    loop {
        match connect(path, access) {
            Err(e) if tries < CONNECT_TRIES && e.is_busy() => {
                tries += 1;
                std::thread::sleep(CONNECT_PAUSE);
            }
            connected => return connected,
        }
    }
}

/// Switches an older file to the write-ahead log. Only once it is known to be ours, because this
/// changes the file, and a file that is refused must stay as it is. While another program has it
/// open it can't be switched; then it works as it is, and the next one to open it tries again.
fn use_wal(connection: &Connection) {
    if let Err(e) = connection.execute_batch("PRAGMA journal_mode = WAL") {
        tracing::debug!("the database stays without a write-ahead log for now: {e}");
    }
}

fn read_install_id(tx: &Tx<'_>, path: &Path) -> Result<Uuid> {
    let stored = worded(path, "read its identity", || Ok(fetch_install_id(tx)?))?;
    stored.parse().map_err(|e: uuid::Error| {
        Error::new(
            Code::DatabaseInvalid,
            format!(
                "the database {} has a damaged identity {stored:?}",
                path.display()
            ),
        )
        .caused_by(e)
    })
}

fn fetch_install_id(tx: &Tx<'_>) -> sql::Result<String> {
    let read = "SELECT install_id FROM install";
    if let Some(stored) = query(read).optional(tx)? {
        return Ok(stored);
    }
    // Two processes may create the database at the same time: the first one's id stays.
    query("INSERT OR IGNORE INTO install (only_row, install_id) VALUES (1, $1)")
        .bind(new_id().to_string())
        .execute(tx)?;
    query(read).one(tx)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| unusable(path, "find", e))
}

/// Creates the file with mode 0600 if it does not exist, so that SQLite never creates it with more.
fn create_private(path: &Path) -> Result<()> {
    match create_new_private(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(unusable(path, "create", e)),
    }
}

fn unusable(path: &Path, doing: &str, error: std::io::Error) -> Error {
    Error::new(
        Code::DatabaseUnavailable,
        format!(
            "could not {doing} the database {}: give a path in an existing, writable folder",
            path.display()
        ),
    )
    .example(other_path(path))
    .caused_by(error)
}
