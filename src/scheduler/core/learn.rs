//! What each event changes in the state.

use std::collections::HashSet;

use jiff::Timestamp;

use super::super::judge::{Facts, judge_evidence};
use super::super::queue::{Candidate, Source};
use super::blame::settle_open;
use super::{AFTER_FAILURE, Action, Core, Event, Mode, Settling, View, earliest, later};
use crate::letta_client::{Evidence, RefusalKind};
use crate::models::{Claim, DueSchedule, Halt, Job, OpenOccurrence, State, Trigger, Verdict};

impl Core {
    pub(super) fn take_in(&mut self, now: Timestamp, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Tick => {}
            Event::Changed => self.want_look(),
            Event::Looked(view) => self.take_view(now, view),
            Event::MoreToReview => self.next_beat = None,
            Event::LookFailed => {
                self.looking = false;
                self.next_look = Some(later(now, AFTER_FAILURE));
            }
            Event::ClockJudged(doubt) => {
                self.guard.conclude(doubt);
                self.next_beat = None;
            }
            Event::Claimed(candidate, claim) => self.take_claim(now, candidate, claim, actions),
            Event::ClaimFailed(candidate) => {
                self.ours.leave(&candidate.lane);
                self.target.end_trial(&candidate.lane);
                // The next one would only wait for the same; the look brings them all again. What
                // was behind something goes with them, or it would overtake them.
                self.queue.load(Vec::new());
                self.behind.clear();
                self.shown_until = Timestamp::MIN;
                self.more_due = false;
                self.next_look = Some(later(now, AFTER_FAILURE));
            }
            Event::Begun(occurrence_id) => self.take_begun(occurrence_id, actions),
            Event::Answered(job, answer) => self.take_answer(now, job, answer, actions),
            Event::Found(open, evidence) => self.take_evidence(now, open, evidence, actions),
            Event::Settled(settling, state) => self.take_settled(now, settling, state),
            Event::Probed(answer) => self.take_probe(now, answer, actions),
            Event::Stop => {
                let until = later(now, self.settings.drain);
                self.stop_at = Some(self.stop_at.map_or(until, |t| t.min(until)));
                let suspicions = std::mem::take(&mut self.suspicions);
                self.withhold(now, suspicions, actions);
            }
        }
    }

    fn take_view(&mut self, now: Timestamp, view: View) {
        self.looking = false;
        self.next_look = Some(later(now, self.settings.poll));
        self.next_due = view.next_due;
        self.more = view.more;
        self.more_due = view.more_due;
        self.shown_until = match (view.more_due, view.due.last()) {
            (true, Some((due, _))) => due.next_run.min(self.looked_at),
            _ => self.looked_at,
        };
        self.taken_since_look = 0;
        self.take_halt(view.halted);
        self.take_hold_of_others(now, view.held_by_lanes);
        self.taken.clear();
        self.unknown.clear();
        self.behind.clear();
        let mut candidates = Vec::with_capacity(view.due.len());
        let mut open = HashSet::with_capacity(view.open.len());
        for occurrence in view.open {
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
                _ => self.take_in_flight(occurrence),
            }
        }
        for (due, lane) in view.due {
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
            // What becomes due while it runs is for the next time.
            candidates.retain(|c| self.started.is_some_and(|started| c.not_before <= started));
            self.behind.clear();
        }
        let mut placed = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            match self.failing.place(candidate, now) {
                Ok(candidate) => placed.push(candidate),
                Err(until) => self.next_look = earliest(self.next_look, Some(until)),
            }
        }
        self.queue.load(placed);
    }

    fn take_halt(&mut self, halted: Option<Halt>) {
        if halted == self.halted {
            return;
        }
        match &halted {
            Some(halt) => tracing::warn!("{halt}"),
            None => tracing::info!("the halt is lifted: deliveries go on"),
        }
        self.halted = halted;
        self.next_beat = None;
    }

    /// Notes a lane that somebody speaks in, unless that is us.
    fn take_in_flight(&mut self, occurrence: OpenOccurrence) {
        let ours = self.ours.holds(&occurrence.lane, occurrence.id);
        if occurrence.state == State::Unknown {
            self.taken.insert(occurrence.lane.clone());
            self.unknown.insert(occurrence.id, occurrence);
        } else if !ours {
            self.taken.insert(occurrence.lane);
        }
    }

    fn take_claim(
        &mut self,
        now: Timestamp,
        candidate: Candidate,
        claim: Claim,
        actions: &mut Vec<Action>,
    ) {
        if !matches!(claim, Claim::Job(_)) {
            self.target.end_trial(&candidate.lane);
        }
        if !matches!(claim, Claim::Failed(_)) {
            self.failing.forget(&candidate);
        }
        if matches!(claim, Claim::Job(_) | Claim::Settled(_) | Claim::Broken(_)) {
            self.taken_since_look = self.taken_since_look.saturating_add(1);
        }
        match claim {
            Claim::Job(job) => {
                // A look from before the claim may have shown it as it was then: with that place it
                // would overtake others.
                self.queue.remove(&candidate);
                match due_again(&job, now).filter(|_| self.mode == Mode::Forever) {
                    Some(next) if next.intended_at <= self.shown_until => {
                        self.behind.insert(job.uid, next);
                    }
                    // It would overtake older ones of its lane that no look has shown yet.
                    Some(_) => self.want_look(),
                    None => self.next_due = earliest(self.next_due, job.next_run),
                }
                self.ours.send(candidate.lane, job.occurrence_id);
                actions.push(Action::Send(job));
            }
            Claim::LaneBusy => {
                self.ours.leave(&candidate.lane);
                self.taken.insert(candidate.lane.clone());
                self.queue.add(candidate);
            }
            Claim::Settled(_) => {
                self.ours.leave(&candidate.lane);
                // Only the database knows when the schedule runs next.
                self.want_look_soon(now);
            }
            Claim::Gone => {
                self.ours.leave(&candidate.lane);
                // Another scheduler may have tried it and let it wait: what comes after it in its
                // lane does so still.
                self.taken.insert(candidate.lane);
                // Not at once: should it still look the same, this would go on without a pause.
                self.next_look = earliest(self.next_look, Some(later(now, AFTER_FAILURE)));
            }
            Claim::Broken(reason) => {
                tracing::error!(lane = candidate.lane.as_str(), "{reason}");
                self.ours.leave(&candidate.lane);
                self.want_look_soon(now);
            }
            Claim::Failed(reason) => {
                self.ours.leave(&candidate.lane);
                let until = self.failing.add(&candidate, &reason, now);
                match self.failing.place(candidate, now) {
                    Ok(candidate) => self.queue.add(candidate),
                    Err(_) => self.next_look = earliest(self.next_look, Some(until)),
                }
            }
        }
    }

    /// What is known of a prompt when it is answered.
    pub(super) fn facts_of(&self, job: &Job) -> Facts {
        Facts {
            ages: self.may_age(),
            ..Facts::of_job(job)
        }
    }

    /// Nothing grows too old by a clock that may be wrong, or while the target is held.
    fn may_age(&self) -> bool {
        self.guard.held_until().is_none() && !self.target.is_held()
    }

    fn take_evidence(
        &mut self,
        now: Timestamp,
        open: Box<OpenOccurrence>,
        evidence: Evidence,
        actions: &mut Vec<Action>,
    ) {
        let facts = Facts {
            age_when_asked: self.asking.get(&open.id).copied().unwrap_or_default(),
            ages: self.may_age(),
            ..Facts::of_open(&open, now)
        };
        match evidence {
            Evidence::Refused(refusal) if refusal.kind == RefusalKind::TargetTrouble => {
                self.unanswered.insert(open.id);
                self.take_lost_search(now, open, facts, refusal, actions);
            }
            evidence => {
                self.unanswered.remove(&open.id);
                if matches!(evidence, Evidence::Found(_)) {
                    self.acquit(&open.lane);
                }
                let verdict = judge_evidence(evidence, &facts, now, &self.settings);
                actions.push(settle_open(*open, verdict));
            }
        }
    }

    fn take_settled(&mut self, now: Timestamp, settling: Settling, state: Option<State>) {
        self.asking.remove(&settling.occurrence_id);
        if settling.job.is_some() {
            self.ours.leave(&settling.lane);
        }
        match (state, settling.verdict) {
            (
                Some(State::Unknown),
                Verdict::Unknown {
                    not_before,
                    reconcile_until,
                    ..
                },
            ) => {
                if let Some(open) = self.unknown.get_mut(&settling.occurrence_id) {
                    open.not_before = Some(not_before);
                    open.reconcile_until = Some(reconcile_until);
                }
                self.taken.insert(settling.lane);
                self.want_look();
            }
            // The right was lost: only the database knows what has become of it.
            (None, _) => {
                self.unknown.remove(&settling.occurrence_id);
                self.taken.insert(settling.lane);
                self.want_look();
            }
            (Some(State::Waiting), Verdict::Waiting { not_before, .. }) => {
                // Its lane stays closed until a look, so that it is not overtaken.
                self.unknown.remove(&settling.occurrence_id);
                match settling.job {
                    Some(job) if self.mode == Mode::Forever => self.queue.add(Candidate {
                        lane: settling.lane,
                        intended_at: settling.intended_at,
                        not_before,
                        source: Source::Waiting {
                            occurrence_id: job.occurrence_id,
                            uid: job.uid,
                        },
                    }),
                    _ => self.want_look(),
                }
            }
            _ => {
                if self.unknown.remove(&settling.occurrence_id).is_some() {
                    self.taken.remove(&settling.lane);
                }
                if let Some(candidate) = self.behind.remove(&settling.uid) {
                    self.queue.add(candidate);
                }
                self.want_look_if_idle(now);
            }
        }
    }
}

/// The schedule of a job that is due again already: it comes after the job's own end.
fn due_again(job: &Job, now: Timestamp) -> Option<Candidate> {
    let next_run = job.next_run.filter(|next| *next <= now)?;
    Some(Candidate {
        lane: job.lane.clone(),
        intended_at: next_run,
        not_before: next_run,
        source: Source::Due(DueSchedule {
            id: job.schedule_id?,
            uid: job.uid,
            agent_id: job.agent_id.clone(),
            next_run,
        }),
    })
}
