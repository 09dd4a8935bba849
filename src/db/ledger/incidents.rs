//! Incidents: what has gone wrong and needs somebody, each opened and closed once. The notices of
//! them are written with them.

use jiff::Timestamp;

use super::outbox::queue_notice;
use crate::db::Db;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::error::Result;
use crate::models::{Fault, Incident, IncidentKind, NoticeEvent};

/// The columns that [`incident`] reads; `i` is the incident.
macro_rules! incident_columns {
    () => {
        "i.id, i.kind, i.subject, i.occurrence_id, i.code, i.reason, i.count, i.opened_at, \
         i.agent_id IS NOT NULL AS is_agents, s.id AS schedule_id, s.name, \
         coalesce(i.agent_id, s.agent_id, o.agent_id) AS agent_id, o.intended_at \
         FROM incidents i LEFT JOIN schedules s INDEXED BY ix_schedules_uid \
             ON s.uid = coalesce(i.uid, i.subject) \
         LEFT JOIN occurrences o NOT INDEXED ON o.id = i.occurrence_id "
    };
}

/// Whose trouble it is.
#[derive(Clone, Copy)]
pub(in crate::db) enum Whose<'a> {
    /// One schedule's, by its uid.
    Schedule(&'a str),
    /// An agent's: each of its schedules meets it. `uid` is the one that does so now.
    Agent {
        /// The lane in which it is spoken to.
        lane: &'a str,
        /// The agent.
        agent_id: &'a str,
        /// The schedule.
        uid: &'a str,
    },
    /// A target's, by its name.
    Target(&'a str),
    /// This machine's, by what is wrong with it.
    Machine(&'a str),
}

impl<'a> Whose<'a> {
    pub(in crate::db) fn subject(self) -> &'a str {
        match self {
            Whose::Schedule(subject) | Whose::Target(subject) | Whose::Machine(subject) => subject,
            Whose::Agent { lane, .. } => lane,
        }
    }
}

/// Something that needs somebody, as it is noticed.
pub(in crate::db) struct Trouble<'a> {
    pub(in crate::db) kind: IncidentKind,
    pub(in crate::db) whose: Whose<'a>,
    pub(in crate::db) occurrence_id: Option<i64>,
    pub(in crate::db) code: Option<&'a str>,
    pub(in crate::db) reason: &'a str,
}

impl<'a> Trouble<'a> {
    /// The trouble that a fault of an occurrence is.
    pub(in crate::db) fn of(
        kind: IncidentKind,
        whose: Whose<'a>,
        occurrence_id: i64,
        fault: &'a Fault,
    ) -> Self {
        Trouble {
            kind,
            whose,
            occurrence_id: Some(occurrence_id),
            code: Some(&fault.code),
            reason: &fault.text,
        }
    }
}

/// Opens an incident and writes the notice of it. While one of this kind and subject is open, it is
/// only counted there. Returns whether it is new.
pub(in crate::db) fn open_incident(
    tx: &Tx<'_>,
    trouble: &Trouble<'_>,
    now: Timestamp,
) -> sql::Result<bool> {
    let (agent_id, uid) = match trouble.whose {
        Whose::Agent { agent_id, uid, .. } => (Some(agent_id), Some(uid)),
        Whose::Schedule(_) | Whose::Target(_) | Whose::Machine(_) => (None, None),
    };
    // A prompt that waits for a person is asked again and again: it counts once.
    let again = query(
        "UPDATE incidents SET count = count + CASE kind WHEN 'dead' THEN 1 WHEN 'paused' THEN 1 \
             WHEN 'unknown_agents' THEN 1 WHEN 'needs_human' THEN occurrence_id IS NOT $3 ELSE 0 \
         END, occurrence_id = coalesce($3, occurrence_id), code = $4, reason = $5, \
         uid = CASE WHEN uid = $6 THEN uid END \
         WHERE kind = $1 AND subject = $2 AND closed_at IS NULL",
    )
    .bind(trouble.kind.as_str())
    .bind(trouble.whose.subject())
    .bind(trouble.occurrence_id)
    .bind(trouble.code)
    .bind(trouble.reason)
    .bind(uid)
    .execute(tx)?;
    if again > 0 {
        return Ok(false);
    }
    let id: i64 = query(
        "INSERT INTO incidents (kind, subject, occurrence_id, code, reason, opened_at, agent_id, \
         uid) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
    )
    .bind(trouble.kind.as_str())
    .bind(trouble.whose.subject())
    .bind(trouble.occurrence_id)
    .bind(trouble.code)
    .bind(trouble.reason)
    .bind(DbTime(now))
    .bind(agent_id)
    .bind(uid)
    .one(tx)?;
    queue_notice(tx, id, NoticeEvent::Opened, now)?;
    Ok(true)
}

/// Closes the incident of this kind and subject, if one is open, and tells whoever was told of it.
pub(in crate::db) fn close_incident(
    tx: &Tx<'_>,
    kind: IncidentKind,
    subject: &str,
    outcome: &str,
    now: Timestamp,
) -> sql::Result<()> {
    let closed = close_silently(tx, kind, subject, outcome, now)?;
    if let Some((id, true)) = closed {
        queue_notice(tx, id, NoticeEvent::Closed, now)?;
    }
    Ok(())
}

/// Closes an incident without a word; returns its number, and whether anybody was told of it.
pub(in crate::db) fn close_silently(
    tx: &Tx<'_>,
    kind: IncidentKind,
    subject: &str,
    outcome: &str,
    now: Timestamp,
) -> sql::Result<Option<(i64, bool)>> {
    let closed = query(
        "UPDATE incidents SET closed_at = $3, outcome = $4 \
         WHERE kind = $1 AND subject = $2 AND closed_at IS NULL RETURNING id, told",
    )
    .bind(kind.as_str())
    .bind(subject)
    .bind(DbTime(now))
    .bind(outcome)
    .fetch_optional(tx)?;
    closed
        .map(|row| Ok((row.get("id")?, rows::flag(&row, "told"))))
        .transpose()
}

/// An open incident of an agent.
pub(in crate::db) struct OfAgent {
    pub(in crate::db) kind: IncidentKind,
    pub(in crate::db) subject: String,
    /// The schedule that met it, if there is only one.
    pub(in crate::db) uid: Option<String>,
}

/// The open incidents of an agent.
pub(in crate::db) fn fetch_of_agent(tx: &Tx<'_>, agent_id: &str) -> sql::Result<Vec<OfAgent>> {
    let open = "SELECT kind, subject, uid FROM incidents INDEXED BY ix_incidents_agent \
                WHERE agent_id = $1 AND closed_at IS NULL";
    let open = query(open).bind(agent_id.to_owned()).fetch_all(tx)?;
    let read = |row| {
        Some(OfAgent {
            kind: IncidentKind::from_word(&rows::text(row, "kind")?)?,
            subject: rows::text(row, "subject")?,
            uid: rows::text(row, "uid"),
        })
    };
    Ok(open.iter().filter_map(read).collect())
}

impl Db {
    /// What is wrong now and needs somebody, the oldest first.
    pub async fn list_open_incidents(&self) -> Result<Vec<Incident>> {
        self.read("look for open incidents", move |tx| {
            let open = concat!(
                "SELECT ",
                incident_columns!(),
                "WHERE i.closed_at IS NULL ORDER BY i.id"
            );
            let rows = query(open).fetch_all(tx);
            Ok(rows?.iter().filter_map(incident).collect())
        })
        .await
    }
}

/// An incident of a number, within a transaction; `None` if it is no kind that we know.
pub(in crate::db) fn fetch_incident(tx: &Tx<'_>, id: i64) -> sql::Result<Option<Incident>> {
    let wanted = concat!("SELECT ", incident_columns!(), "WHERE i.id = $1");
    let row = query(wanted).bind(id).fetch_optional(tx)?;
    Ok(row.as_ref().and_then(incident))
}

fn incident(row: &Row) -> Option<Incident> {
    let kind = IncidentKind::from_word(&rows::text(row, "kind")?)?;
    let subject = rows::text(row, "subject").unwrap_or_default();
    let incident = Incident {
        id: row.get("id").ok()?,
        kind,
        text: String::new(),
        opened_at: rows::lenient_time(row, "opened_at").unwrap_or_default(),
        code: rows::text(row, "code"),
        reason: rows::text(row, "reason").unwrap_or_default(),
        count: rows::number(row, "count").unwrap_or(1),
        schedule_id: rows::number(row, "schedule_id"),
        name: rows::text(row, "name"),
        agent_id: rows::text(row, "agent_id"),
        occurrence_id: rows::number(row, "occurrence_id"),
        intended_at: rows::lenient_time(row, "intended_at"),
        target: (kind == IncidentKind::Held).then_some(subject),
        is_agents: rows::flag(row, "is_agents"),
    };
    Some(Incident {
        text: incident.describe(None),
        ..incident
    })
}
