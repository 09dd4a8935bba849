//! Which migrations were applied.

use jiff::Timestamp;

use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;

/// An applied migration.
pub(in crate::db) struct Applied {
    pub(in crate::db) version: i64,
    /// The checksum of its script at the time.
    pub(in crate::db) checksum: String,
}

/// The applied migrations, in order.
pub(in crate::db) fn list(tx: &Tx<'_>) -> sql::Result<Vec<Applied>> {
    statement!("SELECT version, checksum FROM migrations ORDER BY version").map(tx, applied)
}

/// Records that a migration was applied.
pub(in crate::db) fn insert(
    tx: &Tx<'_>,
    version: i64,
    name: &str,
    checksum: &str,
    now: Timestamp,
) -> sql::Result<()> {
    statement!(
        "INSERT INTO migrations (version, name, applied_at, checksum) VALUES ($1, $2, $3, $4)"
    )
    .bind(version)
    .bind(name)
    .bind(DbTime(now))
    .bind(checksum)
    .execute(tx)?;
    Ok(())
}

fn applied(row: &Row) -> sql::Result<Applied> {
    Ok(Applied {
        version: row.get("version")?,
        checksum: row.get("checksum")?,
    })
}
