//! A model of Letta: the state of the server, and the answers of its client.
//!
//! Written for the simulation from the facts about Letta 0.16: a message is stored when its turn
//! ends, a run stays active until then (forever if the server died), and a request takes effect
//! whether or not anybody is still waiting for it.

use std::collections::BTreeMap;

use fastrand::Rng;
use promptyoself::letta_client::{
    Answer, Delivery, Doubt, ErrorClass, Evidence, Refusal, RefusalKind,
};
use promptyoself::models::{AgentId, Job, Turn};
use uuid::Uuid;

use super::faults::{Faults, happens, pick};
use super::trace::{At, HOUR, Law, MINUTE, SECOND, broken};

/// How long Letta's own lock of an agent lasts, where it has one.
const LOCK: At = 300 * SECOND;

/// For how long absence proves nothing where no run is known.
pub const QUIET: At = 30 * SECOND;

/// The server, with the truth about every request.
pub struct ModelLetta {
    /// Whether it locks agents and knows otids again, as with Redis.
    pub dedup: bool,
    /// Whether it takes anything.
    pub up: bool,
    /// How it says so when it doesn't.
    pub trouble: ErrorClass,
    /// What it hides of its runs.
    pub hides: Hides,
    pub(super) agents: BTreeMap<AgentId, Agent>,
    /// Everything it was ever sent by us.
    pub requests: Vec<Request>,
    pub(super) runs: Vec<Run>,
}

#[derive(Default)]
pub(super) struct Agent {
    pub(super) deleted: bool,
    /// Until when it waits for an approval.
    approval_until: Option<At>,
    /// The otids in its history, and the runs they came with.
    pub(super) history: Vec<(Uuid, usize)>,
}

/// One prompt of ours on its way.
pub struct Request {
    /// What was sent.
    pub job: Box<Job>,
    /// The life of the scheduler that waits for the answer.
    pub client: Option<u64>,
    /// What became of it in truth.
    pub fate: Fate,
    /// Whether the client was told its run.
    pub told: bool,
    /// Whether it reaches the server later than anybody has to reckon with.
    pub stray: bool,
}

/// What a server, or a proxy before it, hides of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hides {
    /// Nothing.
    Nothing,
    /// Each run, but not the list of those that go on.
    Run,
    /// Every run and the list.
    All,
    /// When runs that go on began, and in which state they are.
    Dates,
}

/// The truth about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It may still act.
    UnderWay,
    /// It never acts, or had no effect.
    Void,
    /// It is answered by this run.
    Run(usize),
}

pub(super) struct Run {
    agent: AgentId,
    /// `None`: somebody else's.
    otid: Option<Uuid>,
    pub(super) began: At,
    pub(super) state: RunState,
    pub(super) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunState {
    Active,
    Ended,
    Orphaned,
}

/// How a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Kept(Turn),
    NotKept,
}

/// What follows from a request's arrival.
pub enum Arrival {
    /// The client is answered.
    Answer(Answer),
    /// A new run began, which ends after this time.
    Began(usize, At),
    /// It waits for a run that goes on already.
    Attached(usize),
    /// It waits for a run that will never end.
    Hangs(usize),
}

impl ModelLetta {
    /// A server with these agents.
    pub fn new(dedup: bool, agents: &[AgentId]) -> Self {
        let agent = |a: &AgentId| (a.clone(), Agent::default());
        ModelLetta {
            dedup,
            up: true,
            trouble: ErrorClass::Unreachable,
            hides: Hides::Nothing,
            agents: agents.iter().map(agent).collect(),
            requests: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Whether a request may still add to an agent's history. One that comes late to a server that
    /// knows its otid only joins the run it had.
    pub fn can_turn_up(&self, request: &Request) -> bool {
        let otid = Some(request.job.otid);
        match request.fate {
            Fate::UnderWay => !(self.dedup && self.runs.iter().any(|r| r.otid == otid)),
            Fate::Void => false,
            Fate::Run(run) => self.runs[run].state == RunState::Active,
        }
    }

    /// How often any of an occurrence's prompts is in an agent's history.
    pub fn times_kept(&self, occurrence: i64) -> usize {
        let otids: Vec<Uuid> = self.otids(occurrence);
        let histories = self.agents.values().flat_map(|a| &a.history);
        histories.filter(|(otid, _)| otids.contains(otid)).count()
    }

    /// How many prompts of ours are in all histories.
    pub fn all_kept(&self) -> usize {
        self.agents.values().map(|a| a.history.len()).sum()
    }

    fn otids(&self, occurrence: i64) -> Vec<Uuid> {
        let of_it = |r: &&Request| r.job.occurrence_id == occurrence;
        let otids = self.requests.iter().filter(of_it).map(|r| r.job.otid);
        otids.collect()
    }

    /// Whether a copy of an occurrence's prompt was under way for longer than anybody has to reckon
    /// with.
    pub fn has_stray(&self, occurrence: i64) -> bool {
        let of_it = |r: &Request| r.stray && r.job.occurrence_id == occurrence;
        self.requests.iter().any(of_it)
    }

    /// The run of a request, if it has one.
    pub fn run_of(&self, request: usize) -> Option<String> {
        match self.requests[request].fate {
            Fate::Run(run) => Some(run_id(run)),
            Fate::UnderWay | Fate::Void => None,
        }
    }

    /// Nobody waits any more for what this life of a scheduler sent: all of it, or one occurrence.
    pub fn hang_up(&mut self, life: u64, occurrence: Option<i64>) {
        for request in self.requests.iter_mut().filter(|r| r.client == Some(life)) {
            if occurrence.is_none_or(|o| o == request.job.occurrence_id) {
                request.client = None;
            }
        }
    }

    /// Whether anything of ours may still happen.
    pub fn is_quiet(&self) -> bool {
        !self.requests.iter().any(|r| self.can_turn_up(r))
    }

    /// What the client refuses a prompt with before sending it: it asks whether the agent is free.
    pub fn ask_before(&self, agent: &AgentId, now: At) -> Option<Refusal> {
        if !self.up {
            return Some(self.unreachable());
        }
        if self.hides == Hides::All {
            return None;
        }
        let busy = self.active(agent, now).next()?;
        let mut refusal = Refusal::new(RefusalKind::Busy, ErrorClass::Busy, "in another turn");
        refusal.run_id = Some(run_id(busy));
        Some(refusal)
    }

    /// The runs of an agent that the server calls active and that are not too old.
    pub(super) fn active(&self, agent: &AgentId, now: At) -> impl Iterator<Item = usize> {
        let lists =
            move |r: &Run| r.agent == *agent && r.state != RunState::Ended && now - r.began < HOUR;
        let of_it = self.runs.iter().enumerate().filter(move |(_, r)| lists(r));
        of_it.map(|(n, _)| n).collect::<Vec<_>>().into_iter()
    }

    /// A request acts.
    pub fn arrive(
        &mut self,
        request: usize,
        now: At,
        faults: &Faults,
        rng: &mut Rng,
    ) -> Law<Arrival> {
        let job = self.requests[request].job.clone();
        self.requests[request].fate = Fate::Void;
        if !self.up {
            return Ok(Arrival::Answer(match self.trouble {
                ErrorClass::Unreachable => cut(None),
                _ => Answer::Refused(self.unreachable()),
            }));
        }
        if let Some(refusal) = self.refuse(&job.agent_id, now, faults, rng) {
            return Ok(Arrival::Answer(Answer::Refused(refusal)));
        }
        if self.dedup {
            let known = self.runs.iter().rposition(|r| r.otid == Some(job.otid));
            if let Some(run) = known {
                self.requests[request].fate = Fate::Run(run);
                return Ok(match self.runs[run].state {
                    RunState::Active => Arrival::Attached(run),
                    RunState::Ended => Arrival::Answer(self.answer_of(run)),
                    RunState::Orphaned => Arrival::Hangs(run),
                });
            }
            let locked = self.active(&job.agent_id, now).next();
            if locked.is_some_and(|run| now - self.runs[run].began < LOCK) {
                let text = "CONFLICT";
                let busy = Refusal::new(RefusalKind::Busy, ErrorClass::Busy, text);
                return Ok(Arrival::Answer(Answer::Refused(busy)));
            }
        }
        if happens(rng, faults.nothing_ran) {
            let text = "nothing ran";
            let refusal = Refusal::new(RefusalKind::Later, ErrorClass::NothingRan, text);
            return Ok(Arrival::Answer(Answer::Refused(refusal)));
        }
        let ours =
            |r: &&Run| r.agent == job.agent_id && r.state == RunState::Active && r.otid.is_some();
        if let Some(other) = self.runs.iter().find(ours) {
            return broken!(
                "two of our prompts run at once in {}: {:?} and {}",
                job.lane.as_str(),
                other.otid,
                job.otid
            );
        }
        let end = if happens(rng, faults.failed) {
            pick(rng, &[End::NotKept, End::NotKept, End::Kept(Turn::Error)])
        } else if happens(rng, faults.approval) {
            End::Kept(Turn::Approval)
        } else {
            End::Kept(Turn::Ok)
        };
        let run = self.begin(&job.agent_id, Some(job.otid), now, end);
        self.requests[request].fate = Fate::Run(run);
        Ok(Arrival::Began(run, turn_length(faults, rng)))
    }

    fn refuse(&self, agent: &AgentId, now: At, f: &Faults, rng: &mut Rng) -> Option<Refusal> {
        use {ErrorClass as C, RefusalKind as K};
        let agent = &self.agents[agent];
        if agent.deleted {
            return Some(agent_unknown());
        }
        if agent.approval_until.is_some_and(|until| now < until) {
            let text = "PENDING_APPROVAL";
            return Some(Refusal::new(K::NeedsHuman, C::PendingApproval, text));
        }
        if !happens(rng, f.refused) {
            return None;
        }
        let (kind, class) = pick(
            rng,
            &[
                (K::Later, C::RateLimited),
                (K::Later, C::ServerError),
                (K::Later, C::LlmError),
                (K::NeedsHuman, C::PaymentRequired),
                (K::Permanent, C::InvalidRequest),
                (K::TargetTrouble, C::PaymentRequired),
                (K::TargetTrouble, C::Unauthorized),
                (K::TargetTrouble, C::Blocked),
                (K::TargetTrouble, C::ServerError),
                (K::Busy, C::Busy),
            ],
        );
        let mut refusal = Refusal::new(kind, class, "no");
        if kind == K::Later && rng.bool() {
            refusal.retry_after = Some(std::time::Duration::from_secs(rng.u64(0..120)));
        }
        Some(refusal)
    }

    fn begin(&mut self, agent: &AgentId, otid: Option<Uuid>, now: At, end: End) -> usize {
        self.runs.push(Run {
            agent: agent.clone(),
            otid,
            began: now,
            state: RunState::Active,
            end,
        });
        self.runs.len() - 1
    }

    /// Somebody else speaks with an agent; returns the run.
    pub fn begin_foreign(&mut self, agent: &AgentId, now: At) -> usize {
        self.begin(agent, None, now, End::Kept(Turn::Ok))
    }

    /// A run comes to its end: now its message can be seen. Returns the waiting requests with
    /// their answer.
    pub fn end(&mut self, run: usize, now: At) -> Law<Vec<(usize, Answer)>> {
        if self.runs[run].state != RunState::Active {
            return Ok(Vec::new());
        }
        self.runs[run].state = RunState::Ended;
        let Run { otid, end, .. } = self.runs[run];
        let agent = self.agents.get_mut(&self.runs[run].agent);
        if let (Some(agent), Some(otid), End::Kept(turn)) = (agent, otid, end) {
            agent.history.push((otid, run));
            if turn == Turn::Approval {
                agent.approval_until = Some(now + 7 * MINUTE);
            }
        }
        let waits = |(_, r): &(usize, &Request)| r.fate == Fate::Run(run);
        let waiting = self.requests.iter().enumerate().filter(waits);
        let waiting: Vec<usize> = waiting.map(|(n, _)| n).collect();
        if let Some(first) = waiting.first() {
            let occurrence = self.requests[*first].job.occurrence_id;
            if self.times_kept(occurrence) > 1 {
                return broken!("the prompt of occurrence {occurrence} is twice in the history");
            }
        }
        let answer = |n| (n, self.answer_of(run));
        Ok(waiting.into_iter().map(answer).collect())
    }

    fn answer_of(&self, run: usize) -> Answer {
        match self.runs[run].end {
            End::Kept(_) => Answer::Delivered(self.delivery(run)),
            End::NotKept => Answer::Refused(self.failure(run)),
        }
    }

    pub(super) fn delivery(&self, run: usize) -> Delivery {
        let turn = match self.runs[run].end {
            End::Kept(turn) => turn,
            End::NotKept => Turn::Interrupted,
        };
        Delivery {
            run_id: Some(run_id(run)),
            stop_reason: Some("end_turn".into()),
            turn,
            tokens: Some(5),
            reply: None,
            error: None,
        }
    }

    pub(super) fn failure(&self, run: usize) -> Refusal {
        let text = "the model failed before the first step was kept";
        let mut failure = Refusal::new(RefusalKind::Later, ErrorClass::LlmError, text);
        failure.run_id = Some(run_id(run));
        failure.otid_spent = self.dedup;
        failure
    }

    /// The server dies: no run of it ever ends. Returns the requests that somebody waits for.
    pub fn die(&mut self) -> Vec<usize> {
        self.up = false;
        let mut cut = Vec::new();
        for (n, request) in self.requests.iter().enumerate() {
            if let Fate::Run(run) = request.fate
                && self.runs[run].state == RunState::Active
            {
                cut.push(n);
            }
        }
        for run in self.runs.iter_mut().filter(|r| r.state == RunState::Active) {
            run.state = RunState::Orphaned;
        }
        cut
    }

    /// An agent is deleted.
    pub fn delete(&mut self, agent: &AgentId) {
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.deleted = true;
        }
    }

    /// Whether an agent is no more.
    pub fn is_deleted(&self, agent: &str) -> bool {
        let of_it = |(id, _): &(&AgentId, &Agent)| id.as_str() == agent;
        self.agents
            .iter()
            .find(of_it)
            .is_none_or(|(_, a)| a.deleted)
    }

    /// Every person approves what waits for that.
    pub fn approve_all(&mut self) {
        for agent in self.agents.values_mut() {
            agent.approval_until = None;
        }
    }

    /// What asking for its health says.
    pub fn check(&self) -> Result<(), Refusal> {
        match self.up {
            true => Ok(()),
            false => Err(self.unreachable()),
        }
    }

    pub(super) fn unreachable(&self) -> Refusal {
        let kind = RefusalKind::TargetTrouble;
        Refusal::new(kind, self.trouble, "nothing is taken")
    }
}

fn turn_length(faults: &Faults, rng: &mut Rng) -> At {
    if happens(rng, faults.long_turn) {
        return rng.i64(MINUTE..50 * MINUTE);
    }
    match rng.u8(0..10) {
        0 => rng.i64(SECOND..40 * SECOND),
        _ => rng.i64(SECOND / 100..SECOND),
    }
}

pub(super) fn agent_unknown() -> Refusal {
    let (kind, class) = (RefusalKind::Permanent, ErrorClass::AgentUnknown);
    Refusal::new(kind, class, "Agent with ID not found")
}

/// The name of a run.
pub fn run_id(run: usize) -> String {
    format!("run-{run}")
}

pub(super) fn run_number(id: &str) -> Option<usize> {
    id.strip_prefix("run-")?.parse().ok()
}

/// The connection ended before the answer did.
pub fn cut(run_id: Option<String>) -> Answer {
    Answer::Unknown(Doubt {
        class: ErrorClass::Cut,
        text: "the connection was cut".into(),
        run_id,
    })
}

/// A search without a clear answer.
pub fn unclear(text: &str) -> Evidence {
    Evidence::Unclear { text: text.into() }
}
