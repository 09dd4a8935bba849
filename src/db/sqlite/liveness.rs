//! Which schedulers are alive: each holds an operating system lock on a file next to the database.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::filesystem::{create_new_private, make_private_folder, with_end};
use crate::db::Db;
use crate::error::{Code, Error, Result, shell};
use crate::ids::new_id;

/// The lock that a scheduler holds while it is alive. The operating system releases it with the
/// process, however that ends, so a free lock proves that its owner is dead.
#[derive(Debug)]
pub struct OwnerLock {
    owner: Uuid,
    path: PathBuf,
    file: Option<File>,
}

impl OwnerLock {
    /// The scheduler that holds it.
    pub fn owner(&self) -> Uuid {
        self.owner
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // Unlocked before it is removed, so that the file of a living owner is never missing.
        drop(self.file.take());
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Db {
    fn lock_path(&self, owner: Uuid) -> PathBuf {
        owners_folder(&self.path).join(owner.to_string())
    }

    /// Creates a new owner and takes its lock.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`] if the lock file next to the database can't be created.
    pub fn lock_owner(&self) -> Result<OwnerLock> {
        let owner = new_id();
        let path = self.lock_path(owner);
        let file = self.take_lock(&path).map_err(|e| {
            Error::new(
                Code::DatabaseUnavailable,
                format!(
                    "could not create the lock file {}: the folder of the database must be writable",
                    path.display()
                ),
            )
            .example(shell("--db ./promptyoself.db"))
            .caused_by(e)
        })?;
        Ok(OwnerLock {
            owner,
            path,
            file: Some(file),
        })
    }

    fn take_lock(&self, path: &Path) -> std::io::Result<File> {
        make_private_folder(&owners_folder(&self.path))?;
        let file = create_new_private(path)?;
        file.try_lock()?;
        Ok(file)
    }

    /// Whether the owner's process is alive. The lock of a dead one is removed.
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

    /// The same, but the lock is left alone.
    pub(in crate::db) fn lives(&self, owner: Uuid) -> bool {
        lives(&self.path, owner)
    }
}

/// The folder next to the database that contains its lock files.
pub(in crate::db) fn owners_folder(database: &Path) -> PathBuf {
    with_end(database, ".owners")
}

/// Whether an owner's process is alive; its lock is left alone.
pub(in crate::db) fn lives(database: &Path, owner: Uuid) -> bool {
    let path = owners_folder(database).join(owner.to_string());
    matches!(lock_state(&path), LockState::Held)
}

enum LockState {
    Held,
    Free,
    Missing,
}

/// Checks with a shared lock, which never keeps an owner from its own: owners lock a file that
/// nobody else knows yet.
fn lock_state(path: &Path) -> LockState {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return LockState::Missing,
        // Too many open files, for example, don't prove that anybody is dead.
        Err(_) => return LockState::Held,
    };
    match file.try_lock_shared() {
        Ok(()) => LockState::Free,
        Err(TryLockError::WouldBlock) => LockState::Held,
        // If locks don't work, nobody may be declared dead.
        Err(TryLockError::Error(_)) => LockState::Held,
    }
}
