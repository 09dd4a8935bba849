//! The load: several short-lived schedules for each agent, replaced as they end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use promptyoself::letta_client::Letta;
use promptyoself::models::{AgentId, CatchUp, Conversation, Policy, ScheduleType};
use promptyoself::schedule::LeftOut;
use promptyoself::service::answers::Planned;
use promptyoself::service::{Registration, Service, When, Wish as Asked};

use crate::daemon::pause;
use crate::foreign_writers::raw::Foreign;

/// How many schedules each agent has at the same time.
const EACH: usize = 3;

/// What one schedule was asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Whom it is for.
    pub agent: AgentId,
    /// Its prompt, which no other has.
    pub prompt: String,
    /// Its first instant.
    pub first: Timestamp,
    /// The seconds between two instants, and how many there are.
    pub interval: (i64, i64),
    /// How often it was run by hand.
    pub runs: usize,
}

/// The conversation of the nth schedule, which is this agent's.
pub type ConversationOf = fn(&AgentId, usize) -> Option<Conversation>;

/// The schedules that were made.
pub struct Schedules {
    service: Service,
    database: PathBuf,
    agents: Vec<AgentId>,
    conversation_of: ConversationOf,
    random: fastrand::Rng,
    wishes: Vec<Wish>,
    /// The number of the latest interval, and its wish.
    latest: Option<(i64, usize)>,
}

impl Schedules {
    pub async fn new(
        database: &Path,
        target: Arc<impl Letta + 'static>,
        agents: Vec<AgentId>,
        conversation_of: ConversationOf,
        seed: u64,
    ) -> Self {
        let (service, _) = Service::open(database, "UTC", target, Clock::system())
            .await
            .unwrap();
        Schedules {
            service,
            database: database.to_owned(),
            agents,
            conversation_of,
            random: fastrand::Rng::with_seed(seed),
            wishes: Vec::new(),
            latest: None,
        }
    }

    /// That the program's own account of each schedule is balanced.
    pub async fn are_balanced(&self) {
        let accounts = self.service.db.accounts().await.unwrap();
        assert_eq!(accounts.len(), self.wishes.len());
        for account in accounts {
            assert!(account.balanced, "{account:?}");
            assert_eq!(account.difference, None, "{account:?}");
        }
    }

    /// Every schedule that was asked for.
    pub fn wishes(&self) -> &[Wish] {
        &self.wishes
    }

    /// How many instants they have in all.
    pub fn instants(&self) -> usize {
        let of = |w: &Wish| w.interval.1 as usize + w.runs;
        self.wishes.iter().map(of).sum()
    }

    /// Gives each agent as many schedules as it is to have, and one of them a row that another
    /// program wrote; one schedule is run by hand.
    pub async fn top_up(&mut self) {
        let mut db = Foreign::connect(&self.database).await;
        let sql = "SELECT agent_id, count(*) FROM schedules WHERE active = 1 GROUP BY agent_id";
        let live: HashMap<String, i64> = db.tuples(sql, ()).await.into_iter().collect();
        for agent in self.agents.clone() {
            let has = live.get(agent.as_str()).copied().unwrap_or(0) as usize;
            for _ in has..EACH {
                match self.random.u32(0..100) {
                    0..70 => self.every(&agent).await,
                    70..85 => self.once(&agent).await,
                    _ => self.foreign(&agent).await,
                }
            }
        }
        let agent = self.random.usize(0..self.agents.len());
        self.foreign(&self.agents[agent].clone()).await;
        if let Some((id, wish)) = self.latest {
            let run = self.service.run(id).await.unwrap();
            self.wishes[wish].runs += usize::from(!run.existed);
        }
    }

    async fn every(&mut self, agent: &AgentId) {
        let seconds = self.random.i64(1..=4);
        let times = self.random.i64(2..=8);
        let (kind, value) = (ScheduleType::Interval, format!("{seconds}s"));
        let made = self.register(agent, kind, value, Some(times)).await;
        self.note(agent, made.next_run, (seconds, times));
        self.latest = Some((made.id, self.wishes.len() - 1));
    }

    async fn once(&mut self, agent: &AgentId) {
        let wait = SignedDuration::from_millis(self.random.i64(1_000..4_000));
        let at = Clock::system().now() + wait;
        let (kind, value) = (ScheduleType::Once, at.to_string());
        let made = self.register(agent, kind, value, None).await;
        self.note(agent, made.next_run, (0, 1));
    }

    /// A row as SQLAlchemy writes it.
    async fn foreign(&mut self, agent: &AgentId) {
        let now = Clock::system().now();
        let mut db = Foreign::connect(&self.database).await;
        let sql = "INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, \
                   next_run, created_at, active) VALUES (?1, ?2, 'once', ?3, ?3, ?3, 1)";
        db.run_with(sql, (agent.as_str(), self.next_prompt(), stored(now)))
            .await;
        self.note(agent, now, (0, 1));
    }

    fn next_prompt(&self) -> String {
        format!("prompt {}", self.wishes.len())
    }

    fn note(&mut self, agent: &AgentId, first: Timestamp, interval: (i64, i64)) {
        self.wishes.push(Wish {
            agent: agent.clone(),
            prompt: self.next_prompt(),
            first,
            interval,
            runs: 0,
        });
    }

    async fn register(
        &self,
        agent: &AgentId,
        kind: ScheduleType,
        value: String,
        max_repetitions: Option<i64>,
    ) -> Planned {
        let catch_up = match self.wishes.len() % 3 {
            0 => Some(CatchUp::All),
            _ => None,
        };
        let policy = Policy {
            catch_up,
            ..Policy::default()
        };
        // Dates of which none comes before the end.
        let except = match (kind, self.wishes.len() % 2) {
            (ScheduleType::Once, _) | (_, 0) => LeftOut::default(),
            _ => LeftOut::parse("2020-01-01, 2999-12-25..2999-12-26").unwrap(),
        };
        let asked = Registration {
            agent_id: Some(agent.clone()),
            prompt: self.next_prompt(),
            payload: None,
            when: When {
                wish: Asked {
                    asked: promptyoself::schedule::Asked::As(kind),
                    value,
                },
                timezone: None,
                start_at: None,
                end_at: None,
                except,
                max_repetitions,
            },
            name: None,
            conversation: (self.conversation_of)(agent, self.wishes.len()),
            target: None,
            skip_validation: true,
            policy,
            ping_url: None,
        };
        self.service.register(&asked).await.unwrap()
    }

    /// Waits until no schedule has anything left to do. The longest wait is for prompts of which
    /// Letta shows no trace.
    pub async fn until_all_is_settled(&self) {
        let mut db = Foreign::connect(&self.database).await;
        let mut left: Vec<(String, i64)> = Vec::new();
        let sql = "SELECT state, count(*) FROM occurrences \
                   WHERE state IN ('waiting', 'sending', 'unknown') GROUP BY state \
                   UNION ALL SELECT 'active', count(*) FROM schedules WHERE active = 1 \
                   GROUP BY active";
        for _ in 0..900 {
            left = db.tuples(sql, ()).await;
            if left.is_empty() {
                return;
            }
            pause().await;
        }
        let sql = "SELECT coalesce(lane, '') || ', ' || state || ': ' || coalesce(error, '') AS told \
                   FROM occurrences WHERE state IN ('waiting', 'sending', 'unknown')";
        let told: Vec<String> = db.map(sql, (), |row| row.get("told")).await;
        panic!("it never came to an end: {left:?}: {}", told.join("\n"));
    }
}

/// A time as it is stored.
fn stored(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}
