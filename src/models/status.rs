//! The state of delivery and of the database at a moment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Halt, State};

/// A scheduler that is alive.
#[derive(Clone, Debug)]
pub struct RunningScheduler {
    /// Its owner id.
    pub owner: Uuid,
    /// Its process.
    pub pid: i64,
    /// When it started.
    pub started_at: Timestamp,
    /// Its last heartbeat.
    pub heartbeat_at: Timestamp,
    /// Why it is delivering nothing at the moment.
    pub holding: Option<String>,
}

/// A target to which nothing is sent for now.
#[derive(Clone, Debug)]
pub struct HeldTarget {
    /// Its name.
    pub target: String,
    /// Since when.
    pub held_since: Timestamp,
    /// The class of the error.
    pub code: String,
    /// The error as text.
    pub reason: String,
    /// Whether it reports that it is well but refuses the prompts of several agents.
    pub by_lanes: bool,
}

/// Something that should have been done by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverduePrompt {
    /// Its schedule's id, if that still exists.
    pub schedule_id: Option<i64>,
    /// Its agent, as people know it.
    pub agent: String,
    /// What should have been done, as a state: `waiting` to be sent (again), or `unknown` to be
    /// searched for.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
}

/// A prompt that a live scheduler has been sending for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StalledPrompt {
    /// Its schedule's id, if that still exists.
    pub schedule_id: Option<i64>,
    /// Its agent, as people know it.
    pub agent: String,
    /// Since when it is being sent.
    pub since: Timestamp,
    /// Letta's run, if known.
    pub run_id: Option<String>,
    /// The scheduler that is sending it.
    pub owner: Uuid,
}

/// How much is waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Backlog {
    /// Schedules that are due but not claimed.
    pub due: i64,
    /// Prompts being sent or of unknown outcome.
    pub in_flight: i64,
    /// Lanes with a prompt waiting for a retry.
    pub lanes_waiting: i64,
}

/// Figures about the database at a moment.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Since when the oldest prompt has been due that is neither delivered nor being sent.
    pub oldest_due: Option<Timestamp>,
    /// The targets that are held.
    pub held: Vec<HeldTarget>,
    /// The halts of targets.
    pub halted: Vec<Halt>,
    /// How many schedules there are in each lifecycle; `new` ones have not been adopted yet.
    pub schedules: BTreeMap<String, i64>,
    /// How many incidents of each kind are open. Here and in the outbox, no more than a hundred
    /// thousand are counted.
    pub incidents: BTreeMap<String, i64>,
    /// How many messages are waiting on each channel.
    pub outbox: BTreeMap<String, i64>,
    /// The size of the file.
    pub file_bytes: u64,
    /// The size of the write-ahead log.
    pub log_bytes: u64,
}
