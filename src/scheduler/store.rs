//! What a scheduler does with the database.

mod adoptions;
mod snapshot;

use std::collections::HashMap;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use self::adoptions::Adoptions;
use super::core::{Event, HoldKind, Settling, StoreAction, Write};
use super::queue::{Candidate, Source};
use super::{DeliveryReport, Scheduler};
use crate::clock::{Moment, Reading};
use crate::db::OwnerLock;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::models::{Claim, ClaimTerms, ErrorClass, Fault, HeldTarget, Settlement, Verdict};

/// How many due schedules a snapshot reads: enough for every place, and for a while.
const DUE_AT_ONCE: usize = 1_000;

/// Carries out the core's decisions on the database, under one owner lock. Database failures are
/// logged once and turned into the events that follow from them.
pub struct SchedulerStore {
    scheduler: Scheduler,
    lock: OwnerLock,
    /// Claimed and unsettled occurrences, with their fences.
    ours: HashMap<i64, i64>,
    /// The reading of the clocks by which the current step decides.
    reading: Reading,
    /// Whether no stored time was computed from a later time. The clock may have been set back
    /// unnoticed before this scheduler started.
    times_are_corrected: bool,
    /// What was adopted and not reported yet.
    adoptions: Adoptions,
    /// How many due schedules a snapshot reads.
    due_at_once: usize,
    /// The database's last failure, until it works again.
    failure: Option<Error>,
}

/// What is left to do after an action.
#[derive(Debug)]
pub enum StoreReply {
    /// Nothing.
    Done,
    /// Pass this to the core.
    Event(Event),
    /// Write this verdict again after a while: the database failed.
    RetrySettle(Settling),
}

/// The result of a write.
enum WriteResult {
    Claim(Candidate, Result<Claim>),
    Settle(Settling, Result<Option<Settlement>>),
    Run(Result<()>),
}

impl SchedulerStore {
    /// The store of a scheduler that is starting.
    ///
    /// # Errors
    /// If the owner lock can't be taken.
    pub fn new(scheduler: &Scheduler) -> Result<Self> {
        Ok(SchedulerStore {
            scheduler: scheduler.clone(),
            lock: scheduler.db.lock_owner()?,
            ours: HashMap::new(),
            reading: scheduler.clock.reading(),
            times_are_corrected: false,
            adoptions: Adoptions::default(),
            due_at_once: DUE_AT_ONCE,
            failure: None,
        })
    }

    /// The owner and lease with which this scheduler claims.
    pub fn terms(&self) -> ClaimTerms {
        let settings = &self.scheduler.settings;
        ClaimTerms {
            owner: self.lock.owner(),
            max_age: settings.max_age,
            once_max_lateness: settings.once_max_lateness,
        }
    }

    /// Begins a step of the core that decides by this reading.
    pub fn begin_step(&mut self, moment: Moment) {
        self.reading.moment = moment;
    }

    /// Carries out a database action of its own.
    pub async fn execute(&mut self, action: StoreAction) -> StoreReply {
        let Scheduler { db, clock, .. } = &self.scheduler;
        let noted = match action {
            StoreAction::TakeSnapshot => return StoreReply::Event(self.take_snapshot().await),
            StoreAction::TakeLargerSnapshot => {
                self.due_at_once = self.due_at_once.saturating_mul(2);
                return StoreReply::Event(self.take_snapshot().await);
            }
            StoreAction::Hold {
                target,
                kind,
                refusal,
            } => {
                let held = HeldTarget {
                    target: target.to_string(),
                    held_since: clock.now(),
                    code: refusal.class.as_str().to_owned(),
                    reason: refusal.text,
                    by_lanes: kind == HoldKind::RefusesLanes,
                };
                db.hold_target(&held).await
            }
            StoreAction::Release(target) => db.release_target(target.as_str(), clock.now()).await,
            StoreAction::Beat(holding) => match self.beat(holding).await {
                Ok(true) => {
                    self.log_failure(None);
                    return StoreReply::Event(Event::MoreToReview);
                }
                reviewed => reviewed.map(drop),
            },
            StoreAction::EndPauses => db.end_pauses(clock.now()).await,
            StoreAction::TrustClock => db.trust_clock(&self.reading).await,
            StoreAction::PullForward => {
                self.times_are_corrected = false;
                return StoreReply::Done;
            }
            StoreAction::Abandon(occurrence_id) => self.abandon(occurrence_id).await,
            StoreAction::Prune(before) => {
                self.prune(before);
                return StoreReply::Done;
            }
        };
        self.log_failure(noted.err());
        StoreReply::Done
    }

    /// Writes a heartbeat and reviews the incidents. Returns whether more of them are waiting to be
    /// reviewed.
    async fn beat(&self, holding: Option<String>) -> Result<bool> {
        let Scheduler { db, clock, .. } = &self.scheduler;
        let now = clock.now();
        db.beat(self.lock.owner(), holding.as_deref(), now).await?;
        db.review_incidents(now).await
    }

    /// Prunes in the background, because it may take a while.
    fn prune(&self, before: Timestamp) {
        let (db, now) = (self.scheduler.db.clone(), self.scheduler.clock.now());
        tokio::spawn(async move {
            match db.prune(before, now, |_| ()).await {
                Ok(pruned) if pruned.occurrences > 0 || pruned.schedules > 0 => tracing::info!(
                    "pruned {} deliveries settled before {before} and {} schedules that ended \
                     before then",
                    pruned.occurrences,
                    pruned.schedules
                ),
                Ok(_) => {}
                Err(e) => tracing::warn!("{}; retrying in a day", e.chain()),
            }
        });
    }

    /// Writes all of these, in one commit if possible, but each independently: a write that fails
    /// or is refused affects no other. The replies are in the order of the writes.
    pub async fn write(&mut self, writes: Vec<Write>) -> Vec<StoreReply> {
        let terms = self.terms();
        let begun = writes
            .into_iter()
            .map(|write| self.start_write(write, &terms));
        let result = join_all(begun).await;
        result
            .into_iter()
            .map(|one| self.finish_write(one))
            .collect()
    }

    /// Hands a write to the database.
    async fn start_write(&self, write: Write, terms: &ClaimTerms) -> WriteResult {
        let Scheduler { db, clock, .. } = &self.scheduler;
        match write {
            Write::Claim(candidate, now) => {
                let claimed = match &candidate.source {
                    // Its server turned out to be of another kind since the snapshot was taken.
                    Source::Due(due) if self.lane_of(due) != candidate.lane => Ok(Claim::Gone),
                    Source::Due(due) => db.claim_due(due, &candidate.lane, terms, now).await,
                    Source::Waiting { occurrence_id, .. } => {
                        db.claim_waiting(*occurrence_id, terms, now).await
                    }
                };
                WriteResult::Claim(candidate, claimed)
            }
            Write::Settle(settling) => {
                let (id, fence, verdict) =
                    (settling.occurrence_id, settling.fence, &settling.verdict);
                let settled = db.settle(id, fence, verdict, clock.now()).await;
                WriteResult::Settle(settling, settled)
            }
            Write::Run {
                occurrence_id,
                fence,
                run_id,
            } => WriteResult::Run(db.record_run(occurrence_id, fence, &run_id).await),
        }
    }

    /// Handles the result of a write. A verdict that the database can't write is retried until it
    /// can: the lane stays closed meanwhile, and if this process dies, the next one searches for
    /// the prompt.
    fn finish_write(&mut self, result: WriteResult) -> StoreReply {
        match result {
            WriteResult::Claim(candidate, Ok(claim)) => {
                if let Claim::Job(job) = &claim {
                    self.ours.insert(job.occurrence_id, job.fence);
                }
                StoreReply::Event(Event::Claimed(candidate, claim))
            }
            WriteResult::Claim(candidate, Err(e)) => {
                self.log_failure(Some(e));
                StoreReply::Event(Event::ClaimFailed(candidate))
            }
            WriteResult::Settle(settling, Ok(settlement)) => {
                failpoint!(settling.job.is_some(), AnswerSettled, EvidenceSettled);
                self.report_delivery(&settling, settlement.as_ref());
                self.log_failure(None);
                self.ours.remove(&settling.occurrence_id);
                StoreReply::Event(Event::Settled(settling, settlement.map(|s| s.state)))
            }
            WriteResult::Settle(settling, Err(e)) => {
                self.log_failure(Some(e));
                StoreReply::RetrySettle(settling)
            }
            WriteResult::Run(noted) => {
                failpoint!(RunNoted);
                self.log_failure(noted.err());
                StoreReply::Done
            }
        }
    }

    /// Logs and reports what a verdict resulted in.
    fn report_delivery(&self, settling: &Settling, settlement: Option<&Settlement>) {
        let Some(settled) = settlement else { return };
        if let (Some(id), Some(note)) = (settled.schedule_id, &settled.paused) {
            tracing::warn!("schedule {id} was paused: {note}");
        }
        if let Verdict::Dead { fault } = &settling.verdict {
            let schedule = match settled.schedule_id {
                Some(id) => format!("schedule {id}"),
                None => "a deleted schedule".to_owned(),
            };
            tracing::warn!(
                "the prompt of {schedule} for {} was given up: {}: {}",
                settling.intended_at,
                fault.code,
                fault.text
            );
        }
        if let Some(reports) = &self.scheduler.reports {
            let _ = reports.send(DeliveryReport {
                occurrence_id: settling.occurrence_id,
                schedule_id: settled.schedule_id,
                intended_at: settling.intended_at,
                target: settling.lane.target().to_string(),
                sent_at: settling.job.as_ref().map(|job| job.sent_at),
                state: settled.state,
                verdict: settling.verdict.clone(),
            });
        }
    }

    /// Gives up waiting for a prompt at the end of the drain; the next scheduler searches for it.
    async fn abandon(&mut self, occurrence_id: i64) -> Result<()> {
        let Some(fence) = self.ours.remove(&occurrence_id) else {
            return Ok(());
        };
        let Scheduler {
            db,
            clock,
            settings,
            ..
        } = &self.scheduler;
        let now = clock.now();
        let fault = "the scheduler was stopped while the agent's turn was running";
        let verdict = unknown_from(now, settings.reconcile_deadline, fault);
        db.settle(occurrence_id, fence, &verdict, now).await?;
        Ok(())
    }

    /// Ends this scheduler's work and removes it from the database. Returns the failure of the
    /// database, if it still fails.
    pub async fn leave(mut self) -> Option<Error> {
        let owner = self.lock.owner().to_string();
        let forgotten = self.scheduler.db.forget_scheduler(&owner).await;
        self.log_failure(forgotten.err());
        self.failure
    }

    /// Logs once that the database fails, and once that it works again.
    fn log_failure(&mut self, error: Option<Error>) {
        match error {
            Some(e) => {
                if self.failure.is_none() {
                    tracing::error!("{}; retrying until it works", e.chain());
                }
                self.failure = Some(e);
            }
            None => {
                if self.failure.take().is_some() {
                    tracing::info!("the database works again");
                }
            }
        }
    }
}

/// The verdict on a prompt that nobody waits for any more.
fn unknown_from(now: Timestamp, deadline: SignedDuration, text: &str) -> Verdict {
    Verdict::Unknown {
        not_before: now,
        reconcile_until: now.checked_add(deadline).unwrap_or(Timestamp::MAX),
        fault: Fault::new(ErrorClass::Interrupted.as_str(), text),
        run_id: None,
    }
}
