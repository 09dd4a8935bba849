//! The snapshot of what is due and what is open, taken after adopting changes of other programs.

use std::collections::BTreeSet;

use super::super::Scheduler;
use super::super::core::{Event, HoldKind, Snapshot};
use super::{DUE_AT_ONCE, SchedulerStore, unknown_from};
use crate::db::AT_ONCE;
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::letta_client::Targets;
use crate::models::{
    DueSchedule, HeldTarget, Lane, LongestWaits, OpenOccurrence, State, TargetName,
};

impl SchedulerStore {
    /// Reads the database; logs once when it fails, and once when it works again.
    pub(super) async fn take_snapshot(&mut self) -> Event {
        match self.read_snapshot().await {
            Ok(snapshot) => {
                self.log_failure(None);
                Event::SnapshotTaken(snapshot)
            }
            Err(e) => {
                self.log_failure(Some(e));
                Event::SnapshotFailed
            }
        }
    }

    /// Reads the database, after some upkeep. Other programs may change many rows at once; the
    /// snapshot says whether there is more, and what has waited longest comes first.
    async fn read_snapshot(&mut self) -> Result<Snapshot> {
        let mut more = self.take_over_from_the_dead().await?;
        more |= self.adopt().await?;
        more |= self.correct_times().await?;
        let Scheduler {
            db,
            targets,
            clock,
            settings,
            ..
        } = &self.scheduler;
        let now = clock.now();
        let (open, unreadable) = db.sort_open_occurrences().await?;
        let mut given_up = 0;
        for occurrence in unreadable.iter().take(at_once()) {
            given_up += usize::from(db.give_up(occurrence, now).await?);
        }
        more |= given_up == at_once();
        more |= db.settle_deleted(now).await?;
        for lost in open.iter().filter(|o| self.has_lost(o)) {
            let fault = "it was claimed, but the confirmation was lost";
            let verdict = unknown_from(now, settings.reconcile_deadline, fault);
            db.settle(lost.id, lost.fence, &verdict, now).await?;
        }
        let (due, unreadable) = db.list_oldest_due(now, self.due_at_once).await?;
        let more_due = due.len() + unreadable.len() >= self.due_at_once;
        if !unreadable.is_empty() {
            db.readopt(&unreadable).await?;
            more = true;
        }
        if due.len() < self.due_at_once / 2 {
            self.due_at_once = DUE_AT_ONCE.max(self.due_at_once / 2);
        }
        let held = db.list_held_targets().await?;
        let next_due = db.next_due(now).await?;
        let next_resume = db.next_resume().await?;
        let halted = db.get_halt().await?;
        let halted_targets = db.list_halted_targets().await?.into_iter();
        let halted_targets = halted_targets.filter_map(|halt| Some((halt.target.clone()?, halt)));
        let with_lane = |due: DueSchedule| {
            let lane = self.lane_of(&due);
            (due, lane)
        };
        let due: Vec<_> = due.into_iter().map(with_lane).collect();
        // Until a server says what it is, its lanes have no names.
        let (due, unnamed): (Vec<_>, Vec<_>) = due.into_iter().partition(|(_, lane)| {
            let target = targets.get(lane.target_name());
            target.is_none_or(|target| target.is_prepared())
        });
        let preparing: BTreeSet<_> = unnamed.iter().map(|(_, lane)| lane.target()).collect();
        for name in &preparing {
            prepare(targets, name);
        }
        let lanes = due.iter().map(|(_, lane)| lane);
        let lanes = lanes.chain(open.iter().map(|o| &o.lane));
        let is_missing = |lane: &&Lane| targets.get(lane.target_name()).is_none();
        let missing_targets = lanes.filter(is_missing).map(Lane::target).collect();
        Ok(Snapshot {
            due,
            more_due,
            open,
            next_due,
            next_resume,
            halted,
            halted_targets: halted_targets.collect(),
            targets: targets.names().cloned().collect(),
            held: (held.iter())
                .filter(|held| targets.get(&held.target).is_some())
                .map(|held| (TargetName::new(&held.target), hold_kind(held)))
                .collect(),
            missing_targets,
            preparing,
            more,
        })
    }

    /// The lane of a due schedule.
    pub(super) fn lane_of(&self, due: &DueSchedule) -> Lane {
        let targets = &self.scheduler.targets;
        let conversation = due.conversation.as_ref();
        let recipient = targets.recipient(due.target.as_ref(), &due.agent_id, conversation);
        targets.lane(&recipient, due.uid)
    }

    /// Takes over prompts from dead schedulers. Returns whether there may be more.
    async fn take_over_from_the_dead(&mut self) -> Result<bool> {
        let Scheduler {
            db,
            clock,
            settings,
            ..
        } = &self.scheduler;
        let own = self.lock.owner().to_string();
        for owner in db.list_dead_owners().await? {
            if owner == own {
                continue;
            }
            failpoint!(OwnerFoundDead);
            let deadline = settings.reconcile_deadline;
            let taken = db.take_over(&owner, deadline, clock.now()).await?;
            failpoint!(OwnerTakenOver);
            if taken > 0 {
                tracing::warn!(
                    "took over {taken} prompts that a dead scheduler was sending; each is looked \
                     for before anything is sent again"
                );
            }
            if taken >= AT_ONCE {
                return Ok(true);
            }
            db.forget_scheduler(&owner).await?;
        }
        Ok(false)
    }

    /// Adopts schedules that other programs changed. Returns whether there may be more.
    async fn adopt(&mut self) -> Result<bool> {
        let Scheduler {
            db, clock, zone, ..
        } = &self.scheduler;
        let adopted = db.adopt_touched(zone, clock.now()).await?;
        let more = adopted.len() >= at_once();
        self.adoptions.add(adopted);
        if !more {
            self.adoptions.report();
        }
        Ok(more)
    }

    /// Shortens waits that were computed from a later time. Returns whether there may be more of
    /// them.
    async fn correct_times(&mut self) -> Result<bool> {
        if self.times_are_corrected {
            return Ok(false);
        }
        let Scheduler {
            db,
            clock,
            settings,
            ..
        } = &self.scheduler;
        let now = clock.now();
        if let Some(repair) = db.replan(now).await? {
            tracing::warn!(
                "the clock was wrong: {} schedules were replanned, and {} instants recorded as not \
                 sent will still run",
                repair.schedules.len(),
                repair.instants
            );
        }
        let waits = LongestWaits {
            retry: settings.retry_longest,
            reconcile: settings.reconcile_deadline,
        };
        self.times_are_corrected = db.pull_forward(now, &waits).await? < AT_ONCE;
        Ok(!self.times_are_corrected)
    }

    /// Whether the database holds a prompt as ours that we know nothing about: its claim was
    /// written although we were told otherwise.
    fn has_lost(&self, open: &OpenOccurrence) -> bool {
        open.state == State::Sending
            && open.owner == Some(self.lock.owner())
            && !self.ours.contains_key(&open.id)
    }
}

fn at_once() -> usize {
    usize::try_from(AT_ONCE).unwrap_or(usize::MAX)
}

fn hold_kind(held: &HeldTarget) -> HoldKind {
    match held.by_lanes {
        true => HoldKind::RefusesLanes,
        false => HoldKind::Unwell,
    }
}

/// Prepares a target in a task of its own, so that it delays no other.
fn prepare(targets: &Targets, name: &TargetName) {
    if let Some(target) = targets.get(name.as_str()).cloned() {
        tokio::spawn(async move { target.prepare().await });
    }
}
