//! The scheduler's decisions, without any I/O: `step` takes what happened and says what to do.

mod blame;
mod event;
mod failing;
mod learn;
mod looks;
mod places;
mod target;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use self::failing::Failing;
use super::Settings;
use super::guard::{ClockGuard, Jump, Start};
use super::queue::{Candidate, Queue};
use crate::clock::Moment;
use crate::letta_client::ErrorClass;
use crate::models::{Halt, Lane, OpenOccurrence};
use blame::Suspicion;
use places::Places;
use target::Target;

pub use event::{Action, Event, Mode, Settling, View};

/// How often a scheduler says that it lives.
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(10);
/// How often old history is pruned.
const PRUNING: SignedDuration = SignedDuration::from_hours(24);
/// How long the clock must have been in order before anything is pruned: what is pruned doesn't come
/// back.
const BEFORE_PRUNING: SignedDuration = SignedDuration::from_hours(1);
/// How often it is kept that the clock is trusted.
const TRUSTING: SignedDuration = SignedDuration::from_mins(1);

/// How long to wait after the database failed.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(1);

/// How many unknown fates are looked into at once.
const QUESTIONS: usize = 32;

/// How many of them may be such as had no answer the last time: however many hang, there is room for
/// those that don't.
const QUESTIONS_AGAIN: usize = QUESTIONS / 2;

/// The state between two events. What is gone through is ordered, so that the same events lead to
/// the same actions.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    mode: Mode,
    queue: Queue,
    /// Lanes in which we are speaking.
    ours: Places,
    /// Lanes that others speak in, or in which a fate is unknown.
    taken: HashSet<Lane>,
    /// Due schedules that wait for their own open occurrence to be settled.
    behind: HashMap<Uuid, Candidate>,
    /// Up to which instant the last look has shown what is due.
    shown_until: Timestamp,
    /// When the look began that goes on, or the last one.
    looked_at: Timestamp,
    unknown: BTreeMap<i64, OpenOccurrence>,
    /// What is being looked for, and how old it surely was when that was asked.
    asking: BTreeMap<i64, SignedDuration>,
    /// Unknown fates about which the last question had no answer.
    unanswered: HashSet<i64>,
    target: Target,
    /// Whether the target is being asked whether it is well.
    probing: bool,
    /// What is not settled before it has said so.
    suspicions: Vec<Suspicion>,
    /// The lanes that something kept from the target since it last took a prompt.
    refused: Vec<(Lane, ErrorClass)>,
    /// Those that were refused while it took prompts of others: what keeps them is their own trouble.
    set_apart: HashSet<Lane>,
    halted: Option<Halt>,
    guard: ClockGuard,
    /// What is known of the clock, until the first step.
    start: Option<Start>,
    started: Option<Timestamp>,
    next_due: Option<Timestamp>,
    next_look: Option<Timestamp>,
    next_beat: Option<Timestamp>,
    next_prune: Option<Timestamp>,
    next_trust: Option<Timestamp>,
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
    failing: Failing,
    stop_at: Option<Timestamp>,
    finished: bool,
}

impl Core {
    /// A scheduler that has not begun.
    pub fn new(settings: Settings, mode: Mode) -> Self {
        Core {
            ours: Places::new(settings.concurrency),
            settings,
            mode,
            queue: Queue::default(),
            taken: HashSet::new(),
            behind: HashMap::new(),
            shown_until: Timestamp::MIN,
            looked_at: Timestamp::MIN,
            unknown: BTreeMap::new(),
            asking: BTreeMap::new(),
            unanswered: HashSet::new(),
            target: Target::Open,
            probing: false,
            suspicions: Vec::new(),
            refused: Vec::new(),
            set_apart: HashSet::new(),
            halted: None,
            guard: ClockGuard::default(),
            start: None,
            started: None,
            next_due: None,
            next_look: None,
            next_beat: None,
            next_prune: None,
            next_trust: None,
            looking: false,
            look_again: false,
            look_further: false,
            more_due: false,
            more: false,
            taken_since_look: 0,
            failing: Failing::default(),
            stop_at: None,
            finished: false,
        }
    }

    /// A scheduler that has not begun, with what is known of the clock.
    pub fn starting(settings: Settings, mode: Mode, start: Start) -> Self {
        Core {
            start: Some(start),
            ..Core::new(settings, mode)
        }
    }

    /// Takes what happened and says what to do, in order.
    pub fn step(&mut self, moment: Moment, event: Event) -> Vec<Action> {
        let now = moment.now;
        let mut actions = Vec::new();
        if let Some(start) = self.start.take() {
            if let Some(doubt) = &start.doubt {
                tracing::warn!("{doubt}; nothing is sent until it has been steady for a minute");
            }
            self.guard.begin(start);
            self.next_trust = Some(now);
        }
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
        for action in &actions {
            if let Action::Settle(settling) = action {
                self.ours.settle(&settling.lane, settling.occurrence_id);
            }
        }
        self.go_on(now, &mut actions);
        actions
    }

    /// Forgets every time that was counted from a later now.
    fn forget_times(&mut self, now: Timestamp) {
        self.next_beat = None;
        self.next_prune = None;
        self.next_trust = self.next_trust.map(|_| now);
        self.next_due = None;
        self.target.forget_times(now);
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
        if self.may_look() {
            times.push(self.next_look);
        }
        if !self.probing {
            times.push(self.target.next_question());
        }
        if self.may_claim() {
            times.push(self.next_due);
            if self.ours.has_room() {
                times.push(self.next_claim());
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
            actions.extend(self.ours.unsettled().map(Action::Abandon));
            self.ours.leave_all();
        }
        if self.next_beat.is_none_or(|t| now >= t) {
            self.next_beat = Some(later(now, HEARTBEAT));
            actions.push(Action::Beat(self.holding()));
        }
        if self.guard.held_until().is_none() && self.next_trust.is_some_and(|t| now >= t) {
            self.next_trust = Some(later(now, TRUSTING));
            actions.push(Action::TrustClock);
        }
        if let (true, Some(retention)) = (self.may_prune(), self.settings.retention)
            && self.next_prune.is_none_or(|t| now >= t)
        {
            self.next_prune = Some(later(now, PRUNING));
            actions.extend(now.checked_sub(retention).ok().map(Action::Prune));
        }
        self.ask_target(now, actions);
        if self.may_claim() {
            self.claim(now, actions);
            if self.next_due.is_some_and(|t| now >= t) {
                self.next_due = None;
                self.want_look();
            }
        }
        self.ask(now, actions);
        self.look_for_more();
        if self.may_look() {
            if self.next_look.is_some_and(|t| now >= t) {
                self.want_look();
            }
            if self.look_again && !self.looking {
                self.look_again = false;
                self.looking = true;
                self.looked_at = now;
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
        while self.ours.has_room() {
            let (ours, taken) = (&self.ours, &self.taken);
            let free = |lane: &Lane| !ours.contains(lane) && !taken.contains(lane);
            let Some(candidate) = self.target.take(&mut self.queue, now, free) else {
                return;
            };
            self.ours.claim(candidate.lane.clone());
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
        let mut ready: Vec<&OpenOccurrence> = self.unknown.values().filter(ready).collect();
        // Each holds a lane of its own, and the one that has waited longest goes first.
        ready.sort_by_key(|o| (o.not_before, o.id));
        let is_again = |id: &i64| self.unanswered.contains(id);
        let mut room = QUESTIONS.saturating_sub(self.asking.len());
        let again = self.asking.keys().filter(|id| is_again(id)).count();
        let mut room_again = QUESTIONS_AGAIN.saturating_sub(again);
        let mut chosen: Vec<OpenOccurrence> = Vec::new();
        for open in ready {
            let again = is_again(&open.id);
            if room == 0 || (again && room_again == 0) {
                continue;
            }
            room -= 1;
            room_again -= usize::from(again);
            chosen.push(open.clone());
        }
        for open in chosen {
            // By a clock that was set ahead it seems older than it is.
            let age = now.duration_since(open.sent_at.unwrap_or(now));
            self.asking
                .insert(open.id, age.min(self.guard.steady_for()));
            actions.push(Action::Find(Box::new(open)));
        }
    }

    fn holding(&self) -> Option<String> {
        if let Some(halt) = &self.halted {
            return Some(halt.to_string());
        }
        if let Some(holding) = self.guard.holding() {
            return Some(holding);
        }
        match &self.target {
            Target::Open => None,
            Target::Held { reason, .. } => Some(reason.clone()),
        }
    }

    fn may_claim(&self) -> bool {
        !self.target.is_closed()
            && self.halted.is_none()
            && self.stop_at.is_none()
            && self.guard.held_until().is_none()
            && !self.finished
    }

    /// A clock that was just set, or looked at for the first time, may be wrong.
    fn may_prune(&self) -> bool {
        self.settings.retention.is_some()
            && self.mode == Mode::Forever
            && self.stop_at.is_none()
            && self.guard.sure_for() >= BEFORE_PRUNING
    }

    /// A look puts the database in order by the clock.
    fn may_look(&self) -> bool {
        self.stop_at.is_none() && self.guard.held_until().is_none()
    }

    fn may_ask(&self) -> bool {
        !self.target.is_closed()
            && self.stop_at.is_none()
            && self.asking.len() < QUESTIONS
            // What is found is judged by the clock, too.
            && self.guard.held_until().is_none()
    }

    fn is_free(&self, lane: &Lane) -> bool {
        !self.ours.contains(lane) && !self.taken.contains(lane)
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
            && !self.probing
            && (!self.may_claim() || self.next_claim().is_none_or(|t| t > now))
    }

    /// When something could be claimed next.
    fn next_claim(&self) -> Option<Timestamp> {
        self.target.next_claim(&self.queue, |l| self.is_free(l))
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
