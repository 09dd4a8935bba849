//! Checks whether a file is a usable backup.

use std::path::Path;

use rusqlite::Connection;

use super::unusable::unusable;
use crate::db::sql::{self, Tx, query, statement};
use crate::db::sqlite::connection::{Access, connect};
use crate::db::sqlite::wording::worded;
use crate::error::{Code, Error, Result, shell};

/// Checks that a file is a complete database of this program. Returns its number of schedules.
pub(super) fn check_copy(path: &Path) -> Result<i64> {
    let damaged = |what: String| {
        Error::new(
            Code::FileUnusable,
            format!(
                "{} is not a complete promptyoself database: {what}",
                path.display()
            ),
        )
        .example(shell("promptyoself restore promptyoself-backup.db"))
    };
    let connection = look_at(path)?;
    let tx = &Tx::on(&connection);
    let checked: sql::Result<Vec<String>> = query("PRAGMA integrity_check(1)").all(tx);
    match checked {
        Ok(lines) if lines == ["ok"] => {}
        Ok(lines) => return Err(damaged(lines.join("; "))),
        Err(e) => return Err(damaged("it can't be read".to_owned()).caused_by(e)),
    }
    statement!("SELECT (SELECT count(*) FROM schedules) AS n, install_id FROM install")
        .one(tx)
        .map_err(|e| damaged("it has no schedules".to_owned()).caused_by(e))
}

/// Opens a file for reading.
pub(super) fn look_at(path: &Path) -> Result<Connection> {
    if let Err(e) = std::fs::metadata(path) {
        return Err(unusable(path, "read the backup", e));
    }
    worded(path, "read it", || Ok(connect(path, Access::Read)?))
}
