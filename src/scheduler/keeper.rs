//! What a scheduler does with the database: every action of the core but the talks with the target.

mod adoptions;
mod look;

use std::collections::HashMap;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use self::adoptions::Adoptions;
use self::look::DUE_AT_ONCE;
use super::core::{Action, Event, Settling};
use super::queue::{Candidate, Source};
use super::{Outcome, Scheduler};
use crate::clock::{Moment, Reading};
use crate::db::OwnerLock;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::letta_client::{ErrorClass, Lookup, Refusal};
use crate::models::{Claim, ClaimTerms, Fault, HeldTarget, OpenOccurrence, Settlement, Verdict};

/// Carries out the core's decisions on the database, under one owner lock. Failures of the
/// database are reported once and turned into the events that follow from them.
pub struct Keeper {
    scheduler: Scheduler,
    lock: OwnerLock,
    /// What we have claimed and not settled, with the right to settle it.
    ours: HashMap<i64, i64>,
    /// The reading of the clocks by which the present step decides.
    reading: Reading,
    /// Whether no stored time was counted from a later now. Nobody may have seen the clock being
    /// set back before we began.
    times_are_right: bool,
    /// What was adopted and is not reported yet.
    adoptions: Adoptions,
    /// How many due schedules a look reads.
    due_at_once: usize,
    /// What the database failed with last, until it works again.
    failure: Option<Error>,
}

/// What is left to do after an action.
#[derive(Debug)]
pub enum Carried {
    /// Nothing.
    Done,
    /// To tell the core.
    Event(Event),
    /// To write this verdict again a while later: the database failed.
    WriteAgain(Settling),
    /// What is not the database's, or nothing that others should wait for.
    Left(Action),
}

/// What may go into one commit with others.
#[derive(Clone, Debug)]
pub enum Write {
    /// To claim this, by this time.
    Claim(Candidate, Timestamp),
    /// To write this verdict.
    Settle(Settling),
    /// To note Letta's run of a prompt that is on its way.
    Run {
        /// The occurrence.
        occurrence_id: i64,
        /// The right to settle it.
        fence: i64,
        /// The run.
        run_id: String,
    },
}

/// What came of it.
enum Written {
    Claim(Candidate, Result<Claim>),
    Settle(Settling, Result<Option<Settlement>>),
    Run(Result<()>),
}

impl Keeper {
    /// The keeper of a scheduler that begins now.
    ///
    /// # Errors
    /// If the owner lock can't be taken.
    pub fn new(scheduler: &Scheduler) -> Result<Self> {
        Ok(Keeper {
            scheduler: scheduler.clone(),
            lock: scheduler.db.lock_owner()?,
            ours: HashMap::new(),
            reading: scheduler.clock.reading(),
            times_are_right: false,
            adoptions: Adoptions::default(),
            due_at_once: DUE_AT_ONCE,
            failure: None,
        })
    }

    /// Under which right, and how long, this scheduler claims.
    pub fn terms(&self) -> ClaimTerms {
        let settings = &self.scheduler.settings;
        ClaimTerms {
            owner: self.lock.owner(),
            max_age: settings.max_age,
            once_max_lateness: settings.once_max_lateness,
        }
    }

    /// Begins a step of the core that decides by this moment.
    pub fn begin_step(&mut self, moment: Moment) {
        self.reading.moment = moment;
    }

    /// Carries out one action as far as it concerns the database.
    pub async fn carry_out(&mut self, action: Action) -> Carried {
        let Scheduler {
            db, letta, clock, ..
        } = &self.scheduler;
        let noted = match action {
            Action::Look | Action::LookFurther => {
                if matches!(action, Action::LookFurther) {
                    self.due_at_once = self.due_at_once.saturating_mul(2);
                }
                let looked = self.look().await;
                let event = match looked {
                    Ok(view) => {
                        self.report(None);
                        Event::Looked(view)
                    }
                    Err(e) => {
                        self.report(Some(e));
                        Event::LookFailed
                    }
                };
                return Carried::Event(event);
            }
            Action::Hold { refusal, by_lanes } => {
                db.hold_target(&self.held_target(refusal, by_lanes)).await
            }
            Action::Release => db.release_target(letta.target(), clock.now()).await,
            Action::Beat(holding) => {
                let (owner, now) = (self.lock.owner(), clock.now());
                let beaten = db.beat(owner, holding.as_deref(), now).await;
                let reviewed = match beaten {
                    Ok(()) => db.review_incidents(now).await,
                    Err(e) => Err(e),
                };
                if let Ok(true) = reviewed {
                    self.report(None);
                    return Carried::Event(Event::MoreToReview);
                }
                reviewed.map(drop)
            }
            Action::TrustClock => db.trust_clock(&self.reading).await,
            Action::PullForward => {
                self.times_are_right = false;
                return Carried::Done;
            }
            Action::Abandon(occurrence_id) => self.abandon(occurrence_id).await,
            left @ (Action::Claim(_)
            | Action::Settle(_)
            | Action::Send(_)
            | Action::Find(_)
            | Action::Probe
            | Action::Prune(_)
            | Action::Finish) => {
                return Carried::Left(left);
            }
        };
        self.report(noted.err());
        Carried::Done
    }

    /// Writes all of this, in one commit if it can be, and each by itself: what fails or is refused
    /// concerns no other. The answers are in the order of the writes.
    pub async fn write(&mut self, writes: Vec<Write>) -> Vec<Carried> {
        let terms = self.terms();
        let begun = writes.into_iter().map(|write| self.begin(write, &terms));
        let written = join_all(begun).await;
        written.into_iter().map(|one| self.end(one)).collect()
    }

    /// Hands a write to the database.
    async fn begin(&self, write: Write, terms: &ClaimTerms) -> Written {
        let Scheduler { db, clock, .. } = &self.scheduler;
        match write {
            Write::Claim(candidate, now) => {
                let claimed = match &candidate.source {
                    Source::Due(due) => db.claim_due(due, &candidate.lane, terms, now).await,
                    Source::Waiting { occurrence_id, .. } => {
                        db.claim_waiting(*occurrence_id, terms, now).await
                    }
                };
                Written::Claim(candidate, claimed)
            }
            Write::Settle(settling) => {
                let (id, fence, verdict) =
                    (settling.occurrence_id, settling.fence, &settling.verdict);
                let settled = db.settle(id, fence, verdict, clock.now()).await;
                Written::Settle(settling, settled)
            }
            Write::Run {
                occurrence_id,
                fence,
                run_id,
            } => Written::Run(db.record_run(occurrence_id, fence, &run_id).await),
        }
    }

    /// Takes what came of a write. A verdict that the database can't write is to be tried again until
    /// it can: the lane stays closed meanwhile, and should this process die, the next one looks for
    /// the prompt.
    fn end(&mut self, written: Written) -> Carried {
        match written {
            Written::Claim(candidate, Ok(claim)) => {
                if let Claim::Job(job) = &claim {
                    self.ours.insert(job.occurrence_id, job.fence);
                }
                Carried::Event(Event::Claimed(candidate, claim))
            }
            Written::Claim(candidate, Err(e)) => {
                self.report(Some(e));
                Carried::Event(Event::ClaimFailed(candidate))
            }
            Written::Settle(settling, Ok(settlement)) => {
                failpoint!(settling.job.is_some(), AnswerSettled, EvidenceSettled);
                self.tell(&settling, settlement.as_ref());
                self.report(None);
                self.ours.remove(&settling.occurrence_id);
                Carried::Event(Event::Settled(settling, settlement.map(|s| s.state)))
            }
            Written::Settle(settling, Err(e)) => {
                self.report(Some(e));
                Carried::WriteAgain(settling)
            }
            Written::Run(noted) => {
                failpoint!(RunNoted);
                self.report(noted.err());
                Carried::Done
            }
        }
    }

    /// Says in the log, and to whoever asked for it, what a verdict came to.
    fn tell(&self, settling: &Settling, settlement: Option<&Settlement>) {
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
        if let Some(outcomes) = &self.scheduler.outcomes {
            let _ = outcomes.send(Outcome {
                occurrence_id: settling.occurrence_id,
                schedule_id: settled.schedule_id,
                intended_at: settling.intended_at,
                target: self.scheduler.letta.target().to_owned(),
                sent_at: settling.job.as_ref().map(|job| job.sent_at),
                state: settled.state,
                verdict: settling.verdict.clone(),
            });
        }
    }

    /// Gives up a prompt at the end of the drain; the next scheduler looks for it.
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
        let fault = "the scheduler was stopped while the agent's turn went on";
        let verdict = unknown_from(now, settings.reconcile_deadline, fault);
        db.settle(occurrence_id, fence, &verdict, now).await?;
        Ok(())
    }

    /// The question about a prompt whose fate is unknown.
    pub fn lookup(&self, open: &OpenOccurrence) -> Lookup {
        let Scheduler {
            clock, settings, ..
        } = &self.scheduler;
        Lookup {
            agent: open.agent_id.clone(),
            otids: open.otids.clone(),
            run_id: open.run_id.clone(),
            // The first time, unless the clock was set back since.
            sent_at: [open.first_sent_at, open.sent_at]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(open.intended_at),
            heard_at: open.doubted_at,
            now: clock.now(),
            orphan_age: settings.orphaned_run_age,
        }
    }

    /// Ends its work: the database forgets the scheduler. Returns what the database failed with
    /// and still does.
    pub async fn leave(mut self) -> Option<Error> {
        let owner = self.lock.owner().to_string();
        let forgotten = self.scheduler.db.forget_scheduler(&owner).await;
        self.report(forgotten.err());
        self.failure
    }

    fn held_target(&self, refusal: Refusal, by_lanes: bool) -> HeldTarget {
        HeldTarget {
            target: self.scheduler.letta.target().to_owned(),
            held_since: self.scheduler.clock.now(),
            code: refusal.class.as_str().to_owned(),
            reason: refusal.text,
            by_lanes,
        }
    }

    /// Says once that the database fails, and once that it works again.
    fn report(&mut self, error: Option<Error>) {
        match error {
            Some(e) => {
                if self.failure.is_none() {
                    tracing::error!("{}; it is tried again until it works", e.chain());
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
