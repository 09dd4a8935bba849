//! Whether the file can be read, and whether another program has written to it.

use crate::db::Db;
use crate::db::sql::{query, statement};
use crate::error::Result;

impl Db {
    /// A number that changes whenever another process has written.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn data_version(&self) -> Result<i64> {
        // A connection sees the changes of all others as another program's.
        let doing = "watch for changes";
        let version = self.read_by_writer(doing, |tx| Ok(query("PRAGMA data_version").one(tx)?));
        version.await
    }

    /// Checks that the database works at all.
    ///
    /// # Errors
    /// If it doesn't.
    pub async fn ping(&self) -> Result<()> {
        let works = self.read("reach it", |tx| Ok(statement!("SELECT 1").one::<i64>(tx)?));
        works.await.map(drop)
    }
}
