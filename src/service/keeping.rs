//! Keeping the history: pruning what is old, purging what nobody may read any more.

use jiff::Timestamp;

use super::Service;
use crate::clock::{Doubt, SAME, Witnesses, judge};
use crate::db::{Pruned, Purge};
use crate::error::{Code, Error, Result, call, fields, shell};
use crate::models::Lifecycle;

impl Service {
    /// Prunes what was settled before a time. Its sums stay in the account.
    pub async fn prune(&self, before: Timestamp) -> Result<Pruned> {
        self.db.prune(before, self.now()).await
    }

    /// Refuses to prune by a clock that may be wrong, or what is newer than all that the database
    /// knows: by a false clock everything is old.
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
                    "everything settled before {before} would be pruned, but the newest time that \
                     the database surely knows is {passed}: that would be everything there is, and \
                     this machine's clock, which shows {}, may be wrong. So nothing was pruned; the \
                     example prunes up to that time",
                    self.now()
                ),
            )
            .example(fields([("before", passed.to_string())]))),
            _ => Ok(()),
        }
    }

    /// Why this machine's clock may be wrong, as far as that can be told without asking the target. A
    /// kernel that does not vouch for its clock proves nothing by that alone.
    pub(super) async fn clock_doubt(&self) -> Result<Option<Doubt>> {
        let witnesses = Witnesses {
            synchronised: self.clock.is_synchronised().filter(|vouches| *vouches),
            target: None,
        };
        let known = self.db.known_times().await?;
        Ok(judge(&self.clock.reading(), &known, &witnesses))
    }

    /// The texts of a schedule that may be purged.
    ///
    /// # Errors
    /// [`Code::ScheduleNotFound`], and [`Code::ScheduleLive`] where its prompt is still to be sent.
    pub async fn purge_of(&self, id: i64) -> Result<Purge> {
        let schedule = self.find(id).await?;
        match (schedule.lifecycle, schedule.uid) {
            (Lifecycle::Finished | Lifecycle::Cancelled, Some(uid)) => Ok(Purge::Schedule(uid)),
            (lifecycle, _) => Err(Error::new(
                Code::ScheduleLive,
                format!(
                    "schedule {id} is {lifecycle}, so its prompt is still to be sent and can't be \
                     removed: cancel it first"
                ),
            )
            .example(call("cancel").with("id", id))),
        }
    }
}
