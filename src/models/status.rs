//! How delivery and the database stand at a moment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::State;

/// A scheduler that is alive.
#[derive(Clone, Debug)]
pub struct RunningScheduler {
    /// Its owner id.
    pub owner: Uuid,
    /// Its process.
    pub pid: i64,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it works.
    pub heartbeat_at: Timestamp,
    /// Why it delivers nothing at the moment.
    pub holding: Option<String>,
}

/// A target to which nothing is sent for now.
#[derive(Clone, Debug)]
pub struct HeldTarget {
    /// Its name.
    pub target: String,
    /// Since when.
    pub held_since: Timestamp,
    /// The class of what is wrong.
    pub code: String,
    /// The same in words.
    pub reason: String,
    /// Whether it says that it is well, but refuses the prompts of several agents.
    pub by_lanes: bool,
}

/// Something that was to be done by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverduePrompt {
    /// Its schedule's number, if that still exists.
    pub schedule_id: Option<i64>,
    /// Whom it is for.
    pub agent_id: String,
    /// What was to be done, as a state: `waiting` to be sent (again), `unknown` to be looked for.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
}

/// A prompt that a living scheduler has been sending for very long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StalledPrompt {
    /// Its schedule's number, if that still exists.
    pub schedule_id: Option<i64>,
    /// Whom it is for.
    pub agent_id: String,
    /// Since when it is being sent.
    pub since: Timestamp,
    /// Letta's run, if that was told.
    pub run_id: Option<String>,
    /// The scheduler that sends it.
    pub owner: Uuid,
}

/// How much is waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Backlog {
    /// Schedules whose time has come and that are not claimed.
    pub due: i64,
    /// Prompts that are on their way or of unknown fate.
    pub in_flight: i64,
    /// Lanes with a prompt that waits for its next try.
    pub lanes_waiting: i64,
}

/// How it stands with the database at a moment.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Since when the oldest prompt is due that is neither delivered nor on its way.
    pub oldest_due: Option<Timestamp>,
    /// The targets that are held.
    pub held: Vec<HeldTarget>,
    /// How many schedules there are of each lifecycle; `new` are not taken up yet.
    pub schedules: BTreeMap<String, i64>,
    /// How many incidents of each kind are open. More than a hundred thousand are not counted, here
    /// and in the outbox.
    pub incidents: BTreeMap<String, i64>,
    /// How many messages wait on each channel.
    pub outbox: BTreeMap<String, i64>,
    /// The size of the file.
    pub file_bytes: u64,
    /// The size of the write-ahead log.
    pub log_bytes: u64,
}
