//! The database: every SQL statement of the program is in this module.
//!
//! `statements` holds SQL and nothing else, `ledger` makes decisions and contains no SQL, `sqlite`
//! is what only SQLite has. Every operation can fail with an error of the database, and then has
//! changed nothing; other errors are documented.
//!
//! SQLite runs in WAL mode with `synchronous=FULL`. One thread per process writes, a whole
//! transaction at a time, and always begins with `BEGIN IMMEDIATE`: under a plain `BEGIN`, a
//! transaction that reads first and writes later fails under load instead of waiting. Other threads
//! only read.

mod engine;
mod failed;
mod jobs;
mod ledger;
mod sql;
mod sqlite;
mod statements;
mod time;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use uuid::Uuid;

use crate::models::{By, Identity, KnownTargets, Trigger};
use crate::schedule::Zone;
use engine::{Engine, JobOwner};

pub use engine::{Subscription, Topic};
pub use sql::STATEMENTS;
pub use sqlite::filesystem::network_file_system;
pub use sqlite::liveness::OwnerLock;

/// How many rows changed by another program, or by a wrong clock, are corrected in one transaction:
/// deliveries and other programs wait for it, and SQLAlchemy gives up after five seconds.
pub const AT_ONCE: u64 = 100;

/// An open database. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Db {
    engine: Arc<Engine>,
    /// The owner of jobs started through this handle.
    owner: JobOwner,
    /// Whether reads go through the connection that writes.
    one_connection: bool,
    path: Arc<PathBuf>,
    install_id: Uuid,
    /// The time zone of schedules that have none of their own.
    zone: Zone,
    /// What the settings say about targets.
    targets: Arc<KnownTargets>,
    /// Who makes changes through this handle.
    by: Arc<By>,
    /// How many verdicts could not be recorded.
    settle_failures: Arc<AtomicU64>,
}

impl Db {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The identity of this database.
    pub fn install_id(&self) -> Uuid {
        self.install_id
    }

    /// A handle that knows what the settings say about targets.
    pub fn with_targets(&self, targets: KnownTargets) -> Db {
        Db {
            targets: Arc::new(targets),
            ..self.clone()
        }
    }

    /// What the settings say about targets.
    pub fn targets(&self) -> &KnownTargets {
        &self.targets
    }

    /// The identity of an occurrence in this database.
    fn identity(&self, uid: Uuid, trigger: Trigger, intended_at: Timestamp) -> Identity {
        Identity {
            install_id: self.install_id,
            uid,
            trigger,
            intended_at,
        }
    }

    /// Closes the database when all pending jobs are done; later calls fail.
    pub async fn close(&self) {
        self.engine.end().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::sql::query;
    use crate::error::{Code, Result};
    use crate::models::{AgentId, NewSchedule, Plan, Policy, ScheduleType};

    async fn open(folder: &tempfile::TempDir) -> Db {
        let path = folder.path().join("test.db");
        let opened = Db::open(&path, &Zone::utc(), Timestamp::UNIX_EPOCH).await;
        opened.unwrap().0
    }

    async fn add(db: &Db, prompt: String) -> Result<i64> {
        let now = Timestamp::UNIX_EPOCH;
        let new = NewSchedule {
            agent_id: AgentId::parse("agent-a").unwrap(),
            target: None,
            conversation: None,
            prompt_text: prompt,
            name: None,
            plan: Plan {
                schedule_type: ScheduleType::Interval,
                schedule_value: "1h".into(),
                timezone: "UTC".into(),
                anchor: now,
                next_run: now,
                start_at: None,
                end_at: None,
                except: None,
                max_repetitions: None,
            },
            policy: Policy::default(),
            allowance: None,
            ping_url: None,
            payload: None,
            request: None,
        };
        db.add_schedule(&new, now).await
    }

    async fn set(db: &Db, pragma: &'static str) {
        let set = db.write("test", move |tx| Ok(query(pragma).execute(tx)?));
        set.await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_is_told_loses_nothing_and_passes() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&folder).await;
        let kept = add(&db, "kept".into()).await.unwrap();
        // SQLite sets the limit to the current size if that is larger.
        set(&db, "PRAGMA max_page_count = 1").await;
        let error = add(&db, "x".repeat(100_000)).await.unwrap_err();
        assert_eq!(error.code(), Code::DatabaseFull);
        assert!(error.to_string().contains("nothing was lost"), "{error}");
        assert!(db.get_schedule(kept).await.unwrap().is_some());
        set(&db, "PRAGMA max_page_count = 100000").await;
        assert!(add(&db, "x".repeat(100_000)).await.is_ok());
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_stops_nothing_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&folder).await;
        // As SQLite does on a full disk.
        let ended = db.write("test", |tx| Ok(query("ROLLBACK").execute(tx)?));
        assert!(ended.await.is_err());
        assert!(add(&db, "next".into()).await.is_ok());
    }

    #[tokio::test]
    async fn a_database_that_may_only_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&folder).await;
        set(&db, "PRAGMA query_only = ON").await;
        let error = add(&db, "x".into()).await.unwrap_err();
        assert_eq!(error.code(), Code::DatabaseUnavailable);
        assert!(error.to_string().contains("can't be written"), "{error}");
    }
}
