//! Creates our tables: scripts that are each applied once, in order, and recorded. Those of a
//! release are never changed.

use std::path::Path;

use jiff::Timestamp;
use sha2::{Digest, Sha384};

use super::release_0_1_0::{self, Noted};
use super::tables::has_column;
use crate::db::failed::Failed;
use crate::db::sql::{self, Tx};
use crate::db::sqlite::wording::other_path;
use crate::db::statements::migrations::{self, Applied};
use crate::error::{Code, Error, message, shell};

/// A script that creates part of the tables.
struct Migration {
    version: i64,
    name: &'static str,
    script: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal $file:literal,)+) => {
        &[$(Migration {
            version: $version,
            name: $name,
            script: include_str!(concat!("../../../migrations/sqlite/", $file)),
        },)+]
    };
}

/// The first one, which creates all tables of its release.
const BASELINE: i64 = 1;

/// All of them, in order.
const MIGRATIONS: &[Migration] = migrations![
    1 "baseline" "0001_baseline.sql",
];

impl Migration {
    fn checksum(&self) -> String {
        format!("{:x}", Sha384::digest(self.script))
    }

    fn is(&self, applied: &Applied) -> bool {
        applied.version == self.version && applied.checksum == self.checksum()
    }
}

/// How far the tables of a file have been migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// This many migrations are applied.
    Applied(usize),
    /// They are those of version 0.1.0.
    Release010,
}

/// The version of the tables when all are applied.
pub(in crate::db) fn newest() -> i64 {
    MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0)
}

/// Whether all of them are applied.
///
/// # Errors
/// [`Code::DatabaseNewer`] and [`Code::DatabaseInvalid`] as of [`migrate`].
pub(in crate::db) fn is_complete(tx: &Tx<'_>, path: &Path) -> Result<bool, Failed> {
    Ok(stage(tx, path)? == Stage::Applied(MIGRATIONS.len()))
}

/// Applies the remaining ones, within the transaction of the caller.
///
/// # Errors
/// [`Code::DatabaseNewer`] if an unknown one was applied, and [`Code::DatabaseInvalid`] if the
/// tables are those of a development version.
pub(in crate::db) fn migrate(tx: &Tx<'_>, path: &Path, now: Timestamp) -> Result<(), Failed> {
    let stage = stage(tx, path)?;
    let applied = match stage {
        Stage::Applied(applied) => applied,
        Stage::Release010 => 0,
    };
    for migration in &MIGRATIONS[applied..] {
        let Migration { version, name, .. } = *migration;
        tx.run_script(match (stage, version) {
            (Stage::Release010, BASELINE) => release_0_1_0::TO_BASELINE,
            _ => migration.script,
        })?;
        migrations::insert(tx, version, name, &migration.checksum(), now)?;
    }
    Ok(())
}

/// Creates all tables in a file that has none.
pub(in crate::db) fn make_tables(tx: &Tx<'_>) -> sql::Result<()> {
    let mut scripts = MIGRATIONS.iter().map(|migration| migration.script);
    scripts.try_for_each(|script| tx.run_script(script))
}

fn stage(tx: &Tx<'_>, path: &Path) -> Result<Stage, Failed> {
    let noted = release_0_1_0::noted(tx)?;
    let unknown = |noted: &&Noted| noted.version > release_0_1_0::MARK;
    if let Some(unknown) = noted.iter().find(unknown) {
        return Err(newer(path, unknown.version).into());
    }
    if has_column(tx, "migrations", "applied_at")? {
        return match noted.iter().find(|n| n.version != release_0_1_0::MARK) {
            Some(noted) => {
                let why = format!("migration {} was applied to it afterwards", noted.version);
                Err(of_development_version(path, &why).into())
            }
            None => Ok(Stage::Applied(count_applied(tx, path)?)),
        };
    }
    if noted.is_empty() {
        return Ok(Stage::Applied(0));
    }
    match release_0_1_0::difference(tx, &noted)? {
        None => Ok(Stage::Release010),
        Some(why) => Err(of_development_version(path, &why).into()),
    }
}

/// How many are applied: the first ones, each identical to ours.
fn count_applied(tx: &Tx<'_>, path: &Path) -> Result<usize, Failed> {
    let applied = migrations::list(tx)?;
    if let Some(unknown) = applied.iter().find(|a| a.version > newest()) {
        return Err(newer(path, unknown.version).into());
    }
    for (place, applied) in applied.iter().enumerate() {
        if !MIGRATIONS.get(place).is_some_and(|m| m.is(applied)) {
            let why = format!("its migration {} is not that of a release", applied.version);
            return Err(of_development_version(path, &why).into());
        }
    }
    Ok(applied.len())
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

fn of_development_version(path: &Path, why: &str) -> Error {
    Error::new(
        Code::DatabaseInvalid,
        message![
            "the database ",
            path.display(),
            " was written by a development version of promptyoself ({why}); only databases of \
             releases can be upgraded. Restore a backup made by version 0.1.0, or run `",
            shell("list --all --full"),
            "` with the program that wrote it and register the schedules in a new database"
        ],
    )
    .example(other_path(path))
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
        let ours = (MIGRATIONS.iter())
            .map(|m| format!("{:04}_{}.sql", m.version, m.name.replace(' ', "_")));
        assert_eq!(files, ours.collect::<Vec<_>>());
    }
}
