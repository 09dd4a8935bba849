//! The lanes in which this scheduler is active, and how many prompts may be sent at once.
//!
//! A place becomes free when its prompt is answered. Its lane stays closed until the verdict is
//! recorded: a claim of another lane and that verdict then share one commit.

use std::collections::BTreeMap;

use crate::models::Lane;

/// The state of one of our lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A claim that is not answered yet.
    Claiming,
    /// An occurrence that is being sent.
    Sending(i64),
    /// An occurrence whose verdict is being recorded.
    Settling(i64),
}

/// The lanes in which this scheduler is active. They are ordered, so that the same events lead to
/// the same actions.
#[derive(Debug)]
pub(super) struct Places {
    lanes: BTreeMap<Lane, Place>,
    most: usize,
    claiming: usize,
    settling: usize,
}

impl Places {
    /// Creates this many places, all free.
    pub(super) fn new(most: usize) -> Self {
        Places {
            lanes: BTreeMap::new(),
            most,
            claiming: 0,
            settling: 0,
        }
    }

    /// Whether one more prompt may be sent. Unrecorded verdicts are limited too: with only one
    /// place, prompts are sent one after the other in the order of time.
    pub(super) fn has_room(&self) -> bool {
        let speaking = self.lanes.len() - self.settling;
        speaking < self.most && self.settling < self.most
    }

    /// Whether a lane is one of ours.
    pub(super) fn contains(&self, lane: &Lane) -> bool {
        self.lanes.contains_key(lane)
    }

    /// Whether this scheduler is doing nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether a claim is not answered yet.
    pub(super) fn is_claiming(&self) -> bool {
        self.claiming > 0
    }

    /// Whether this occurrence is ours, in this lane.
    pub(super) fn holds(&self, lane: &Lane, occurrence_id: i64) -> bool {
        let place = self.lanes.get(lane);
        [
            Place::Sending(occurrence_id),
            Place::Settling(occurrence_id),
        ]
        .iter()
        .any(|ours| place == Some(ours))
    }

    /// The lane in which an occurrence is being sent.
    pub(super) fn lane_of(&self, occurrence_id: i64) -> Option<Lane> {
        let mut lanes = self.lanes.iter();
        let found = lanes.find(|(_, place)| **place == Place::Sending(occurrence_id));
        found.map(|(lane, _)| lane.clone())
    }

    /// Every occurrence that is not settled.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = i64> {
        self.lanes.values().filter_map(|place| match place {
            Place::Sending(id) | Place::Settling(id) => Some(*id),
            Place::Claiming => None,
        })
    }

    /// Takes a place for a claim.
    pub(super) fn claim(&mut self, lane: Lane) {
        self.put(lane, Place::Claiming);
    }

    /// The claimed occurrence is being sent.
    pub(super) fn send(&mut self, lane: Lane, occurrence_id: i64) {
        self.put(lane, Place::Sending(occurrence_id));
    }

    /// Its verdict is to be recorded: another prompt may be sent in its place.
    pub(super) fn settle(&mut self, lane: &Lane, occurrence_id: i64) {
        if self.lanes.get(lane) == Some(&Place::Sending(occurrence_id)) {
            self.put(lane.clone(), Place::Settling(occurrence_id));
        }
    }

    /// Leaves a lane to others.
    pub(super) fn leave(&mut self, lane: &Lane) {
        if let Some(left) = self.lanes.remove(lane) {
            self.count_out(left);
        }
    }

    /// Leaves every lane.
    pub(super) fn leave_all(&mut self) {
        self.lanes.clear();
        (self.claiming, self.settling) = (0, 0);
    }

    fn put(&mut self, lane: Lane, place: Place) {
        match place {
            Place::Claiming => self.claiming += 1,
            Place::Settling(_) => self.settling += 1,
            Place::Sending(_) => {}
        }
        if let Some(before) = self.lanes.insert(lane, place) {
            self.count_out(before);
        }
    }

    fn count_out(&mut self, place: Place) {
        match place {
            Place::Claiming => self.claiming -= 1,
            Place::Settling(_) => self.settling -= 1,
            Place::Sending(_) => {}
        }
    }
}
