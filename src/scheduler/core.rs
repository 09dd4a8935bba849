//! The scheduler's decisions, without any I/O: `step` takes an event and returns actions.

mod action;
mod apply;
mod availability;
mod blame;
mod claims;
mod event;
mod failed_claims;
mod places;
mod searches;
mod snapshots;
mod target_state;
mod targets;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use self::failed_claims::FailedClaims;
use self::places::Places;
use self::targets::TargetStates;
use super::Settings;
use super::guard::{ClockAtStart, ClockGuard, Jump};
use super::queue::{Candidate, Queue};
use crate::clock::{Moment, later};
use crate::models::{Halt, Lane, OpenOccurrence, TargetName};

pub use action::{Action, Settling, StoreAction, TargetAction, Write};
pub use availability::HoldKind;
pub use event::{Event, Mode, Snapshot};

/// How often a scheduler writes its heartbeat.
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(10);
/// How often old history is pruned.
const PRUNING: SignedDuration = SignedDuration::from_hours(24);
/// How long the clock must have been trusted before anything is pruned, because pruning can't be
/// undone.
const BEFORE_PRUNING: SignedDuration = SignedDuration::from_hours(1);
/// How often it is recorded that the clock is trusted.
const TRUSTING: SignedDuration = SignedDuration::from_mins(1);

/// How long to wait after the database failed.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(1);

/// The state between two events. Collections that are iterated are ordered, so that the same events
/// lead to the same actions.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    mode: Mode,
    queue: Queue,
    /// Lanes in which this scheduler is sending or settling.
    ours: Places,
    /// Lanes in which another scheduler is sending, or a prompt's outcome is unknown.
    busy: HashSet<Lane>,
    /// Due schedules that wait until their own open occurrence is settled.
    behind: HashMap<Uuid, Candidate>,
    /// The instant up to which the last snapshot has shown what is due.
    shown_until: Timestamp,
    /// When the current or the last snapshot began.
    snapshot_began: Timestamp,
    unknown: BTreeMap<i64, OpenOccurrence>,
    /// The prompts being searched for, and their minimum age when the search began.
    searching: BTreeMap<i64, SignedDuration>,
    /// Prompts of unknown outcome whose last search got no answer.
    unanswered: HashSet<i64>,
    targets: TargetStates,
    halted: Option<Halt>,
    halted_targets: BTreeMap<TargetName, Halt>,
    guard: ClockGuard,
    /// What is known about the clock, until the first step.
    start: Option<ClockAtStart>,
    started: Option<Timestamp>,
    next_due: Option<Timestamp>,
    next_resume: Option<Timestamp>,
    next_snapshot: Option<Timestamp>,
    next_beat: Option<Timestamp>,
    next_prune: Option<Timestamp>,
    next_trust: Option<Timestamp>,
    snapshot_pending: bool,
    snapshot_wanted: bool,
    /// Whether the next snapshot should read more due schedules than the last one.
    larger_snapshot: bool,
    /// Whether more schedules are due than the last snapshot has read.
    more_due: bool,
    /// Whether the last snapshot has left upkeep to do: take-overs, adoptions, corrections.
    more_upkeep: bool,
    /// The targets that something is due for and whose lanes can't be named yet. Nothing else is
    /// claimed for them meanwhile: it would overtake what is older.
    preparing: BTreeSet<TargetName>,
    /// How many candidates were claimed since the last snapshot.
    claims_since_snapshot: u32,
    failed_claims: FailedClaims,
    stop_at: Option<Timestamp>,
    finished: bool,
}

impl Core {
    /// A new scheduler.
    pub fn new(settings: Settings, mode: Mode) -> Self {
        Core {
            ours: Places::new(settings.concurrency),
            settings,
            mode,
            queue: Queue::default(),
            busy: HashSet::new(),
            behind: HashMap::new(),
            shown_until: Timestamp::MIN,
            snapshot_began: Timestamp::MIN,
            unknown: BTreeMap::new(),
            searching: BTreeMap::new(),
            unanswered: HashSet::new(),
            targets: TargetStates::default(),
            halted: None,
            halted_targets: BTreeMap::new(),
            guard: ClockGuard::default(),
            start: None,
            started: None,
            next_due: None,
            next_resume: None,
            next_snapshot: None,
            next_beat: None,
            next_prune: None,
            next_trust: None,
            snapshot_pending: false,
            snapshot_wanted: false,
            larger_snapshot: false,
            more_due: false,
            more_upkeep: false,
            preparing: BTreeSet::new(),
            claims_since_snapshot: 0,
            failed_claims: FailedClaims::default(),
            stop_at: None,
            finished: false,
        }
    }

    /// A new scheduler, with what is known about the clock.
    pub fn starting(settings: Settings, mode: Mode, start: ClockAtStart) -> Self {
        Core {
            start: Some(start),
            ..Core::new(settings, mode)
        }
    }

    /// Takes an event and returns the actions to carry out, in order.
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
                actions.push(Action::Store(StoreAction::PullForward));
            }
            None => {}
        }
        if self.started.is_none() {
            self.started = Some(now);
            self.request_snapshot();
        }
        self.apply(now, event, &mut actions);
        for action in &actions {
            if let Action::Write(Write::Settle(settling)) = action {
                self.ours.settle(&settling.lane, settling.occurrence_id);
            }
        }
        self.go_on(now, &mut actions);
        actions
    }

    /// Forgets all waits that were computed from a later time.
    fn forget_times(&mut self, now: Timestamp) {
        self.next_beat = None;
        self.next_prune = None;
        self.next_trust = self.next_trust.map(|_| now);
        self.next_due = None;
        self.next_resume = None;
        for (_, target) in self.targets.iter_mut() {
            target.availability.forget_times(now);
        }
        if self.stop_at.is_some() {
            self.stop_at = Some(later(now, self.settings.drain));
        }
        self.request_snapshot();
    }

    /// When to wake up if nothing happens.
    pub fn wake_at(&self, now: Timestamp) -> Timestamp {
        let mut times = vec![self.next_beat, self.stop_at, self.guard.held_until()];
        if self.may_prune() {
            times.push(self.next_prune);
        }
        times.push(self.next_snapshot());
        times.extend(self.targets.iter().map(|(_, target)| target.next_probe()));
        if self.may_claim() {
            times.push(self.next_due);
            times.push(self.next_resume);
            if self.ours.has_room() {
                times.push(self.next_claim());
            }
        }
        times.push(self.next_search());
        let poll = later(now, self.settings.poll);
        times.into_iter().flatten().min().unwrap_or(poll)
    }

    /// Does everything that is possible now.
    fn go_on(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.finished {
            return;
        }
        if self.stop_at.is_some_and(|until| now >= until) {
            for occurrence_id in self.ours.unsettled() {
                actions.push(Action::Talk(TargetAction::HangUp(occurrence_id)));
                actions.push(Action::Store(StoreAction::Abandon(occurrence_id)));
            }
            self.ours.leave_all();
        }
        if self.next_beat.is_none_or(|t| now >= t) {
            self.next_beat = Some(later(now, HEARTBEAT));
            actions.push(Action::Store(StoreAction::Beat(self.holding())));
        }
        if self.guard.held_until().is_none() && self.next_trust.is_some_and(|t| now >= t) {
            self.next_trust = Some(later(now, TRUSTING));
            actions.push(Action::Store(StoreAction::TrustClock));
        }
        if let (true, Some(retention)) = (self.may_prune(), self.settings.retention)
            && self.next_prune.is_none_or(|t| now >= t)
        {
            self.next_prune = Some(later(now, PRUNING));
            let before = now.checked_sub(retention).ok();
            actions.extend(before.map(|before| Action::Store(StoreAction::Prune(before))));
        }
        self.probe_targets(now, actions);
        if self.may_claim() {
            self.claim(now, actions);
            if self.next_due.is_some_and(|t| now >= t) {
                self.next_due = None;
                self.request_snapshot();
            }
            if self.next_resume.is_some_and(|t| now >= t) {
                self.next_resume = None;
                actions.push(Action::Store(StoreAction::EndPauses));
                self.request_snapshot();
            }
        }
        self.search(now, actions);
        self.request_more();
        self.take_snapshot(now, actions);
        if self.is_done(now) {
            self.finished = true;
            actions.push(Action::Finish);
        }
    }

    fn holding(&self) -> Option<String> {
        if let Some(halt) = &self.halted {
            return Some(halt.to_string());
        }
        if let Some(holding) = self.guard.holding() {
            return Some(holding);
        }
        let halts = self.halted_targets.values().map(Halt::to_string);
        let reasons: Vec<String> = halts.chain(self.targets.holding()).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn may_claim(&self) -> bool {
        !self.targets.are_all_closed()
            && self.halted.is_none()
            && self.stop_at.is_none()
            && self.guard.held_until().is_none()
            && !self.finished
    }

    /// A clock that was just adjusted, or just looked at for the first time, may be wrong.
    fn may_prune(&self) -> bool {
        self.settings.retention.is_some()
            && self.mode == Mode::Forever
            && self.stop_at.is_none()
            && self.guard.sure_for() >= BEFORE_PRUNING
    }

    fn is_free(&self, lane: &Lane) -> bool {
        !self.ours.contains(lane)
            && !self.busy.contains(lane)
            && !self.halted_targets.contains_key(lane.target_name())
            && !self.preparing.contains(lane.target_name())
    }

    fn is_done(&self, now: Timestamp) -> bool {
        if !self.ours.is_empty() {
            return false;
        }
        if self.stop_at.is_some() {
            return true;
        }
        self.mode == Mode::Once
            && !self.snapshot_pending
            && !self.snapshot_wanted
            && !self.more_upkeep
            && self.preparing.is_empty()
            && self.searching.is_empty()
            && !self.targets.is_probing()
            && (!self.may_claim() || self.next_claim().is_none_or(|t| t > now))
    }
}
