//! What is known of one target between two events.

use std::collections::{HashSet, VecDeque};

use jiff::Timestamp;

use super::availability::Availability;
use crate::models::{ErrorClass, Job, Lane, OpenOccurrence, Refusal};
use crate::scheduler::verdicts::Facts;

/// So many lanes that meet the same, with nothing taken in between, are no coincidence.
const MANY_LANES: usize = 3;

/// What is known of one target.
#[derive(Debug, Default)]
pub(super) struct TargetState {
    pub(super) availability: Availability,
    /// Whether it is being asked whether it is well.
    pub(super) probing: bool,
    /// What is not settled before it has said so.
    suspicions: Vec<Suspicion>,
    /// The lanes that something kept from the target since it last took a prompt.
    refused: Vec<(Lane, ErrorClass)>,
    /// Those that were refused while it took prompts of others: what keeps them is their own trouble.
    set_apart: HashSet<Lane>,
}

/// Something that may be the target's trouble.
#[derive(Debug)]
struct Suspicion {
    cause: Cause,
    /// Whether the target was asked since it arose.
    probed: bool,
}

/// What makes us doubt whether a target is well.
#[derive(Debug)]
pub(super) enum Cause {
    /// A prompt was refused.
    Refused(Box<Job>, Refusal),
    /// A search was refused, or not answered.
    Search(Box<OpenOccurrence>, Facts, Refusal),
    /// A prompt of this lane was answered in the target's place.
    Doubted(Lane, ErrorClass),
}

impl TargetState {
    /// Settles this only when the target has said whether it is well.
    pub(super) fn suspect(&mut self, cause: Cause) {
        self.suspicions.push(Suspicion {
            cause,
            probed: false,
        });
    }

    /// Whether the target is to be asked whether it is well.
    pub(super) fn needs_probe(&self, now: Timestamp) -> bool {
        let suspected = self.suspicions.iter().any(|s| !s.probed);
        let due = self.availability.next_probe().is_some_and(|t| now >= t);
        !self.probing && (suspected || due)
    }

    /// Notes that it is being asked.
    pub(super) fn begin_probe(&mut self) {
        self.probing = true;
        for suspicion in &mut self.suspicions {
            suspicion.probed = true;
        }
    }

    /// Notes that it has answered, or could not be asked. Gives what was waiting for that.
    pub(super) fn end_probe(&mut self) -> Vec<Cause> {
        self.probing = false;
        let suspicions = std::mem::take(&mut self.suspicions);
        let (answered, rest) = suspicions.into_iter().partition(|s: &Suspicion| s.probed);
        self.suspicions = rest;
        causes(answered)
    }

    /// Gives everything that waits for the target's answer.
    pub(super) fn take_suspicions(&mut self) -> Vec<Cause> {
        causes(std::mem::take(&mut self.suspicions))
    }

    /// When it is to be asked next whether it is well.
    pub(super) fn next_probe(&self) -> Option<Timestamp> {
        match self.probing {
            true => None,
            false => self.availability.next_probe(),
        }
    }

    /// The target has taken a prompt of this lane, so what others met meanwhile was their own.
    pub(super) fn set_refused_apart(&mut self, taken: &Lane) {
        let alike = self.availability.take_refused();
        let counted = self.refused.drain(..).map(|(lane, _)| lane);
        self.set_apart.extend(counted.chain(alike));
        self.set_apart.remove(taken);
    }

    /// Notes that a lane was refused while the target says that it is well. Gives the lanes that
    /// were refused alike where they are too many to be a coincidence.
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
