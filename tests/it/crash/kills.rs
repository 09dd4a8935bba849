//! How and when the daemon is killed.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use promptyoself::clock::Clock;
use promptyoself::failpoint::Failpoint;

use crate::daemon::Program;
use crate::fake_app_server::FakeAppServer;
use crate::fake_letta::{FakeLetta, Moment};
use crate::foreign_writers::raw::Foreign;

/// After this long without coming to its point the daemon is killed wherever it is.
const LIMIT: Duration = Duration::from_secs(10);

/// A server that the daemon delivers to.
pub trait Server {
    /// Keeps the nth prompt that comes to a moment there.
    fn trap(&self, moment: Moment, nth: u32);
    /// Waits until a prompt is kept.
    fn trapped(&self) -> impl Future<Output = ()>;
    /// Lets it go on.
    fn free(&self);
    /// How many turns go on.
    fn open_turns(&self) -> usize;
}

macro_rules! impl_server {
    ($fake:ty) => {
        impl Server for $fake {
            fn trap(&self, moment: Moment, nth: u32) {
                self.trap(moment, nth);
            }
            fn trapped(&self) -> impl Future<Output = ()> {
                self.trapped()
            }
            fn free(&self) {
                self.free();
            }
            fn open_turns(&self) -> usize {
                self.open_turns()
            }
        }
    };
}
impl_server!(FakeLetta);
impl_server!(FakeAppServer);

/// One way to be killed.
#[derive(Clone, Debug, PartialEq)]
pub enum Kill {
    /// After so many milliseconds.
    After(u64),
    /// By its own hand at a point, when it comes there for the nth time.
    At(Failpoint, u32),
    /// When the server has come to a moment for the nth time.
    When(Moment, u32),
}

/// Which kills are to come: by turns at a random moment and at a point, each point at least once.
pub struct Plan {
    random: fastrand::Rng,
    left: usize,
    points: VecDeque<Kill>,
    again: Vec<Kill>,
    /// How many more there may be for points that the daemon never came to.
    extra: usize,
}

impl Plan {
    pub fn new(seed: u64, kills: usize) -> Self {
        let mut plan = Plan {
            random: fastrand::Rng::with_seed(seed),
            left: kills,
            points: VecDeque::new(),
            again: Vec::new(),
            extra: 10,
        };
        plan.points = plan.every_point();
        assert!(kills >= 2 * plan.points.len(), "too few for every point");
        plan
    }

    fn every_point(&mut self) -> VecDeque<Kill> {
        let random = &mut self.random;
        let own = Failpoint::ALL.iter().map(|point| {
            use Failpoint as F;
            let most = match point {
                // What happens once in each life, or seldom.
                F::AdoptionMade | F::AdoptionCommitted => 1,
                F::OwnerFoundDead | F::OwnerTakenOver => 1,
                F::RetryMade | F::RetryCommitted => 1,
                F::EvidenceHeard | F::EvidenceSettled => 3,
                _ => 8,
            };
            Kill::At(*point, random.u32(1..=most))
        });
        let mut points: Vec<Kill> = own.collect();
        for moment in [Moment::Read, Moment::Begun, Moment::Ended] {
            points.push(Kill::When(moment, self.random.u32(1..=8)));
        }
        self.random.shuffle(&mut points);
        points.into()
    }

    /// The next one, until there were enough.
    pub fn next(&mut self) -> Option<Kill> {
        if self.left == 0 {
            self.extra = self.extra.checked_sub(1)?;
            return self.again.pop();
        }
        self.left -= 1;
        if self.left.is_multiple_of(2) {
            return Some(Kill::After(self.random.u64(50..1_500)));
        }
        if self.points.is_empty() {
            self.points = match self.again.is_empty() {
                true => self.every_point(),
                false => self.again.drain(..).collect(),
            };
        }
        self.points.pop_front()
    }

    /// Takes in whether the daemon came to its point.
    pub fn note(&mut self, kill: Kill, reached: bool) {
        if !reached {
            self.again.push(kill);
        }
    }

    /// The points that it never came to.
    pub fn unreached(&self) -> &[Kill] {
        &self.again
    }
}

/// What was done, in figures.
#[derive(Default)]
pub struct Kills {
    /// How many kills there were.
    pub all: usize,
    /// How many found an occurrence on its way or of unknown fate, or a turn going on.
    pub in_flight: usize,
    by_point: BTreeMap<String, usize>,
}

impl Kills {
    /// Starts the daemon and kills it. Returns whether it came to its point.
    pub async fn kill(
        &mut self,
        kill: &Kill,
        program: &Program,
        server: &impl Server,
        database: &Path,
    ) -> bool {
        let program = match kill {
            Kill::At(point, nth) => program
                .clone()
                .with("PROMPTYOSELF_FAILPOINT", &format!("{}:{nth}", point.name())),
            _ => program.clone(),
        };
        if let Kill::When(moment, nth) = kill {
            server.trap(*moment, *nth);
        }
        let mut daemon = program.start(&["serve"], "killed");
        let clock = Clock::system();
        let reached = match kill {
            Kill::After(milliseconds) => {
                clock.sleep(Duration::from_millis(*milliseconds)).await;
                true
            }
            Kill::At(..) => tokio::time::timeout(LIMIT, daemon.ended()).await.is_ok(),
            Kill::When(..) => tokio::time::timeout(LIMIT, server.trapped()).await.is_ok(),
        };
        daemon.kill();
        self.all += 1;
        // The daemon is dead, so the database holds still; the server does not.
        let turns = server.open_turns();
        let mut db = Foreign::connect(database).await;
        let open: i64 = db
            .one("SELECT count(*) FROM occurrences WHERE state IN ('sending', 'unknown')")
            .await;
        self.in_flight += usize::from(open > 0 || turns > 0);
        server.free();
        if reached {
            let name = match kill {
                Kill::After(_) => "at random".to_owned(),
                Kill::At(point, _) => point.name().to_owned(),
                Kill::When(moment, _) => format!("server {moment:?}").to_lowercase(),
            };
            *self.by_point.entry(name).or_default() += 1;
        }
        reached
    }
}

impl fmt::Display for Kills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills, {} of them found work in flight {:?}",
            self.all, self.in_flight, self.by_point
        )
    }
}
