//! One scheduler process of a simulation: the real core and store, with the simulation in place of
//! the loop between them.

mod writes;

use std::collections::VecDeque;

use jiff::Timestamp;
use promptyoself::clock::{ReferenceClocks, assess_clock};
use promptyoself::db::Db;
use promptyoself::letta_client::Targets;
use promptyoself::models::{Claim, Lane, State, Trigger, Verdict};
use promptyoself::scheduler::core::{
    Action, Core, Event, Mode, Settling, Snapshot, StoreAction, TargetAction, Write,
};
use promptyoself::scheduler::guard::ClockAtStart;
use promptyoself::scheduler::lookup::lookup_of;
use promptyoself::scheduler::queue::{Candidate, Source};
use promptyoself::scheduler::store::{SchedulerStore, StoreReply};
use promptyoself::scheduler::{DeliveryReport, Scheduler};

use super::faults::happens;
use super::trace::{At, HOUR, Law, MINUTE, SECOND};
use super::world::{Happening, World};
use crate::plans::by_scheduler;

/// A scheduler that lives.
pub struct Process {
    /// Which of all lives this is.
    pub life: u64,
    /// Once or forever.
    pub mode: Mode,
    /// The database as this process has it open.
    pub db: Db,
    core: Core,
    store: SchedulerStore,
    /// What it is told next.
    pub inbox: VecDeque<Message>,
    /// Until when the process does not run at all.
    pub frozen_until: At,
    /// The database's version when it last looked for changes.
    pub seen: Option<i64>,
    /// What it knows to be waiting for each lane, with the instant that gives it its place.
    pub known: Vec<Known>,
}

/// What becomes of a process in a step.
enum Fate {
    Lives,
    Dies,
    Finishes,
}

/// Something that a process knows to be waiting for its lane.
#[derive(Clone, Debug)]
pub struct Known {
    /// The lane.
    pub lane: Lane,
    /// Its place: the oldest instant that it stands for.
    pub place: Timestamp,
    /// What it is.
    pub source: Source,
}

/// What a process is told.
#[derive(Debug)]
pub enum Message {
    /// An event of the core.
    Event(Event),
    /// The run of a request was told.
    Run(usize),
    /// A verdict is to be written again.
    WriteAgain(Settling),
}

impl World {
    /// Starts a scheduler in a slot that is free.
    pub async fn start(&mut self, slot: usize, mode: Mode) {
        self.lives += 1;
        if happens(&mut self.rng, self.faults.false_start) {
            self.start_falsely();
        }
        let db = self.dbs[slot].clone();
        let scheduler = Scheduler {
            db: db.clone(),
            targets: Targets::only(self.service.letta.clone()),
            clock: self.clock.clone(),
            settings: self.settings.clone(),
            zone: self.service.zone.clone(),
            reports: None::<tokio::sync::mpsc::UnboundedSender<DeliveryReport>>,
        };
        let seen = db.data_version().await.ok();
        self.note(format!("{slot}: starts, {mode:?}"));
        let start = self.look_at_clock(&db).await;
        if mode == Mode::Once && start.doubt.is_some() {
            db.note_doubt(&start.reading, &start.known).await.unwrap();
            let later = self.rng.i64(SECOND..10 * MINUTE);
            return self.plan(later, Happening::Start(slot));
        }
        self.processes[slot] = Some(Process {
            life: self.lives,
            mode,
            db,
            core: Core::starting(self.settings.clone(), mode, start),
            store: SchedulerStore::new(&scheduler).unwrap(),
            inbox: VecDeque::from([Message::Event(Event::Tick)]),
            frozen_until: 0,
            seen,
            known: Vec::new(),
        });
    }

    /// What a scheduler that starts thinks of the clock; every second time the kernel vouches for it.
    async fn look_at_clock(&mut self, db: &Db) -> ClockAtStart {
        let (reading, known) = (self.clock.reading(), db.known_times().await.unwrap());
        let references = ReferenceClocks {
            synchronised: Some(self.lives.is_multiple_of(2)),
            target: None,
        };
        let doubt = assess_clock(&reading, &known, &references);
        if let Some(doubt) = &doubt {
            self.note(format!("in doubt: {doubt}"));
        }
        ClockAtStart {
            reading,
            known,
            doubt,
            asks: false,
        }
    }

    /// Ends a scheduler as SIGKILL would: its lock is free, and what it was sending goes on or is
    /// lost.
    pub fn kill(&mut self, slot: usize) {
        if let Some(process) = self.processes[slot].take() {
            self.note(format!("{slot}: is killed"));
            self.bury(slot, process.life, process.store);
        }
    }

    fn bury(&mut self, slot: usize, life: u64, store: SchedulerStore) {
        let owner = store.terms().owner;
        drop(store);
        if self.rng.bool() {
            // The lock of a killed process is free, but its file stays.
            let mut folder = self.path.clone().into_os_string();
            folder.push(".owners");
            let file = std::path::Path::new(&folder).join(owner.to_string());
            std::fs::write(file, []).unwrap();
        }
        self.hang_up(life);
        let later = self.rng.i64(SECOND..20 * MINUTE);
        self.plan(later, Happening::Start(slot));
    }

    /// When a process does something by itself, if nothing is told to it.
    pub fn wakes_at(&self, process: &Process) -> At {
        let wall = self.clock.now();
        // Rounded up: the core may wait for a part of a microsecond.
        let left = process.core.wake_at(wall).duration_since(wall).as_nanos();
        let left = At::try_from((left.max(0) + 999) / 1_000).unwrap_or(At::MAX);
        self.now().saturating_add(left).max(process.frozen_until)
    }

    /// Lets a process do one step.
    pub async fn step(&mut self, slot: usize) -> Law {
        let Some(mut process) = self.processes[slot].take() else {
            return Ok(());
        };
        let Some(message) = process.inbox.pop_front() else {
            self.processes[slot] = Some(process);
            return Ok(());
        };
        match self.round(slot, &mut process, message).await? {
            Fate::Lives => self.processes[slot] = Some(process),
            Fate::Dies => self.bury(slot, process.life, process.store),
            Fate::Finishes => {
                self.note(format!("{slot}: finishes"));
                self.hang_up(process.life);
                by_scheduler(process.store.leave()).await;
                self.wrote(slot);
                let later = self.rng.i64(SECOND..10 * MINUTE);
                self.plan(later, Happening::Start(slot));
            }
        }
        Ok(())
    }

    /// Lets a process decide about a message, and perhaps about what it was told meanwhile: then what
    /// is decided is written in one commit.
    async fn round(&mut self, slot: usize, process: &mut Process, first: Message) -> Law<Fate> {
        let mut writes = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match self.decide(slot, process, message, &mut writes).await? {
                Fate::Lives => {}
                ends => return Ok(ends),
            }
            next = match self.rng.bool() {
                true => process.inbox.pop_front(),
                false => None,
            };
        }
        self.write(slot, process, &mut writes).await
    }

    async fn decide(
        &mut self,
        slot: usize,
        process: &mut Process,
        message: Message,
        writes: &mut Vec<Write>,
    ) -> Law<Fate> {
        let event = match message {
            Message::Event(event) => event,
            Message::Run(request) => {
                let job = self.letta.requests[request].job.clone();
                writes.push(Write::Run {
                    occurrence_id: job.occurrence_id,
                    fence: job.fence,
                    run_id: self.letta.run_of(request).unwrap_or_default(),
                });
                Event::Begun(job.occurrence_id)
            }
            Message::WriteAgain(settling) => {
                writes.push(Write::Settle(settling));
                return Ok(Fate::Lives);
            }
        };
        self.note_event(slot, &event);
        let moment = self.clock.moment();
        process.store.begin_step(moment);
        for action in process.core.step(moment, event) {
            if let Action::Write(write) = action {
                writes.push(write);
                continue;
            }
            if let Action::Store(_) | Action::Finish = &action {
                match self.write(slot, process, writes).await? {
                    Fate::Lives => {}
                    ends => return Ok(ends),
                }
            }
            if happens(&mut self.rng, self.faults.crash) {
                self.note(format!("{slot}: is killed before {}", short(&action)));
                return Ok(Fate::Dies);
            }
            self.note(format!("{slot}:   {}", short(&action)));
            match action {
                Action::Write(write) => writes.push(write),
                Action::Store(action) => self.execute(slot, process, action).await?,
                Action::Talk(action) => self.talk(process, action).await?,
                Action::Finish => return Ok(Fate::Finishes),
            }
        }
        Ok(Fate::Lives)
    }

    async fn execute(&mut self, slot: usize, process: &mut Process, action: StoreAction) -> Law {
        let is_beat = matches!(action, StoreAction::Beat(_));
        let carried = match happens(&mut self.rng, self.faults.database) {
            true => self.fail(process, action).await,
            false => by_scheduler(process.store.execute(action)).await,
        };
        if !is_beat {
            self.changed = true;
            self.wrote(slot);
        }
        let took = self.rng.i64(0..3_000);
        self.clock.advance(jiff::SignedDuration::from_micros(took));
        self.follow(process, carried).await
    }

    /// Carries out an action on a database that fails: before, or in the middle.
    async fn fail(&mut self, process: &mut Process, action: StoreAction) -> StoreReply {
        match (self.rng.u8(0..3), action) {
            (0, StoreAction::TakeSnapshot | StoreAction::TakeLargerSnapshot) => {
                self.note("      the database can't be read");
                StoreReply::Event(Event::SnapshotFailed)
            }
            (_, action) => {
                self.break_table(process, async |store| store.execute(action).await)
                    .await
            }
        }
    }

    async fn talk(&mut self, process: &mut Process, action: TargetAction) -> Law {
        match action {
            TargetAction::Send(job) => {
                let owner = process.store.terms().owner;
                self.observer.check_send(&job, owner).await?;
                self.send(process.life, job)?;
            }
            TargetAction::Find(open) => {
                let soon = self.rng.i64(1_000..200_000);
                let lookup = lookup_of(&open, &self.settings, self.clock.now());
                self.plan(soon, Happening::Find(process.life, open, lookup));
            }
            TargetAction::Probe(target) => {
                let soon = self.rng.i64(1_000..50_000);
                self.plan(soon, Happening::Probe(process.life, target));
            }
            TargetAction::HangUp(occurrence) => {
                self.letta.hang_up(process.life, Some(occurrence));
            }
        }
        Ok(())
    }

    async fn follow(&mut self, process: &mut Process, carried: StoreReply) -> Law {
        match carried {
            StoreReply::Done => {}
            StoreReply::Event(event) => {
                self.check_event(process, &event).await?;
                if let Event::Settled(settling, _) = &event {
                    self.letta
                        .hang_up(process.life, Some(settling.occurrence_id));
                }
                process.inbox.push_back(Message::Event(event));
            }
            StoreReply::RetrySettle(settling) => {
                self.note("      is written again in a second");
                self.plan(SECOND, Happening::WriteAgain(process.life, settling));
            }
        }
        Ok(())
    }

    /// What an event tells of the order in a lane.
    async fn check_event(&mut self, process: &mut Process, event: &Event) -> Law {
        match event {
            Event::SnapshotTaken(snapshot) => process.known = known(snapshot),
            Event::Settled(settling, Some(State::Waiting)) => {
                if let (Some(job), Verdict::Waiting { .. }) = (&settling.job, &settling.verdict) {
                    process.known.push(Known {
                        lane: settling.lane.clone(),
                        place: settling.intended_at,
                        source: Source::Waiting {
                            occurrence_id: job.occurrence_id,
                            uid: job.uid,
                        },
                    });
                }
            }
            Event::Claimed(candidate, Claim::Job(_)) if process.mode == Mode::Forever => {
                self.check_order(process, candidate).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The law of order: what is sent, for the first time or again, is older than everything else
    /// that its scheduler knows to be waiting for the lane and that could still be sent. Its place
    /// is the oldest instant that it stands for.
    async fn check_order(&mut self, process: &mut Process, taken: &Candidate) -> Law {
        let is_taken = |k: &Known| identity(&k.source) == identity(&taken.source);
        let Some(at) = process.known.iter().position(is_taken) else {
            return Ok(());
        };
        let taken = process.known.swap_remove(at);
        for other in &process.known {
            if other.lane == taken.lane && other.place < taken.place {
                self.observer.check_passed_over(other, &taken).await?;
            }
        }
        Ok(())
    }
}

fn identity(source: &Source) -> (bool, i64) {
    match source {
        Source::Due(due) => (true, due.id),
        Source::Waiting { occurrence_id, .. } => (false, *occurrence_id),
    }
}

/// What a look shows to be waiting. A schedule with something open comes after that.
fn known(snapshot: &Snapshot) -> Vec<Known> {
    let is_open = |uid| {
        let mut open = snapshot.open.iter();
        open.any(|o| o.uid == uid && o.trigger == Trigger::Schedule)
    };
    let due = snapshot.due.iter().filter(|(due, _)| !is_open(due.uid));
    let due = due.map(|(due, lane)| Known {
        lane: lane.clone(),
        place: due.next_run,
        source: Source::Due(due.clone()),
    });
    let waits = snapshot.open.iter();
    let waits = waits.filter(|o| o.state == State::Waiting && !o.paused);
    let waits = waits.map(|o| Known {
        lane: o.lane.clone(),
        place: o.intended_at,
        source: Source::Waiting {
            occurrence_id: o.id,
            uid: o.uid,
        },
    });
    due.chain(waits).collect()
}

/// An action in one line.
fn short(action: &Action) -> String {
    match action {
        Action::Talk(TargetAction::Send(job)) => {
            format!("send {} to {}", job.occurrence_id, job.agent_id)
        }
        Action::Talk(TargetAction::Find(open)) => format!("find {} run {:?}", open.id, open.run_id),
        Action::Store(StoreAction::Hold { refusal, .. }) => format!("hold: {}", refusal.text),
        other => format!("{other:?}"),
    }
}

impl World {
    fn note_event(&mut self, slot: usize, event: &Event) {
        let text = match event {
            Event::Tick => return,
            Event::SnapshotTaken(snapshot) => format!(
                "looked: due {:?}, open {:?}, held {:?}, halted {}",
                snapshot.due.iter().map(|(d, _)| d.id).collect::<Vec<_>>(),
                snapshot
                    .open
                    .iter()
                    .map(|o| (o.id, o.state))
                    .collect::<Vec<_>>(),
                snapshot.held,
                snapshot.halted.is_some()
            ),
            Event::Claimed(_, claim) => match claim {
                Claim::Job(job) => format!("claimed {} of {}", job.occurrence_id, job.intended_at),
                other => format!("claimed: {other:?}"),
            },
            Event::ClaimFailed(_) => "claim failed".into(),
            Event::Answered(job, answer) => format!("answer to {}: {answer:?}", job.occurrence_id),
            Event::Found(open, evidence) => format!("found of {}: {evidence:?}", open.id),
            Event::Settled(s, state) => format!("settled {}: {state:?}", s.occurrence_id),
            other => format!("{other:?}"),
        };
        self.note(format!("{slot}: {text}"));
    }

    /// The longest that anything is waited for.
    pub const PATIENCE: At = 12 * HOUR;
}
