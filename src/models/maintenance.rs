//! What upkeep of the database did: upgrading, pruning, purging, restoring, and repairing what a false
//! clock wrote.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use uuid::Uuid;

use super::AgentId;

/// How many schedules are named where they are told of.
const NAMED: usize = 10;

/// What an upgrade did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpgradeReport {
    /// Where the database is kept as it was.
    pub backup: Option<PathBuf>,
    /// How many schedules were brought over.
    pub kept: usize,
    /// One-shots whose time had passed: they are not sent.
    pub missed: Vec<i64>,
    /// Recurring schedules whose time had passed: they start at their next instant.
    pub restarted: Vec<i64>,
    /// Schedules that can't be read, and why.
    pub broken: Vec<(i64, String)>,
    /// Schedules whose number was taken: the old one and the new one.
    pub renumbered: Vec<(i64, i64)>,
}

impl fmt::Display for UpgradeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upgraded the database: {} schedules kept", self.kept)?;
        if let Some(backup) = &self.backup {
            write!(f, "; it is kept as it was in {}", backup.display())?;
        }
        for id in &self.missed {
            write!(f, "; {id} had passed and is missed")?;
        }
        for id in &self.restarted {
            write!(f, "; {id} starts at its next instant")?;
        }
        for (old, new) in &self.renumbered {
            write!(f, "; reminder {old} is now {new}")?;
        }
        for (id, reason) in &self.broken {
            write!(f, "; {id} can't be read: {reason}")?;
        }
        Ok(())
    }
}

/// What was pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PruneReport {
    /// Rows of settled occurrences.
    pub occurrences: u64,
    /// The instants that they stood for.
    pub instants: i64,
    /// Prompts that nothing refers to any more.
    pub payloads: u64,
    /// Schedules that had ended, of which nothing else was left.
    pub schedules: u64,
}

/// Whose texts are removed.
#[derive(Clone, Debug)]
pub enum PurgeScope {
    /// Those of one schedule.
    Schedule(Uuid),
    /// Those of every schedule of an agent, deleted ones included.
    Agent(AgentId),
}

/// What was purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PurgeReport {
    /// Ended schedules whose prompt was removed.
    pub schedules: u64,
    /// Settled occurrences whose texts were removed.
    pub occurrences: u64,
    /// Prompts as they were sent, removed with them.
    pub payloads: u64,
    /// Live schedules whose prompt stays, since it is still to be sent.
    pub live: i64,
    /// Whether other processes kept the write-ahead log in use, so that texts may remain in it for
    /// a while.
    pub log_in_use: bool,
}

impl PurgeReport {
    /// What the record of changes says of it.
    pub(crate) fn told(&self) -> String {
        format!(
            "texts of {} deliveries, {} prompts",
            self.occurrences, self.schedules
        )
    }
}

/// What was restored.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RestoreReport {
    /// How many schedules there are.
    pub schedules: i64,
    /// When the backup was taken, or was last written to before that.
    pub as_of: Option<Timestamp>,
    /// The schedules of which instants have passed since; they are skipped, or with `replay` caught
    /// up with.
    pub passed: Vec<i64>,
    /// Where the database is kept that was in its place.
    pub set_aside: Option<PathBuf>,
}

/// What was planned anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClockRepair {
    /// The schedules.
    pub schedules: Vec<i64>,
    /// How many instants are to come again that were recorded as not sent.
    pub instants: i64,
}

impl ClockRepair {
    pub(crate) fn describe(&self, latest: Timestamp, now: Timestamp) -> String {
        format!(
            "it showed {latest}, and it is {now}: {} schedules were planned anew ({}), and {} \
             instants that were recorded as not sent are still to come. Look at those that were \
             made or changed meanwhile",
            self.schedules.len(),
            self.some_names(),
            self.instants
        )
    }

    fn some_names(&self) -> String {
        let named: Vec<String> = (self.schedules.iter())
            .take(NAMED)
            .map(i64::to_string)
            .collect();
        match self.schedules.len() > NAMED {
            true => format!("{}, …", named.join(", ")),
            false => named.join(", "),
        }
    }
}
