//! A scheduler with the real client, a fake Letta and a manual clock; one agent that meets a fault
//! and two that keep working.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use promptyoself::letta_client::{Rest, RestSettings};
use promptyoself::models::{AgentId, Occurrence, State, Verdict};
use promptyoself::scheduler::{DeliveryReport, Settings};

use super::{Fault, Outage};
use crate::client;
use crate::fake_letta::{FakeLetta, Options, Received};
use crate::passing_time::{let_happen, while_time_passes};
use crate::world::{Running, START, World};

/// The age at which a run counts as orphaned, in seconds.
const ORPHANED: i64 = 20;

/// Every so many seconds each of the other agents gets a prompt.
const OTHERS_EVERY: i64 = 5;

/// After so many seconds of the manual clock a fault must have passed.
const LONGEST: i64 = 200;

/// In such steps time passes by itself.
const STEP: SignedDuration = SignedDuration::from_millis(200);

/// A test that waits for what never comes is ended after this long.
const WATCHDOG: Duration = Duration::from_secs(300);

/// What the fault hits.
const FIRST: &str = "the prompt that is hit";
/// What comes after it in the same lane.
const SECOND: &str = "the prompt behind it";

pub struct Scene {
    world: World<Rest>,
    letta: FakeLetta,
    hit: AgentId,
    others: [AgentId; 2],
    running: Running,
    began: Timestamp,
    /// What was decided about the first prompt, and when it is to be gone on with.
    decisions: Vec<DeliveryReport>,
    /// What is decided about everything that meets an outage.
    withheld: Option<&'static str>,
    second_delivered: bool,
    others_delivered: usize,
}

impl Scene {
    /// Two prompts of one agent are due in a second, and each other agent has one every so often.
    pub async fn new(redis: bool) -> Self {
        let clock = Clock::manual(START.parse().unwrap());
        let letta = FakeLetta::start_with(Options {
            clock: clock.clone(),
            redis,
            // Else an agent whose turn died would do nothing for five minutes.
            lock: SignedDuration::from_secs(ORPHANED),
            ..Options::default()
        })
        .await;
        let orphan_age = SignedDuration::from_secs(ORPHANED);
        let settings = RestSettings {
            orphan_age,
            ..client::settings(&letta.url())
        };
        let target = Arc::new(Rest::new(settings, clock.clone()).unwrap());
        let mut world = World::on(target, clock).await;
        world.settings = Settings {
            orphaned_run_age: orphan_age,
            ..Settings::default()
        };
        let hit = letta.add_agent();
        let others = [letta.add_agent(), letta.add_agent()];
        world.once(hit.as_str(), FIRST, 1).await;
        world.once(hit.as_str(), SECOND, 2).await;
        for other in &others {
            let every = format!("{OTHERS_EVERY}s");
            world.every(other.as_str(), "work on", &every).await;
        }
        Scene {
            running: world.start(),
            began: world.now(),
            world,
            letta,
            hit,
            others,
            decisions: Vec::new(),
            withheld: None,
            second_delivered: false,
            others_delivered: 0,
        }
    }

    /// Lets the fault happen, and time pass until both prompts of the agent are delivered. Every
    /// fifth second both other agents deliver, whatever becomes of it.
    pub async fn play(&mut self, fault: &Fault) {
        (fault.before)(&self.letta, &self.hit);
        self.letta.script(&self.hit, fault.script.clone());
        let mut relief = fault.relief;
        for second in 1..LONGEST {
            self.world.advance(1);
            if second % OTHERS_EVERY == 0 {
                let all = self.others_delivered + self.others.len();
                self.hear_until(|s| s.others_delivered == all).await;
            }
            if let Some((at, relieve)) = relief {
                if second == at {
                    relief = None;
                    relieve(&self.letta, &self.hit);
                } else if fault.silent {
                    continue;
                }
            }
            self.hear_until(Scene::rests).await;
            if self.second_delivered {
                return;
            }
        }
        panic!("it did not pass: {:#?}", self.decisions);
    }

    /// Lets the server be out from the first prompt on, and come back after a while.
    pub async fn play_outage(&mut self, outage: &Outage) {
        self.withheld = Some(outage.decision);
        (outage.begin)(&mut self.letta);
        self.hear_until(|s| s.decisions.len() == 1).await;
        assert_eq!(show(&self.decisions[0]), outage.decision);
        let held = self.world.service.db.list_held_targets().await.unwrap();
        assert_eq!(held.len(), 1);
        // All that is due from now on stays due: of nobody else anything is so much as tried.
        let (clock, db) = (&self.world.clock, &self.world.service.db);
        while_time_passes(clock, STEP, &[db], clock.sleep(Duration::from_secs(180))).await;
        let_happen(&[db]).await;
        let met = self.world.occurrences().await;
        assert_eq!(met.len(), outage.meet_it, "{met:#?}");
        assert!(met.iter().all(|o| o.state == State::Waiting), "{met:#?}");
        assert!(self.letta.received().is_empty());

        self.letta.come_back().await;
        self.hear_until(|s| s.second_delivered && s.others_delivered >= 2 * s.others.len())
            .await;
        assert_eq!(self.decisions.len(), 2, "{:?}", self.decisions);
        let kept = self.kept(&self.hit);
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert!(
            kept[0].ends_with(FIRST) && kept[1].ends_with(SECOND),
            "{kept:?}"
        );
        let first = &self.world.occurrences().await[0];
        let attempts = self.world.service.db.list_attempts(first.id).await.unwrap();
        assert_eq!(attempts.len(), 2);
        assert_eq!(attempts[0].otid, attempts[1].otid);
        assert_eq!(self.letta.overlaps(), 0);
    }

    /// Whether nothing is decided about the agent's prompts before time has passed.
    fn rests(&self) -> bool {
        let waits = |outcome: &DeliveryReport| match outcome.verdict {
            Verdict::Waiting { not_before, .. } | Verdict::Unknown { not_before, .. } => {
                not_before > self.world.now()
            }
            Verdict::Delivered { .. } => self.second_delivered,
            Verdict::Dead { .. } => true,
        };
        self.decisions.last().is_some_and(waits)
    }

    async fn hear_until(&mut self, heard: impl Fn(&Scene) -> bool) {
        while !heard(self) {
            let outcome = self.next_outcome().await;
            let occurrence = self.occurrence(outcome.occurrence_id).await;
            let withheld = self.withheld.is_some_and(|w| show(&outcome) == w);
            if self.withheld.is_none() {
                // Only what is the server's own trouble keeps the other lanes from it.
                let held = self.world.service.db.list_held_targets().await.unwrap();
                assert!(held.is_empty(), "{held:?}");
            }
            if occurrence.agent_id != self.hit.as_str() {
                assert!(withheld || outcome.state == State::Delivered, "{outcome:?}");
                self.others_delivered += usize::from(!withheld);
            } else if occurrence.intended_at == self.began + SignedDuration::from_secs(1) {
                self.decisions.push(outcome);
            } else {
                assert_eq!(outcome.state, State::Delivered, "{outcome:?}");
                self.second_delivered = true;
            }
        }
    }

    /// What is settled next; while the server is out, time passes until then.
    async fn next_outcome(&mut self) -> DeliveryReport {
        let (clock, db) = (&self.world.clock, &self.world.service.db);
        let next = self.running.outcome();
        let next = async {
            match self.withheld {
                None => next.await,
                Some(_) => while_time_passes(clock, STEP, &[db], next).await,
            }
        };
        let next = tokio::time::timeout(WATCHDOG, next).await;
        next.unwrap_or_else(|_| panic!("nothing more: {:#?}", self.decisions))
    }

    async fn occurrence(&self, id: i64) -> Occurrence {
        let all = self.world.occurrences().await;
        all.into_iter().find(|o| o.id == id).unwrap()
    }

    /// What was decided is what the fault is to lead to, by ways that the documentation shows.
    pub async fn is_told_as_documented(&self, fault: &Fault) {
        let mut told: Vec<String> = self.decisions.iter().map(show).collect();
        told.dedup();
        assert_eq!(told, fault.decisions);
        let ways = documented_ways();
        let mut from = State::Sending;
        for decision in &self.decisions {
            let to = decision.state;
            if (from, to) != (State::Unknown, State::Unknown) {
                assert!(
                    ways.contains(&(from.to_string(), to.to_string())),
                    "{from} → {to}"
                );
            }
            from = match to {
                State::Waiting => State::Sending,
                to => to,
            };
        }
    }

    /// Each prompt of each agent is in its history once, in order, and nobody else's was touched.
    pub async fn holds_each_prompt_once(&self, fault: &Fault) {
        let received = self.letta.received();
        let hit: Vec<&Received> = received
            .iter()
            .filter(|r| r.agent == self.hit.as_str())
            .collect();
        let begun = hit.iter().filter(|r| r.text.ends_with(FIRST)).count();
        assert_eq!(begun, fault.turns);
        assert_eq!(hit.len(), begun + 1);
        let kept = self.kept(&self.hit);
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert!(
            kept[0].ends_with(FIRST) && kept[1].ends_with(SECOND),
            "{kept:?}"
        );
        assert_eq!(self.letta.overlaps(), 0);
        self.others_worked_on().await;
    }

    /// Both others got all their prompts, each at the first try and exactly as written.
    async fn others_worked_on(&self) {
        for other in &self.others {
            let kept = self.kept(other);
            assert_eq!(kept.len(), self.others_delivered / 2);
            assert!(kept.iter().all(|text| text == "work on"), "{kept:?}");
        }
        for occurrence in self.world.occurrences().await {
            let attempts = self
                .world
                .service
                .db
                .list_attempts(occurrence.id)
                .await
                .unwrap();
            if occurrence.agent_id != self.hit.as_str() {
                assert_eq!((occurrence.state, occurrence.count), (State::Delivered, 1));
                assert_eq!(attempts.len(), 1);
            }
        }
    }

    fn kept(&self, agent: &AgentId) -> Vec<String> {
        let messages = self.letta.messages(agent);
        let of_user = messages
            .iter()
            .filter(|m| m["message_type"] == "user_message");
        of_user
            .map(|m| m["content"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A decision in words.
pub fn show(outcome: &DeliveryReport) -> String {
    match &outcome.verdict {
        Verdict::Delivered { .. } => outcome.state.to_string(),
        Verdict::Waiting { fault, .. }
        | Verdict::Unknown { fault, .. }
        | Verdict::Dead { fault } => {
            format!("{} {}", outcome.state, fault.code)
        }
    }
}

/// The ways from one state to another that docs/delivery.md lists.
pub fn documented_ways() -> HashSet<(String, String)> {
    let document = include_str!("../../../docs/delivery.md");
    let mut ways = HashSet::new();
    let rows = document
        .lines()
        .skip_while(|line| *line != "| from | to | when |");
    for row in rows.skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let to = cells[2].split(',').next().unwrap();
        for from in cells[1].split(", ") {
            ways.insert((from.to_owned(), to.to_owned()));
        }
    }
    assert!(ways.contains(&("sending".into(), "delivered".into())));
    ways
}
