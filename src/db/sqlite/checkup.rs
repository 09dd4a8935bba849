//! Finds what is wrong with the file: damage, missing tables, and rows that can't be read. Nothing
//! here changes anything.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::connection::{Access, connect};
use super::filesystem::with_end;
use super::migrations::make_tables;
use super::open::{OPEN, apart, is_current};
use super::wording::worded;
use crate::db::Db;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows::{self, occurrence_columns};
use crate::error::{Code, Error, Result, call, message, shell};
use crate::schedule::Zone;

impl Db {
    /// Opens a database only to look at it: nothing is created, upgraded or changed.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`] if there is none, [`Code::DatabaseInvalid`] if it is not ours
    /// or has to be upgraded first.
    pub async fn open_to_look(path: &Path, zone: &Zone) -> Result<Db> {
        let (path, zone) = (path.to_owned(), zone.clone());
        apart(move || open_to_look(&path, zone)).await
    }

    /// What SQLite finds wrong with the file: damage, and rows with dangling references.
    pub async fn damages(&self) -> Result<Vec<String>> {
        self.read("check it", |tx| {
            let mut found: Vec<String> = query("PRAGMA integrity_check(10)").all(tx)?;
            found.retain(|line| line != "ok");
            let rows = query("PRAGMA foreign_key_check").fetch_all(tx)?;
            for row in rows.iter().take(10) {
                found.push(format!(
                    "a row of {} refers to a missing row of {}",
                    rows::text(row, "table").unwrap_or_default(),
                    rows::text(row, "parent").unwrap_or_default(),
                ));
            }
            Ok(found)
        })
        .await
    }

    /// Missing tables, indexes and triggers: their names and the statements that create them. A
    /// program that rebuilds a table loses them.
    pub async fn missing_parts(&self) -> Result<Vec<(String, String)>> {
        self.read("compare its tables", |tx| {
            let ours = Connection::open_in_memory().map_err(sql::Error::from)?;
            let ours = &Tx::on(&ours);
            make_tables(ours)?;
            let mut parts: Vec<(String, String)> = query(
                "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL \
                 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
            )
            .tuples(ours)?;
            let there: Vec<String> = query("SELECT name FROM sqlite_master").all(tx)?;
            parts.retain(|(name, _)| !there.contains(name));
            Ok(parts)
        })
        .await
    }

    /// The ids of occurrences that can't be read, and why; the first ten.
    pub async fn unreadable_occurrences(&self) -> Result<Vec<(i64, String)>> {
        self.read("read the occurrences", |tx| {
            let rows = query(concat!(
                "SELECT ",
                occurrence_columns!(),
                " FROM occurrences WHERE length(uid) <> 36 \
                 OR \"trigger\" NOT IN ('schedule', 'manual') \
                 OR state NOT IN ('waiting', 'sending', 'unknown', 'delivered', 'dead', \
                     'coalesced', 'skipped', 'missed', 'cancelled') \
                 OR first_at NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] *' \
                 OR intended_at NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] *' \
                 LIMIT 10"
            ))
            .fetch_all(tx)?;
            let unreadable = |row: &Row| {
                let id: i64 = row.get("id").ok()?;
                let why = rows::occurrence(row).err()?;
                Some((id, why.to_string()))
            };
            Ok(rows.iter().filter_map(unreadable).collect())
        })
        .await
    }

    /// The files of the database that others than their owner may read or write, with their
    /// permissions.
    pub fn open_to_others(&self) -> Vec<(PathBuf, u32)> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let files = ["", "-wal", "-shm"].map(|end| with_end(&self.path, end));
            let wide = |path: PathBuf| {
                let mode = std::fs::metadata(&path).ok()?.permissions().mode() & 0o777;
                (mode & 0o077 != 0).then_some((path, mode))
            };
            files.into_iter().filter_map(wide).collect()
        }
        #[cfg(not(unix))]
        {
            Vec::new()
        }
    }
}

fn open_to_look(path: &Path, zone: Zone) -> Result<Db> {
    let path = std::fs::canonicalize(path).map_err(|e| {
        Error::new(
            Code::DatabaseUnavailable,
            message![
                "there is no database ",
                path.display(),
                ": give its path with ",
                shell("--db or PROMPTYOSELF_DB_PATH"),
                ", or create one with the first schedule"
            ],
        )
        .example(call("list"))
        .caused_by(e)
    })?;
    let connection = worded(&path, OPEN, || Ok(connect(&path, Access::Read)?))?;
    if !is_current(&Tx::on(&connection), &path)? {
        return Err(Error::new(
            Code::DatabaseInvalid,
            format!(
                "the database {} was written by another version: any other command of this version \
                 upgrades it",
                path.display()
            ),
        )
        .example(call("list")));
    }
    Db::on(path, zone, connection)
}
