//! The scheduler's decisions, without any I/O: `step` takes what happened and says what to do.

mod event;
mod learn;
mod looks;
mod refused;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use self::refused::Refused;
use super::Settings;
use super::guard::{ClockGuard, Jump};
use super::queue::{Candidate, Queue};
use crate::clock::Moment;
use crate::db::{Halt, OpenOccurrence};
use crate::letta_client::Refusal;
use crate::models::Lane;

pub use event::{Action, Event, Mode, Settling, View};

/// How often a scheduler says that it lives.
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(10);
/// How often old history is pruned.
const PRUNING: SignedDuration = SignedDuration::from_hours(24);

/// How long to wait after the database failed.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(1);

/// After so many holds that ended without a prompt being answered, what keeps the prompts out is
/// not the target's absence: they age from then on.
const FRUITLESS_HOLDS: u32 = 5;

/// How many unknown fates are looked into at once.
const QUESTIONS: usize = 16;

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

/// The state between two events. What is gone through is ordered, so that the same events lead to
/// the same actions.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    mode: Mode,
    queue: Queue,
    /// Lanes in which we are speaking, with the occurrence once it is claimed.
    ours: BTreeMap<Lane, Option<i64>>,
    /// Lanes that others speak in, or in which a fate is unknown.
    taken: HashSet<Lane>,
    /// Due schedules that wait for their own open occurrence to be settled.
    behind: HashMap<Uuid, Candidate>,
    unknown: BTreeMap<i64, OpenOccurrence>,
    /// What is being looked for, and how old it surely was when that was asked.
    asking: BTreeMap<i64, SignedDuration>,
    target: Target,
    halted: Option<Halt>,
    /// How often the target was held since it last answered a prompt.
    fruitless: u32,
    guard: ClockGuard,
    started: Option<Timestamp>,
    next_due: Option<Timestamp>,
    next_look: Option<Timestamp>,
    next_beat: Option<Timestamp>,
    next_prune: Option<Timestamp>,
    looking: bool,
    look_again: bool,
    /// Whether the next look is to read more due schedules than the last one.
    look_further: bool,
    /// Whether more schedules are due than the last look has read.
    more_due: bool,
    /// Whether the last look has left something to be put in order.
    more: bool,
    /// How many candidates were taken since the last look.
    taken_since_look: u32,
    refused: Refused,
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
            ours: BTreeMap::new(),
            taken: HashSet::new(),
            behind: HashMap::new(),
            unknown: BTreeMap::new(),
            asking: BTreeMap::new(),
            target: Target::Open,
            halted: None,
            fruitless: 0,
            guard: ClockGuard::default(),
            started: None,
            next_due: None,
            next_look: None,
            next_beat: None,
            next_prune: None,
            looking: false,
            look_again: false,
            look_further: false,
            more_due: false,
            more: false,
            taken_since_look: 0,
            refused: Refused::default(),
            stop_at: None,
            finished: false,
        }
    }

    /// Takes what happened and says what to do, in order.
    pub fn step(&mut self, moment: Moment, event: Event) -> Vec<Action> {
        let now = moment.now;
        let mut actions = Vec::new();
        match self.guard.observe(moment) {
            Some(Jump::Ahead(by)) => {
                tracing::warn!(
                    "the clock jumped ahead by {by:#}: nothing is sent until it has been steady \
                     for a minute"
                );
                self.next_beat = None;
            }
            Some(Jump::Back(by)) => {
                tracing::warn!("the clock was set back by {by:#}");
                self.forget_times(now);
                actions.push(Action::PullForward);
            }
            None => {}
        }
        if self.started.is_none() {
            self.started = Some(now);
            self.want_look();
        }
        self.take_in(now, event, &mut actions);
        self.go_on(now, &mut actions);
        actions
    }

    /// Forgets every time that was counted from a later now.
    fn forget_times(&mut self, now: Timestamp) {
        self.next_beat = None;
        self.next_prune = None;
        self.next_due = None;
        if let Target::Held { next_probe, .. } = &mut self.target {
            *next_probe = now;
        }
        if self.stop_at.is_some() {
            self.stop_at = Some(later(now, self.settings.drain));
        }
        self.want_look();
    }

    /// When to be woken if nothing happens.
    pub fn wake_at(&self, now: Timestamp) -> Timestamp {
        let mut times = vec![self.next_beat, self.stop_at, self.guard.held_until()];
        if self.may_prune() {
            times.push(self.next_prune);
        }
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
                .filter(|o| !self.asking.contains_key(&o.id));
            times.extend(waiting.map(|o| o.not_before));
        }
        let poll = later(now, self.settings.poll);
        times.into_iter().flatten().min().unwrap_or(poll)
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
        if let (true, Some(retention)) = (self.may_prune(), self.settings.retention)
            && self.next_prune.is_none_or(|t| now >= t)
        {
            self.next_prune = Some(later(now, PRUNING));
            actions.extend(now.checked_sub(retention).ok().map(Action::Prune));
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
        self.look_for_more();
        if self.stop_at.is_none() {
            if self.next_look.is_some_and(|t| now >= t) {
                self.want_look();
            }
            if self.look_again && !self.looking {
                self.look_again = false;
                self.looking = true;
                actions.push(match std::mem::take(&mut self.look_further) {
                    true => Action::LookFurther,
                    false => Action::Look,
                });
            }
        }
        if self.is_done(now) {
            self.finished = true;
            actions.push(Action::Finish);
        }
    }

    fn claim(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        // One at a time: its result is an event, and with that comes the next one. So between two
        // claims, each of which may wait for the database, everything else is heard.
        let claiming = self.ours.values().any(Option::is_none);
        if claiming || self.ours.len() >= self.settings.concurrency {
            return;
        }
        let (ours, taken) = (&self.ours, &self.taken);
        let free = |lane: &Lane| !ours.contains_key(lane) && !taken.contains(lane);
        if let Some(candidate) = self.queue.take(now, free) {
            self.ours.insert(candidate.lane.clone(), None);
            actions.push(Action::Claim(candidate));
        }
    }

    fn ask(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.may_ask() {
            return;
        }
        let ready = |o: &&OpenOccurrence| {
            o.not_before.is_none_or(|t| t <= now) && !self.asking.contains_key(&o.id)
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
            // By a clock that was set ahead it seems older than it is.
            let age = now.duration_since(open.sent_at.unwrap_or(now));
            self.asking
                .insert(open.id, age.min(self.guard.steady_for()));
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
            self.fruitless = self.fruitless.saturating_add(1);
            self.target = held(&refusal.text, later(now, SignedDuration::from_secs(1)));
            self.next_beat = None;
            actions.push(Action::Hold(refusal));
        }
    }

    fn holding(&self) -> Option<String> {
        if let Some(halt) = &self.halted {
            return Some(halt.to_string());
        }
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
            && self.halted.is_none()
            && self.stop_at.is_none()
            && self.guard.held_until().is_none()
            && !self.finished
    }

    /// A clock that has just jumped ahead may be wrong, and what is pruned doesn't come back.
    fn may_prune(&self) -> bool {
        self.settings.retention.is_some()
            && self.mode == Mode::Forever
            && self.stop_at.is_none()
            && self.guard.held_until().is_none()
    }

    fn may_ask(&self) -> bool {
        self.target == Target::Open
            && self.stop_at.is_none()
            && self.asking.len() < QUESTIONS
            // What is found is judged by the clock, too.
            && self.guard.held_until().is_none()
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
            && !self.more
            && self.asking.is_empty()
            && !matches!(self.target, Target::Held { probing: true, .. })
            && (!self.may_claim()
                || self
                    .queue
                    .next_time(|l| self.is_free(l))
                    .is_none_or(|t| t > now))
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

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
