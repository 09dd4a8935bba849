//! The results of database maintenance: upgrading, pruning, purging, restoring, and repairing what
//! a wrong clock wrote.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use uuid::Uuid;

use super::NamedAgent;

/// How many schedules a text names.
const NAMED: usize = 10;

/// What an upgrade did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpgradeReport {
    /// Where the original database is kept.
    pub backup: Option<PathBuf>,
    /// How many schedules were kept.
    pub kept: usize,
    /// One-shots whose time had passed: they are not sent.
    pub missed: Vec<i64>,
    /// Recurring schedules whose time had passed: they start at their next instant.
    pub restarted: Vec<i64>,
    /// Broken schedules, and why.
    pub broken: Vec<(i64, String)>,
    /// Schedules whose id was taken: the old one and the new one.
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
    /// Ended schedules with nothing else left.
    pub schedules: u64,
}

/// Which texts to remove.
#[derive(Clone, Debug)]
pub enum PurgeScope {
    /// Those of one schedule.
    Schedule(Uuid),
    /// Those of all schedules of an agent, including deleted ones; of every target, if none is named.
    Agent(NamedAgent),
}

/// What was purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PurgeReport {
    /// Ended schedules whose prompt was removed.
    pub schedules: u64,
    /// Settled occurrences whose texts were removed.
    pub occurrences: u64,
    /// Stored requests removed with them.
    pub payloads: u64,
    /// Live schedules, whose prompts are still to be sent and stay.
    pub live: i64,
    /// Whether other processes kept the write-ahead log in use, so that it may contain the texts
    /// for a while.
    pub log_in_use: bool,
}

impl PurgeReport {
    /// The text for the record of changes.
    pub(crate) fn summary(&self) -> String {
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
    /// The schedules whose runs have passed since; they are skipped, or caught up on with `replay`.
    pub passed: Vec<i64>,
    /// Where the previous database is kept.
    pub set_aside: Option<PathBuf>,
}

/// What was replanned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClockRepair {
    /// The schedules.
    pub schedules: Vec<i64>,
    /// How many instants recorded as not sent will still run.
    pub instants: i64,
}

impl ClockRepair {
    pub(crate) fn describe(&self, latest: Timestamp, now: Timestamp) -> String {
        format!(
            "it showed {latest} when it was {now}: {} schedules were replanned ({}), and {} \
             instants recorded as not sent will still run. Check schedules that were created or \
             changed in the meantime",
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
