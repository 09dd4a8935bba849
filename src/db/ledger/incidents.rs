//! Incidents: trouble that needs somebody's attention, each opened and closed once. Their notices
//! are written together with them.

use jiff::Timestamp;

use super::locks::lock_subject;
use super::outbox::queue_notice;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::incidents::{self, Closed, Happened};
use crate::error::Result;
use crate::models::{Fault, Incident, IncidentKind, NoticeEvent};

/// Who has the trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db) enum Affected<'a> {
    /// One schedule, by its uid.
    Schedule(&'a str),
    /// An agent: all of its schedules are affected. `uid` is the one that met it now.
    Agent {
        /// The agent's lane.
        lane: &'a str,
        /// The agent.
        agent_id: &'a str,
        /// The schedule.
        uid: &'a str,
    },
    /// A target, by its name.
    Target(&'a str),
    /// This machine, by what is wrong with it.
    Machine(&'a str),
}

impl<'a> Affected<'a> {
    /// What distinguishes the incidents of one kind.
    pub(in crate::db) fn subject(self) -> &'a str {
        match self {
            Affected::Schedule(subject)
            | Affected::Target(subject)
            | Affected::Machine(subject) => subject,
            Affected::Agent { lane, .. } => lane,
        }
    }
}

/// Something that needs attention, when it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db) struct Trouble<'a> {
    pub(in crate::db) kind: IncidentKind,
    pub(in crate::db) affected: Affected<'a>,
    pub(in crate::db) occurrence_id: Option<i64>,
    pub(in crate::db) code: Option<&'a str>,
    pub(in crate::db) reason: &'a str,
}

impl<'a> Trouble<'a> {
    /// The trouble that a fault of an occurrence means.
    pub(in crate::db) fn of(
        kind: IncidentKind,
        affected: Affected<'a>,
        occurrence_id: i64,
        fault: &'a Fault,
    ) -> Self {
        Trouble {
            kind,
            affected,
            occurrence_id: Some(occurrence_id),
            code: Some(&fault.code),
            reason: &fault.text,
        }
    }

    fn happened(&self) -> Happened<'a> {
        let (agent_id, uid) = match self.affected {
            Affected::Agent { agent_id, uid, .. } => (Some(agent_id), Some(uid)),
            Affected::Schedule(_) | Affected::Target(_) | Affected::Machine(_) => (None, None),
        };
        Happened {
            kind: self.kind,
            subject: self.affected.subject(),
            agent_id,
            uid,
            occurrence_id: self.occurrence_id,
            code: self.code,
            reason: self.reason,
        }
    }
}

/// Opens an incident and writes its notice. If one of this kind and subject is open, it is only
/// counted there. Returns whether it is new.
pub(in crate::db) fn open_incident(
    tx: &Tx<'_>,
    trouble: &Trouble<'_>,
    now: Timestamp,
) -> sql::Result<bool> {
    let happened = trouble.happened();
    lock_subject(tx, happened.subject)?;
    if incidents::count_again(tx, &happened)? {
        return Ok(false);
    }
    let id = incidents::insert(tx, &happened, now)?;
    queue_notice(tx, id, NoticeEvent::Opened, now)?;
    Ok(true)
}

/// Closes the incident of this kind and subject, if one is open, and notifies whoever was notified
/// of it.
pub(in crate::db) fn close_incident(
    tx: &Tx<'_>,
    kind: IncidentKind,
    subject: &str,
    outcome: &str,
    now: Timestamp,
) -> sql::Result<()> {
    match incidents::close(tx, kind, subject, outcome, now)? {
        Some(closed) => tell_end(tx, &closed, now),
        None => Ok(()),
    }
}

/// Notifies whoever was notified of an incident that it has ended.
pub(in crate::db) fn tell_end(tx: &Tx<'_>, closed: &Closed, now: Timestamp) -> sql::Result<()> {
    match closed.is_notified {
        true => queue_notice(tx, closed.id, NoticeEvent::Closed, now),
        false => Ok(()),
    }
}

impl Db {
    /// The open incidents, oldest first.
    pub async fn list_open_incidents(&self) -> Result<Vec<Incident>> {
        self.read("look for open incidents", |tx| {
            Ok(incidents::list_open(tx)?)
        })
        .await
    }
}
