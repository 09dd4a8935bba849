//! What is known about one target between two events.

use std::collections::{HashSet, VecDeque};

use jiff::Timestamp;

use super::availability::Availability;
use crate::models::{ErrorClass, Job, Lane, OpenOccurrence, Refusal};
use crate::scheduler::verdicts::Facts;

/// This many lanes with the same refusal, and nothing accepted in between, are no coincidence.
const MANY_LANES: usize = 3;

/// What is known about one target.
#[derive(Debug, Default)]
pub(super) struct TargetState {
    pub(super) availability: Availability,
    /// Whether it is being checked.
    pub(super) probing: bool,
    /// What is not settled until the check has ended.
    suspicions: Vec<Suspicion>,
    /// The lanes that were refused since the target last accepted a prompt.
    refused: Vec<(Lane, ErrorClass)>,
    /// Those refused while it accepted prompts of others: the trouble is their own.
    set_apart: HashSet<Lane>,
}

/// Something that may be the target's trouble.
#[derive(Debug)]
struct Suspicion {
    cause: Cause,
    /// Whether the target has been checked since.
    probed: bool,
}

/// A reason to suspect that a target is not well.
#[derive(Debug)]
pub(super) enum Cause {
    /// A prompt was refused.
    Refused(Box<Job>, Refusal),
    /// A search was refused or got no answer.
    Search(Box<OpenOccurrence>, Facts, Refusal),
    /// A prompt of this lane was answered by something else.
    Doubted(Lane, ErrorClass),
}

impl TargetState {
    /// Puts off settling this until the target has been checked.
    pub(super) fn suspect(&mut self, cause: Cause) {
        self.suspicions.push(Suspicion {
            cause,
            probed: false,
        });
    }

    /// Whether the target has to be checked.
    pub(super) fn needs_probe(&self, now: Timestamp) -> bool {
        let suspected = self.suspicions.iter().any(|s| !s.probed);
        let due = self.availability.next_probe().is_some_and(|t| now >= t);
        !self.probing && (suspected || due)
    }

    /// Records that it is being checked.
    pub(super) fn begin_probe(&mut self) {
        self.probing = true;
        for suspicion in &mut self.suspicions {
            suspicion.probed = true;
        }
    }

    /// Records that the check has ended. Returns what was waiting for it.
    pub(super) fn end_probe(&mut self) -> Vec<Cause> {
        self.probing = false;
        let suspicions = std::mem::take(&mut self.suspicions);
        let (answered, rest) = suspicions.into_iter().partition(|s: &Suspicion| s.probed);
        self.suspicions = rest;
        causes(answered)
    }

    /// Returns everything that waits for the check.
    pub(super) fn take_suspicions(&mut self) -> Vec<Cause> {
        causes(std::mem::take(&mut self.suspicions))
    }

    /// When to check next whether it is well.
    pub(super) fn next_probe(&self) -> Option<Timestamp> {
        match self.probing {
            true => None,
            false => self.availability.next_probe(),
        }
    }

    /// The target has accepted a prompt of this lane, so the trouble of others was their own.
    pub(super) fn set_refused_apart(&mut self, taken: &Lane) {
        let alike = self.availability.take_refused();
        let counted = self.refused.drain(..).map(|(lane, _)| lane);
        self.set_apart.extend(counted.chain(alike));
        self.set_apart.remove(taken);
    }

    /// Records that a lane was refused although the target is well. Returns the lanes that were
    /// refused in the same way if they are too many to be a coincidence.
    pub(super) fn note_refused(
        &mut self,
        lane: &Lane,
        class: ErrorClass,
    ) -> Option<VecDeque<Lane>> {
        if self.availability.note_refused(lane) {
            return None;
        }
        self.refused.retain(|(other, _)| other != lane);
        self.refused.push((lane.clone(), class));
        let alike = self.refused.iter().filter(|(_, c)| *c == class);
        let alike: VecDeque<Lane> = alike.map(|(lane, _)| lane.clone()).collect();
        let is_new = alike.iter().any(|lane| !self.set_apart.contains(lane));
        (alike.len() >= MANY_LANES && is_new).then_some(alike)
    }
}

fn causes(suspicions: Vec<Suspicion>) -> Vec<Cause> {
    suspicions.into_iter().map(|s| s.cause).collect()
}
