//! What may be sent next: one queue for each lane, the oldest intended instant first.

use std::collections::{BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;
use uuid::Uuid;

use crate::models::{DueSchedule, Lane};

/// Something that may be claimed.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The lane it needs.
    pub lane: Lane,
    /// The intended instant; the oldest one if several have passed.
    pub intended_at: Timestamp,
    /// When it may be tried.
    pub not_before: Timestamp,
    /// What it is.
    pub source: Source,
}

impl Candidate {
    /// Its identity, whatever its times.
    pub(super) fn key(&self) -> Key {
        match &self.source {
            Source::Due(due) => Key::Due(due.uid),
            Source::Waiting { occurrence_id, .. } => Key::Waiting(*occurrence_id),
        }
    }
}

/// The identity of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The due schedule with this uid.
    Due(Uuid),
    /// The occurrence with this id.
    Waiting(i64),
}

/// What a candidate is.
#[derive(Clone, Debug)]
pub enum Source {
    /// A schedule that is due.
    Due(DueSchedule),
    /// An occurrence to be retried.
    Waiting {
        /// The occurrence.
        occurrence_id: i64,
        /// Its schedule.
        uid: Uuid,
    },
}

/// The candidates by lane. Only the head of a lane is ever taken.
#[derive(Debug, Default)]
pub struct Queue {
    lanes: HashMap<Lane, VecDeque<Candidate>>,
    heads: BTreeSet<(Timestamp, Lane)>,
}

impl Queue {
    /// Replaces all candidates.
    pub fn load(&mut self, mut candidates: Vec<Candidate>) {
        self.lanes.clear();
        self.heads.clear();
        candidates.sort_by_key(|c| c.intended_at);
        for candidate in candidates {
            let lane = self.lanes.entry(candidate.lane.clone()).or_default();
            if lane.is_empty() {
                self.heads
                    .insert((candidate.intended_at, candidate.lane.clone()));
            }
            lane.push_back(candidate);
        }
    }

    /// Inserts a candidate into its lane, before those intended for later.
    pub fn add(&mut self, candidate: Candidate) {
        let lane = self.lanes.entry(candidate.lane.clone()).or_default();
        let at = lane.partition_point(|c| c.intended_at < candidate.intended_at);
        if at == 0 {
            if let Some(head) = lane.front() {
                self.heads.remove(&(head.intended_at, head.lane.clone()));
            }
            self.heads
                .insert((candidate.intended_at, candidate.lane.clone()));
        }
        lane.insert(at, candidate);
    }

    /// Removes this candidate from wherever it is in its lane.
    pub fn remove(&mut self, candidate: &Candidate) {
        let Some(lane) = self.lanes.get_mut(&candidate.lane) else {
            return;
        };
        let at = (lane.iter()).position(|c| c.key() == candidate.key());
        let Some(removed) = at.and_then(|at| lane.remove(at)) else {
            return;
        };
        if at == Some(0) {
            self.heads.remove(&(removed.intended_at, removed.lane));
            if let Some(next) = lane.front() {
                self.heads.insert((next.intended_at, next.lane.clone()));
            }
        }
        if lane.is_empty() {
            self.lanes.remove(&candidate.lane);
        }
    }

    /// Takes the oldest head that may be tried now and whose lane is free.
    pub fn take(&mut self, now: Timestamp, is_free: impl Fn(&Lane) -> bool) -> Option<Candidate> {
        let ready = |lane: &Lane| {
            is_free(lane)
                && self
                    .lanes
                    .get(lane)
                    .and_then(VecDeque::front)
                    .is_some_and(|c| c.not_before <= now)
        };
        let key = self.heads.iter().find(|(_, lane)| ready(lane))?.clone();
        self.heads.remove(&key);
        let lane = self.lanes.get_mut(&key.1)?;
        let taken = lane.pop_front();
        match lane.front() {
            Some(next) => {
                self.heads.insert((next.intended_at, next.lane.clone()));
            }
            None => {
                self.lanes.remove(&key.1);
            }
        }
        taken
    }

    /// When the first head of a free lane may be tried.
    pub fn next_time(&self, is_free: impl Fn(&Lane) -> bool) -> Option<Timestamp> {
        let heads = self.lanes.values().filter_map(VecDeque::front);
        heads
            .filter(|c| is_free(&c.lane))
            .map(|c| c.not_before)
            .min()
    }
}
