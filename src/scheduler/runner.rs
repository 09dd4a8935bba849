//! The loop: carries out the core's actions, and tells it what happened.

mod message;
mod start;
mod talk;
mod watch;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::Scheduler;
use super::core::{Action, Core, Event, Mode, Settling, Write};
use super::store::{SchedulerStore, StoreReply};
use crate::db::Topic;
use crate::error::Result;
use crate::failpoint::failpoint;
use message::{Message, Run};
use watch::watch_changes;

/// This many writes end a round.
const ROUND: usize = 64;

/// How long to wait before retrying a verdict that could not be recorded.
const RETRY_SETTLE: Duration = Duration::from_secs(1);

/// What is carried out between two looks at the inbox.
#[derive(Default)]
struct Round {
    /// Written first at the end of the round: whoever takes over needs them.
    runs: Vec<Run>,
    /// What is written after that.
    writes: Vec<Write>,
    /// What happened as a result.
    events: Vec<Event>,
}

impl Round {
    fn settle(&mut self, settling: Settling) {
        // The verdict itself contains the run.
        let of_verdict = settling.verdict.run_id();
        let is_told = |run: &Run| {
            run.occurrence_id == settling.occurrence_id && Some(run.run_id.as_str()) == of_verdict
        };
        self.runs.retain(|run| !is_told(run));
        self.writes.push(Write::Settle(settling));
    }

    fn take_writes(&mut self) -> Vec<Write> {
        let runs = self.runs.drain(..).map(|run| Write::Run {
            occurrence_id: run.occurrence_id,
            fence: run.fence,
            run_id: run.run_id,
        });
        runs.chain(self.writes.drain(..)).collect()
    }
}

struct Runner<'a> {
    scheduler: &'a Scheduler,
    store: SchedulerStore,
    messages: mpsc::UnboundedSender<Message>,
    /// The prompts that are being sent, by occurrence.
    sending: HashMap<i64, AbortHandle>,
    finished: bool,
}

pub(super) async fn run(scheduler: &Scheduler, mode: Mode, stop: CancellationToken) -> Result<()> {
    let (messages, mut inbox) = mpsc::unbounded_channel();
    let start = match mode {
        Mode::Once => start::refuse_doubt(scheduler, &stop).await?,
        Mode::Forever => start::look_at_clock(scheduler, &stop, &messages).await,
    };
    let mut core = Core::starting(scheduler.settings.clone(), mode, start);
    let mut runner = Runner {
        scheduler,
        store: SchedulerStore::new(scheduler)?,
        messages: messages.clone(),
        sending: HashMap::new(),
        finished: false,
    };
    // Subscribed before the first snapshot, so that no change is missed in between.
    let due = scheduler.db.subscribe(Topic::Due);
    let seen = scheduler.db.data_version().await.ok();
    let watch = tokio::spawn(watch_changes(scheduler.clone(), seen));
    let clock = &scheduler.clock;
    let mut stopping = false;
    let mut stepped_at = clock.now();
    let mut pending = VecDeque::from([Message::Event(Event::Tick)]);
    while !runner.finished {
        if stop.is_cancelled() && !stopping {
            stopping = true;
            pending.push_front(Message::Event(Event::Stop));
        }
        while let Ok(message) = inbox.try_recv() {
            match message {
                // Recorded before anything is decided, because whoever takes over needs it.
                Message::Run(_) => pending.push_front(message),
                _ => pending.push_back(message),
            }
        }
        // However much there is to do, changes are noticed.
        if due.changed().now_or_never().is_some() {
            pending.push_back(Message::Event(Event::Changed));
        }
        let message = match pending.pop_front() {
            Some(message) => message,
            None => tokio::select! {
                biased;
                () = stop.cancelled(), if !stopping => continue,
                Some(message) = inbox.recv() => message,
                () = due.changed() => Message::Event(Event::Changed),
                () = clock.sleep_until(core.wake_at(stepped_at), stepped_at) => Message::Event(Event::Tick),
            },
        };
        pending.push_front(message);
        let mut round = Round::default();
        while let Some(message) = pending.pop_front() {
            let event = match message {
                Message::Event(event) => event,
                Message::Run(run) => {
                    failpoint!(RunTold);
                    let begun = Event::Begun(run.occurrence_id);
                    round.runs.push(run);
                    begun
                }
                Message::RetrySettle(settling) => {
                    round.settle(settling);
                    continue;
                }
            };
            let moment = clock.moment();
            stepped_at = moment.now;
            runner.store.begin_step(moment);
            for action in core.step(moment, event) {
                runner.execute(action, &mut round).await;
            }
            if runner.finished || round.writes.len() >= ROUND {
                break;
            }
        }
        runner.write(&mut round).await;
        pending.extend(round.events.into_iter().map(Message::Event));
    }
    watch.abort();
    for task in runner.sending.values() {
        task.abort();
    }
    match (mode, runner.store.leave().await) {
        // What had to be done once was not done.
        (Mode::Once, Some(error)) => Err(error),
        _ => Ok(()),
    }
}

impl Runner<'_> {
    /// Carries out an action, or puts it off to the end of the round if it may share a commit.
    async fn execute(&mut self, action: Action, round: &mut Round) {
        match action {
            Action::Write(Write::Settle(settling)) => round.settle(settling),
            Action::Write(write) => round.writes.push(write),
            Action::Store(action) => {
                // What it reads or writes comes after what was decided before it.
                self.write(round).await;
                let reply = self.store.execute(action).await;
                round.events.extend(self.take_reply(reply));
            }
            Action::Talk(action) => self.talk(action),
            Action::Finish => {
                self.write(round).await;
                self.finished = true;
            }
        }
    }

    /// Writes what was put off.
    async fn write(&mut self, round: &mut Round) {
        let writes = round.take_writes();
        if writes.is_empty() {
            return;
        }
        for reply in self.store.write(writes).await {
            round.events.extend(self.take_reply(reply));
        }
    }

    /// Does what is left to do after an action.
    fn take_reply(&mut self, reply: StoreReply) -> Option<Event> {
        match reply {
            StoreReply::Done => None,
            StoreReply::Event(event) => {
                if let Event::Settled(settling, _) = &event {
                    self.sending.remove(&settling.occurrence_id);
                }
                Some(event)
            }
            StoreReply::RetrySettle(settling) => {
                let (messages, clock) = (self.messages.clone(), self.scheduler.clock.clone());
                tokio::spawn(async move {
                    clock.sleep(RETRY_SETTLE).await;
                    let _ = messages.send(Message::RetrySettle(settling));
                });
                None
            }
        }
    }
}
