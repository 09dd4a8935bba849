//! What is known about every target. No target delays the prompts of another.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::target_state::TargetState;
use crate::clock::earliest;
use crate::models::{Lane, TargetName};
use crate::scheduler::queue::{Candidate, Queue};

/// The states of the targets about which anything is known, by name. They are ordered, so that the
/// same events lead to the same actions.
#[derive(Debug, Default)]
pub(super) struct TargetStates(BTreeMap<TargetName, TargetState>);

impl TargetStates {
    /// The state of a target.
    pub(super) fn get_mut(&mut self, target: &str) -> &mut TargetState {
        self.0.entry(TargetName::new(target)).or_default()
    }

    /// Every target about which something is known.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&TargetName, &TargetState)> {
        self.0.iter()
    }

    /// The same, mutably.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&TargetName, &mut TargetState)> {
        self.0.iter_mut()
    }

    /// Whether a lane's target is open.
    pub(super) fn is_open(&self, lane: &Lane) -> bool {
        let state = self.0.get(lane.target_name());
        state.is_none_or(|s| s.availability.is_open())
    }

    /// Whether nothing at all may be sent to a lane's target.
    pub(super) fn is_closed(&self, lane: &Lane) -> bool {
        let state = self.0.get(lane.target_name());
        state.is_some_and(|s| s.availability.is_closed())
    }

    /// Whether nothing at all may be sent to any known target.
    pub(super) fn are_all_closed(&self) -> bool {
        !self.0.is_empty() && self.0.values().all(|s| s.availability.is_closed())
    }

    /// Whether any target is being checked.
    pub(super) fn is_probing(&self) -> bool {
        self.0.values().any(|s| s.probing)
    }

    /// Why targets are held, if any is.
    pub(super) fn holding(&self) -> Option<String> {
        let reasons = self.0.values().filter_map(|s| s.availability.reason());
        let reasons: Vec<&str> = reasons.collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Takes what may be claimed now. A held target gets at most one trial prompt, and that goes
    /// first: however much there is for others, the end of the hold must be found out.
    pub(super) fn take(
        &mut self,
        queue: &mut Queue,
        now: Timestamp,
        is_free: impl Fn(&Lane) -> bool,
    ) -> Option<Candidate> {
        for (name, state) in &mut self.0 {
            let of_target = |l: &Lane| l.target_name() == name.as_str() && is_free(l);
            if let Some(taken) = state.availability.take_trial(queue, now, of_target) {
                return Some(taken);
            }
        }
        queue.take(now, |l| self.is_open(l) && is_free(l))
    }

    /// When something may be claimed next.
    pub(super) fn next_claim(
        &self,
        queue: &Queue,
        is_free: impl Fn(&Lane) -> bool,
    ) -> Option<Timestamp> {
        let mut next = queue.next_time(|l| self.is_open(l) && is_free(l));
        for (name, state) in &self.0 {
            let of_target = |l: &Lane| l.target_name() == name.as_str() && is_free(l);
            next = earliest(next, state.availability.next_trial(queue, of_target));
        }
        next
    }
}
