//! Searching for prompts whose outcome is unknown.

use jiff::Timestamp;

use super::blame::settle_open;
use super::{Action, Core, TargetAction};
use crate::models::{Evidence, Job, Lane, OpenOccurrence, RefusalKind};
use crate::scheduler::verdicts::{Facts, decide_after_search};

/// How many prompts are searched for at once.
const SEARCHES: usize = 32;

/// How many of them may have got no answer the last time: however many hang, there is room for
/// those that don't.
const SEARCHES_AGAIN: usize = SEARCHES / 2;

impl Core {
    /// Starts searches, for those that have waited longest first.
    pub(super) fn search(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.may_search() {
            return;
        }
        let ready =
            |o: &&OpenOccurrence| o.not_before.is_none_or(|t| t <= now) && self.may_search_for(o);
        let mut ready: Vec<&OpenOccurrence> = self.unknown.values().filter(ready).collect();
        // Each has a lane of its own, and the one that has waited longest goes first.
        ready.sort_by_key(|o| (o.not_before, o.id));
        let is_again = |id: &i64| self.unanswered.contains(id);
        let mut room = SEARCHES.saturating_sub(self.searching.len());
        let again = self.searching.keys().filter(|id| is_again(id)).count();
        let mut room_again = SEARCHES_AGAIN.saturating_sub(again);
        let mut chosen: Vec<OpenOccurrence> = Vec::new();
        for open in ready {
            let again = is_again(&open.id);
            if room == 0 || (again && room_again == 0) {
                continue;
            }
            room -= 1;
            room_again -= usize::from(again);
            chosen.push(open.clone());
        }
        for open in chosen {
            // If the clock was set ahead, it looks older than it is.
            let age = now.duration_since(open.sent_at.unwrap_or(now));
            self.searching
                .insert(open.id, age.min(self.guard.steady_for()));
            actions.push(Action::Talk(TargetAction::Find(Box::new(open))));
        }
    }

    /// When the next search may start.
    pub(super) fn next_search(&self) -> Option<Timestamp> {
        if !self.may_search() {
            return None;
        }
        let waiting = self.unknown.values().filter(|o| self.may_search_for(o));
        waiting.filter_map(|o| o.not_before).min()
    }

    fn may_search(&self) -> bool {
        self.stop_at.is_none()
            && self.searching.len() < SEARCHES
            // The result is judged by the clock, too.
            && self.guard.held_until().is_none()
    }

    fn may_search_for(&self, open: &OpenOccurrence) -> bool {
        !self.searching.contains_key(&open.id) && !self.targets.is_closed(&open.lane)
    }

    pub(super) fn apply_evidence(
        &mut self,
        now: Timestamp,
        open: Box<OpenOccurrence>,
        evidence: Evidence,
        actions: &mut Vec<Action>,
    ) {
        let facts = Facts {
            age_when_asked: self.searching.get(&open.id).copied().unwrap_or_default(),
            ages: self.may_age(&open.lane),
            ..Facts::of_open(&open, now)
        };
        match evidence {
            Evidence::Refused(refusal) if refusal.kind == RefusalKind::TargetTrouble => {
                self.unanswered.insert(open.id);
                self.apply_failed_search(now, open, facts, refusal, actions);
            }
            evidence => {
                self.unanswered.remove(&open.id);
                if matches!(evidence, Evidence::Found(_)) {
                    self.targets
                        .get_mut(open.lane.target_name())
                        .set_refused_apart(&open.lane);
                }
                let verdict = decide_after_search(evidence, &facts, now, &self.settings);
                actions.push(settle_open(*open, verdict));
            }
        }
    }

    /// What is known about a prompt when it is answered.
    pub(super) fn facts_of(&self, job: &Job) -> Facts {
        Facts {
            ages: self.may_age(&job.lane),
            ..Facts::of_job(job)
        }
    }

    /// Nothing grows too old while the clock may be wrong or its target is held.
    fn may_age(&self, lane: &Lane) -> bool {
        self.guard.held_until().is_none() && self.targets.is_open(lane)
    }
}
