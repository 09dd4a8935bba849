//! The simulated world: one clock, one database file, one server, one or two schedulers, and the
//! agenda of everything that will happen. Each event is carried out alone, to its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use promptyoself::db::Db;
use promptyoself::letta_client::{Answer, Evidence, Lookup, Refusal};
use promptyoself::models::{AgentId, OpenOccurrence, TargetName};
use promptyoself::scheduler::Settings;
use promptyoself::scheduler::core::{Event, Mode, Settling};
use promptyoself::service::Service;
use tempfile::TempDir;

use super::directory::Directory;
use super::faults::{Faults, happens, pick};
use super::invariants::Observer;
use super::model_letta::{Hides, ModelLetta, cut, unclear};
use super::process::{Message, Process};
use super::trace::{At, Law, MINUTE, SECOND, Trace, broken};

/// So many steps may be taken in all.
const MOST_STEPS: u32 = 60_000;

/// So many may be taken without any time passing.
const MOST_AT_ONCE: u32 = 2_000;

/// The slot of whoever is no scheduler.
pub const NOBODY: usize = usize::MAX;

/// Nights in which clocks change somewhere, and an ordinary day.
const STARTS: [&str; 5] = [
    "2026-03-28T23:10:00Z",
    "2026-10-24T23:20:00Z",
    "2026-03-08T05:30:00Z",
    "2026-04-04T13:40:00Z",
    "2026-06-17T08:00:00Z",
];

/// Everything there is.
pub struct World {
    /// The only source of chance.
    pub rng: Rng,
    /// The machine's clock.
    pub clock: Clock,
    /// The server.
    pub letta: ModelLetta,
    /// What goes wrong at present.
    pub faults: Faults,
    /// What people and agents call, as in a process of their own.
    pub service: Service,
    /// Another program on the same database.
    pub observer: Observer,
    /// How every scheduler delivers.
    pub settings: Settings,
    /// The schedulers.
    pub processes: Vec<Option<Process>>,
    /// The database as each scheduler has it open.
    pub dbs: Vec<Db>,
    /// The agents there are.
    pub agents: Vec<AgentId>,
    /// How many schedulers have been started.
    pub lives: u64,
    /// The database file.
    pub path: PathBuf,
    /// Whether occurrences may have changed since the laws were checked.
    pub changed: bool,
    /// What happened.
    pub trace: Trace,
    /// Whether nothing goes wrong any more and everything is to come to rest.
    pub calm: bool,
    agenda: BTreeMap<(At, u64), Happening>,
    planned: u64,
    calm_since: At,
    _folder: TempDir,
}

/// Something that happens at a time.
#[derive(Debug)]
pub enum Happening {
    /// A request reaches the server.
    Arrive(usize),
    /// A turn comes to its end.
    RunEnds(usize),
    /// A client is told the run of its request.
    Told(usize),
    /// A client stops waiting.
    GiveUp(usize),
    /// A client is answered.
    Answer(usize, Answer),
    /// A search reaches the server.
    Find(u64, Box<OpenOccurrence>, Lookup),
    /// A search is answered.
    Found(u64, Box<OpenOccurrence>, Evidence),
    /// The question whether it is well reaches the server.
    Probe(u64, TargetName),
    /// That question is answered.
    Probed(u64, TargetName, Result<(), Refusal>),
    /// A verdict is to be written again.
    WriteAgain(u64, Settling),
    /// A scheduler asks whether others have written.
    Watch(usize),
    /// This life of a scheduler ends.
    Kill(u64),
    /// A scheduler starts, unless it runs.
    Start(usize),
    /// The server dies.
    ServerDies,
    /// The server can be reached again.
    ServerUp,
    /// Somebody sets the clock by so much.
    SetClock(SignedDuration),
    /// Somebody does something.
    Operate,
    /// A minute in which something may go wrong.
    Minute,
    /// Nothing goes wrong from here on.
    Calm,
}

impl World {
    /// The world of a seed.
    pub async fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let folder = match std::path::Path::new("/dev/shm").is_dir() {
            true => tempfile::tempdir_in("/dev/shm").unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let path = folder.path().join("promptyoself.db");
        let clock = Clock::manual(pick(&mut rng, &STARTS).parse().unwrap());
        let letta = Arc::new(Directory);
        let open = Service::open(&path, "Europe/Berlin", letta, clock.clone());
        let service = open.await.unwrap().0;
        let mut dbs = Vec::new();
        for _ in 0..rng.usize(1..=2) {
            let db = Db::open(&path, &service.zone, clock.now()).await.unwrap().0;
            dbs.push(db);
        }
        let agents: Vec<AgentId> = ["a", "b", "c"][..rng.usize(1..=3)]
            .iter()
            .map(|name| AgentId::parse(&format!("agent-{name}")).unwrap())
            .collect();
        let settings = Settings {
            concurrency: rng.usize(1..=4),
            reconcile_deadline: SignedDuration::from_mins(pick(&mut rng, &[5, 30])),
            ..Settings::default()
        };
        let mut world = World {
            letta: ModelLetta::new(rng.bool(), &agents),
            faults: Faults::draw(&mut rng),
            observer: Observer::open(&path).await,
            processes: dbs.iter().map(|_| None).collect(),
            rng,
            clock,
            service,
            settings,
            dbs,
            agents,
            lives: 0,
            path,
            changed: false,
            trace: Trace::default(),
            calm: false,
            agenda: BTreeMap::new(),
            planned: 0,
            calm_since: 0,
            _folder: folder,
        };
        world.letta.hides = match world.rng.u8(0..9) {
            0 => Hides::Run,
            1 => Hides::All,
            2 => Hides::Dates,
            _ => Hides::Nothing,
        };
        if world.letta.hides != Hides::Nothing {
            // Of a turn that is longer than the search for it nobody can know that it goes on.
            world.faults.long_turn = 0;
        }
        let text = format!(
            "{} schedulers, dedup {}, hides {:?}, {:?}",
            world.dbs.len(),
            world.letta.dedup,
            world.letta.hides,
            world.faults
        );
        world.note(text);
        world
    }

    /// True time.
    pub fn now(&self) -> At {
        i64::try_from(self.clock.moment().uptime.as_micros()).unwrap()
    }

    /// Notes what happens.
    pub fn note(&mut self, text: impl std::fmt::Display) {
        let now = self.now();
        self.trace.note(now, text);
    }

    /// Plans something for `after` this moment.
    pub fn plan(&mut self, after: At, happening: Happening) {
        self.planned += 1;
        let at = self.now() + after;
        self.agenda.insert((at, self.planned), happening);
    }

    /// A scheduler or somebody else has written: every other scheduler notices soon.
    pub fn wrote(&mut self, by: usize) {
        for slot in 0..self.processes.len() {
            let waits = |h: &Happening| matches!(h, Happening::Watch(s) if *s == slot);
            if slot != by && !self.agenda.values().any(waits) {
                let soon = self.rng.i64(0..SECOND / 2);
                self.plan(soon, Happening::Watch(slot));
            }
        }
    }

    /// Lets everything happen until all is at rest after the last fault.
    pub async fn run(&mut self) -> Law {
        for slot in 0..self.processes.len() {
            let mode = self.mode();
            self.start(slot, mode).await;
        }
        self.register_often().await;
        for _ in 0..self.rng.u32(2..6) {
            self.operate().await?;
        }
        self.plan(MINUTE, Happening::Minute);
        self.plan(SECOND, Happening::Operate);
        let faulty = self.rng.i64(5..90);
        self.plan(faulty * MINUTE, Happening::Calm);
        let (mut steps, mut at_once, mut last) = (0, 0, self.now());
        loop {
            steps += 1;
            at_once += 1;
            if self.now() != last {
                (at_once, last) = (0, self.now());
            }
            if steps > MOST_STEPS || at_once > MOST_AT_ONCE {
                return broken!("it does not come to an end: {steps} steps, {at_once} at once");
            }
            if self.calm && last - self.calm_since > Self::PATIENCE {
                let left = self.observer.left(self.clock.now()).await;
                return broken!("it does not come to rest: {left:?}");
            }
            if !self.happen().await? {
                break;
            }
            if std::mem::take(&mut self.changed) {
                self.observer.check_store().await?;
            }
        }
        self.note(format!("at rest after {steps} steps"));
        for (state, instants) in self.observer.outcomes().await {
            self.note(format!("state: {state}, {instants} instants"));
        }
        if self.observer.was_planned_anew().await {
            self.note("schedules were planned anew");
        }
        self.check_account().await?;
        self.observer.check_end(&self.letta).await
    }

    /// The account of every schedule is even, also of those that are no more.
    pub async fn check_account(&mut self) -> Law {
        for account in self.service.db.accounts().await.unwrap() {
            if !account.balanced {
                return broken!("the account is not even: {account:?}");
            }
        }
        Ok(())
    }

    /// Lets the next thing happen; `false` if all is at rest.
    async fn happen(&mut self) -> Law<bool> {
        let now = self.now();
        let is_ready = |p: &Process| !p.inbox.is_empty() && p.frozen_until <= now;
        let slots = 0..self.processes.len();
        let ready: Vec<usize> = slots
            .clone()
            .filter(|s| self.processes[*s].as_ref().is_some_and(is_ready))
            .collect();
        if !ready.is_empty() {
            let slot = pick(&mut self.rng, &ready);
            self.step(slot).await?;
            return Ok(true);
        }
        if self.calm && self.is_at_rest().await {
            return Ok(false);
        }
        let wakes = slots.filter_map(|s| {
            let process = self.processes[s].as_ref()?;
            let at = match process.inbox.is_empty() {
                true => self.wakes_at(process),
                false => process.frozen_until,
            };
            Some((at, s))
        });
        let wake = wakes.min();
        let next = self.agenda.first_key_value().map(|(key, _)| *key);
        match (wake, next) {
            (Some((at, slot)), next) if next.is_none_or(|(n, _)| at <= n) => {
                self.pass_until(at);
                if let Some(process) = &mut self.processes[slot]
                    && process.inbox.is_empty()
                {
                    process.inbox.push_back(Message::Event(Event::Tick));
                }
            }
            (_, Some(key)) => {
                self.pass_until(key.0);
                if let Some(happening) = self.agenda.remove(&key) {
                    self.handle(happening).await?;
                }
            }
            _ => return broken!("nothing will ever happen"),
        }
        Ok(true)
    }

    fn pass_until(&mut self, at: At) {
        let passes = (at - self.now()).max(0);
        self.clock.advance(SignedDuration::from_micros(passes));
    }

    async fn is_at_rest(&mut self) -> bool {
        self.letta.is_quiet()
            && self
                .processes
                .iter()
                .flatten()
                .any(|p| p.mode == Mode::Forever)
            && self.observer.left(self.clock.now()).await.is_empty()
    }

    fn mode(&mut self) -> Mode {
        match !self.calm && self.rng.u8(0..8) == 0 {
            true => Mode::Once,
            false => Mode::Forever,
        }
    }

    /// Tells something to a life of a scheduler, if that goes on.
    pub fn tell(&mut self, life: u64, message: Message) {
        let mut processes = self.processes.iter_mut().flatten();
        if let Some(process) = processes.find(|p| p.life == life) {
            process.inbox.push_back(message);
        }
    }

    async fn handle(&mut self, happening: Happening) -> Law {
        let now = self.now();
        match happening {
            Happening::Arrive(request) => self.arrive(request)?,
            Happening::RunEnds(run) => {
                for (request, answer) in self.letta.end(run, now)? {
                    self.answer(request, answer);
                }
            }
            Happening::Told(request) => {
                if let Some(life) = self.letta.requests[request].client {
                    self.letta.requests[request].told = true;
                    self.tell(life, Message::Run(request));
                }
            }
            Happening::GiveUp(request) => {
                let told = self.letta.requests[request].told;
                let run = self.letta.run_of(request).filter(|_| told);
                self.hear(request, cut(run));
            }
            Happening::Answer(request, answer) => self.hear(request, answer),
            Happening::Find(life, open, lookup) => {
                let evidence = match happens(&mut self.rng, self.faults.unclear) {
                    true => unclear("no answer"),
                    false => self.letta.find(&lookup, now),
                };
                let longest = match happens(&mut self.rng, self.faults.unclear) {
                    true => MINUTE,
                    false => SECOND / 3,
                };
                let soon = self.rng.i64(1_000..longest);
                self.plan(soon, Happening::Found(life, open, evidence));
            }
            Happening::Found(life, open, evidence) => {
                self.tell(life, Message::Event(Event::Found(open, evidence)));
            }
            Happening::Probe(life, target) => {
                let answer = self.letta.check();
                self.plan(1_000, Happening::Probed(life, target, answer));
            }
            Happening::Probed(life, target, answer) => {
                self.tell(life, Message::Event(Event::Probed(target, answer)));
            }
            Happening::WriteAgain(life, settling) => {
                self.tell(life, Message::WriteAgain(settling));
            }
            Happening::Watch(slot) => self.watch(slot).await,
            Happening::Kill(life) => {
                let lives = |p: &Option<Process>| p.as_ref().is_some_and(|p| p.life == life);
                if let Some(slot) = self.processes.iter().position(lives) {
                    self.kill(slot);
                }
            }
            Happening::Start(slot) => {
                if self.processes[slot].is_none() {
                    let mode = self.mode();
                    self.start(slot, mode).await;
                }
            }
            Happening::ServerDies => {
                if !self.calm {
                    self.crash_server();
                }
            }
            Happening::ServerUp => {
                self.note("the server is there");
                self.letta.up = true;
            }
            Happening::SetClock(by) => {
                let to = self.clock.now() + by;
                self.set_clock(to);
                if by.is_negative() {
                    self.observer.note_clock_back().await;
                }
            }
            Happening::Operate => {
                if !self.calm {
                    self.check_account().await?;
                    self.operate().await?;
                    let next = self.rng.i64(SECOND..15 * MINUTE);
                    self.plan(next, Happening::Operate);
                }
            }
            Happening::Minute => {
                if !self.calm {
                    self.disturb();
                    self.plan(MINUTE, Happening::Minute);
                }
            }
            Happening::Calm => self.calm_down().await,
        }
        Ok(())
    }

    /// A scheduler asks whether others have written, as its watcher does twice a second.
    async fn watch(&mut self, slot: usize) {
        let Some(process) = &mut self.processes[slot] else {
            return;
        };
        let version = process.db.data_version().await.unwrap();
        if process.seen.replace(version).is_some_and(|v| v != version) {
            process.inbox.push_back(Message::Event(Event::Changed));
        }
    }

    async fn calm_down(&mut self) {
        self.note("nothing goes wrong from here on");
        self.calm = true;
        self.calm_since = self.now();
        self.faults = Faults::none();
        self.letta.up = true;
        self.letta.approve_all();
        self.service.lift_halt().await.unwrap();
        self.wrote(NOBODY);
        for slot in 0..self.processes.len() {
            if let Some(process) = &mut self.processes[slot] {
                process.frozen_until = 0;
            }
            self.plan(SECOND, Happening::Start(slot));
        }
    }

    /// Sets the wall clock, as somebody would.
    pub fn set_clock(&mut self, to: Timestamp) {
        self.note(format!("the clock is set to {to}"));
        let back = to < self.clock.now();
        self.clock.set(to);
        for process in self.processes.iter_mut().flatten().filter(|_| back) {
            process.inbox.push_back(Message::Event(Event::Tick));
        }
    }
}
