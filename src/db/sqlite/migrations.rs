//! Making our tables, one migration after the other. Each is applied once, and never changed after
//! its release.

use std::path::Path;

use sha2::{Digest, Sha384};

use crate::db::sql::{self, Tx, query};
use crate::db::{database_error, other_path};
use crate::error::{Code, Error, Result};

/// A part of the tables.
struct Migration {
    version: i64,
    description: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal $description:literal,)+) => {
        &[$(Migration {
            version: $version,
            description: $description,
            sql: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
        },)+]
    };
}

/// All of them, in their order.
const MIGRATIONS: &[Migration] = migrations![
    1 "0001_foundation" "foundation",
    2 "0002_pause" "pause",
    3 "0003_policies" "policies",
    4 "0004_notices" "notices",
    5 "0005_keeping" "keeping",
    6 "0006_copies" "copies",
    7 "0007_keys" "keys",
    8 "0008_payloads" "payloads",
    9 "0009_idempotency" "idempotency",
    10 "0010_looks" "looks",
    11 "0011_storms" "storms",
    12 "0012_clock" "clock",
    14 "0014_registrations" "registrations",
    15 "0015_whose_fault" "whose fault",
    16 "0016_audit" "audit",
    17 "0017_unknown_agents" "unknown agents",
    18 "0018_history" "history",
];

/// Where it is noted which were applied. Version 0.1.0 made it like this.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)";

impl Migration {
    fn checksum(&self) -> Vec<u8> {
        Sha384::digest(self.sql).to_vec()
    }
}

/// The version of the tables once all are applied.
pub(in crate::db) fn newest() -> i64 {
    MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0)
}

/// Whether all of them are applied, as they are here, and no other is.
pub(in crate::db) fn is_complete(tx: &Tx<'_>) -> sql::Result<bool> {
    let migrated = query("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'");
    if migrated.optional::<i64>(tx)?.is_none() {
        return Ok(false);
    }
    let ours = MIGRATIONS.iter().map(|m| (m.version, m.checksum()));
    Ok(ours.eq(applied(tx)?))
}

/// Applies those that were not applied yet, within the transaction of the caller.
///
/// # Errors
/// [`Code::DatabaseNewer`] if one was applied that is unknown here, [`Code::DatabaseInvalid`] if one
/// was applied that was another then, and those of the database.
pub(in crate::db) fn migrate(tx: &Tx<'_>, path: &Path) -> Result<()> {
    let failed = |e: sql::Error| {
        let code = e.code();
        database_error(path, "bring the tables up to date", code, e)
    };
    query(TABLE).execute(tx).map_err(failed)?;
    let broken_off = query("SELECT version FROM _sqlx_migrations WHERE success = 0 LIMIT 1");
    if let Some(version) = broken_off.optional::<i64>(tx).map_err(failed)? {
        return Err(not_ours(path, &format!("migration {version} is half done")));
    }
    let applied = applied(tx).map_err(failed)?;
    let is_known = |version: i64| MIGRATIONS.iter().any(|m| m.version == version);
    if let Some((version, _)) = applied.iter().find(|(version, _)| !is_known(*version)) {
        return Err(newer(path, *version));
    }
    for migration in MIGRATIONS {
        let version = migration.version;
        match applied.iter().find(|(applied, _)| *applied == version) {
            Some((_, checksum)) if *checksum == migration.checksum() => {}
            Some(_) => {
                let was = format!("migration {version} was another one when it was applied");
                return Err(not_ours(path, &was));
            }
            None => apply(tx, migration).map_err(failed)?,
        }
    }
    Ok(())
}

fn applied(tx: &Tx<'_>) -> sql::Result<Vec<(i64, Vec<u8>)>> {
    query("SELECT version, checksum FROM _sqlx_migrations ORDER BY version").tuples(tx)
}

fn apply(tx: &Tx<'_>, migration: &Migration) -> sql::Result<()> {
    tx.run_script(migration.sql)?;
    query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES ($1, $2, 1, $3, 0)",
    )
    .bind(migration.version)
    .bind(migration.description)
    .bind(migration.checksum())
    .execute(tx)?;
    Ok(())
}

fn newer(path: &Path, version: i64) -> Error {
    Error::new(
        Code::DatabaseNewer,
        format!(
            "the database {} was written by a newer promptyoself (its migration {version} is \
             unknown to this version {}): upgrade this program, or give another path",
            path.display(),
            env!("CARGO_PKG_VERSION"),
        ),
    )
    .example(other_path(path))
}

fn not_ours(path: &Path, why: &str) -> Error {
    Error::new(
        Code::DatabaseInvalid,
        format!(
            "could not bring the tables up to date in the database {}: they are not those of \
             promptyoself; give another path",
            path.display()
        ),
    )
    .example(other_path(path))
    .caused_by(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_of_the_folder_is_applied_and_no_other() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let mut files: Vec<String> = (std::fs::read_dir(folder).unwrap())
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let ours = MIGRATIONS.iter().map(|m| {
            let words = m.description.replace(' ', "_");
            format!("{:04}_{words}.sql", m.version)
        });
        assert_eq!(files, ours.collect::<Vec<_>>());
    }
}
