//! Claims what is due, and handles the database's answer.

use jiff::Timestamp;

use super::{AFTER_FAILURE, Action, Core, Mode, TargetAction, Write};
use crate::clock::{earliest, later};
use crate::models::{Claim, DueSchedule, Job, Lane};
use crate::scheduler::queue::{Candidate, Source};

impl Core {
    /// Claims what may be sent now, as long as there is room.
    pub(super) fn claim(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        while self.ours.has_room() {
            let (ours, busy, preparing) = (&self.ours, &self.busy, &self.preparing);
            let free = |lane: &Lane| {
                !ours.contains(lane)
                    && !busy.contains(lane)
                    && !preparing.contains(lane.target_name())
            };
            let Some(candidate) = self.targets.take(&mut self.queue, now, free) else {
                return;
            };
            self.ours.claim(candidate.lane.clone());
            actions.push(Action::Write(Write::Claim(candidate, now)));
        }
    }

    pub(super) fn apply_claim(
        &mut self,
        now: Timestamp,
        candidate: Candidate,
        claim: Claim,
        actions: &mut Vec<Action>,
    ) {
        if !matches!(claim, Claim::Job(_)) {
            self.end_trial(&candidate.lane);
        }
        if !matches!(claim, Claim::Failed(_)) {
            self.failed_claims.forget(&candidate);
        }
        if matches!(claim, Claim::Job(_) | Claim::Settled(_) | Claim::Broken(_)) {
            self.claims_since_snapshot = self.claims_since_snapshot.saturating_add(1);
        }
        match claim {
            Claim::Job(job) => {
                // A snapshot from before the claim may show it as it was then: in that position it
                // would overtake others.
                self.queue.remove(&candidate);
                match due_again(&job, now).filter(|_| self.mode == Mode::Forever) {
                    Some(next) if next.intended_at <= self.shown_until => {
                        self.behind.insert(job.uid, next);
                    }
                    // It would overtake older ones of its lane that no snapshot has shown yet.
                    Some(_) => self.request_snapshot(),
                    None => self.next_due = earliest(self.next_due, job.next_run),
                }
                self.ours.send(candidate.lane, job.occurrence_id);
                actions.push(Action::Talk(TargetAction::Send(job)));
            }
            Claim::LaneBusy => {
                self.ours.leave(&candidate.lane);
                self.busy.insert(candidate.lane.clone());
                self.queue.add(candidate);
            }
            Claim::Settled(_) => {
                self.ours.leave(&candidate.lane);
                // Only the database knows when the schedule runs next.
                self.request_snapshot_soon(now);
            }
            Claim::Gone => {
                self.ours.leave(&candidate.lane);
                // Another scheduler may have tried it and put it off: what comes after it in its
                // lane still has to wait.
                self.busy.insert(candidate.lane);
                // Not at once: if it still looks the same, this would loop without a pause.
                self.next_snapshot = earliest(self.next_snapshot, Some(later(now, AFTER_FAILURE)));
            }
            Claim::Broken(reason) => {
                tracing::error!(lane = candidate.lane.as_str(), "{reason}");
                self.ours.leave(&candidate.lane);
                self.request_snapshot_soon(now);
            }
            Claim::Failed(reason) => {
                self.ours.leave(&candidate.lane);
                let until = self.failed_claims.add(&candidate, &reason, now);
                match self.failed_claims.place(candidate, now) {
                    Ok(candidate) => self.queue.add(candidate),
                    Err(_) => self.next_snapshot = earliest(self.next_snapshot, Some(until)),
                }
            }
        }
    }

    /// The database failed during this claim.
    pub(super) fn apply_failed_claim(&mut self, now: Timestamp, candidate: Candidate) {
        self.ours.leave(&candidate.lane);
        self.end_trial(&candidate.lane);
        // The next one would only fail the same way; the snapshot brings them all again. What
        // waited behind something goes with them, or it would overtake them.
        self.queue.load(Vec::new());
        self.behind.clear();
        self.shown_until = Timestamp::MIN;
        self.more_due = false;
        self.next_snapshot = Some(later(now, AFTER_FAILURE));
    }

    /// Records that what was claimed in a lane ended without telling anything about its target.
    pub(super) fn end_trial(&mut self, lane: &Lane) {
        let target = self.targets.get_mut(lane.target_name());
        target.availability.end_trial(lane);
    }

    /// When something could be claimed next.
    pub(super) fn next_claim(&self) -> Option<Timestamp> {
        self.targets.next_claim(&self.queue, |l| self.is_free(l))
    }
}

/// The schedule of a job if it is due again already: it comes after the job's own end.
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
            target: Some(job.lane.target()),
            conversation: job.conversation.clone(),
            next_run,
        }),
    })
}
