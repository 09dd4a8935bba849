//! Whose fault it is that a prompt can't be sent, or its outcome not be found out.
//!
//! A refusal that is not about its prompt or agent is about the target, or about something between
//! us and it that affects only this agent. So the target is checked. If it is not well, everything
//! is held until it is. If it is well, the trouble is the lane's; but once several lanes meet the
//! same refusal with nothing accepted in between, the target is held all the same, and one prompt
//! at a time is tried to find out when that is over.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::availability::{Availability, HeldBy, HoldKind};
use super::target_state::Cause;
use super::{Action, Core, Settling, StoreAction, TargetAction, Write};
use crate::models::{
    Answer, ErrorClass, Evidence, Job, Lane, OpenOccurrence, Refusal, RefusalKind, TargetName,
    Verdict,
};
use crate::scheduler::verdicts::{
    Facts, decide_after_answer, decide_after_search, decide_while_held,
};

impl Core {
    /// A prompt was answered; the answer may not be about that prompt.
    pub(super) fn apply_answer(
        &mut self,
        now: Timestamp,
        job: Box<Job>,
        answer: Answer,
        actions: &mut Vec<Action>,
    ) {
        match answer {
            Answer::Refused(refusal) if may_be_everyones(&refusal) => {
                self.apply_target_trouble(now, job, refusal, actions);
            }
            answer => {
                if is_taken_in(&answer) {
                    self.note_accepted(&job.lane, actions);
                }
                self.end_trial(&job.lane);
                if let Answer::Unknown(doubt) = &answer
                    && is_of_the_connection(doubt.class)
                {
                    let cause = Cause::Doubted(job.lane.clone(), doubt.class);
                    self.targets.get_mut(job.lane.target_name()).suspect(cause);
                }
                let facts = self.facts_of(&job);
                let verdict = decide_after_answer(answer, &facts, now, &self.settings);
                actions.push(settle_job(job, verdict));
            }
        }
    }

    /// A turn has begun: however long it takes, the target has accepted its prompt.
    pub(super) fn apply_begun(&mut self, occurrence_id: i64, actions: &mut Vec<Action>) {
        if let Some(lane) = self.ours.lane_of(occurrence_id) {
            self.note_accepted(&lane, actions);
        }
    }

    /// Records that a target has accepted a prompt of this lane.
    fn note_accepted(&mut self, lane: &Lane, actions: &mut Vec<Action>) {
        let state = self.targets.get_mut(lane.target_name());
        state.set_refused_apart(lane);
        if !state.availability.is_open() && !state.availability.is_closed() {
            self.release(lane.target(), actions);
        }
    }

    fn apply_target_trouble(
        &mut self,
        now: Timestamp,
        job: Box<Job>,
        refusal: Refusal,
        actions: &mut Vec<Action>,
    ) {
        let state = self.targets.get_mut(job.lane.target_name());
        if state.availability.is_open() && self.stop_at.is_none() {
            return state.suspect(Cause::Refused(job, refusal));
        }
        if state.availability.note_refused(&job.lane) {
            state.availability.end_trial(&job.lane);
            state.availability.put_off(now);
        }
        actions.push(settle_job(job, decide_while_held(refusal, now)));
    }

    /// A search was refused or got no answer.
    pub(super) fn apply_failed_search(
        &mut self,
        now: Timestamp,
        open: Box<OpenOccurrence>,
        facts: Facts,
        refusal: Refusal,
        actions: &mut Vec<Action>,
    ) {
        let state = self.targets.get_mut(open.lane.target_name());
        if state.availability.is_open() && self.stop_at.is_none() {
            return state.suspect(Cause::Search(open, facts, refusal));
        }
        self.settle_search(now, *open, facts, refusal, actions);
    }

    /// Schedules another attempt at a search that got no answer.
    fn settle_search(
        &self,
        now: Timestamp,
        open: OpenOccurrence,
        facts: Facts,
        refusal: Refusal,
        actions: &mut Vec<Action>,
    ) {
        let facts = Facts {
            ages: facts.ages && self.targets.is_open(&open.lane) && self.stop_at.is_none(),
            ..facts
        };
        let evidence = Evidence::Refused(refusal);
        let verdict = decide_after_search(evidence, &facts, now, &self.settings);
        actions.push(settle_open(open, verdict));
    }

    /// Checks each target, if something made it suspect or it is time to.
    pub(super) fn probe_targets(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        for (name, state) in self.targets.iter_mut() {
            if state.needs_probe(now) {
                state.begin_probe();
                actions.push(Action::Talk(TargetAction::Probe(name.clone())));
            }
        }
    }

    /// A target has been checked.
    pub(super) fn apply_probe(
        &mut self,
        now: Timestamp,
        target: TargetName,
        answer: Result<(), Refusal>,
        actions: &mut Vec<Action>,
    ) {
        let state = self.targets.get_mut(target.as_str());
        let causes = state.end_probe();
        match answer {
            Err(refusal) => {
                self.hold(now, &target, HeldBy::Itself, refusal, actions);
                let state = self.targets.get_mut(target.as_str());
                state.availability.put_off(now);
                self.settle_while_held(now, causes, actions);
            }
            Ok(()) => {
                if state.availability.is_closed() {
                    self.release(target, actions);
                }
                for cause in causes {
                    self.settle_as_lanes_trouble(now, cause, actions);
                }
            }
        }
    }

    /// Settles what waited for a check of any target and can also wait for the target itself.
    pub(super) fn settle_suspicions(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let states = self.targets.iter_mut();
        let causes = states.flat_map(|(_, state)| state.take_suspicions());
        let causes = causes.collect();
        self.settle_while_held(now, causes, actions);
    }

    fn settle_while_held(&mut self, now: Timestamp, causes: Vec<Cause>, actions: &mut Vec<Action>) {
        for cause in causes {
            match cause {
                Cause::Refused(job, refusal) => {
                    actions.push(settle_job(job, decide_while_held(refusal, now)));
                }
                Cause::Search(open, facts, refusal) => {
                    self.settle_search(now, *open, facts, refusal, actions);
                }
                Cause::Doubted(..) => {}
            }
        }
    }

    /// The target is well, so the trouble is the lane's, unless too many lanes have the same.
    fn settle_as_lanes_trouble(&mut self, now: Timestamp, cause: Cause, actions: &mut Vec<Action>) {
        match cause {
            Cause::Refused(job, refusal) => {
                self.count_refusal(now, &job.lane, &refusal, actions);
                let verdict = match self.targets.is_open(&job.lane) {
                    true => {
                        let (facts, s) = (self.facts_of(&job), &self.settings);
                        decide_after_answer(Answer::Refused(refusal), &facts, now, s)
                    }
                    false => decide_while_held(refusal, now),
                };
                actions.push(settle_job(job, verdict));
            }
            Cause::Search(open, facts, refusal) => {
                self.settle_search(now, *open, facts, refusal, actions);
            }
            // One turn that was cut off or silent for too long says nothing about other turns.
            Cause::Doubted(_, ErrorClass::Cut | ErrorClass::Timeout) => {}
            Cause::Doubted(lane, class) => {
                let text = "something else answers at the target's address";
                let refusal = Refusal::new(RefusalKind::TargetTrouble, class, text);
                self.count_refusal(now, &lane, &refusal, actions);
            }
        }
    }

    /// Records that a lane was refused although its target is well; holds the target if several
    /// were refused in the same way.
    fn count_refusal(
        &mut self,
        now: Timestamp,
        lane: &Lane,
        refusal: &Refusal,
        actions: &mut Vec<Action>,
    ) {
        let state = self.targets.get_mut(lane.target_name());
        let Some(refused) = state.note_refused(lane, refusal.class) else {
            return;
        };
        let text = format!(
            "it reports that it is well, but refused the prompts of {} agents in the same way: {}",
            refused.len(),
            refusal.text
        );
        let refusal = Refusal {
            text,
            ..refusal.clone()
        };
        let by = HeldBy::Lanes {
            refused,
            trial: None,
        };
        self.hold(now, &lane.target(), by, refusal, actions);
    }

    fn hold(
        &mut self,
        now: Timestamp,
        target: &TargetName,
        by: HeldBy,
        refusal: Refusal,
        actions: &mut Vec<Action>,
    ) {
        let kind = by.kind();
        let state = self.targets.get_mut(target.as_str());
        let is_news = match &mut state.availability {
            Availability::Open => {
                tracing::warn!(
                    "nothing is sent until the target accepts prompts again: {}",
                    refusal.text
                );
                self.next_beat = None;
                let lanes_are_refused = matches!(by, HeldBy::Lanes { .. });
                state.availability = Availability::Held {
                    by,
                    reason: refusal.text.clone(),
                    tries: 0,
                    next_try: now,
                };
                if lanes_are_refused {
                    state.availability.put_off(now);
                }
                true
            }
            Availability::Held {
                by: held_by,
                reason,
                ..
            } => {
                let is_news = *reason != refusal.text || kind != held_by.kind();
                reason.clone_from(&refusal.text);
                *held_by = by;
                is_news
            }
            Availability::NotConfigured { .. } => false,
        };
        if is_news {
            actions.push(Action::Store(StoreAction::Hold {
                target: target.clone(),
                kind,
                refusal,
            }));
        }
    }

    fn release(&mut self, target: TargetName, actions: &mut Vec<Action>) {
        tracing::info!("the target accepts prompts again");
        self.targets.get_mut(target.as_str()).availability = Availability::Open;
        self.next_beat = None;
        actions.push(Action::Store(StoreAction::Release(target)));
        self.request_snapshot();
    }

    /// Applies what other schedulers have found out about the targets.
    pub(super) fn apply_holds(&mut self, now: Timestamp, held: &BTreeMap<TargetName, HoldKind>) {
        for target in held.keys() {
            self.targets.get_mut(target.as_str());
        }
        for (target, state) in self.targets.iter_mut() {
            match (&mut state.availability, held.get(target)) {
                (Availability::Open, Some(kind)) => {
                    state.availability = Availability::held_elsewhere(*kind, now);
                }
                (Availability::Held { next_try, .. }, None) => *next_try = now,
                _ => {}
            }
        }
    }
}

/// Whether a refusal may affect every agent.
fn may_be_everyones(refusal: &Refusal) -> bool {
    // Letta words it itself when an account has no credits, too.
    refusal.kind == RefusalKind::TargetTrouble || refusal.class == ErrorClass::PaymentRequired
}

/// Whether an answer shows that the target accepts prompts.
fn is_taken_in(answer: &Answer) -> bool {
    match answer {
        Answer::Delivered(_) => true,
        // An agent's being busy is often found out before any prompt is sent.
        Answer::Refused(refusal) => refusal.kind != RefusalKind::Busy,
        Answer::Unknown(_) => false,
    }
}

/// Whether an unknown outcome says something about the connection to the target, not about one
/// turn.
fn is_of_the_connection(class: ErrorClass) -> bool {
    use ErrorClass::{Cut, Garbled, Gateway, Timeout, TooLarge, Unreachable};
    matches!(
        class,
        Cut | Garbled | Gateway | Timeout | TooLarge | Unreachable
    )
}

fn settle_job(job: Box<Job>, verdict: Verdict) -> Action {
    Action::Write(Write::Settle(Settling {
        occurrence_id: job.occurrence_id,
        uid: job.uid,
        fence: job.fence,
        verdict,
        lane: job.lane.clone(),
        intended_at: job.intended_at,
        job: Some(job),
    }))
}

/// The settling of a prompt that was searched for.
pub(super) fn settle_open(open: OpenOccurrence, verdict: Verdict) -> Action {
    Action::Write(Write::Settle(Settling {
        occurrence_id: open.id,
        uid: open.uid,
        fence: open.fence,
        verdict,
        lane: open.lane,
        intended_at: open.intended_at,
        job: None,
    }))
}
