//! Who is delivering: owner locks, heartbeats, and held targets.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::halt::{Deadline, give_time_back};
use super::incidents::close_incident;
use crate::db::Db;
use crate::db::sql::{self, Tx, query};
use crate::db::sqlite::filesystem::{create_new_private, make_private_folder};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::error::{Code, Error, Result};
use crate::ids::new_id;
use crate::models::IncidentKind;

/// The lock that a scheduler holds while it lives. The operating system frees it with the process,
/// however that ends, so a free lock proves that its owner is dead.
#[derive(Debug)]
pub struct OwnerLock {
    owner: Uuid,
    path: PathBuf,
    file: Option<File>,
}

/// A scheduler that is alive.
#[derive(Clone, Debug)]
pub struct RunningScheduler {
    /// Its owner id.
    pub owner: Uuid,
    /// Its process.
    pub pid: i64,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it works.
    pub heartbeat_at: Timestamp,
    /// Why it delivers nothing at the moment.
    pub holding: Option<String>,
}

/// A target to which nothing is sent for now.
#[derive(Clone, Debug)]
pub struct HeldTarget {
    /// Its name.
    pub target: String,
    /// Since when.
    pub held_since: Timestamp,
    /// The class of what is wrong.
    pub code: String,
    /// The same in words.
    pub reason: String,
    /// Whether it says that it is well, but refuses the prompts of several agents.
    pub by_lanes: bool,
}

impl OwnerLock {
    /// Who holds it.
    pub fn owner(&self) -> Uuid {
        self.owner
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // Unlocked before it is removed, so that nobody sees a missing file of a living owner.
        drop(self.file.take());
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Db {
    fn lock_path(&self, owner: Uuid) -> PathBuf {
        owners_folder(&self.path).join(owner.to_string())
    }

    /// Makes a new owner and takes its lock.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`] if the lock file beside the database can't be made.
    pub fn lock_owner(&self) -> Result<OwnerLock> {
        let owner = new_id();
        let path = self.lock_path(owner);
        let failed = |e: std::io::Error| {
            Error::new(
                Code::DatabaseUnavailable,
                format!(
                    "could not make the lock file {}: the folder of the database must be writable",
                    path.display()
                ),
            )
            .example("--db ./promptyoself.db")
            .caused_by(e)
        };
        make_private_folder(&owners_folder(&self.path)).map_err(failed)?;
        let file = create_new_private(&path).map_err(failed)?;
        file.try_lock().map_err(|e| failed(e.into()))?;
        Ok(OwnerLock {
            owner,
            path,
            file: Some(file),
        })
    }

    /// Whether the owner's process lives. The lock of a dead one is cleared away.
    pub fn is_alive(&self, owner: Uuid) -> bool {
        let path = self.lock_path(owner);
        match lock_state(&path) {
            LockState::Held => true,
            LockState::Missing => false,
            LockState::Free => {
                let _ = std::fs::remove_file(&path);
                false
            }
        }
    }

    /// Says that a scheduler works; the first time also that it has started.
    pub async fn beat(&self, owner: Uuid, holding: Option<&str>, now: Timestamp) -> Result<()> {
        let holding = holding.map(str::to_owned);
        self.write("write the heartbeat", move |tx| {
            let holding = &holding;
            query(
                "INSERT INTO schedulers (owner, pid, started_at, heartbeat_at, holding) \
             VALUES ($1, $2, $3, $3, $4) \
             ON CONFLICT (owner) DO UPDATE SET heartbeat_at = $3, holding = $4",
            )
            .bind(owner.to_string())
            .bind(i64::from(std::process::id()))
            .bind(DbTime(now))
            .bind(holding)
            .execute(tx)?;
            Ok(())
        })
        .await
    }

    /// Forgets a scheduler that has stopped.
    pub async fn forget_scheduler(&self, owner: &str) -> Result<()> {
        let owner = owner.to_owned();
        self.write("forget a stopped scheduler", move |tx| {
            let owner = &owner;
            query("DELETE FROM schedulers WHERE CAST(owner AS TEXT) = $1")
                .bind(owner)
                .execute(tx)?;
            Ok(())
        })
        .await
    }

    /// The schedulers that live on this database.
    pub async fn list_schedulers(&self) -> Result<Vec<RunningScheduler>> {
        let alive = self
            .all_schedulers()
            .await?
            .into_iter()
            .filter(|s| lives(&self.path, s.owner));
        Ok(alive.collect())
    }

    /// The owners that left a heartbeat or a prompt behind and are dead, as they are written there.
    /// A name that can't be read, or none, is nobody's.
    pub async fn list_dead_owners(&self) -> Result<Vec<String>> {
        let owners = self.read("look for dead schedulers", |tx| {
            // The state is said twice, so that SQLite sees that the index of open ones will do.
            let owners = "SELECT owner FROM schedulers UNION ALL \
                      SELECT owner FROM occurrences INDEXED BY ix_occurrences_open \
                      WHERE state = 'sending' AND state IN ('waiting', 'sending', 'unknown')";
            let rows = query(owners).fetch_all(tx);
            let owners = rows?;
            let owners = owners
                .iter()
                .map(|row| rows::text(row, "owner").unwrap_or_default());
            Ok(owners.collect::<BTreeSet<String>>())
        });
        let is_dead = |owner: &String| owner.parse().map_or(true, |owner| !self.is_alive(owner));
        Ok(owners.await?.into_iter().filter(is_dead).collect())
    }

    /// Every scheduler that left a heartbeat, also the dead ones.
    pub(in crate::db) async fn all_schedulers(&self) -> Result<Vec<RunningScheduler>> {
        self.read("look for running schedulers", move |tx| {
            let rows = query(
                "SELECT owner, pid, started_at, heartbeat_at, holding FROM schedulers \
             ORDER BY started_at",
            )
            .fetch_all(tx)?;
            // Without a name it is nobody's, and the next look forgets it.
            let read = |r| {
                let heartbeat_at = rows::lenient_time(r, "heartbeat_at").unwrap_or_default();
                Some(RunningScheduler {
                    owner: rows::uuid(r, "owner").ok()?,
                    pid: rows::number(r, "pid").unwrap_or_default(),
                    started_at: rows::lenient_time(r, "started_at").unwrap_or(heartbeat_at),
                    heartbeat_at,
                    holding: rows::text(r, "holding"),
                })
            };
            Ok(rows.iter().filter_map(read).collect())
        })
        .await
    }

    /// Notes that a target is held and why; since when stays as first noted.
    pub async fn hold_target(&self, held: &HeldTarget) -> Result<()> {
        let held = held.to_owned();
        self.write("note that a target is held", move |tx| {
            let held = &held;
            query(
                "INSERT INTO held_targets (target, held_since, code, reason, by_lanes) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (target) DO UPDATE SET code = $3, reason = $4, by_lanes = $5",
            )
            .bind(&held.target)
            .bind(DbTime(held.held_since))
            .bind(&held.code)
            .bind(&held.reason)
            .bind(held.by_lanes)
            .execute(tx)?;
            Ok(())
        })
        .await
    }

    /// Notes that a target answers again, and gives the open occurrences of its lanes back the time that it was
    /// held: neither retries nor the search for an unknown fate age meanwhile.
    pub async fn release_target(&self, target: &str, now: Timestamp) -> Result<()> {
        let target = target.to_owned();
        self.write_and_tell("note that a target answers again", move |tx| {
            let target = &target;
            let released = query("DELETE FROM held_targets WHERE target = $1 RETURNING held_since")
                .bind(target)
                .fetch_optional(tx)?;
            // Another scheduler may have released it already, and given the time back once.
            let Some(released) = released else {
                return Ok(());
            };
            let since = rows::lenient_time(&released, "held_since").unwrap_or(now);
            let held = now.duration_since(since);
            for deadline in [Deadline::Expiry, Deadline::Reconcile] {
                give_time_back(tx, deadline, Some(target), held)?;
            }
            close_incident(
                tx,
                IncidentKind::Held,
                target,
                "the target answers again",
                now,
            )?;
            Ok(())
        })
        .await
    }

    /// The targets that are held.
    pub async fn list_held_targets(&self) -> Result<Vec<HeldTarget>> {
        let held = self.read("look for held targets", |tx| Ok(fetch_held_targets(tx)?));
        held.await
    }
}

pub(in crate::db) fn fetch_held_targets(tx: &Tx<'_>) -> sql::Result<Vec<HeldTarget>> {
    let rows = query("SELECT target, held_since, code, reason, by_lanes FROM held_targets")
        .fetch_all(tx)?;
    let read = |r| HeldTarget {
        target: rows::text(r, "target").unwrap_or_default(),
        held_since: rows::lenient_time(r, "held_since").unwrap_or_default(),
        code: rows::text(r, "code").unwrap_or_default(),
        reason: rows::text(r, "reason").unwrap_or_default(),
        by_lanes: rows::flag(r, "by_lanes"),
    };
    Ok(rows.iter().map(read).collect())
}

/// The folder beside the database that holds its lock files.
pub(in crate::db) fn owners_folder(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".owners");
    PathBuf::from(name)
}

/// Whether an owner's process lives; its lock is left alone.
pub(in crate::db) fn lives(database: &Path, owner: Uuid) -> bool {
    let path = owners_folder(database).join(owner.to_string());
    matches!(lock_state(&path), LockState::Held)
}

enum LockState {
    Held,
    Free,
    Missing,
}

/// Looks with a shared lock, which never keeps an owner from its own: owners lock a file that
/// nobody else knows yet.
fn lock_state(path: &Path) -> LockState {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return LockState::Missing,
        // Too many open files, for one, prove nobody's death.
        Err(_) => return LockState::Held,
    };
    match file.try_lock_shared() {
        Ok(()) => LockState::Free,
        Err(TryLockError::WouldBlock) => LockState::Held,
        // Where locks don't work, nobody may be declared dead.
        Err(TryLockError::Error(_)) => LockState::Held,
    }
}
