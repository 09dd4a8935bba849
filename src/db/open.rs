//! Opening a database: made if absent, upgraded if older, refused if newer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::filesystem::{create_new_private, network_file_system};
use super::{Db, UpgradeReport, database_error, other_path, upgrade};
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::ids::new_id;
use crate::schedule::Zone;

static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// How often, and how far apart, it is tried to open a file that is locked.
const CONNECT_TRIES: u32 = 100;
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

/// How long a statement waits for another process's transaction.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

impl Db {
    /// The version of the tables that this program keeps: that of the newest migration.
    pub fn schema() -> i64 {
        MIGRATOR.iter().map(|m| m.version).max().unwrap_or(0)
    }

    /// Opens the database at `path`: makes it (readable by this user only) if there is none, and
    /// brings an older one up to date, with a backup beside it. `zone` is the zone of schedules
    /// that have none of their own.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`], [`Code::DatabaseFull`], [`Code::DatabaseInvalid`] or
    /// [`Code::DatabaseNewer`].
    pub async fn open(
        path: &Path,
        zone: &Zone,
        now: Timestamp,
    ) -> Result<(Self, Option<UpgradeReport>)> {
        let path = absolute(path)?;
        create_private(&path)?;
        // The lock files are beside the file itself, whatever link leads to it.
        let path = std::fs::canonicalize(&path).map_err(|e| unusable(&path, "find", e))?;
        let is_new = std::fs::metadata(&path).is_ok_and(|file| file.len() == 0);
        let mut options = SqliteConnectOptions::new()
            .filename(&path)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is overwritten, so that no purged text stays in the file.
            .pragma("secure_delete", "ON")
            .busy_timeout(BUSY_TIMEOUT)
            .optimize_on_close(false, None);
        if is_new {
            options = options.journal_mode(SqliteJournalMode::Wal);
        }
        let pool = connect(&options)
            .await
            .map_err(|e| database_error(&path, "open it", e))?;

        let report = if is_current(&pool, &path).await? {
            None
        } else {
            bring_up_to_date(&pool, &options, &path, now).await?
        };
        if !is_new {
            use_wal(&pool).await;
        }
        let install_id = read_install_id(&pool, &path).await?;
        if let Some(kind) = network_file_system(&path) {
            tracing::warn!(
                "the database {} lies on a network file system ({kind}), where locks can't be relied \
                 on: keep it on a disk of this machine",
                path.display()
            );
        }
        let db = Db {
            pool,
            path: Arc::new(path),
            install_id,
            zone: zone.clone(),
            outbox_changed: Arc::default(),
            by: Arc::default(),
            settle_failures: Arc::default(),
        };
        Ok((db, report))
    }
}

/// Whether there is nothing to migrate or bring over. It needs no lock, so that opening a database
/// never waits for whoever writes in it.
pub(super) async fn is_current(pool: &SqlitePool, path: &Path) -> Result<bool> {
    let failed = |e| database_error(path, "read the version", e);
    let mut connection = pool.acquire().await.map_err(failed)?;
    let migrated: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?;
    if migrated.is_none() {
        return Ok(false);
    }
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
    let ours = MIGRATOR.iter().map(|m| (m.version, m.checksum.to_vec()));
    Ok(ours.eq(applied) && upgrade::look(&mut connection, path).await?.is_empty())
}

/// Makes our tables and brings those of older programs over, all in one transaction: whatever
/// stops it, the database is then as it was. Of several processes that start together one does it.
async fn bring_up_to_date(
    pool: &SqlitePool,
    options: &SqliteConnectOptions,
    path: &Path,
    now: Timestamp,
) -> Result<Option<UpgradeReport>> {
    let failed = |e| database_error(path, "bring the tables up to date", e);
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let legacy = upgrade::look(&mut tx, path).await?;
    let backup = if legacy.is_empty() {
        None
    } else {
        Some(upgrade::back_up(options, path, now).await?)
    };
    let done = async {
        upgrade::set_aside(&mut tx, legacy).await.map_err(failed)?;
        migrate(&mut tx, path).await?;
        let report = upgrade::bring_over(&mut tx, legacy, now)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(report)
    };
    match (done.await, backup) {
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

pub(super) async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    MIGRATOR
        .run_direct(None, connection, false)
        .await
        .map_err(|e| {
            match e {
        MigrateError::VersionMissing(version) => Error::new(
            Code::DatabaseNewer,
            format!(
                "the database {} was written by a newer promptyoself (its migration {version} is \
                 unknown to this version {}): upgrade this program, or give another path",
                path.display(),
                env!("CARGO_PKG_VERSION"),
            ),
        )
        .example(other_path(path)),
        MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => {
            database_error(path, "bring the tables up to date", e)
        }
        other => Error::new(
            Code::DatabaseInvalid,
            format!(
                "could not bring the tables up to date in the database {}: they are not those of \
                 promptyoself; give another path",
                path.display()
            ),
        )
        .example(other_path(path))
        .caused_by(other),
    }
        })
}

/// Connects. While another process turns a new file to the write-ahead log, or puts the log away as
/// the last one to close it, SQLite answers "locked" at once instead of waiting: so we wait.
async fn connect(options: &SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let clock = Clock::system();
    let mut tries = 1;
    loop {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            // The one connection lives as long as the process: `data_version` is its memory.
            .idle_timeout(None)
            .max_lifetime(None)
            // Where SQLite has rolled back by itself, as on a full disk, sqlx believes to be in the
            // transaction for ever: such a connection is replaced.
            .before_acquire(|connection, _| {
                let usable = !connection.is_in_transaction();
                Box::pin(async move { Ok(usable) })
            })
            .connect_with(options.clone())
            .await;
        match pool {
            Err(e) if tries < CONNECT_TRIES && is_locked(&e) => {
                tries += 1;
                clock.sleep(CONNECT_PAUSE).await;
            }
            connected => return connected,
        }
    }
}

/// Whether SQLite says that another process is at it (`SQLITE_BUSY`).
pub(super) fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    code.and_then(|c| c.parse::<i64>().ok())
        .is_some_and(|c| c & 0xff == 5)
}

/// Turns an older file to the write-ahead log. Only when it is known to be ours: a file that is
/// refused must stay as it is, and this is written into it. While another program has it open it
/// can't be turned; then it works on as it is, and the next one to open it tries again.
async fn use_wal(pool: &SqlitePool) {
    let turned = sqlx::query("PRAGMA journal_mode = WAL").execute(pool).await;
    if let Err(e) = turned {
        tracing::debug!("the database stays without a write-ahead log for now: {e}");
    }
}

pub(super) async fn read_install_id(pool: &SqlitePool, path: &Path) -> Result<Uuid> {
    let failed = |e| database_error(path, "read its identity", e);
    let read = "SELECT install_id FROM install";
    let stored: Option<String> = sqlx::query_scalar(read)
        .fetch_optional(pool)
        .await
        .map_err(failed)?;
    let text = match stored {
        Some(text) => text,
        None => {
            // Two processes may make the database together: the first one's id stays.
            sqlx::query("INSERT OR IGNORE INTO install (only_row, install_id) VALUES (1, $1)")
                .bind(new_id().to_string())
                .execute(pool)
                .await
                .map_err(failed)?;
            sqlx::query_scalar(read)
                .fetch_one(pool)
                .await
                .map_err(failed)?
        }
    };
    text.parse().map_err(|e| {
        Error::new(
            Code::DatabaseInvalid,
            format!(
                "the database {} has a damaged identity {text:?}",
                path.display()
            ),
        )
        .caused_by(e)
    })
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| unusable(path, "find", e))
}

/// Makes the file with mode 0600 if it does not exist, so that SQLite never makes it wider.
fn create_private(path: &Path) -> Result<()> {
    match create_new_private(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(unusable(path, "make", e)),
    }
}

fn unusable(path: &Path, doing: &str, error: std::io::Error) -> Error {
    Error::new(
        Code::DatabaseUnavailable,
        format!(
            "could not {doing} the database {}: give a path in a folder that exists and can be \
             written",
            path.display()
        ),
    )
    .example(other_path(path))
    .caused_by(error)
}
