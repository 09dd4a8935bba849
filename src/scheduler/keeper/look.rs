//! Looking at the database: what is due and what is open, after putting it in order.

use super::super::Scheduler;
use super::super::core::View;
use super::{Keeper, unknown_from};
use crate::db::{DueSchedule, OpenOccurrence, Waits};
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::models::State;

impl Keeper {
    /// Reads the database, after putting it in order: dead schedulers' prompts are taken over,
    /// foreign rows adopted, prompts of deleted schedules settled.
    pub(super) async fn look(&mut self) -> Result<View> {
        let Scheduler {
            db,
            letta,
            clock,
            settings,
            zone,
            ..
        } = &self.scheduler;
        let now = clock.now();
        let dead = db.list_dead_owners().await?;
        for owner in dead.into_iter().filter(|owner| *owner != self.lock.owner()) {
            failpoint!(OwnerFoundDead);
            let taken = db
                .take_over(owner, settings.reconcile_deadline, now)
                .await?;
            failpoint!(OwnerTakenOver);
            db.forget_scheduler(owner).await?;
            if taken > 0 {
                tracing::warn!(
                    "took over {taken} prompts that a dead scheduler was sending; each is looked \
                     for before anything is sent again"
                );
            }
        }
        for adopted in db.adopt_touched(zone, now).await? {
            match adopted.broken_reason {
                Some(reason) => tracing::error!(
                    "schedule {} was changed by another program and can't be read: {reason}",
                    adopted.id
                ),
                None => tracing::info!(
                    "adopted schedule {} as another program left it: {}",
                    adopted.id,
                    adopted.lifecycle
                ),
            }
        }
        if !self.times_are_right {
            if let Some(anew) = db.plan_anew(now).await? {
                tracing::warn!(
                    "the clock was wrong: {} schedules are planned anew, and {} instants that were \
                     recorded as not sent are still to come",
                    anew.schedules.len(),
                    anew.instants
                );
            }
            let waits = Waits {
                retry: settings.retry_longest,
                reconcile: settings.reconcile_deadline,
            };
            db.pull_forward(now, &waits).await?;
            self.times_are_right = true;
        }
        let open = db.list_open_occurrences().await?;
        db.settle_deleted(now).await?;
        for lost in open.iter().filter(|o| self.has_lost(o)) {
            let fault = "it was claimed, but the claim was not heard of";
            let verdict = unknown_from(now, settings.reconcile_deadline, fault);
            db.settle(lost.id, lost.fence, &verdict, now).await?;
        }
        let due = db.get_due_schedules(now).await?;
        let with_lane = |due: DueSchedule| {
            let lane = letta.lane(&due.agent_id);
            (due, lane)
        };
        Ok(View {
            due: due.into_iter().map(with_lane).collect(),
            open,
            next_due: db.next_due(now).await?,
            halted: db.get_halt().await?,
            held_by_lanes: db
                .list_held_targets()
                .await?
                .iter()
                .find(|h| h.target == letta.target())
                .map(|h| h.by_lanes),
        })
    }

    /// Whether the database holds a prompt as ours of which we know nothing: its claim was written,
    /// although the answer to it said otherwise.
    fn has_lost(&self, open: &OpenOccurrence) -> bool {
        open.state == State::Sending
            && open.owner == Some(self.lock.owner())
            && !self.ours.contains_key(&open.id)
    }
}
