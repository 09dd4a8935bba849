//! Connections to a file, all set up in the same way.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::db::sql;

/// How long to wait before asking for a lock again, for up to ten seconds. SQLite's own handler
/// waits longer and longer, so that whoever asks later gets it first.
const BUSY_PAUSE: Duration = Duration::from_millis(3);
const BUSY_TRIES: i32 = 10_000 / 3;

/// How many statements a connection keeps prepared.
const PREPARED: usize = 256;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db) enum Access {
    /// Writing into a file that is still empty.
    Make,
    /// Writing.
    Write,
    /// Only reading.
    Read,
}

/// Connects to a file that exists.
pub(in crate::db) fn connect(path: &Path, access: Access) -> sql::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait_for_lock))?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    if access == Access::Make {
        connection.execute_batch("PRAGMA journal_mode = WAL")?;
    }
    connection.execute_batch(match access {
        Access::Read => "PRAGMA query_only = ON",
        // Deleted content is overwritten, so that no purged text stays in the file.
        Access::Make | Access::Write => {
            "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON"
        }
    })?;
    Ok(connection)
}

fn wait_for_lock(tries: i32) -> bool {
    let waits = tries < BUSY_TRIES;
    if waits {
        std::thread::sleep(BUSY_PAUSE);
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::sql::{Tx, query};

    #[test]
    fn connections_share_neither_a_page_cache_nor_a_lock_for_memory() {
        let connection = Connection::open_in_memory().unwrap();
        let options = query("PRAGMA compile_options").all::<String>(&Tx::on(&connection));
        let options = options.unwrap();
        assert!(options.contains(&"DEFAULT_MEMSTATUS=0".to_owned()));
        assert!(!options.contains(&"ENABLE_MEMORY_MANAGEMENT".to_owned()));
    }
}
