//! The place of a database: who has it open, and moving a copy there.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::unusable::unusable;
use crate::db::sql::{self, Tx, query};
use crate::db::sqlite::connection::{Access, connect};
use crate::db::sqlite::filesystem::{create_new_private, with_end};
use crate::db::sqlite::liveness::{lives, owners_folder};
use crate::error::{Code, Error, Result, message, shell};

/// Moves a copy into place. Returns where the previous database is kept.
pub(super) fn put_there(coming: &Path, to: &Path, now: Timestamp) -> Result<Option<PathBuf>> {
    let in_place = holds_something(to);
    // Checked again as late as possible, because preparing the copy took a while.
    if in_place {
        refuse_if_in_use(to)?;
    }
    let aside = beside(
        to,
        &format!("before-restore-{}", now.strftime("%Y%m%dT%H%M%S%.6fZ")),
    );
    if in_place {
        // The previous database must not replace another file.
        create_new_private(&aside).map_err(|e| unusable(&aside, "set it aside as", e))?;
    }
    // A log left by a crash would be replayed into whatever gets this name.
    for end in FILES {
        let there = with_end(to, end);
        if there.exists() {
            std::fs::rename(&there, with_end(&aside, end))
                .map_err(|e| unusable(&there, "set it aside", e))?;
        }
    }
    std::fs::rename(coming, to).map_err(|e| unusable(to, "put the backup there", e))?;
    Ok(in_place.then_some(aside))
}

/// The files of one database: itself, and what is not written into it yet.
const FILES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Whether anything exists at a path.
pub(super) fn holds_something(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// Removes a database with all its files.
pub(super) fn remove_all(path: &Path) {
    for end in FILES {
        let _ = std::fs::remove_file(with_end(path, end));
    }
}

/// Refuses a database that somebody has open; otherwise, all of it is in the one file afterwards.
pub(super) fn refuse_if_in_use(path: &Path) -> Result<()> {
    let in_use = || {
        Error::new(
            Code::DatabaseUnavailable,
            message![
                "the database ",
                path.display(),
                " is in use: stop the scheduler and whatever else has it open, or restore to another \
                 path with ",
                shell("--db")
            ],
        )
        .example(shell("--db ./promptyoself-restored.db"))
    };
    let full = std::fs::canonicalize(path).map_err(|e| unusable(path, "find it", e))?;
    let locks = std::fs::read_dir(owners_folder(&full))
        .into_iter()
        .flatten();
    let owners = locks.filter_map(|f| f.ok()?.file_name().to_str()?.parse::<Uuid>().ok());
    if owners.into_iter().any(|owner| lives(&full, owner)) {
        return Err(in_use());
    }
    let Ok(connection) = connect(&full, Access::Write) else {
        // It is damaged: nobody can use it, and it is kept as it is.
        return Ok(());
    };
    // SQLite only leaves the write-ahead log while nobody else is connected.
    let leave = query("PRAGMA journal_mode = DELETE");
    let mode: sql::Result<String> = leave.one(&Tx::on(&connection));
    match mode {
        Ok(mode) if mode == "wal" => Err(in_use()),
        Err(e) if e.is_busy() => Err(in_use()),
        _ => Ok(()),
    }
}

/// A name next to a file.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    with_end(path, &format!(".{end}"))
}
