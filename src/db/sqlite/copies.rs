//! Copies: taking a backup while the scheduler runs, and restoring it.

mod check;
mod place;
mod unusable;

use std::path::Path;

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Access, connect};
use super::filesystem::{create_new_private, for_sqlite};
use super::open::apart;
use super::wording::worded;
use crate::db::Db;
use crate::db::sql::{Tx, query};
use crate::error::{Code, Error, Result, message, shell};
use crate::models::RestoreReport;
use crate::schedule::Zone;
use check::{check_copy, look_at};
use place::{beside, holds_something, put_there, refuse_if_in_use, remove_all};
use unusable::unusable;

impl Db {
    /// Copies the whole database to a new file that only this user can read, and checks the copy.
    /// It works while others write.
    ///
    /// # Errors
    /// [`Code::FileUnusable`] if the file exists or can't be created, and those of the database.
    pub async fn back_up(&self, to: &Path) -> Result<i64> {
        for_sqlite(to).map_err(|e| unusable(to, "create the backup", e))?;
        create_new_private(to).map_err(|e| unusable(to, "create the backup", e))?;
        let copied = self.copy_and_check(to).await;
        if copied.is_err() {
            let _ = std::fs::remove_file(to);
        }
        copied
    }

    async fn copy_and_check(&self, to: &Path) -> Result<i64> {
        let (path, to) = (self.path.clone(), to.to_owned());
        apart(move || {
            let name = for_sqlite(&to).map_err(|e| unusable(&to, "create the backup", e))?;
            // On a connection of its own, so that others can write meanwhile.
            worded(&path, "back it up", || {
                let connection = connect(&path, Access::Write)?;
                let copy = query("VACUUM INTO $1").bind(name);
                Ok(copy.execute(&Tx::on(&connection))?)
            })?;
            // SQLite leaves it to us to flush the copy to disk.
            std::fs::File::open(&to)
                .and_then(|file| file.sync_all())
                .map_err(|e| unusable(&to, "write the backup", e))?;
            check_copy(&to)
        })
        .await
    }

    /// Replaces a database with a backup. The previous database is kept, never deleted.
    ///
    /// The copy becomes a database of its own: its otids differ from those of the original, should
    /// that still run. Prompts that were being sent are searched for under their old otids. What
    /// has passed since is skipped, because the original may have sent it, or with `replay` caught
    /// up on.
    ///
    /// # Errors
    /// [`Code::FileUnusable`] if the backup can't be used, [`Code::DatabaseUnavailable`] if the
    /// database is in use.
    pub async fn restore(
        from: &Path,
        to: &Path,
        zone: &Zone,
        replay: bool,
        now: Timestamp,
    ) -> Result<RestoreReport> {
        let copy = from.to_owned();
        apart(move || check_copy(&copy)).await?;
        put_in_place(from, to, zone, replay, now).await
    }

    /// Does to a database what [`Db::restore`] does to a backup: the file was put there by other
    /// means, so it is unknown what was sent since it was copied. The previous file is kept.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`] if there is none or somebody has it open, and those of a
    /// restore.
    pub async fn settle_in_place(
        path: &Path,
        zone: &Zone,
        now: Timestamp,
    ) -> Result<RestoreReport> {
        if !holds_something(path) {
            return Err(Error::new(
                Code::DatabaseUnavailable,
                message![
                    "there is no database ",
                    path.display(),
                    " to settle: name the restored one with ",
                    shell("--db or PROMPTYOSELF_DB_PATH")
                ],
            )
            .example(shell("promptyoself restore promptyoself-backup.db")));
        }
        let place = path.to_owned();
        apart(move || {
            refuse_if_in_use(&place)?;
            check_copy(&place)
        })
        .await?;
        put_in_place(path, path, zone, false, now).await
    }
}

/// Prepares a copy of a database and moves it into place.
async fn put_in_place(
    from: &Path,
    to: &Path,
    zone: &Zone,
    replay: bool,
    now: Timestamp,
) -> Result<RestoreReport> {
    if holds_something(to) {
        let place = to.to_owned();
        apart(move || refuse_if_in_use(&place)).await?;
    }
    let coming = beside(to, &format!("restoring-{}", Uuid::new_v4()));
    let prepared = prepare(from, &coming, zone, replay, now).await;
    let mut restored = match prepared {
        Ok(restored) => restored,
        Err(e) => {
            remove_all(&coming);
            return Err(e);
        }
    };
    let place = to.to_owned();
    let put = apart(move || {
        let put = put_there(&coming, &place, now);
        if put.is_err() {
            remove_all(&coming);
        }
        put
    });
    restored.set_aside = put.await?;
    Ok(restored)
}

/// Prepares a copy of the backup, next to its final place.
async fn prepare(
    from: &Path,
    coming: &Path,
    zone: &Zone,
    replay: bool,
    now: Timestamp,
) -> Result<RestoreReport> {
    let (backup, place) = (from.to_owned(), coming.to_owned());
    apart(move || copy(&backup, &place)).await?;
    let (db, _) = Db::open(coming, zone, now).await?;
    let as_of = db.latest_past().await?;
    let what = as_of.map_or("a database".to_owned(), |as_of| {
        format!("a database of {as_of}")
    });
    let settled = db.settle_restored(&what, replay, now).await;
    db.close().await;
    let (schedules, passed) = settled?;
    std::fs::File::open(coming)
        .and_then(|file| file.sync_all())
        .map_err(|e| unusable(coming, "write the database", e))?;
    Ok(RestoreReport {
        schedules,
        as_of,
        passed,
        set_aside: None,
    })
}

/// Copies a backup to where it is prepared.
fn copy(from: &Path, coming: &Path) -> Result<()> {
    create_new_private(coming).map_err(|e| unusable(coming, "create the database", e))?;
    let connection = look_at(from)?;
    let tx = &Tx::on(&connection);
    let name = for_sqlite(coming).map_err(|e| unusable(coming, "create the database", e))?;
    // The copy is another file, but SQLite considers it a change of this one.
    worded(from, "read the backup", || {
        query("PRAGMA query_only = OFF").execute(tx)?;
        query("VACUUM INTO $1").bind(name).execute(tx)?;
        Ok(())
    })
}
