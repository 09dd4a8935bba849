//! A database of a hundred thousand schedules and a million occurrences.

use std::path::{Path, PathBuf};

use super::filled::{Maker, Statistics, make, more_occurrences, rows};
use crate::foreign_writers::raw::Foreign;

const SCHEDULES: i64 = 100_000;
const OCCURRENCES: i64 = 1_000_000;

/// How much goes to the disk, and when, is nothing to a test.
const FAST: &str = "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; \
                    PRAGMA temp_store = MEMORY; PRAGMA cache_size = -400000; BEGIN";

/// Where `ANALYZE` keeps what it has found.
const STATISTICS: [&str; 2] = ["sqlite_stat1", "sqlite_stat4"];

/// The database, with what `ANALYZE` finds in it now, and what it found when it was nearly empty.
pub struct Large {
    path: PathBuf,
}

impl Large {
    /// Makes it.
    pub async fn fill(folder: &Path) -> Self {
        let path = folder.join("large.db");
        let mut foreign = make(&path, Maker::Promptyoself).await;
        foreign.run(FAST).await;
        foreign.run(&rows(1..=2)).await;
        foreign.run("ANALYZE").await;
        for table in STATISTICS {
            let keep = format!("CREATE TABLE stale_{table} AS SELECT * FROM {table}");
            foreign.run(&keep).await;
        }
        // Indexes are made in a fraction of the time once the rows are there.
        let sql = "SELECT type, name, sql FROM sqlite_schema \
                   WHERE type IN ('index', 'trigger') AND sql IS NOT NULL";
        let aside: Vec<(String, String, String)> = foreign.tuples(sql, ()).await;
        for (kind, name, _) in &aside {
            foreign.run(&format!("DROP {kind} {name}")).await;
        }
        foreign.run(&rows(3..=SCHEDULES)).await;
        foreign
            .run(&more_occurrences(SCHEDULES + 1..=OCCURRENCES, SCHEDULES))
            .await;
        for (_, _, definition) in &aside {
            foreign.run(definition).await;
        }
        foreign.run("ANALYZE").await;
        for table in STATISTICS {
            let keep = format!("CREATE TABLE fresh_{table} AS SELECT * FROM {table}");
            foreign.run(&keep).await;
        }
        foreign.run("COMMIT").await;
        Large { path }
    }

    /// Connects to it when it knows so much of itself.
    pub async fn with(&self, statistics: Statistics) -> Foreign {
        let mut foreign = Foreign::connect(&self.path).await;
        for table in STATISTICS {
            foreign.run(&format!("DELETE FROM {table}")).await;
            let known = match statistics {
                Statistics::None => continue,
                Statistics::Fresh => "fresh",
                Statistics::Stale => "stale",
            };
            let put = format!("INSERT INTO {table} SELECT * FROM {known}_{table}");
            foreign.run(&put).await;
        }
        // They are read when somebody connects.
        Foreign::connect(&self.path).await
    }
}
