//! The scheduler's decisions, without any I/O: `step` takes what happened and says what to do.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Settings;
use super::guard::ClockGuard;
use super::judge::{Facts, Judgement, judge_answer, judge_evidence};
use super::queue::{Candidate, Queue, Source};
use crate::clock::Moment;
use crate::db::{Claim, DueSchedule, Job, OpenOccurrence};
use crate::letta_client::{Answer, Evidence, Refusal};
use crate::models::{Lane, State, Verdict};

/// How often a scheduler says that it lives.
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(10);

/// How long to wait after the database failed.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(1);

/// How many unknown fates are looked into at once.
const QUESTIONS: usize = 16;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// The database has changed.
    Changed,
    /// The database was read.
    Looked(View),
    /// A claim was decided.
    Claimed(Candidate, Claim),
    /// A claim failed; nothing has changed.
    ClaimFailed(Candidate),
    /// A prompt was answered.
    Answered(Box<Job>, Answer),
    /// An unknown fate was looked into.
    Found(Box<OpenOccurrence>, Evidence),
    /// A verdict was written, or the right to do so was lost.
    Settled(Settling, Option<State>),
    /// The target was asked whether it is well.
    Probed(Result<(), Refusal>),
    /// The database could not be read.
    LookFailed,
    /// The scheduler is to stop.
    Stop,
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Read the database.
    Look,
    /// Claim this.
    Claim(Candidate),
    /// Send this.
    Send(Box<Job>),
    /// Write this verdict.
    Settle(Settling),
    /// Look for the fate of this.
    Find(Box<OpenOccurrence>),
    /// Ask whether the target is well.
    Probe,
    /// Note that the target is held.
    Hold(Refusal),
    /// Note that the target answers again.
    Release,
    /// Say that the scheduler lives, and why it delivers nothing at the moment.
    Beat(Option<String>),
    /// Break off this prompt: what becomes of it is unknown.
    Abandon(i64),
    /// Stop.
    Finish,
}

/// A verdict to be written, with what is needed to go on after it.
#[derive(Clone, Debug)]
pub struct Settling {
    /// The occurrence.
    pub occurrence_id: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// The right to settle it.
    pub fence: i64,
    /// What was decided.
    pub verdict: Verdict,
    /// The lane that it frees unless it stays unknown.
    pub lane: Lane,
    /// The intended instant.
    pub intended_at: Timestamp,
    /// The job, where it was ours.
    pub job: Option<Box<Job>>,
}

/// What the database shows.
#[derive(Debug, Default)]
pub struct View {
    /// Schedules whose time has come, with their lanes.
    pub due: Vec<(DueSchedule, Lane)>,
    /// Every open occurrence.
    pub open: Vec<OpenOccurrence>,
    /// When the next schedule becomes due.
    pub next_due: Option<Timestamp>,
    /// Whether any scheduler holds the target.
    pub held: bool,
}

/// How long a scheduler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Until it is stopped.
    Forever,
    /// Until what is due at the start has been tried once.
    Once,
}

/// Whether anything may be sent to the target.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Open,
    Held {
        reason: String,
        probes: u32,
        next_probe: Timestamp,
        probing: bool,
    },
}

/// The state between two events.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    mode: Mode,
    queue: Queue,
    /// Lanes in which we are speaking, with the occurrence once it is claimed.
    ours: HashMap<Lane, Option<i64>>,
    /// Lanes that others speak in, or in which a fate is unknown.
    taken: HashSet<Lane>,
    /// Due schedules that wait for their own open occurrence to be settled.
    behind: HashMap<Uuid, Candidate>,
    unknown: HashMap<i64, OpenOccurrence>,
    asking: HashSet<i64>,
    target: Target,
    guard: ClockGuard,
    started: Option<Timestamp>,
    next_due: Option<Timestamp>,
    next_look: Option<Timestamp>,
    next_beat: Option<Timestamp>,
    looking: bool,
    look_again: bool,
    stop_at: Option<Timestamp>,
    finished: bool,
}

impl Core {
    /// A scheduler that has not begun.
    pub fn new(settings: Settings, mode: Mode) -> Self {
        Core {
            settings,
            mode,
            queue: Queue::default(),
            ours: HashMap::new(),
            taken: HashSet::new(),
            behind: HashMap::new(),
            unknown: HashMap::new(),
            asking: HashSet::new(),
            target: Target::Open,
            guard: ClockGuard::default(),
            started: None,
            next_due: None,
            next_look: None,
            next_beat: None,
            looking: false,
            look_again: false,
            stop_at: None,
            finished: false,
        }
    }

    /// Takes what happened and says what to do, in order.
    pub fn step(&mut self, moment: Moment, event: Event) -> Vec<Action> {
        let now = moment.now;
        let mut actions = Vec::new();
        if let Some(ahead) = self.guard.observe(moment) {
            tracing::warn!(
                "the clock jumped ahead by {ahead:#}: nothing is sent until it has been steady \
                 for a minute"
            );
            self.next_beat = None;
        }
        if self.started.is_none() {
            self.started = Some(now);
            self.want_look();
        }
        self.take_in(now, event, &mut actions);
        self.go_on(now, &mut actions);
        actions
    }

    /// When to be woken if nothing happens.
    pub fn wake_at(&self, now: Timestamp) -> Timestamp {
        let mut times = vec![self.next_beat, self.stop_at, self.guard.held_until()];
        if self.stop_at.is_none() {
            times.push(self.next_look);
        }
        if let Target::Held {
            next_probe,
            probing: false,
            ..
        } = &self.target
        {
            times.push(Some(*next_probe));
        }
        if self.may_claim() {
            times.push(self.next_due);
            if self.ours.len() < self.settings.concurrency {
                times.push(self.queue.next_time(|lane| self.is_free(lane)));
            }
        }
        if self.may_ask() {
            let waiting = self
                .unknown
                .values()
                .filter(|o| !self.asking.contains(&o.id));
            times.extend(waiting.map(|o| o.not_before));
        }
        let poll = later(now, self.settings.poll);
        times.into_iter().flatten().min().unwrap_or(poll)
    }

    fn take_in(&mut self, now: Timestamp, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Tick => {}
            Event::Changed => self.want_look(),
            Event::Looked(view) => self.take_view(now, view),
            Event::LookFailed => {
                self.looking = false;
                self.next_look = Some(later(now, AFTER_FAILURE));
            }
            Event::Claimed(candidate, claim) => self.take_claim(candidate, claim, actions),
            Event::ClaimFailed(candidate) => {
                self.ours.remove(&candidate.lane);
                self.next_look = Some(later(now, AFTER_FAILURE));
            }
            Event::Answered(job, answer) => {
                let judgement = judge_answer(
                    answer,
                    &facts_of_job(&job, &self.settings),
                    now,
                    &self.settings,
                );
                self.hold(now, judgement.hold, actions);
                actions.push(Action::Settle(Settling {
                    occurrence_id: job.occurrence_id,
                    uid: job.uid,
                    fence: job.fence,
                    verdict: judgement.verdict,
                    lane: job.lane.clone(),
                    intended_at: job.intended_at,
                    job: Some(job),
                }));
            }
            Event::Found(open, evidence) => self.take_evidence(now, *open, evidence, actions),
            Event::Settled(settling, state) => self.take_settled(settling, state),
            Event::Probed(answer) => self.take_probe(now, answer, actions),
            Event::Stop => {
                let until = later(now, self.settings.drain);
                self.stop_at = Some(self.stop_at.map_or(until, |t| t.min(until)));
            }
        }
    }

    fn take_view(&mut self, now: Timestamp, view: View) {
        self.looking = false;
        self.next_look = Some(later(now, self.settings.poll));
        self.next_due = view.next_due;
        match &mut self.target {
            Target::Open if view.held => {
                self.target = held("another scheduler found the target not answering", now);
            }
            // Another scheduler has had an answer.
            Target::Held { next_probe, .. } if !view.held => *next_probe = now,
            _ => {}
        }
        self.taken.clear();
        self.unknown.clear();
        self.behind.clear();
        let mut candidates = Vec::with_capacity(view.due.len());
        let mut open = HashSet::with_capacity(view.open.len());
        for occurrence in view.open {
            open.insert(occurrence.uid);
            match occurrence.state {
                State::Waiting if occurrence.paused => {}
                State::Waiting => candidates.push(Candidate {
                    lane: occurrence.lane,
                    intended_at: occurrence.intended_at,
                    not_before: occurrence.not_before.unwrap_or(now),
                    source: Source::Waiting {
                        occurrence_id: occurrence.id,
                        uid: occurrence.uid,
                    },
                }),
                _ => self.take_in_flight(occurrence),
            }
        }
        for (due, lane) in view.due {
            let candidate = Candidate {
                lane,
                intended_at: due.next_run,
                not_before: due.next_run,
                source: Source::Due(due.clone()),
            };
            if open.contains(&due.uid) {
                self.behind.insert(due.uid, candidate);
            } else {
                candidates.push(candidate);
            }
        }
        if self.mode == Mode::Once {
            // What becomes due while it runs is for the next time.
            candidates.retain(|c| self.started.is_some_and(|started| c.not_before <= started));
            self.behind.clear();
        }
        self.queue.load(candidates);
    }

    /// Notes a lane that somebody speaks in, unless that is us.
    fn take_in_flight(&mut self, occurrence: OpenOccurrence) {
        let ours = self.ours.get(&occurrence.lane) == Some(&Some(occurrence.id));
        if occurrence.state == State::Unknown {
            self.taken.insert(occurrence.lane.clone());
            self.unknown.insert(occurrence.id, occurrence);
        } else if !ours {
            self.taken.insert(occurrence.lane);
        }
    }

    fn take_claim(&mut self, candidate: Candidate, claim: Claim, actions: &mut Vec<Action>) {
        match claim {
            Claim::Job(job) => {
                self.ours.insert(candidate.lane, Some(job.occurrence_id));
                self.next_due = earliest(self.next_due, job.next_run);
                actions.push(Action::Send(job));
            }
            Claim::LaneBusy => {
                self.ours.remove(&candidate.lane);
                self.taken.insert(candidate.lane.clone());
                self.queue.add(candidate);
            }
            Claim::Settled(_) | Claim::Gone => {
                self.ours.remove(&candidate.lane);
                self.want_look_if_idle();
            }
            Claim::Broken(reason) => {
                tracing::error!(
                    lane = candidate.lane.as_str(),
                    "a schedule is broken: {reason}"
                );
                self.ours.remove(&candidate.lane);
            }
        }
    }

    fn take_evidence(
        &mut self,
        now: Timestamp,
        open: OpenOccurrence,
        evidence: Evidence,
        actions: &mut Vec<Action>,
    ) {
        let Judgement { verdict, hold } =
            judge_evidence(evidence, &facts_of_open(&open, now), now, &self.settings);
        self.hold(now, hold, actions);
        actions.push(Action::Settle(Settling {
            occurrence_id: open.id,
            uid: open.uid,
            fence: open.fence,
            verdict,
            lane: open.lane,
            intended_at: open.intended_at,
            job: None,
        }));
    }

    fn take_settled(&mut self, settling: Settling, state: Option<State>) {
        self.asking.remove(&settling.occurrence_id);
        if settling.job.is_some() {
            self.ours.remove(&settling.lane);
        }
        match (state, settling.verdict) {
            (
                Some(State::Unknown),
                Verdict::Unknown {
                    not_before,
                    reconcile_until,
                    ..
                },
            ) => {
                if let Some(open) = self.unknown.get_mut(&settling.occurrence_id) {
                    open.not_before = Some(not_before);
                    open.reconcile_until = Some(reconcile_until);
                }
                self.taken.insert(settling.lane);
                self.want_look();
            }
            // The right was lost: only the database knows what has become of it.
            (None, _) => {
                self.unknown.remove(&settling.occurrence_id);
                self.taken.insert(settling.lane);
                self.want_look();
            }
            (Some(State::Waiting), Verdict::Waiting { not_before, .. }) => match settling.job {
                Some(job) if self.mode == Mode::Forever => self.queue.add(Candidate {
                    lane: settling.lane,
                    intended_at: settling.intended_at,
                    not_before,
                    source: Source::Waiting {
                        occurrence_id: job.occurrence_id,
                        uid: job.uid,
                    },
                }),
                _ => self.want_look(),
            },
            _ => {
                if self.unknown.remove(&settling.occurrence_id).is_some() {
                    self.taken.remove(&settling.lane);
                }
                if let Some(candidate) = self.behind.remove(&settling.uid) {
                    self.queue.add(candidate);
                }
                self.want_look_if_idle();
            }
        }
    }

    fn take_probe(
        &mut self,
        now: Timestamp,
        answer: Result<(), Refusal>,
        actions: &mut Vec<Action>,
    ) {
        match (answer, &mut self.target) {
            (Ok(()), Target::Held { .. }) => {
                tracing::info!("the target answers again");
                self.target = Target::Open;
                self.next_beat = None;
                actions.push(Action::Release);
                self.want_look();
            }
            (
                Err(refusal),
                Target::Held {
                    reason,
                    probes,
                    next_probe,
                    probing,
                },
            ) => {
                *probing = false;
                *reason = refusal.text;
                *probes = probes.saturating_add(1);
                // 1 s, 2 s, 4 s … 30 s: quick to notice a restart, quiet through a long absence.
                let wait = 1_i64.checked_shl((*probes).min(5)).unwrap_or(30).min(30);
                *next_probe = later(now, SignedDuration::from_secs(wait));
            }
            (_, Target::Open) => {}
        }
    }

    /// Everything that the state allows now.
    fn go_on(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.finished {
            return;
        }
        if self.stop_at.is_some_and(|until| now >= until) {
            for id in self.ours.values().flatten() {
                actions.push(Action::Abandon(*id));
            }
            self.ours.clear();
        }
        if self.next_beat.is_none_or(|t| now >= t) {
            self.next_beat = Some(later(now, HEARTBEAT));
            actions.push(Action::Beat(self.holding()));
        }
        if let Target::Held {
            next_probe,
            probing,
            ..
        } = &mut self.target
            && !*probing
            && now >= *next_probe
        {
            *probing = true;
            actions.push(Action::Probe);
        }
        if self.may_claim() {
            self.claim(now, actions);
            if self.next_due.is_some_and(|t| now >= t) {
                self.next_due = None;
                self.want_look();
            }
        }
        self.ask(now, actions);
        if self.stop_at.is_none() {
            if self.next_look.is_some_and(|t| now >= t) {
                self.want_look();
            }
            if self.look_again && !self.looking {
                self.look_again = false;
                self.looking = true;
                actions.push(Action::Look);
            }
        }
        if self.is_done(now) {
            self.finished = true;
            actions.push(Action::Finish);
        }
    }

    fn claim(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        while self.ours.len() < self.settings.concurrency {
            let (ours, taken) = (&self.ours, &self.taken);
            let free = |lane: &Lane| !ours.contains_key(lane) && !taken.contains(lane);
            let Some(candidate) = self.queue.take(now, free) else {
                return;
            };
            self.ours.insert(candidate.lane.clone(), None);
            actions.push(Action::Claim(candidate));
        }
    }

    fn ask(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.may_ask() {
            return;
        }
        let ready = |o: &&OpenOccurrence| {
            o.not_before.is_none_or(|t| t <= now) && !self.asking.contains(&o.id)
        };
        let room = QUESTIONS.saturating_sub(self.asking.len());
        let chosen: Vec<OpenOccurrence> = self
            .unknown
            .values()
            .filter(ready)
            .take(room)
            .cloned()
            .collect();
        for open in chosen {
            self.asking.insert(open.id);
            actions.push(Action::Find(Box::new(open)));
        }
    }

    fn hold(&mut self, now: Timestamp, refusal: Option<Refusal>, actions: &mut Vec<Action>) {
        let Some(refusal) = refusal else { return };
        if self.target == Target::Open {
            tracing::warn!(
                "nothing is sent until the target answers again: {}",
                refusal.text
            );
            self.target = held(&refusal.text, later(now, SignedDuration::from_secs(1)));
            self.next_beat = None;
            actions.push(Action::Hold(refusal));
        }
    }

    fn holding(&self) -> Option<String> {
        if let Some(until) = self.guard.held_until() {
            return Some(format!(
                "the clock jumped ahead; deliveries go on at {until}"
            ));
        }
        match &self.target {
            Target::Open => None,
            Target::Held { reason, .. } => Some(reason.clone()),
        }
    }

    fn may_claim(&self) -> bool {
        self.target == Target::Open
            && self.stop_at.is_none()
            && self.guard.held_until().is_none()
            && !self.finished
    }

    fn may_ask(&self) -> bool {
        self.target == Target::Open && self.stop_at.is_none() && self.asking.len() < QUESTIONS
    }

    fn is_free(&self, lane: &Lane) -> bool {
        !self.ours.contains_key(lane) && !self.taken.contains(lane)
    }

    fn is_done(&self, now: Timestamp) -> bool {
        if !self.ours.is_empty() {
            return false;
        }
        if self.stop_at.is_some() {
            return true;
        }
        self.mode == Mode::Once
            && !self.looking
            && !self.look_again
            && self.asking.is_empty()
            && !matches!(self.target, Target::Held { probing: true, .. })
            && (!self.may_claim()
                || self
                    .queue
                    .next_time(|l| self.is_free(l))
                    .is_none_or(|t| t > now))
    }

    fn want_look(&mut self) {
        self.look_again = true;
    }

    /// With nothing left that we know of, the database may hold more.
    fn want_look_if_idle(&mut self) {
        if self.ours.is_empty() && self.mode == Mode::Forever {
            self.want_look();
        }
    }
}

fn held(reason: &str, next_probe: Timestamp) -> Target {
    Target::Held {
        reason: reason.to_owned(),
        probes: 0,
        next_probe,
        probing: false,
    }
}

fn facts_of_job(job: &Job, settings: &Settings) -> Facts {
    Facts {
        otid: job.otid,
        // When it was first claimed: how long a busy agent has been busy for it.
        sent_at: job
            .expires_at
            .checked_sub(settings.max_age)
            .unwrap_or(job.intended_at),
        failures: job.failures,
        expires_at: job.expires_at,
        reconcile_until: None,
        run_id: None,
    }
}

fn facts_of_open(open: &OpenOccurrence, now: Timestamp) -> Facts {
    Facts {
        otid: open.otids.last().copied().unwrap_or_default(),
        sent_at: open.sent_at.unwrap_or(now),
        failures: open.failures,
        expires_at: open.expires_at.unwrap_or(now),
        reconcile_until: open.reconcile_until,
        run_id: open.run_id.clone(),
    }
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
