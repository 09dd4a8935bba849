//! What each event changes in the state.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::super::judge::{Facts, Judgement, judge_answer, judge_evidence};
use super::super::queue::{Candidate, Source};
use super::{
    AFTER_FAILURE, Action, Core, Event, FRUITLESS_HOLDS, Mode, Settling, Target, View, earliest,
    held, later,
};
use crate::db::{Claim, DueSchedule, Halt, Job, OpenOccurrence};
use crate::letta_client::{Answer, Evidence, Refusal, RefusalKind};
use crate::models::{State, Trigger, Verdict};

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
            Event::Claimed(candidate, claim) => self.take_claim(now, candidate, claim, actions),
            Event::ClaimFailed(candidate) => {
                self.ours.remove(&candidate.lane);
                // The next one would only wait for the same; the look brings them all again. What
                // was behind something goes with them, or it would overtake them.
                self.queue.load(Vec::new());
                self.behind.clear();
                self.more_due = false;
                self.next_look = Some(later(now, AFTER_FAILURE));
            }
            Event::Answered(job, answer) => {
                let mut facts = Facts::of_job(&job);
                if self.guard.held_until().is_some() {
                    // Nothing grows too old by a clock that may be wrong.
                    facts.expires_at = Timestamp::MAX;
                }
                let answer = self.weigh(answer);
                let judgement = judge_answer(answer, &facts, now, &self.settings);
                self.hold(now, judgement.hold, actions);
                actions.push(Action::Settle(Settling {
                    occurrence_id: job.occurrence_id,
                    uid: job.uid,
                    fence: job.fence,
                    verdict: judgement.verdict,
                    lane: job.lane.clone(),
                    intended_at: job.intended_at,
                    job: Some(job),
                }));
            }
            Event::Found(open, evidence) => self.take_evidence(now, *open, evidence, actions),
            Event::Settled(settling, state) => self.take_settled(now, settling, state),
            Event::Probed(answer) => self.take_probe(now, answer, actions),
            Event::Stop => {
                let until = later(now, self.settings.drain);
                self.stop_at = Some(self.stop_at.map_or(until, |t| t.min(until)));
            }
        }
    }

    fn take_view(&mut self, now: Timestamp, view: View) {
        self.looking = false;
        self.next_look = Some(later(now, self.settings.poll));
        self.next_due = view.next_due;
        self.more = view.more;
        self.more_due = view.more_due;
        self.taken_since_look = 0;
        self.take_halt(view.halted);
        match &mut self.target {
            Target::Open if view.held => {
                self.target = held("another scheduler found the target not answering", now);
            }
            // Another scheduler has had an answer.
            Target::Held { next_probe, .. } if !view.held => *next_probe = now,
            _ => {}
        }
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
        if self.mode == Mode::Once {
            // What becomes due while it runs is for the next time.
            candidates.retain(|c| self.started.is_some_and(|started| c.not_before <= started));
            self.behind.clear();
        }
        let mut placed = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            match self.refused.place(candidate, now) {
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
        let ours = self.ours.get(&occurrence.lane) == Some(&Some(occurrence.id));
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
        if !matches!(claim, Claim::Failed(_)) {
            self.refused.forget(&candidate);
        }
        if matches!(claim, Claim::Job(_) | Claim::Settled(_) | Claim::Broken(_)) {
            self.taken_since_look = self.taken_since_look.saturating_add(1);
        }
        match claim {
            Claim::Job(job) => {
                match due_again(&job, now).filter(|_| self.mode == Mode::Forever) {
                    Some(next) => drop(self.behind.insert(job.uid, next)),
                    None => self.next_due = earliest(self.next_due, job.next_run),
                }
                self.ours.insert(candidate.lane, Some(job.occurrence_id));
                actions.push(Action::Send(job));
            }
            Claim::LaneBusy => {
                self.ours.remove(&candidate.lane);
                self.taken.insert(candidate.lane.clone());
                self.queue.add(candidate);
            }
            Claim::Settled(_) => {
                self.ours.remove(&candidate.lane);
                // Only the database knows when the schedule runs next.
                self.want_look_soon(now);
            }
            Claim::Gone => {
                self.ours.remove(&candidate.lane);
                // Another scheduler may have tried it and let it wait: what comes after it in its
                // lane does so still.
                self.taken.insert(candidate.lane);
                // Not at once: should it still look the same, this would go on without a pause.
                self.next_look = earliest(self.next_look, Some(later(now, AFTER_FAILURE)));
            }
            Claim::Broken(reason) => {
                tracing::error!(lane = candidate.lane.as_str(), "{reason}");
                self.ours.remove(&candidate.lane);
                self.want_look_soon(now);
            }
            Claim::Failed(reason) => {
                self.ours.remove(&candidate.lane);
                let until = self.refused.add(&candidate, &reason, now);
                match self.refused.place(candidate, now) {
                    Ok(candidate) => self.queue.add(candidate),
                    Err(_) => self.next_look = earliest(self.next_look, Some(until)),
                }
            }
        }
    }

    /// A target that holds us off again and again although it says that it is well is not absent:
    /// what it says is then about the prompt, which is retried ever more slowly and grows too old.
    fn weigh(&mut self, answer: Answer) -> Answer {
        match answer {
            Answer::Refused(refusal) if refusal.kind == RefusalKind::TargetDown => {
                let kind = match self.fruitless >= FRUITLESS_HOLDS {
                    true => RefusalKind::Later,
                    false => RefusalKind::TargetDown,
                };
                Answer::Refused(Refusal { kind, ..refusal })
            }
            answered => {
                self.fruitless = 0;
                answered
            }
        }
    }

    fn take_evidence(
        &mut self,
        now: Timestamp,
        open: OpenOccurrence,
        evidence: Evidence,
        actions: &mut Vec<Action>,
    ) {
        let facts = Facts {
            age_when_asked: self.asking.get(&open.id).copied().unwrap_or_default(),
            ..Facts::of_open(&open, now)
        };
        let Judgement { verdict, hold } = judge_evidence(evidence, &facts, now, &self.settings);
        self.hold(now, hold, actions);
        actions.push(Action::Settle(Settling {
            occurrence_id: open.id,
            uid: open.uid,
            fence: open.fence,
            verdict,
            lane: open.lane,
            intended_at: open.intended_at,
            job: None,
        }));
    }

    fn take_settled(&mut self, now: Timestamp, settling: Settling, state: Option<State>) {
        self.asking.remove(&settling.occurrence_id);
        if settling.job.is_some() {
            self.ours.remove(&settling.lane);
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

    fn take_probe(
        &mut self,
        now: Timestamp,
        answer: Result<(), Refusal>,
        actions: &mut Vec<Action>,
    ) {
        match (answer, &mut self.target) {
            (Ok(()), Target::Held { .. }) => {
                tracing::info!("the target answers again");
                self.target = Target::Open;
                self.next_beat = None;
                actions.push(Action::Release);
                self.want_look();
            }
            (
                Err(refusal),
                Target::Held {
                    reason,
                    probes,
                    next_probe,
                    probing,
                },
            ) => {
                *probing = false;
                if *reason != refusal.text {
                    reason.clone_from(&refusal.text);
                    actions.push(Action::Hold(refusal));
                }
                *probes = probes.saturating_add(1);
                // 1 s, 2 s, 4 s … 30 s: quick to notice a restart, quiet through a long absence.
                let wait = 1_i64.checked_shl((*probes).min(5)).unwrap_or(30).min(30);
                *next_probe = later(now, SignedDuration::from_secs(wait));
            }
            (_, Target::Open) => {}
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
