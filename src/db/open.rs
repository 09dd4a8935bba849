//! Opening a database: made if absent, upgraded if older, refused if newer.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use uuid::Uuid;

use super::{Db, UpgradeReport, database_error, other_path, upgrade};
use crate::error::{Code, Error, Result};
use crate::schedule::Zone;

static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a statement waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

impl Db {
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
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .optimize_on_close(false, None);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            // The one connection lives as long as the process: `data_version` is its memory.
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(|e| database_error(&path, "open it", e))?;

        let _alone = lock_tables(&path)?;
        let legacy = upgrade::set_aside(&pool, &path, now).await?;
        migrate(&pool, &path).await?;
        let install_id = read_install_id(&pool, &path).await?;
        let db = Db {
            pool,
            path: Arc::new(path),
            install_id,
        };
        let report = match legacy {
            Some(legacy) => Some(upgrade::bring_over(&db, legacy, zone, now).await?),
            None => None,
        };
        Ok((db, report))
    }
}

/// Keeps other processes from changing the tables while this one does: two that find the same
/// database without tables would both make them. Held until it is dropped.
fn lock_tables(path: &Path) -> Result<File> {
    let failed = |e| unusable(path, "lock", e);
    let folder = super::schedulers::owners_folder(path);
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let file = File::create(folder.join("tables")).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

async fn migrate(pool: &SqlitePool, path: &Path) -> Result<()> {
    MIGRATOR.run(pool).await.map_err(|e| match e {
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
    })
}

async fn read_install_id(pool: &SqlitePool, path: &Path) -> Result<Uuid> {
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
                .bind(Uuid::new_v4().to_string())
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
        .example(other_path(path))
        .caused_by(e)
    })
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| unusable(path, "find", e))
}

/// Makes the file with mode 0600 if it does not exist, so that SQLite never makes it wider.
pub(super) fn create_private(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
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
