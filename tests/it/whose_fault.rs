//! Whose fault it is when a prompt can't be sent: the prompt's, its agent's, or the whole server's.

mod lanes;
mod statuses;
mod unwell;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{Rest, RestSettings};
use promptyoself::models::{AgentId, HistoryFilter, IncidentKind, Occurrence};
use serde_json::{Value, json};

use crate::client;
use crate::fake_letta::{FakeLetta, Options, Script};
use crate::passing_time::{let_happen, while_time_passes};
use crate::world::{START, World};

/// A page of somebody else's.
const PAGE: &str = "<html>this is not for you</html>";

/// No test is about more time than this.
const LONGEST: SignedDuration = SignedDuration::from_hours(30);

/// A server with some agents, and a scheduler's world with the real client.
pub struct Stage {
    pub world: World<Rest>,
    pub letta: FakeLetta,
    pub agents: Vec<AgentId>,
}

impl Stage {
    pub async fn new(redis: bool, agents: usize) -> Self {
        Self::patient(redis, agents, Duration::from_secs(60)).await
    }

    /// The same with a client that bears so much silence in a turn.
    pub async fn patient(redis: bool, agents: usize, idle_timeout: Duration) -> Self {
        let clock = Clock::manual(START.parse().unwrap());
        let letta = FakeLetta::start_with(Options {
            clock: clock.clone(),
            redis,
            ..Options::default()
        })
        .await;
        let settings = RestSettings {
            idle_timeout,
            ..client::settings(&letta.url())
        };
        let target = Rest::new(settings, clock.clone()).unwrap();
        let world = World::on(Arc::new(target), clock).await;
        let agents = (0..agents).map(|_| letta.add_agent()).collect();
        Stage {
            world,
            letta,
            agents,
        }
    }

    /// Waits for something while time passes, a second at a time.
    pub async fn meanwhile<T>(&self, what: impl Future<Output = T>) -> T {
        let (clock, db) = (&self.world.clock, &self.world.service.db);
        while_time_passes(clock, SignedDuration::from_secs(1), &[db], what).await
    }

    /// Lets so much time pass, and all happen that is due until then.
    pub async fn pass(&self, time: SignedDuration) {
        self.meanwhile(self.world.clock.sleep(time.unsigned_abs()))
            .await;
        let_happen(&[&self.world.service.db]).await;
    }

    /// Lets time pass until everything that was asked for is settled as wanted.
    pub async fn until(&self, wanted: impl Fn(&[Occurrence]) -> bool) -> Vec<Occurrence> {
        let give_up = self.world.now() + LONGEST;
        loop {
            let occurrences = self.world.occurrences().await;
            if wanted(&occurrences) {
                return occurrences;
            }
            assert!(
                self.world.now() < give_up,
                "never came to what was wanted: {occurrences:#?}"
            );
            self.pass(SignedDuration::from_secs(5)).await;
        }
    }

    /// The kinds of the incidents that are open, with their codes.
    pub async fn incidents(&self) -> Vec<(IncidentKind, String)> {
        let open = self.world.service.db.list_open_incidents().await.unwrap();
        open.into_iter()
            .map(|i| (i.kind, i.code.unwrap_or_default()))
            .collect()
    }

    /// How often a prompt was tried.
    pub async fn tries(&self, occurrence: &Occurrence) -> usize {
        let db = &self.world.service.db;
        db.list_attempts(occurrence.id).await.unwrap().len()
    }

    /// What became of one agent's prompts, the oldest first.
    pub async fn of(&self, agent: &AgentId) -> Vec<Occurrence> {
        let filter = HistoryFilter {
            agent: Some(agent.clone().into()),
            limit: 1_000,
            ..HistoryFilter::default()
        };
        let past = self.world.service.db.list_history(&filter).await.unwrap();
        past.into_iter().rev().map(|p| p.occurrence).collect()
    }
}

pub fn answer(status: u16, body: Value) -> Script {
    Script::Answer {
        status,
        body,
        headers: [].into(),
    }
}

/// An answer of a proxy's own.
pub fn page(status: u16) -> Script {
    Script::Answer {
        status,
        body: json!(PAGE),
        headers: [("location".to_owned(), "/".to_owned())].into(),
    }
}
