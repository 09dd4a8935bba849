//! Whether anything may be sent to a target: it is open, held because of itself, or held because
//! several lanes met the same refusal.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::clock::{earliest, later};
use crate::models::Lane;
use crate::scheduler::queue::{Candidate, Queue};

/// How long others wait for the trial prompt while the target is held: one that is neither refused
/// nor seen to begin a turn must not keep them waiting as long as a silent turn may last.
const TRIAL: SignedDuration = SignedDuration::from_secs(30);

/// Why a target is held, as schedulers tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldKind {
    /// It reports that it is not well, or does not answer.
    Unwell,
    /// It reports that it is well, but refuses the prompts of several agents in the same way.
    RefusesLanes,
}

/// Whether anything may be sent to a target.
#[derive(Debug, Default)]
pub(super) enum Availability {
    #[default]
    Open,
    Held {
        by: HeldBy,
        reason: String,
        /// How often it has been tried since.
        tries: u32,
        next_try: Timestamp,
    },
    /// It is not in the settings of this scheduler.
    NotConfigured { reason: String },
}

/// What has to change before a target is released.
#[derive(Debug)]
pub(super) enum HeldBy {
    /// It reports that it is not well, or does not answer: it is checked again.
    Itself,
    /// It reports that it is well, but refuses the prompts of several lanes: one is tried again.
    Lanes {
        /// The lanes that were refused, the earliest first.
        refused: VecDeque<Lane>,
        /// The prompt being tried.
        trial: Option<Trial>,
    },
}

impl HeldBy {
    pub(super) fn kind(&self) -> HoldKind {
        match self {
            HeldBy::Itself => HoldKind::Unwell,
            HeldBy::Lanes { .. } => HoldKind::RefusesLanes,
        }
    }
}

/// A prompt that is tried while the target is held.
#[derive(Debug)]
pub(super) struct Trial {
    lane: Lane,
    /// How long others wait for it.
    until: Timestamp,
}

impl Availability {
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Availability::Open)
    }

    /// Whether nothing at all may be sent.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Availability::Open => false,
            Availability::Held { by, .. } => matches!(by, HeldBy::Itself),
            Availability::NotConfigured { .. } => true,
        }
    }

    /// Why it is held.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Availability::Open => None,
            Availability::Held { reason, .. } | Availability::NotConfigured { reason } => {
                Some(reason)
            }
        }
    }

    /// Closes a target that is not in the settings. Returns whether that is new.
    pub(super) fn close_as_missing(&mut self, reason: &str) -> bool {
        let is_new = !matches!(self, Availability::NotConfigured { .. });
        let reason = reason.to_owned();
        *self = Availability::NotConfigured { reason };
        is_new
    }

    /// A target that another scheduler holds.
    pub(super) fn held_elsewhere(kind: HoldKind, now: Timestamp) -> Self {
        Availability::Held {
            by: match kind {
                HoldKind::Unwell => HeldBy::Itself,
                HoldKind::RefusesLanes => HeldBy::Lanes {
                    refused: VecDeque::new(),
                    trial: None,
                },
            },
            reason: "another scheduler found that the target does not accept prompts".to_owned(),
            tries: 0,
            next_try: now,
        }
    }

    /// When to check again whether it is well.
    pub(super) fn next_probe(&self) -> Option<Timestamp> {
        match self {
            Availability::Held {
                by: HeldBy::Itself,
                next_try,
                ..
            } => Some(*next_try),
            _ => None,
        }
    }

    /// Takes a prompt to try now while the target is held. `is_free` only needs to know about this
    /// target's lanes.
    pub(super) fn take_trial(
        &mut self,
        queue: &mut Queue,
        now: Timestamp,
        is_free: impl Fn(&Lane) -> bool,
    ) -> Option<Candidate> {
        let Availability::Held {
            by: HeldBy::Lanes { refused, trial },
            next_try,
            ..
        } = self
        else {
            return None;
        };
        if trial.as_ref().is_some_and(|t| now < t.until) {
            return None;
        }
        // A lane that has not been refused yet need not wait for the others.
        let mut taken = queue.take(now, |l| is_free(l) && !refused.contains(l));
        if taken.is_none() && now >= *next_try {
            let again = |lane| queue.take(now, |l| l == lane && is_free(l));
            taken = refused.iter().find_map(again);
        }
        if let Some(taken) = &taken {
            *trial = Some(Trial {
                lane: taken.lane.clone(),
                until: later(now, TRIAL),
            });
        }
        taken
    }

    /// When a prompt may be tried next while the target is held.
    pub(super) fn next_trial(
        &self,
        queue: &Queue,
        is_free: impl Fn(&Lane) -> bool,
    ) -> Option<Timestamp> {
        let Availability::Held {
            by: HeldBy::Lanes { refused, trial },
            next_try,
            ..
        } = self
        else {
            return None;
        };
        let fresh = queue.next_time(|l| is_free(l) && !refused.contains(l));
        let again = queue.next_time(|l| is_free(l) && refused.contains(l));
        let again = again.map(|t| t.max(*next_try));
        let next = earliest(fresh, again);
        next.map(|t| trial.as_ref().map_or(t, |trial| t.max(trial.until)))
    }

    /// Records that one more lane was refused, if the target is held for that reason. Returns
    /// whether it is.
    pub(super) fn note_refused(&mut self, lane: &Lane) -> bool {
        let Availability::Held {
            by: HeldBy::Lanes { refused, .. },
            ..
        } = self
        else {
            return false;
        };
        refused.retain(|other| other != lane);
        refused.push_back(lane.clone());
        true
    }

    /// Returns the lanes that were refused, and forgets them.
    pub(super) fn take_refused(&mut self) -> VecDeque<Lane> {
        match self {
            Availability::Held {
                by: HeldBy::Lanes { refused, .. },
                ..
            } => std::mem::take(refused),
            _ => VecDeque::new(),
        }
    }

    /// Forgets all waits that were computed from a later time.
    pub(super) fn forget_times(&mut self, now: Timestamp) {
        if let Availability::Held { by, next_try, .. } = self {
            *next_try = now;
            if let HeldBy::Lanes {
                trial: Some(trial), ..
            } = by
            {
                trial.until = now;
            }
        }
    }

    /// Records that what was claimed in a lane ended without telling anything about the target.
    pub(super) fn end_trial(&mut self, lane: &Lane) {
        if let Availability::Held {
            by: HeldBy::Lanes { trial, .. },
            ..
        } = self
            && trial.as_ref().is_some_and(|t| t.lane == *lane)
        {
            *trial = None;
        }
    }

    /// Waits longer before the next try: 1 s, 2 s, 4 s … 30 s. That notices a restart quickly and
    /// stays quiet through a long outage.
    pub(super) fn put_off(&mut self, now: Timestamp) {
        if let Availability::Held {
            tries, next_try, ..
        } = self
        {
            let wait = 1_i64.checked_shl((*tries).min(5)).unwrap_or(30).min(30);
            *tries = tries.saturating_add(1);
            *next_try = later(now, SignedDuration::from_secs(wait));
        }
    }
}
