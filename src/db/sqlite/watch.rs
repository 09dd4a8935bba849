//! Whether the file can be read, and whether another program has written to it.

use std::time::Duration;

use crate::clock::Clock;
use crate::db::Db;
use crate::db::sql::{query, statement};
use crate::error::Result;

/// How often the database is checked for writes by other processes.
const WATCH: Duration = Duration::from_millis(500);

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

    /// Waits until another process has written since the number was `seen`, and updates it.
    pub async fn wait_for_others(&self, clock: &Clock, seen: &mut Option<i64>) {
        loop {
            clock.sleep(WATCH).await;
            if let Ok(version) = self.data_version().await
                && (seen.replace(version)).is_some_and(|before| before != version)
            {
                return;
            }
        }
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
