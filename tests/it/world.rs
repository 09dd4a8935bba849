//! A scheduler in this process: a manual clock, a real SQLite file, a target in memory.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use promptyoself::error::Result;
use promptyoself::letta_client::{Letta, Targets};
use promptyoself::models::{
    AgentAt, AgentId, Caller, HistoryFilter, LETTA, Occurrence, Policy, ScheduleFilter,
    ScheduleType, State, TargetName,
};
use promptyoself::schedule::{Asked, LeftOut};
use promptyoself::scheduler::{DeliveryReport, Mode, Scheduler, Settings};
use promptyoself::service::answers::Planned;
use promptyoself::service::{Registration, Service, When, Wish};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake_target::FakeTarget;
use crate::plans::by_scheduler;

/// When every test begins: a Sunday noon far from any change of clocks.
pub const START: &str = "2026-02-01T12:00:00Z";

/// Everything a test of the scheduler needs: in most of them the target is in memory.
pub struct World<T = FakeTarget> {
    /// The time; it moves only when told to.
    pub clock: Clock,
    /// Where prompts go.
    pub target: Arc<T>,
    /// What faces would call.
    pub service: Service,
    /// How deliveries are made.
    pub settings: Settings,
    folder: TempDir,
}

/// A scheduler that runs.
pub struct Running {
    /// What it settled, in order.
    pub reports: mpsc::UnboundedReceiver<DeliveryReport>,
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl World {
    /// An empty database at [`START`].
    pub async fn new() -> Self {
        let clock = Clock::manual(START.parse().unwrap());
        World::on(FakeTarget::new(), clock).await
    }
}

impl<T: Letta + 'static> World<T> {
    /// An empty database, with this target and clock.
    pub async fn on(target: Arc<T>, clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = open(&folder, &target, &clock).await;
        World {
            clock,
            target,
            service,
            settings: Settings::default(),
            folder,
        }
    }

    /// The same with another target beside its own, at which the same agents exist.
    pub fn beside(self, other: Arc<dyn Letta>) -> Self {
        let targets = Targets::new(self.target.clone(), vec![other]);
        let service = self.service.with_targets(targets);
        World { service, ..self }
    }

    /// The database file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("promptyoself.db")
    }

    /// Opens the same database again, as another process would.
    pub async fn another(&self) -> Service {
        open(&self.folder, &self.target, &self.clock).await
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Schedules a prompt for an agent.
    pub async fn register(
        &self,
        agent: &str,
        prompt: &str,
        kind: ScheduleType,
        value: &str,
    ) -> Planned {
        self.service
            .register(&self.wish(agent, prompt, kind, value))
            .await
            .unwrap()
    }

    /// Schedules a prompt to be sent once, so many seconds from now.
    pub async fn once(&self, agent: &str, prompt: &str, seconds: i64) -> Planned {
        let at = self.now() + SignedDuration::from_secs(seconds);
        self.register(agent, prompt, ScheduleType::Once, &at.to_string())
            .await
    }

    /// Schedules a prompt at an interval.
    pub async fn every(&self, agent: &str, prompt: &str, interval: &str) -> Planned {
        self.register(agent, prompt, ScheduleType::Interval, interval)
            .await
    }

    /// What a caller would ask for.
    pub fn wish(&self, agent: &str, prompt: &str, kind: ScheduleType, value: &str) -> Registration {
        Registration {
            agent_id: Some(AgentId::parse(agent).unwrap()),
            prompt: prompt.to_owned(),
            payload: None,
            when: When {
                wish: Wish {
                    asked: Asked::As(kind),
                    value: value.to_owned(),
                },
                timezone: None,
                start_at: None,
                end_at: None,
                except: LeftOut::default(),
                max_repetitions: None,
            },
            name: None,
            policy: Policy::default(),
            ping_url: None,
            conversation: None,
            target: None,
            skip_validation: false,
        }
    }

    /// Starts a scheduler that runs until it is stopped.
    pub fn start(&self) -> Running {
        self.start_on(&self.service, Mode::Forever)
    }

    /// A scheduler on one of the services of this database, not started.
    pub fn scheduler(&self, service: &Service) -> Scheduler {
        Scheduler {
            db: service.db.clone(),
            targets: service.targets.clone(),
            clock: self.clock.clone(),
            settings: self.settings.clone(),
            zone: service.zone.clone(),
            reports: None,
        }
    }

    /// Starts a scheduler of a mode on one of the services of this database.
    pub fn start_on(&self, service: &Service, mode: Mode) -> Running {
        let (told, reports) = mpsc::unbounded_channel();
        let scheduler = Scheduler {
            reports: Some(told),
            ..self.scheduler(service)
        };
        let stop = CancellationToken::new();
        let token = stop.clone();
        let work = async move { scheduler.run(mode, token).await };
        let task = tokio::spawn(by_scheduler(work));
        Running {
            reports,
            stop,
            task,
        }
    }

    /// Every occurrence, the oldest first.
    pub async fn occurrences(&self) -> Vec<Occurrence> {
        let filter = HistoryFilter {
            limit: 10_000,
            ..HistoryFilter::default()
        };
        let past = self.service.db.list_history(&filter).await.unwrap();
        past.into_iter().rev().map(|p| p.occurrence).collect()
    }

    /// Waits until whatever has been sent is settled, at this time.
    pub async fn until_none_is_sending(&self) {
        let is_sending = |o: &Occurrence| o.state == State::Sending;
        while self.occurrences().await.iter().any(is_sending) {}
    }

    /// The states of every occurrence with how many instants each stands for, the oldest first.
    pub async fn account(&self) -> Vec<(State, i64)> {
        self.assert_balanced().await;
        self.occurrences()
            .await
            .iter()
            .map(|o| (o.state, o.count))
            .collect()
    }

    /// No schedule's account is wrong.
    pub async fn assert_balanced(&self) {
        for account in self.service.db.accounts().await.unwrap() {
            assert!(account.balanced, "{account:?}");
        }
    }

    /// How many schedules will run.
    pub async fn active(&self) -> i64 {
        self.service
            .db
            .count_schedules(&ScheduleFilter::default())
            .await
            .unwrap()
    }
}

impl Running {
    /// Waits for the next settled try.
    pub async fn outcome(&mut self) -> DeliveryReport {
        self.reports.recv().await.unwrap()
    }

    /// Waits until something is settled in this state.
    pub async fn until(&mut self, state: State) -> DeliveryReport {
        loop {
            let outcome = self.outcome().await;
            if outcome.state == state {
                return outcome;
            }
        }
    }

    /// Stops it as SIGTERM would, and waits for its end.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Tells it to stop, without waiting.
    pub fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Waits for its end.
    pub async fn ended(self) {
        self.task.await.unwrap().unwrap();
    }

    /// Waits for its end, which may be a refusal.
    pub async fn result(self) -> Result<()> {
        self.task.await.unwrap()
    }

    /// Ends it as SIGKILL would: nothing more is written, and its lock is free.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn open<T: Letta + 'static>(folder: &TempDir, target: &Arc<T>, clock: &Clock) -> Service {
    let path = folder.path().join("promptyoself.db");
    Service::open(&path, "UTC", target.clone(), clock.clone())
        .await
        .unwrap()
        .0
}

/// An agent of the target that worlds have.
pub fn agent_at(id: &str) -> AgentAt {
    AgentAt::new(TargetName::new(LETTA), AgentId::parse(id).unwrap())
}

/// This agent as a caller.
pub fn known_agent(id: &str) -> Caller {
    Caller::Agent(agent_at(id))
}
