//! Named locks: what a transaction has checked stays true until it ends.
//!
//! On SQLite, a transaction that writes begins with `BEGIN IMMEDIATE`, so that there is only one at
//! a time: all locks are that one lock, and taking one only checks that it is held. A store with
//! several concurrent writers takes each by its name.
//!
//! What relies on which lock:
//!
//! - A schedule: everything decided by its state (cancelling, updating, pausing, resuming, a
//!   manual run, the claim of a due instant or of a retry), and what is recorded about its
//!   instants and revisions with that; that only one manual run waits at a time; the count of
//!   failed prompts and the pause that follows from it. Repeated requests are looked up under it.
//! - A lane: that only one prompt is being sent in it.
//! - An agent: that a name is unique among its live schedules, that it stays within its budget,
//!   and that a repeated request creates no second schedule.
//! - All agents: that they stay within their common budget.
//! - The subject of an incident: that only one of a kind is open, and notified once.
//!
//! Whoever needs several takes them in this order. No lock is needed if a statement itself checks
//! what it expects and otherwise does nothing: recording a verdict or a run, giving up, and taking
//! over from a dead scheduler check the fence, the state or the owner in their statement.

use std::fmt;

use crate::db::sql::{self, Tx};
use crate::models::{AgentAt, Lane};

/// What is locked until the transaction ends.
enum Lock<'a> {
    Schedule(i64),
    ScheduleOfOccurrence(i64),
    Lane(&'a Lane),
    LaneOfOccurrence(i64),
    Agent(&'a AgentAt),
    AllAgents,
    Subject(&'a str),
}

impl fmt::Display for Lock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lock::Schedule(id) => write!(f, "schedule {id}"),
            Lock::ScheduleOfOccurrence(id) => write!(f, "the schedule of occurrence {id}"),
            Lock::Lane(lane) => write!(f, "the lane {}", lane.as_str()),
            Lock::LaneOfOccurrence(id) => write!(f, "the lane of occurrence {id}"),
            Lock::Agent(agent) => write!(f, "agent {agent}"),
            Lock::AllAgents => f.write_str("what all agents have together"),
            Lock::Subject(subject) => write!(f, "the subject {subject:?}"),
        }
    }
}

/// Takes a lock; on SQLite the transaction has it from the beginning.
fn take(tx: &Tx<'_>, lock: &Lock<'_>) -> sql::Result<()> {
    match tx.only_reads() {
        true => Err(sql::Error::OnlyReads(lock.to_string())),
        false => Ok(()),
    }
}

/// Locks a schedule without adopting what another program has changed.
pub(in crate::db) fn lock_schedule_as_it_is(tx: &Tx<'_>, id: i64) -> sql::Result<()> {
    take(tx, &Lock::Schedule(id))
}

/// Locks the schedule of an occurrence in the same way.
pub(in crate::db) fn lock_schedule_of(tx: &Tx<'_>, occurrence_id: i64) -> sql::Result<()> {
    take(tx, &Lock::ScheduleOfOccurrence(occurrence_id))
}

/// Locks a lane.
pub(in crate::db) fn lock_lane(tx: &Tx<'_>, lane: &Lane) -> sql::Result<()> {
    take(tx, &Lock::Lane(lane))
}

/// Locks the lane of an occurrence.
pub(in crate::db) fn lock_lane_of(tx: &Tx<'_>, occurrence_id: i64) -> sql::Result<()> {
    take(tx, &Lock::LaneOfOccurrence(occurrence_id))
}

/// Locks an agent.
pub(in crate::db) fn lock_agent(tx: &Tx<'_>, agent: &AgentAt) -> sql::Result<()> {
    take(tx, &Lock::Agent(agent))
}

/// Locks what all agents have in common.
pub(in crate::db) fn lock_all_agents(tx: &Tx<'_>) -> sql::Result<()> {
    take(tx, &Lock::AllAgents)
}

/// Locks the subject of an incident.
pub(in crate::db) fn lock_subject(tx: &Tx<'_>, subject: &str) -> sql::Result<()> {
    take(tx, &Lock::Subject(subject))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::db::Db;
    use crate::db::ledger::current::lock_schedule;
    use crate::error::Code;
    use crate::models::{AgentId, TargetName};
    use crate::schedule::Zone;

    type Take = fn(&Tx<'_>) -> sql::Result<()>;

    const EACH: [Take; 8] = [
        |tx| lock_schedule(tx, 1, &Zone::utc(), Timestamp::UNIX_EPOCH).map(drop),
        |tx| lock_schedule_as_it_is(tx, 1),
        |tx| lock_schedule_of(tx, 1),
        |tx| lock_lane(tx, &Lane::new("lane")),
        |tx| lock_lane_of(tx, 1),
        |tx| {
            let id = AgentId::parse("agent-a").unwrap();
            lock_agent(tx, &AgentAt::new(TargetName::new("home"), id))
        },
        lock_all_agents,
        |tx| lock_subject(tx, "subject"),
    ];

    async fn open(folder: &tempfile::TempDir) -> Db {
        let path = folder.path().join("test.db");
        let opened = Db::open(&path, &Zone::utc(), Timestamp::UNIX_EPOCH).await;
        opened.unwrap().0
    }

    #[tokio::test]
    async fn nothing_is_locked_where_nothing_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&folder).await;
        for take in EACH {
            for db in [db.clone(), db.for_scheduler()] {
                let error = db.read("test", move |tx| Ok(take(tx)?)).await.unwrap_err();
                assert_eq!(error.code(), Code::Internal, "{error}");
            }
            db.write("test", move |tx| Ok(take(tx)?)).await.unwrap();
        }
    }
}
