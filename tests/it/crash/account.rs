//! What the database says happened to every prompt, compared with what the server received.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};
use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use promptyoself::models::AgentId;

use super::load::Wish;
use crate::fake_letta::{FakeLetta, Received};
use crate::foreign_writers::raw::Foreign;

/// One row of the history.
pub struct Occurrence {
    pub agent: String,
    pub lane: String,
    pub conversation: Option<String>,
    pub prompt: String,
    trigger: String,
    first_at: Timestamp,
    intended_at: Timestamp,
    pub count: i64,
    pub state: String,
    pub error: Option<String>,
    run_id: Option<String>,
}

/// One try.
#[derive(Debug)]
pub struct Attempt {
    pub occurrence: i64,
    pub n: i64,
    pub otid: String,
    begun: Timestamp,
    error: Option<String>,
}

/// Both sides.
pub struct Account {
    pub occurrences: BTreeMap<i64, Occurrence>,
    /// In the order in which they were begun.
    pub attempts: Vec<Attempt>,
    received: Vec<Received>,
    /// How many user messages hold an otid.
    kept: HashMap<String, usize>,
}

/// The sums.
#[derive(Default)]
pub struct Figures {
    pub instants: i64,
    pub sent: usize,
    pub received: usize,
    pub coalesced: i64,
    pub unknown: usize,
    pub resends: usize,
}

impl Account {
    /// What the database says.
    pub async fn read(database: &Path) -> Self {
        let mut db = Foreign::connect(database).await;
        let sql = "SELECT o.id, o.agent_id, coalesce(o.lane, '') AS lane, o.conversation, s.prompt_text, o.trigger, o.first_at, o.intended_at, o.count, o.state, \
                   o.error, o.run_id FROM occurrences o JOIN schedules s ON s.uid = o.uid";
        let occurrences = db.map(sql, (), |row| {
            let occurrence = Occurrence {
                agent: row.get("agent_id")?,
                lane: row.get("lane")?,
                conversation: row.get("conversation")?,
                prompt: row.get("prompt_text")?,
                trigger: row.get("trigger")?,
                first_at: time(row.get("first_at")?),
                intended_at: time(row.get("intended_at")?),
                count: row.get("count")?,
                state: row.get("state")?,
                error: row.get("error")?,
                run_id: row.get("run_id")?,
            };
            Ok((row.get("id")?, occurrence))
        });
        let occurrences: BTreeMap<i64, Occurrence> = occurrences.await.into_iter().collect();
        let sql = "SELECT occurrence_id, n, otid, started_at, error FROM attempts ORDER BY rowid";
        let attempts = db.map(sql, (), |row| {
            Ok(Attempt {
                occurrence: row.get("occurrence_id")?,
                n: row.get("n")?,
                otid: row.get("otid")?,
                begun: time(row.get("started_at")?),
                error: row.get("error")?,
            })
        });
        let attempts = attempts.await;
        Account {
            occurrences,
            attempts,
            received: Vec::new(),
            kept: HashMap::new(),
        }
    }

    /// What the database says, with what a V1 server received.
    pub async fn read_with(database: &Path, letta: &FakeLetta) -> Self {
        let account = Account::read(database).await;
        let mut kept: HashMap<String, usize> = HashMap::new();
        let occurrences = account.occurrences.values();
        let mut agents: Vec<&str> = occurrences.map(|o| o.agent.as_str()).collect();
        agents.sort_unstable();
        agents.dedup();
        for agent in agents {
            for message in letta.messages(&AgentId::parse(agent).unwrap()) {
                if message["message_type"] == "user_message" {
                    let otid = message["otid"].as_str().unwrap_or_default();
                    *kept.entry(otid.to_owned()).or_default() += 1;
                }
            }
        }
        Account {
            received: letta.received(),
            kept,
            ..account
        }
    }

    /// Every instant that was asked for is there once, and nothing else.
    pub fn is_what_was_asked_for(&self, wishes: &[Wish]) {
        let mut rows: HashMap<&str, Vec<&Occurrence>> = HashMap::new();
        for occurrence in self.occurrences.values() {
            rows.entry(&occurrence.prompt).or_default().push(occurrence);
        }
        for wish in wishes {
            let mut rows = rows.remove(wish.prompt.as_str()).unwrap_or_default();
            let all = rows.len();
            rows.retain(|o| o.trigger == "schedule");
            assert_eq!(all - rows.len(), wish.runs, "{wish:?}");
            assert!(rows.iter().all(|o| o.agent == wish.agent.as_str()));
            let (seconds, times) = wish.interval;
            let every = SignedDuration::from_secs(seconds);
            let mut instants: Vec<Timestamp> = Vec::new();
            for row in &rows {
                let last = row.first_at + every * (row.count as i32 - 1);
                assert_eq!(last, row.intended_at, "{wish:?}");
                instants.extend((0..row.count).map(|n| row.first_at + every * n as i32));
            }
            instants.sort();
            let asked: Vec<Timestamp> = (0..times).map(|n| wish.first + every * n as i32).collect();
            assert_eq!(instants, asked, "{wish:?}");
        }
        assert!(rows.is_empty(), "nobody asked for {:?}", rows.keys());
    }

    /// The otids of each occurrence, and whose each is: no two occurrences share one.
    pub fn otids(&self) -> (HashMap<i64, Vec<&str>>, HashMap<&str, i64>) {
        let mut otids: HashMap<i64, Vec<&str>> = HashMap::new();
        let mut owner: HashMap<&str, i64> = HashMap::new();
        for attempt in &self.attempts {
            let of = otids.entry(attempt.occurrence).or_default();
            if !of.contains(&attempt.otid.as_str()) {
                of.push(&attempt.otid);
                assert_eq!(owner.insert(&attempt.otid, attempt.occurrence), None);
            }
        }
        (otids, owner)
    }

    /// Every occurrence was received exactly once and is among the agent's messages exactly once,
    /// or is reported as unknown.
    pub fn holds_each_prompt_once(&self) -> Figures {
        let (mut otids, owner) = self.otids();
        let mut receptions: HashMap<i64, Vec<&Received>> = HashMap::new();
        for received in &self.received {
            let otid = received.otid.as_deref().unwrap();
            let id = owner.get(otid).unwrap_or_else(|| panic!("{received:?}"));
            let occurrence = &self.occurrences[id];
            assert_eq!(received.agent, occurrence.agent);
            assert_eq!(
                received.text.lines().last(),
                Some(occurrence.prompt.as_str())
            );
            receptions.entry(*id).or_default().push(received);
        }
        let mut figures = Figures::default();
        for (id, occurrence) in &self.occurrences {
            figures.instants += occurrence.count;
            let otids = otids.remove(id).unwrap_or_default();
            let kept: usize = otids.iter().filter_map(|otid| self.kept.get(*otid)).sum();
            let receptions = receptions.remove(id).unwrap_or_default();
            // A turn that failed or died in its first step has kept nothing.
            let whole = receptions.iter().filter(|r| r.kept).collect::<Vec<_>>();
            let told = || format!("{occurrence:?} {receptions:?}");
            assert!(
                receptions
                    .iter()
                    .all(|r| r.kept || r.ended.is_some() || r.dead)
            );
            match occurrence.state.as_str() {
                "coalesced" => {
                    assert_eq!((otids.len(), receptions.len()), (0, 0), "{}", told());
                    figures.coalesced += occurrence.count;
                    continue;
                }
                "delivered" => {
                    assert_eq!((whole.len(), kept), (1, 1), "{}", told());
                    let run = occurrence.run_id.as_deref();
                    assert_eq!(run, Some(whole[0].run_id.as_str()), "{}", told());
                }
                "dead" => {
                    let error = occurrence.error.as_deref().unwrap_or_default();
                    assert!(error.starts_with("delivery_unknown: "), "{}", told());
                    assert!(whole.len() <= 1 && kept <= 1, "{}", told());
                    figures.unknown += 1;
                }
                _ => panic!("{}", told()),
            }
            figures.sent += 1;
            figures.received += kept;
        }
        figures.resends = self.attempts.iter().filter(|a| a.n > 1).count();
        figures
    }

    /// Within a lane the oldest goes first, also while it waits for another try: what stands for
    /// several instants has the place of the first of them, and a retry that of its own.
    pub fn keeps_the_order_of_each_lane(&self, lane_of: fn(&Occurrence) -> &str) {
        let place = |attempt: &Attempt| {
            let own = &self.occurrences[&attempt.occurrence];
            // The row of the older ones is written just before that of the newest.
            let older = self.occurrences.get(&(attempt.occurrence - 1));
            let older = older.filter(|o| o.prompt == own.prompt && o.state == "coalesced");
            match (attempt.n, older) {
                (1, Some(older)) => older.first_at,
                _ => own.intended_at,
            }
        };
        let mut last: HashMap<&str, &Attempt> = HashMap::new();
        for attempt in &self.attempts {
            let own = &self.occurrences[&attempt.occurrence];
            if let Some(before) = last.insert(lane_of(own), attempt) {
                let other = &self.occurrences[&before.occurrence];
                assert!(
                    place(before) <= place(attempt) || other.prompt == own.prompt,
                    "{}: {attempt:?} of {own:?} after {before:?} of {other:?}\n{}",
                    lane_of(own),
                    self.lane(&own.agent)
                );
            }
        }
    }

    /// What became of an agent's prompts, in their order.
    fn lane(&self, agent: &str) -> String {
        let mut lines = String::new();
        for (id, o) in self.occurrences.iter().filter(|(_, o)| o.agent == agent) {
            let first = o.first_at;
            let _ = writeln!(
                lines,
                "{id}: {} x{} since {first} {o:?}",
                o.trigger, o.count
            );
            for attempt in self.attempts.iter().filter(|a| a.occurrence == *id) {
                let Attempt {
                    n, begun, error, ..
                } = attempt;
                let _ = writeln!(lines, "    try {n} at {begun}: {error:?}");
            }
        }
        lines
    }

    /// As the server saw it: a turn began only when the one before it had ended or died.
    pub fn never_has_two_turns_of_one_agent(&self) {
        let mut last: HashMap<&str, &Received> = HashMap::new();
        for received in self.received.iter().filter(|r| !r.dead) {
            if let Some(before) = last.insert(&received.agent, received) {
                let ended = before.ended.is_some_and(|at| at < received.received);
                assert!(ended, "{received:?} came during {before:?}");
            }
        }
    }
}

impl fmt::Debug for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} for {} at {}: {} {:?}",
            self.prompt, self.agent, self.intended_at, self.state, self.error
        )
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} instants: {} coalesced, {} sent, {} received, {} unknown; {} resends",
            self.instants, self.coalesced, self.sent, self.received, self.unknown, self.resends
        )
    }
}

fn time(stored: String) -> Timestamp {
    let civil: DateTime = stored.parse().unwrap();
    civil.to_zoned(TimeZone::UTC).unwrap().timestamp()
}
