//! Whether anything may be sent to the target: open, or held by itself or by what several lanes met.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::super::queue::{Candidate, Queue};
use super::later;
use crate::models::Lane;

/// How long the others wait for a prompt that is tried while the target is held: one that is neither
/// refused nor seen to begin a turn must not keep them for as long as a silence may last.
const TRIAL: SignedDuration = SignedDuration::from_secs(30);

/// Whether anything may be sent to the target.
#[derive(Debug)]
pub(super) enum Target {
    Open,
    Held {
        by: HeldBy,
        reason: String,
        /// How often it was tried since.
        tries: u32,
        next_try: Timestamp,
    },
}

/// What keeps a target held.
#[derive(Debug)]
pub(super) enum HeldBy {
    /// It says that it is not well, or does not answer: it is asked again.
    Itself,
    /// It says that it is well, but refuses prompts of several lanes alike: one is tried again.
    Lanes {
        /// The lanes that were refused, the one that was longest ago first.
        refused: VecDeque<Lane>,
        /// The prompt that is tried.
        trial: Option<Trial>,
    },
}

/// A prompt that is tried while the target is held.
#[derive(Debug)]
pub(super) struct Trial {
    lane: Lane,
    /// How long the others wait for it.
    until: Timestamp,
}

impl Target {
    pub(super) fn is_held(&self) -> bool {
        matches!(self, Target::Held { .. })
    }

    /// Whether nothing at all may be sent.
    pub(super) fn is_closed(&self) -> bool {
        let by_itself = |by: &HeldBy| matches!(by, HeldBy::Itself);
        matches!(self, Target::Held { by, .. } if by_itself(by))
    }

    /// A target that another scheduler holds.
    pub(super) fn held_elsewhere(by_lanes: bool, now: Timestamp) -> Self {
        Target::Held {
            by: match by_lanes {
                true => HeldBy::Lanes {
                    refused: VecDeque::new(),
                    trial: None,
                },
                false => HeldBy::Itself,
            },
            reason: "another scheduler found that the target takes no prompts".to_owned(),
            tries: 0,
            next_try: now,
        }
    }

    /// When it is to be asked again whether it is well.
    pub(super) fn next_question(&self) -> Option<Timestamp> {
        match self {
            Target::Held {
                by: HeldBy::Itself,
                next_try,
                ..
            } => Some(*next_try),
            _ => None,
        }
    }

    /// Takes what may be claimed now.
    pub(super) fn take(
        &mut self,
        queue: &mut Queue,
        now: Timestamp,
        is_free: impl Fn(&Lane) -> bool,
    ) -> Option<Candidate> {
        match self {
            Target::Open => queue.take(now, is_free),
            Target::Held {
                by: HeldBy::Lanes { refused, trial },
                next_try,
                ..
            } if trial.as_ref().is_none_or(|t| now >= t.until) => {
                // A lane that has met nothing yet need not wait for the others.
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
            Target::Held { .. } => None,
        }
    }

    /// When something may be claimed next.
    pub(super) fn next_claim(
        &self,
        queue: &Queue,
        is_free: impl Fn(&Lane) -> bool,
    ) -> Option<Timestamp> {
        match self {
            Target::Open => queue.next_time(is_free),
            Target::Held {
                by: HeldBy::Lanes { refused, trial },
                next_try,
                ..
            } => {
                let fresh = queue.next_time(|l| is_free(l) && !refused.contains(l));
                let again = queue.next_time(|l| is_free(l) && refused.contains(l));
                let again = again.map(|t| t.max(*next_try));
                let next = super::earliest(fresh, again);
                next.map(|t| trial.as_ref().map_or(t, |trial| t.max(trial.until)))
            }
            Target::Held { .. } => None,
        }
    }

    /// Forgets every time that was counted from a later now.
    pub(super) fn forget_times(&mut self, now: Timestamp) {
        if let Target::Held { by, next_try, .. } = self {
            *next_try = now;
            if let HeldBy::Lanes {
                trial: Some(trial), ..
            } = by
            {
                trial.until = now;
            }
        }
    }

    /// Notes that what was claimed in a lane came to nothing that tells of the target.
    pub(super) fn end_trial(&mut self, lane: &Lane) {
        if let Target::Held {
            by: HeldBy::Lanes { trial, .. },
            ..
        } = self
            && trial.as_ref().is_some_and(|t| t.lane == *lane)
        {
            *trial = None;
        }
    }

    /// Waits longer before the next try: 1 s, 2 s, 4 s … 30 s. Quick to notice a restart, quiet
    /// through a long absence.
    pub(super) fn put_off(&mut self, now: Timestamp) {
        if let Target::Held {
            tries, next_try, ..
        } = self
        {
            let wait = 1_i64.checked_shl((*tries).min(5)).unwrap_or(30).min(30);
            *tries = tries.saturating_add(1);
            *next_try = later(now, SignedDuration::from_secs(wait));
        }
    }
}
