//! What each event changes in the state.

use jiff::Timestamp;

use super::{Action, Core, Event, Mode, Settling};
use crate::clock::later;
use crate::models::{State, Verdict};
use crate::scheduler::queue::{Candidate, Source};

impl Core {
    pub(super) fn apply(&mut self, now: Timestamp, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Tick => {}
            Event::Changed => self.request_snapshot(),
            Event::SnapshotTaken(snapshot) => self.apply_snapshot(now, snapshot, actions),
            Event::MoreToReview => self.next_beat = None,
            Event::SnapshotFailed => self.apply_failed_snapshot(now),
            Event::ClockAssessed(doubt) => {
                self.guard.conclude(doubt);
                self.next_beat = None;
            }
            Event::Claimed(candidate, claim) => self.apply_claim(now, candidate, claim, actions),
            Event::ClaimFailed(candidate) => self.apply_failed_claim(now, candidate),
            Event::Begun(occurrence_id) => self.apply_begun(occurrence_id, actions),
            Event::Answered(job, answer) => self.apply_answer(now, job, answer, actions),
            Event::Found(open, evidence) => self.apply_evidence(now, open, evidence, actions),
            Event::Settled(settling, state) => self.apply_settled(now, settling, state),
            Event::Probed(target, answer) => self.apply_probe(now, target, answer, actions),
            Event::Stop => {
                let until = later(now, self.settings.drain);
                self.stop_at = Some(self.stop_at.map_or(until, |t| t.min(until)));
                self.settle_suspicions(now, actions);
            }
        }
    }

    fn apply_settled(&mut self, now: Timestamp, settling: Settling, state: Option<State>) {
        self.searching.remove(&settling.occurrence_id);
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
                self.busy.insert(settling.lane);
                self.request_snapshot();
            }
            // The right to settle it was lost: only the database knows its state.
            (None, _) => {
                self.unknown.remove(&settling.occurrence_id);
                self.busy.insert(settling.lane);
                self.request_snapshot();
            }
            (Some(State::Waiting), Verdict::Waiting { not_before, .. }) => {
                // Its lane stays closed until a snapshot, so that nothing overtakes it.
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
                    _ => self.request_snapshot(),
                }
            }
            _ => {
                if self.unknown.remove(&settling.occurrence_id).is_some() {
                    self.busy.remove(&settling.lane);
                }
                if let Some(candidate) = self.behind.remove(&settling.uid) {
                    self.queue.add(candidate);
                }
                self.request_snapshot_if_idle(now);
            }
        }
    }
}
