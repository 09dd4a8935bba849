//! When to read the database again, how far, and what the snapshot changes.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::{AFTER_FAILURE, Action, Core, HoldKind, Mode, Snapshot, StoreAction};
use crate::clock::{earliest, later};
use crate::models::{
    ErrorClass, Halt, OpenOccurrence, Refusal, RefusalKind, State, TargetName, Trigger,
};
use crate::scheduler::queue::{Candidate, Source};

/// How long a snapshot may be put off when nothing depends on it.
const SOON: SignedDuration = SignedDuration::from_secs(1);

/// How soon to look again while a target is being prepared.
const PREPARING: SignedDuration = SignedDuration::from_millis(20);

/// How many candidates are claimed, if there are that many, before the next part of what other
/// programs have changed is adopted.
const CLAIMS_BETWEEN: u32 = 16;

impl Core {
    /// Continues where the last snapshot stopped, once nothing it showed can be claimed; if other
    /// programs have changed many rows, also in between.
    pub(super) fn request_more(&mut self) {
        let claiming = self.ours.is_claiming();
        if self.more_upkeep && (!claiming || self.claims_since_snapshot >= CLAIMS_BETWEEN) {
            self.more_upkeep = false;
            self.request_snapshot();
        }
        let has_place = self.may_claim() && self.ours.has_room();
        if self.more_due && has_place && !claiming && !self.snapshot_pending {
            self.more_due = false;
            // Nothing was claimed, so everything known is waiting for something else.
            self.larger_snapshot = self.claims_since_snapshot == 0;
            self.request_snapshot();
        }
    }

    pub(super) fn request_snapshot(&mut self) {
        self.snapshot_wanted = true;
    }

    /// When nothing is left to claim, the database may have more.
    pub(super) fn request_snapshot_if_idle(&mut self, now: Timestamp) {
        if self.ours.is_empty() && self.mode == Mode::Forever && !self.can_take(now) {
            self.request_snapshot();
        }
    }

    /// Requests one at once if there is nothing else to do, otherwise a moment later: a snapshot
    /// for each of many events would cost more than they do.
    pub(super) fn request_snapshot_soon(&mut self, now: Timestamp) {
        match self.can_take(now) {
            true => self.next_snapshot = earliest(self.next_snapshot, Some(later(now, SOON))),
            false => self.request_snapshot(),
        }
    }

    /// Whether anything that is known can be claimed now.
    pub(super) fn can_take(&self, now: Timestamp) -> bool {
        self.next_claim().is_some_and(|t| t <= now)
    }

    fn may_take_snapshot(&self) -> bool {
        // A snapshot adopts rows by the clock.
        self.stop_at.is_none() && self.guard.held_until().is_none()
    }

    /// When to take the next one, whatever happens.
    pub(super) fn next_snapshot(&self) -> Option<Timestamp> {
        self.next_snapshot.filter(|_| self.may_take_snapshot())
    }

    /// Takes a snapshot if it is time for it.
    pub(super) fn take_snapshot(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.may_take_snapshot() {
            return;
        }
        if self.next_snapshot.is_some_and(|t| now >= t) {
            self.request_snapshot();
        }
        if self.snapshot_wanted && !self.snapshot_pending {
            self.snapshot_wanted = false;
            self.snapshot_pending = true;
            self.snapshot_began = now;
            actions.push(Action::Store(
                match std::mem::take(&mut self.larger_snapshot) {
                    true => StoreAction::TakeLargerSnapshot,
                    false => StoreAction::TakeSnapshot,
                },
            ));
        }
    }

    /// The database could not be read.
    pub(super) fn apply_failed_snapshot(&mut self, now: Timestamp) {
        self.snapshot_pending = false;
        self.next_snapshot = Some(later(now, AFTER_FAILURE));
    }

    pub(super) fn apply_snapshot(
        &mut self,
        now: Timestamp,
        snapshot: Snapshot,
        actions: &mut Vec<Action>,
    ) {
        self.snapshot_pending = false;
        self.next_snapshot = Some(later(now, self.settings.poll));
        self.next_due = snapshot.next_due;
        self.next_resume = snapshot.next_resume;
        self.more_upkeep = snapshot.more;
        self.more_due = snapshot.more_due;
        self.shown_until = match (snapshot.more_due, snapshot.due.last()) {
            (true, Some((due, _))) => due.next_run.min(self.snapshot_began),
            _ => self.snapshot_began,
        };
        self.preparing = snapshot.preparing;
        if !self.preparing.is_empty() {
            self.next_snapshot = Some(later(now, PREPARING));
        }
        self.claims_since_snapshot = 0;
        self.apply_halt(snapshot.halted);
        self.apply_halts_of_targets(snapshot.halted_targets);
        for target in &snapshot.targets {
            self.targets.get_mut(target.as_str());
        }
        self.apply_holds(now, &snapshot.held);
        for target in snapshot.missing_targets {
            self.hold_missing(target, actions);
        }
        self.busy.clear();
        self.unknown.clear();
        self.behind.clear();
        let mut candidates = Vec::with_capacity(snapshot.due.len());
        let mut open = HashSet::with_capacity(snapshot.open.len());
        for occurrence in snapshot.open {
            if occurrence.trigger == Trigger::Schedule {
                open.insert(occurrence.uid);
            }
            match occurrence.state {
                State::Waiting if occurrence.paused => {}
                State::Waiting => candidates.push(Candidate {
                    lane: occurrence.lane,
                    intended_at: occurrence.intended_at,
                    not_before: occurrence.not_before.unwrap_or(now),
                    source: Source::Waiting {
                        occurrence_id: occurrence.id,
                        uid: occurrence.uid,
                    },
                }),
                _ => self.note_in_flight(occurrence),
            }
        }
        for (due, lane) in snapshot.due {
            let candidate = Candidate {
                lane,
                intended_at: due.next_run,
                not_before: due.next_run,
                source: Source::Due(due.clone()),
            };
            if open.contains(&due.uid) {
                self.behind.insert(due.uid, candidate);
            } else {
                candidates.push(candidate);
            }
        }
        let unknown = &self.unknown;
        self.unanswered.retain(|id| unknown.contains_key(id));
        if self.mode == Mode::Once {
            // What becomes due during the pass is left for the next one.
            candidates.retain(|c| self.started.is_some_and(|started| c.not_before <= started));
            self.behind.clear();
        }
        let mut placed = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            match self.failed_claims.place(candidate, now) {
                Ok(candidate) => placed.push(candidate),
                Err(until) => self.next_snapshot = earliest(self.next_snapshot, Some(until)),
            }
        }
        self.queue.load(placed);
    }

    fn apply_halt(&mut self, halted: Option<Halt>) {
        if halted == self.halted {
            return;
        }
        match &halted {
            Some(halt) => tracing::warn!("{halt}"),
            None => tracing::info!("the halt is lifted: delivery is on again"),
        }
        self.halted = halted;
        self.next_beat = None;
    }

    fn apply_halts_of_targets(&mut self, halted: BTreeMap<TargetName, Halt>) {
        if halted == self.halted_targets {
            return;
        }
        for (name, halt) in &halted {
            if !self.halted_targets.contains_key(name) {
                tracing::warn!("{halt}");
            }
        }
        for name in self.halted_targets.keys() {
            if !halted.contains_key(name) {
                tracing::info!("the halt is lifted: delivery to {name} is on again");
            }
        }
        self.halted_targets = halted;
        self.next_beat = None;
    }

    /// Records a lane in which somebody is sending, unless it is ours.
    fn note_in_flight(&mut self, occurrence: OpenOccurrence) {
        let ours = self.ours.holds(&occurrence.lane, occurrence.id);
        if occurrence.state == State::Unknown {
            self.busy.insert(occurrence.lane.clone());
            self.unknown.insert(occurrence.id, occurrence);
        } else if !ours {
            self.busy.insert(occurrence.lane);
        }
    }

    /// Sends nothing to a target that is not configured, and reports it.
    fn hold_missing(&mut self, target: TargetName, actions: &mut Vec<Action>) {
        let reason = format!("nothing is sent to {target}, which is no longer in the settings");
        let state = self.targets.get_mut(target.as_str());
        if !state.availability.close_as_missing(&reason) {
            return;
        }
        tracing::warn!("{reason}");
        self.next_beat = None;
        let class = ErrorClass::Unreachable;
        actions.push(Action::Store(StoreAction::Hold {
            target,
            kind: HoldKind::Unwell,
            refusal: Refusal::new(RefusalKind::TargetTrouble, class, reason),
        }));
    }
}
