//! Whose fault it is when something can't be sent, or its fate not be found out.
//!
//! A refusal that is not about its prompt or agent is about the target, or about what stands between
//! us and it for this one agent. So the target is asked whether it is well. If it is not, everything
//! is held until it is. If it is, the trouble is the lane's; but once several lanes meet the same with
//! nothing taken in between, the target is held all the same, and one prompt at a time finds out when
//! that is over.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::super::judge::{Facts, judge_answer, judge_evidence, judge_withheld};
use super::target::{HeldBy, Target};
use super::{Action, Core, Settling};
use crate::letta_client::{Answer, ErrorClass, Evidence, Refusal, RefusalKind};
use crate::models::{Job, Lane, OpenOccurrence, Verdict};

/// So many lanes that meet the same, with nothing taken in between, are no coincidence.
const MANY_LANES: usize = 3;

/// What is not settled before the target has said whether it is well.
#[derive(Debug)]
pub(super) struct Suspicion {
    cause: Cause,
    /// Whether the target was asked since it arose.
    asked: bool,
}

#[derive(Debug)]
enum Cause {
    /// A prompt was refused.
    Refused(Box<Job>, Refusal),
    /// A search was refused, or not answered.
    Search(Box<OpenOccurrence>, Facts, Refusal),
    /// A prompt of this lane was answered in the target's place.
    Doubted(Lane, ErrorClass),
}

impl Core {
    /// Takes an answer that may not be about its prompt.
    pub(super) fn take_answer(
        &mut self,
        now: Timestamp,
        job: Box<Job>,
        answer: Answer,
        actions: &mut Vec<Action>,
    ) {
        match answer {
            Answer::Refused(refusal) if may_be_everyones(&refusal) => {
                self.take_suspect(now, job, refusal, actions);
            }
            answer => {
                if is_taken_in(&answer) {
                    self.take_success(&job.lane, actions);
                }
                self.target.end_trial(&job.lane);
                if let Answer::Unknown(doubt) = &answer
                    && is_of_the_way(doubt.class)
                {
                    self.suspect(Cause::Doubted(job.lane.clone(), doubt.class));
                }
                let verdict = judge_answer(answer, &self.facts_of(&job), now, &self.settings);
                actions.push(settle_job(job, verdict));
            }
        }
    }

    /// Takes that a turn has begun: however long it goes on, the target has taken its prompt.
    pub(super) fn take_begun(&mut self, occurrence_id: i64, actions: &mut Vec<Action>) {
        if let Some(lane) = self.ours.lane_of(occurrence_id) {
            self.take_success(&lane, actions);
        }
    }

    /// Takes that the target has taken a prompt of this lane in.
    fn take_success(&mut self, lane: &Lane, actions: &mut Vec<Action>) {
        self.acquit(lane);
        if self.target.is_held() && !self.target.is_closed() {
            self.release(actions);
        }
    }

    /// The target has taken a prompt of this lane, so what others met meanwhile was their own.
    pub(super) fn acquit(&mut self, lane: &Lane) {
        let alike = match &mut self.target {
            Target::Held {
                by: HeldBy::Lanes { refused, .. },
                ..
            } => std::mem::take(refused),
            _ => VecDeque::new(),
        };
        let counted = self.refused.drain(..).map(|(lane, _)| lane);
        self.set_apart.extend(counted.chain(alike));
        self.set_apart.remove(lane);
    }

    fn take_suspect(
        &mut self,
        now: Timestamp,
        job: Box<Job>,
        refusal: Refusal,
        actions: &mut Vec<Action>,
    ) {
        match &mut self.target {
            Target::Open if self.stop_at.is_none() => {
                return self.suspect(Cause::Refused(job, refusal));
            }
            Target::Held {
                by: HeldBy::Lanes { refused, .. },
                ..
            } => {
                refused.retain(|lane| *lane != job.lane);
                refused.push_back(job.lane.clone());
                self.target.end_trial(&job.lane);
                self.target.put_off(now);
            }
            Target::Open | Target::Held { .. } => {}
        }
        actions.push(settle_job(job, judge_withheld(refusal, now)));
    }

    /// Takes a search that the target refused or did not answer.
    pub(super) fn take_lost_search(
        &mut self,
        now: Timestamp,
        open: Box<OpenOccurrence>,
        facts: Facts,
        refusal: Refusal,
        actions: &mut Vec<Action>,
    ) {
        if !self.target.is_held() && self.stop_at.is_none() {
            return self.suspect(Cause::Search(open, facts, refusal));
        }
        self.settle_search(now, *open, facts, refusal, actions);
    }

    /// Lets a search that had no answer go on later.
    fn settle_search(
        &self,
        now: Timestamp,
        open: OpenOccurrence,
        facts: Facts,
        refusal: Refusal,
        actions: &mut Vec<Action>,
    ) {
        let facts = Facts {
            ages: facts.ages && !self.target.is_held() && self.stop_at.is_none(),
            ..facts
        };
        let evidence = Evidence::Refused(refusal);
        let verdict = judge_evidence(evidence, &facts, now, &self.settings);
        actions.push(settle_open(open, verdict));
    }

    fn suspect(&mut self, cause: Cause) {
        self.suspicions.push(Suspicion {
            cause,
            asked: false,
        });
    }

    /// Asks the target whether it is well, if anything makes us doubt it or it is time to.
    pub(super) fn ask_target(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let suspected = self.suspicions.iter().any(|s| !s.asked);
        let due = self.target.next_question().is_some_and(|t| now >= t);
        if self.probing || !(suspected || due) {
            return;
        }
        self.probing = true;
        for suspicion in &mut self.suspicions {
            suspicion.asked = true;
        }
        actions.push(Action::Probe);
    }

    /// Takes what the target says of itself.
    pub(super) fn take_probe(
        &mut self,
        now: Timestamp,
        answer: Result<(), Refusal>,
        actions: &mut Vec<Action>,
    ) {
        self.probing = false;
        let of_before = std::mem::take(&mut self.suspicions);
        let (asked, rest) = of_before.into_iter().partition(|s| s.asked);
        self.suspicions = rest;
        match answer {
            Err(refusal) => {
                self.hold(now, HeldBy::Itself, refusal, actions);
                self.target.put_off(now);
                self.withhold(now, asked, actions);
            }
            Ok(()) => {
                if self.target.is_closed() {
                    self.release(actions);
                }
                for suspicion in asked {
                    self.blame_lane(now, suspicion.cause, actions);
                }
            }
        }
    }

    /// Settles what waited for the target's word and can wait for the target itself.
    pub(super) fn withhold(
        &mut self,
        now: Timestamp,
        suspicions: Vec<Suspicion>,
        actions: &mut Vec<Action>,
    ) {
        for suspicion in suspicions {
            match suspicion.cause {
                Cause::Refused(job, refusal) => {
                    actions.push(settle_job(job, judge_withheld(refusal, now)));
                }
                Cause::Search(open, facts, refusal) => {
                    self.settle_search(now, *open, facts, refusal, actions);
                }
                Cause::Doubted(..) => {}
            }
        }
    }

    /// The target is well, so what was met is the lane's trouble, unless too many meet the same.
    fn blame_lane(&mut self, now: Timestamp, cause: Cause, actions: &mut Vec<Action>) {
        match cause {
            Cause::Refused(job, refusal) => {
                self.count_refusal(now, &job.lane, &refusal, actions);
                let verdict = match self.target {
                    Target::Open => {
                        let (facts, s) = (self.facts_of(&job), &self.settings);
                        judge_answer(Answer::Refused(refusal), &facts, now, s)
                    }
                    Target::Held { .. } => judge_withheld(refusal, now),
                };
                actions.push(settle_job(job, verdict));
            }
            Cause::Search(open, facts, refusal) => {
                self.settle_search(now, *open, facts, refusal, actions);
            }
            // That one turn was cut or silent for too long says nothing of the others'.
            Cause::Doubted(_, ErrorClass::Cut | ErrorClass::Timeout) => {}
            Cause::Doubted(lane, class) => {
                let text = "something answers in the target's place";
                let refusal = Refusal::new(RefusalKind::TargetTrouble, class, text);
                self.count_refusal(now, &lane, &refusal, actions);
            }
        }
    }

    /// Notes that a lane was refused while the target says that it is well; holds the target if
    /// several were, alike.
    fn count_refusal(
        &mut self,
        now: Timestamp,
        lane: &Lane,
        refusal: &Refusal,
        actions: &mut Vec<Action>,
    ) {
        if let Target::Held {
            by: HeldBy::Lanes { refused, .. },
            ..
        } = &mut self.target
        {
            refused.retain(|other| other != lane);
            refused.push_back(lane.clone());
            return;
        }
        self.refused.retain(|(other, _)| other != lane);
        self.refused.push((lane.clone(), refusal.class));
        let alike = self.refused.iter().filter(|(_, c)| *c == refusal.class);
        let refused: VecDeque<Lane> = alike.map(|(lane, _)| lane.clone()).collect();
        let is_new = refused.iter().any(|lane| !self.set_apart.contains(lane));
        if refused.len() >= MANY_LANES && is_new {
            let text = format!(
                "it says that it is well, but refused the prompts of {} agents alike: {}",
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
            self.hold(now, by, refusal, actions);
        }
    }

    fn hold(&mut self, now: Timestamp, by: HeldBy, refusal: Refusal, actions: &mut Vec<Action>) {
        match &mut self.target {
            Target::Open => {
                tracing::warn!(
                    "nothing is sent until the target takes prompts again: {}",
                    refusal.text
                );
                self.next_beat = None;
                let by_lanes = matches!(by, HeldBy::Lanes { .. });
                self.target = Target::Held {
                    by,
                    reason: refusal.text.clone(),
                    tries: 0,
                    next_try: now,
                };
                if by_lanes {
                    self.target.put_off(now);
                }
                actions.push(Action::Hold { refusal, by_lanes });
            }
            Target::Held {
                by: held_by,
                reason,
                ..
            } => {
                let by_lanes = matches!(by, HeldBy::Lanes { .. });
                let was_by_lanes = matches!(held_by, HeldBy::Lanes { .. });
                if *reason != refusal.text || by_lanes != was_by_lanes {
                    reason.clone_from(&refusal.text);
                    actions.push(Action::Hold { refusal, by_lanes });
                }
                *held_by = by;
            }
        }
    }

    fn release(&mut self, actions: &mut Vec<Action>) {
        tracing::info!("the target takes prompts again");
        self.target = Target::Open;
        self.next_beat = None;
        actions.push(Action::Release);
        self.want_look();
    }

    /// Takes what another scheduler has found out about the target.
    pub(super) fn take_hold_of_others(&mut self, now: Timestamp, held_by_lanes: Option<bool>) {
        match (&mut self.target, held_by_lanes) {
            (Target::Open, Some(by_lanes)) => {
                self.target = Target::held_elsewhere(by_lanes, now);
            }
            (Target::Held { next_try, .. }, None) => *next_try = now,
            _ => {}
        }
    }
}

/// Whether a refusal may hit every agent.
fn may_be_everyones(refusal: &Refusal) -> bool {
    // An account without credits is said in Letta's words, too.
    refusal.kind == RefusalKind::TargetTrouble || refusal.class == ErrorClass::PaymentRequired
}

/// Whether an answer shows that the target takes prompts.
fn is_taken_in(answer: &Answer) -> bool {
    match answer {
        Answer::Delivered(_) => true,
        // That an agent is busy is often said before any prompt is sent.
        Answer::Refused(refusal) => refusal.kind != RefusalKind::Busy,
        Answer::Unknown(_) => false,
    }
}

/// Whether an unknown fate tells of the way to the target, not of one turn.
fn is_of_the_way(class: ErrorClass) -> bool {
    use ErrorClass::{Cut, Garbled, Gateway, Timeout, TooLarge, Unreachable};
    matches!(
        class,
        Cut | Garbled | Gateway | Timeout | TooLarge | Unreachable
    )
}

fn settle_job(job: Box<Job>, verdict: Verdict) -> Action {
    Action::Settle(Settling {
        occurrence_id: job.occurrence_id,
        uid: job.uid,
        fence: job.fence,
        verdict,
        lane: job.lane.clone(),
        intended_at: job.intended_at,
        job: Some(job),
    })
}

/// The settling of a prompt whose fate was looked for.
pub(super) fn settle_open(open: OpenOccurrence, verdict: Verdict) -> Action {
    Action::Settle(Settling {
        occurrence_id: open.id,
        uid: open.uid,
        fence: open.fence,
        verdict,
        lane: open.lane,
        intended_at: open.intended_at,
        job: None,
    })
}
