//! Database maintenance: pruning, purging, backups and restoring.

use std::path::Path;

use jiff::Timestamp;

use super::Service;
use crate::clock::{ClockDoubt, ReferenceClocks, SAME, assess_clock};
use crate::db::Db;
use crate::error::{Code, Error, Result, call, fields, shell};
use crate::models::{Lifecycle, PruneReport, PurgeReport, PurgeScope, RestoreReport};
use crate::schedule::Zone;

impl Service {
    /// Prunes what was settled before a time. Its totals stay in the account.
    pub async fn prune(&self, before: Timestamp) -> Result<PruneReport> {
        self.prune_counting(before, |_| ()).await
    }

    /// The same; `count` is told what has been pruned so far.
    pub async fn prune_counting(
        &self,
        before: Timestamp,
        count: impl Fn(&PruneReport),
    ) -> Result<PruneReport> {
        self.db.prune(before, self.now(), count).await
    }

    /// Removes the texts of what is settled (before `before`, if given).
    pub async fn purge(
        &self,
        whose: &PurgeScope,
        before: Option<Timestamp>,
    ) -> Result<PurgeReport> {
        self.db.purge(whose, before, self.now()).await
    }

    /// Copies the whole database to a new file, and checks the copy. Returns the number of
    /// schedules in it.
    ///
    /// # Errors
    /// [`Code::FileUnusable`] if the file exists or can't be created.
    pub async fn back_up(&self, to: &Path) -> Result<i64> {
        self.db.back_up(to).await
    }

    /// Refuses to prune if the clock may be wrong, or what is newer than anything known: to a wrong
    /// clock everything looks old.
    ///
    /// # Errors
    /// [`Code::ClockInDoubt`], and those of the database.
    pub async fn refuse_doubtful_cut(&self, before: Timestamp) -> Result<()> {
        let known = self.db.known_times().await?;
        if let Some(doubt) = self.clock_doubt().await? {
            self.db.note_doubt(&self.clock.reading(), &known).await?;
            return Err(doubt.refuse("nothing was pruned", shell("promptyoself prune")));
        }
        match known.passed() {
            Some(passed) if before.duration_since(passed) > SAME => Err(Error::new(
                Code::ClockInDoubt,
                format!(
                    "everything settled before {before} would be pruned, but the newest time \
                     certainly known to the database is {passed}: that would be everything, and \
                     this machine's clock, which shows {}, may be wrong. So nothing was pruned; \
                     the example prunes up to that time",
                    self.now()
                ),
            )
            .example(fields([("before", passed.to_string())]))),
            _ => Ok(()),
        }
    }

    /// Why this machine's clock may be wrong, as far as that is known without asking the target. A
    /// kernel that doesn't consider its clock synchronised proves nothing by itself.
    pub(super) async fn clock_doubt(&self) -> Result<Option<ClockDoubt>> {
        let references = ReferenceClocks {
            synchronised: self.clock.is_synchronised().filter(|vouches| *vouches),
            target: None,
        };
        let known = self.db.known_times().await?;
        Ok(assess_clock(&self.clock.reading(), &known, &references))
    }

    /// The texts of a schedule, to be purged.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], and [`Code::ScheduleLive`] if its prompt is still to be sent.
    pub async fn purge_of(&self, id: i64) -> Result<PurgeScope> {
        let schedule = self.find(id).await?;
        match (schedule.lifecycle, schedule.uid) {
            (Lifecycle::Finished | Lifecycle::Cancelled, Some(uid)) => {
                Ok(PurgeScope::Schedule(uid))
            }
            (lifecycle, _) => Err(Error::new(
                Code::ScheduleLive,
                format!(
                    "schedule {id} is {lifecycle}, so its prompt will still be sent and can't be \
                     removed: cancel it first"
                ),
            )
            .example(call("cancel").with("id", id))),
        }
    }
}

/// The version of the tables that this program uses.
pub fn schema_version() -> i64 {
    Db::schema()
}

/// Replaces a database with a backup. The previous database is kept, never deleted. What has passed
/// since the backup is skipped, or with `replay` caught up on.
///
/// # Errors
/// [`Code::FileUnusable`] if the backup can't be used, [`Code::DatabaseUnavailable`] if the
/// database is in use.
pub async fn restore(
    backup: &Path,
    database: &Path,
    zone: &Zone,
    replay: bool,
    now: Timestamp,
) -> Result<RestoreReport> {
    Db::restore(backup, database, zone, replay, now).await
}

/// Does to a database that was put there by other means what [`restore`] does to a backup.
///
/// # Errors
/// [`Code::DatabaseUnavailable`] if there is none or somebody has it open, and those of a restore.
pub async fn settle_in_place(
    database: &Path,
    zone: &Zone,
    now: Timestamp,
) -> Result<RestoreReport> {
    Db::settle_in_place(database, zone, now).await
}
