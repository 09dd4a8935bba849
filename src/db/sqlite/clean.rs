//! Removes from a file what was deleted from its tables.

use std::path::PathBuf;
use std::sync::Arc;

use super::connection::{Access, connect};
use super::open::apart;
use super::wording::worded;
use crate::db::sql::{Tx, query};
use crate::error::Result;

/// Does so, on a connection of its own. Returns whether others kept the log in use.
pub(in crate::db) async fn clean_file(path: Arc<PathBuf>, doing: &'static str) -> Result<bool> {
    apart(move || {
        worded(&path, doing, || {
            let connection = connect(&path, Access::Write)?;
            let tx = &Tx::on(&connection);
            // What was deleted before this program overwrote deleted content, and free pages.
            query("VACUUM").execute(tx)?;
            // The log still contains the old pages.
            let busy: i64 = query("PRAGMA wal_checkpoint(TRUNCATE)").one(tx)?;
            Ok(busy != 0)
        })
    })
    .await
}
