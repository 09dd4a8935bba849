//! The loop: carries out what the core decides, and tells it what happened.

mod look;
mod talk;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::core::{Action, Core, Event, Mode, Settling};
use super::queue::{Candidate, Source};
use super::{Outcome, Scheduler};
use crate::db::{Claim, ClaimTerms, HeldTarget, Job, OwnerLock};
use crate::error::{Error, Result};
use crate::letta_client::{ErrorClass, Refusal};
use crate::models::{Fault, Verdict};
use look::watch_changes;

/// How long to wait before a verdict that could not be written is tried again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// What tasks tell the loop.
enum Message {
    Event(Event),
    /// Letta told the run of a prompt that is on its way.
    Run {
        occurrence_id: i64,
        fence: i64,
        run_id: String,
    },
    /// A verdict could not be written a moment ago.
    WriteAgain(Settling),
}

impl Message {
    fn is_change(&self) -> bool {
        matches!(self, Message::Event(Event::Changed))
    }
}

struct Runner<'a> {
    scheduler: &'a Scheduler,
    lock: OwnerLock,
    messages: mpsc::UnboundedSender<Message>,
    /// What is claimed and about to be sent.
    claimed: HashSet<i64>,
    sending: HashMap<i64, (AbortHandle, Box<Job>)>,
    /// The reading of the clock by which the present step decides.
    now: Timestamp,
    /// What the database failed with last, until it works again.
    failure: Option<Error>,
    finished: bool,
}

pub(super) async fn run(scheduler: &Scheduler, mode: Mode, stop: CancellationToken) -> Result<()> {
    let (messages, mut inbox) = mpsc::unbounded_channel();
    let mut core = Core::new(scheduler.settings.clone(), mode);
    let mut runner = Runner {
        scheduler,
        lock: scheduler.db.lock_owner()?,
        messages: messages.clone(),
        claimed: HashSet::new(),
        sending: HashMap::new(),
        now: scheduler.clock.now(),
        failure: None,
        finished: false,
    };
    // Before the first look, so that no change falls between the two.
    let seen = scheduler.db.data_version().await.ok();
    let watch = tokio::spawn(watch_changes(scheduler.clone(), seen, messages));
    let clock = &scheduler.clock;
    let mut stopping = false;
    let mut pending = VecDeque::from([Message::Event(Event::Tick)]);
    while !runner.finished {
        if stop.is_cancelled() && !stopping {
            stopping = true;
            pending.push_front(Message::Event(Event::Stop));
        }
        while let Ok(message) = inbox.try_recv() {
            // One look shows every change.
            if !(message.is_change() && pending.iter().any(Message::is_change)) {
                pending.push_back(message);
            }
        }
        let message = match pending.pop_front() {
            Some(message) => message,
            None => tokio::select! {
                biased;
                () = stop.cancelled(), if !stopping => continue,
                Some(message) = inbox.recv() => message,
                () = scheduler.wake.notified() => Message::Event(Event::Changed),
                () = clock.sleep_until(core.wake_at(clock.now())) => Message::Event(Event::Tick),
            },
        };
        let event = match message {
            Message::Event(event) => event,
            Message::Run {
                occurrence_id,
                fence,
                run_id,
            } => {
                let noted = scheduler.db.record_run(occurrence_id, fence, &run_id).await;
                runner.report(noted.err());
                continue;
            }
            Message::WriteAgain(settling) => match runner.settle(settling).await {
                Some(event) => event,
                None => continue,
            },
        };
        let moment = clock.moment();
        runner.now = moment.now;
        for action in core.step(moment, event) {
            let done = runner.carry_out(action).await;
            pending.extend(done.map(Message::Event));
        }
    }
    watch.abort();
    for (task, _) in runner.sending.values() {
        task.abort();
    }
    let owner = runner.lock.owner();
    runner.report(scheduler.db.forget_scheduler(owner).await.err());
    match (mode, runner.failure) {
        // What was to be done once was not.
        (Mode::Once, Some(error)) => Err(error),
        _ => Ok(()),
    }
}

impl Runner<'_> {
    /// Carries out one action; returns what came of it, if that is known at once.
    async fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Look => Some(match self.look().await {
                Ok(view) => {
                    self.report(None);
                    Event::Looked(view)
                }
                Err(e) => {
                    self.report(Some(e));
                    Event::LookFailed
                }
            }),
            Action::Claim(candidate) => Some(self.claim(candidate).await),
            Action::Send(job) => {
                self.send(job);
                None
            }
            Action::Settle(settling) => self.settle(settling).await,
            Action::Find(open) => {
                self.find(open);
                None
            }
            Action::Probe => {
                self.probe();
                None
            }
            Action::Hold(refusal) => {
                let held = self.held_target(refusal);
                let noted = self.scheduler.db.hold_target(&held).await;
                self.report(noted.err());
                None
            }
            Action::Release => {
                let Scheduler {
                    db, letta, clock, ..
                } = self.scheduler;
                let noted = db.release_target(letta.target(), clock.now()).await;
                self.report(noted.err());
                None
            }
            Action::Beat(holding) => {
                let now = self.scheduler.clock.now();
                let owner = self.lock.owner();
                let noted = self.scheduler.db.beat(owner, holding.as_deref(), now).await;
                self.report(noted.err());
                None
            }
            Action::PullForward => {
                let longest = self.scheduler.settings.retry_longest;
                let latest = self.now.checked_add(longest).unwrap_or(Timestamp::MAX);
                let mended = self.scheduler.db.pull_forward(latest).await;
                self.report(mended.err());
                None
            }
            Action::Abandon(occurrence_id) => {
                self.abandon(occurrence_id).await;
                None
            }
            Action::Finish => {
                self.finished = true;
                None
            }
        }
    }

    async fn claim(&mut self, candidate: Candidate) -> Event {
        let Scheduler { db, settings, .. } = self.scheduler;
        let terms = ClaimTerms {
            owner: self.lock.owner(),
            max_age: settings.max_age,
            once_max_lateness: settings.once_max_lateness,
        };
        let now = self.now;
        let claimed = match &candidate.source {
            Source::Due(due) => db.claim_due(due, &candidate.lane, &terms, now).await,
            Source::Waiting { occurrence_id, .. } => {
                db.claim_waiting(*occurrence_id, &terms, now).await
            }
        };
        match claimed {
            Ok(claim) => {
                if let Claim::Job(job) = &claim {
                    self.claimed.insert(job.occurrence_id);
                }
                Event::Claimed(candidate, claim)
            }
            Err(e) => {
                self.report(Some(e));
                Event::ClaimFailed(candidate)
            }
        }
    }

    /// Writes a verdict. If the database can't, it is tried again until it can: the lane stays
    /// closed meanwhile, and should this process die, the next one looks for the prompt.
    async fn settle(&mut self, settling: Settling) -> Option<Event> {
        let Scheduler {
            db,
            clock,
            outcomes,
            ..
        } = self.scheduler;
        let Settling {
            occurrence_id,
            fence,
            ref verdict,
            ..
        } = settling;
        match db.settle(occurrence_id, fence, verdict, clock.now()).await {
            Ok(settlement) => {
                self.report(None);
                self.sending.remove(&occurrence_id);
                if let Some((id, note)) = settlement
                    .as_ref()
                    .and_then(|s| s.schedule_id.zip(s.paused.as_ref()))
                {
                    tracing::warn!("schedule {id} was paused: {note}");
                }
                if let (Some(outcomes), Some(settled)) = (outcomes, &settlement) {
                    let _ = outcomes.send(Outcome {
                        occurrence_id,
                        schedule_id: settled.schedule_id,
                        intended_at: settling.intended_at,
                        sent_at: settling.job.as_ref().map(|job| job.sent_at),
                        state: settled.state,
                        verdict: settling.verdict.clone(),
                    });
                }
                Some(Event::Settled(settling, settlement.map(|s| s.state)))
            }
            Err(e) => {
                self.report(Some(e));
                let (messages, clock) = (self.messages.clone(), clock.clone());
                tokio::spawn(async move {
                    clock.sleep(WRITE_AGAIN).await;
                    let _ = messages.send(Message::WriteAgain(settling));
                });
                None
            }
        }
    }

    /// Breaks off a prompt at the end of the drain; the next scheduler looks for it.
    async fn abandon(&mut self, occurrence_id: i64) {
        let Some((task, job)) = self.sending.remove(&occurrence_id) else {
            return;
        };
        task.abort();
        let Scheduler {
            db,
            clock,
            settings,
            ..
        } = self.scheduler;
        let now = clock.now();
        let fault = "the scheduler was stopped while the agent's turn went on";
        let verdict = unknown_from(now, settings.reconcile_deadline, fault);
        let settled = db.settle(occurrence_id, job.fence, &verdict, now).await;
        self.report(settled.err());
    }

    fn held_target(&self, refusal: Refusal) -> HeldTarget {
        HeldTarget {
            target: self.scheduler.letta.target().to_owned(),
            held_since: self.scheduler.clock.now(),
            code: refusal.class.as_str().to_owned(),
            reason: refusal.text,
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
