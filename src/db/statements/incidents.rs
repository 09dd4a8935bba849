//! Incidents: trouble that needs somebody's attention.

use jiff::Timestamp;

use super::rows;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{Incident, IncidentKind, Lane};

/// The columns that [`incident`] reads; `i` is the incident.
macro_rules! incident_columns {
    () => {
        "i.id, i.kind, i.subject, i.occurrence_id, i.code, i.reason, i.count, i.opened_at, \
         CASE WHEN i.agent_id IS NULL THEN 0 ELSE 1 END AS is_agents, s.id AS schedule_id, s.name, \
         coalesce(i.agent_id, s.agent_id, o.agent_id) AS agent_id, \
         coalesce(s.target, o.target) AS target, o.intended_at \
         FROM incidents i LEFT JOIN schedules s INDEXED BY ix_schedules_uid \
             ON s.uid = coalesce(i.uid, i.subject) \
         LEFT JOIN occurrences o NOT INDEXED ON o.id = i.occurrence_id "
    };
}

/// A trouble that opens an incident.
pub(in crate::db) struct Happened<'a> {
    /// The kind of trouble.
    pub(in crate::db) kind: IncidentKind,
    /// Who has it.
    pub(in crate::db) subject: &'a str,
    /// The agent, if it is an agent's.
    pub(in crate::db) agent_id: Option<&'a str>,
    /// The schedule of the agent that met it.
    pub(in crate::db) uid: Option<&'a str>,
    /// The occurrence that met it.
    pub(in crate::db) occurrence_id: Option<i64>,
    /// A stable code for the reason.
    pub(in crate::db) code: Option<&'a str>,
    /// The reason.
    pub(in crate::db) reason: &'a str,
}

/// Counts the trouble in the open incident with its kind and subject; `false` if there is none.
pub(in crate::db) fn count_again(tx: &Tx<'_>, happened: &Happened<'_>) -> sql::Result<bool> {
    // A prompt that waits for a person is retried again and again: it counts once.
    let counted = statement!(
        "UPDATE incidents SET count = count + CASE kind WHEN 'dead' THEN 1 WHEN 'paused' THEN 1 \
             WHEN 'unknown_agents' THEN 1 WHEN 'needs_human' THEN \
                 CASE WHEN occurrence_id IS DISTINCT FROM $3 THEN 1 ELSE 0 END ELSE 0 \
         END, occurrence_id = coalesce($3, occurrence_id), code = $4, reason = $5, \
         uid = CASE WHEN uid = $6 THEN uid END \
         WHERE kind = $1 AND subject = $2 AND closed_at IS NULL"
    )
    .bind(happened.kind.as_str())
    .bind(happened.subject)
    .bind(happened.occurrence_id)
    .bind(happened.code)
    .bind(happened.reason)
    .bind(happened.uid)
    .execute(tx)?;
    Ok(counted > 0)
}

/// Writes a new incident. Returns its id.
pub(in crate::db) fn insert(
    tx: &Tx<'_>,
    happened: &Happened<'_>,
    now: Timestamp,
) -> sql::Result<i64> {
    statement!(
        "INSERT INTO incidents (kind, subject, occurrence_id, code, reason, opened_at, agent_id, \
         uid) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id"
    )
    .bind(happened.kind.as_str())
    .bind(happened.subject)
    .bind(happened.occurrence_id)
    .bind(happened.code)
    .bind(happened.reason)
    .bind(DbTime(now))
    .bind(happened.agent_id)
    .bind(happened.uid)
    .one(tx)
}

/// An incident that was closed.
pub(in crate::db) struct Closed {
    /// Its id.
    pub(in crate::db) id: i64,
    /// Whether anybody was notified of it.
    pub(in crate::db) is_notified: bool,
}

/// Closes the incident with a kind and subject, if one is open.
pub(in crate::db) fn close(
    tx: &Tx<'_>,
    kind: IncidentKind,
    subject: &str,
    outcome: &str,
    now: Timestamp,
) -> sql::Result<Option<Closed>> {
    let row = statement!(
        "UPDATE incidents SET closed_at = $3, outcome = $4 \
         WHERE kind = $1 AND subject = $2 AND closed_at IS NULL RETURNING id, told"
    )
    .bind(kind.as_str())
    .bind(subject)
    .bind(DbTime(now))
    .bind(outcome)
    .fetch_optional(tx)?;
    row.as_ref().map(closed).transpose()
}

/// Closes an incident, if it is open.
pub(in crate::db) fn close_by_id(
    tx: &Tx<'_>,
    id: i64,
    outcome: &str,
    now: Timestamp,
) -> sql::Result<Option<Closed>> {
    let row = statement!(
        "UPDATE incidents SET closed_at = $2, outcome = $3 \
         WHERE id = $1 AND closed_at IS NULL RETURNING id, told"
    )
    .bind(id)
    .bind(DbTime(now))
    .bind(outcome)
    .fetch_optional(tx)?;
    row.as_ref().map(closed).transpose()
}

/// Marks an incident as notified.
pub(in crate::db) fn mark_notified(tx: &Tx<'_>, id: i64) -> sql::Result<()> {
    statement!("UPDATE incidents SET told = 1 WHERE id = $1")
        .bind(id)
        .execute(tx)?;
    Ok(())
}

/// An open incident that nobody was notified of.
pub(in crate::db) struct Unnotified {
    /// Its id.
    pub(in crate::db) id: i64,
    /// Who has the trouble.
    pub(in crate::db) subject: String,
}

/// The open incidents that nobody was notified of, oldest first.
pub(in crate::db) fn list_unnotified(tx: &Tx<'_>) -> sql::Result<Vec<Unnotified>> {
    statement!("SELECT id, subject FROM incidents WHERE closed_at IS NULL AND told = 0 ORDER BY id")
        .map(tx, |row| {
            Ok(Unnotified {
                id: row.get("id")?,
                subject: rows::text(row, "subject").unwrap_or_default(),
            })
        })
}

/// Whether an incident is open and nobody was notified of it.
pub(in crate::db) fn is_unnotified(tx: &Tx<'_>, id: i64) -> sql::Result<bool> {
    let unnotified: Option<i64> =
        statement!("SELECT 1 FROM incidents WHERE id = $1 AND closed_at IS NULL AND told = 0")
            .bind(id)
            .optional(tx)?;
    Ok(unnotified.is_some())
}

/// Every open incident of a known kind, oldest first.
pub(in crate::db) fn list_open(tx: &Tx<'_>) -> sql::Result<Vec<Incident>> {
    let rows = statement!(
        "SELECT ",
        incident_columns!(),
        "WHERE i.closed_at IS NULL ORDER BY i.id"
    )
    .fetch_all(tx)?;
    Ok(rows.iter().filter_map(|row| incident(tx, row)).collect())
}

/// The incident with an id; `None` if its kind is unknown.
pub(in crate::db) fn fetch(tx: &Tx<'_>, id: i64) -> sql::Result<Option<Incident>> {
    let row = statement!("SELECT ", incident_columns!(), "WHERE i.id = $1")
        .bind(id)
        .fetch_optional(tx)?;
    Ok(row.as_ref().and_then(|row| incident(tx, row)))
}

/// What identifies an open incident.
pub(in crate::db) struct Open {
    /// The kind of trouble.
    pub(in crate::db) kind: IncidentKind,
    /// Who has it.
    pub(in crate::db) subject: String,
    /// The schedule of an agent that met it, if there is only one.
    pub(in crate::db) uid: Option<String>,
}

/// The open incidents of an agent.
pub(in crate::db) fn list_of_agent(tx: &Tx<'_>, agent_id: &str) -> sql::Result<Vec<Open>> {
    let rows = statement!(
        "SELECT kind, subject, uid FROM incidents INDEXED BY ix_incidents_agent \
         WHERE agent_id = $1 AND closed_at IS NULL"
    )
    .bind(agent_id)
    .fetch_all(tx)?;
    Ok(rows.iter().filter_map(open).collect())
}

/// The open incidents of a subject.
pub(in crate::db) fn list_of_subject(tx: &Tx<'_>, subject: &str) -> sql::Result<Vec<Open>> {
    let rows = statement!(
        "SELECT kind, subject, uid FROM incidents WHERE subject = $1 AND closed_at IS NULL"
    )
    .bind(subject)
    .fetch_all(tx)?;
    Ok(rows.iter().filter_map(open).collect())
}

/// The open incidents about dead prompts, and about prompts that need a person, of a schedule and
/// its lane; oldest first.
pub(in crate::db) fn list_of_prompts(tx: &Tx<'_>, uid: &str, lane: &str) -> sql::Result<Vec<Open>> {
    let mut rows = statement!(
        "SELECT id, kind, subject, uid FROM incidents INDEXED BY ix_incidents_one_open \
         WHERE subject IN ($1, $2) AND kind IN ('dead', 'needs_human') AND closed_at IS NULL"
    )
    .bind(uid)
    .bind(lane)
    .fetch_all(tx)?;
    // There are few, and no index has them in this order.
    rows.sort_by_key(|row| rows::number(row, "id"));
    Ok(rows.iter().filter_map(open).collect())
}

/// Whether a subject has an open incident about dead prompts.
pub(in crate::db) fn has_dead(tx: &Tx<'_>, subject: &str) -> sql::Result<bool> {
    let dead: Option<i64> = statement!(
        "SELECT 1 FROM incidents INDEXED BY ix_incidents_one_open \
         WHERE subject = $1 AND kind = 'dead' AND closed_at IS NULL"
    )
    .bind(subject)
    .optional(tx)?;
    Ok(dead.is_some())
}

/// How many incidents about agents unknown to Letta were opened since a time, counting up to
/// `most`.
pub(in crate::db) fn count_unknown_agents(
    tx: &Tx<'_>,
    since: Timestamp,
    most: i64,
) -> sql::Result<i64> {
    statement!(
        "SELECT count(*) FROM (SELECT 1 FROM incidents INDEXED BY ix_incidents_unknown_agents \
             WHERE code = 'agent_unknown' AND agent_id IS NOT NULL AND opened_at > $1 \
             LIMIT $2) AS found"
    )
    .bind(DbTime(since))
    .bind(most)
    .one(tx)
}

/// The open incidents that have no end of their own, opened at or before a time.
pub(in crate::db) fn list_endless_before(tx: &Tx<'_>, before: Timestamp) -> sql::Result<Vec<Open>> {
    let rows = statement!(
        "SELECT kind, subject, uid FROM incidents INDEXED BY ix_incidents_one_open \
         WHERE subject IN ('clock', 'unknown_agents') AND kind IN ('clock', 'unknown_agents') \
         AND closed_at IS NULL AND opened_at <= $1"
    )
    .bind(DbTime(before))
    .fetch_all(tx)?;
    Ok(rows.iter().filter_map(open).collect())
}

/// The ids of some open incidents of deleted schedules.
pub(in crate::db) fn list_of_deleted(tx: &Tx<'_>, most: i64) -> sql::Result<Vec<i64>> {
    statement!(
        "SELECT id FROM incidents i INDEXED BY ix_incidents_one_open \
         WHERE closed_at IS NULL AND kind NOT IN ('held', 'clock', 'unknown_agents') \
         AND agent_id IS NULL AND NOT EXISTS (SELECT 1 FROM schedules s INDEXED BY \
             ix_schedules_uid WHERE s.uid = i.subject) LIMIT $1"
    )
    .bind(most)
    .all(tx)
}

/// The ids of some incidents that were closed before a time.
pub(in crate::db) fn list_closed_before(
    tx: &Tx<'_>,
    before: Timestamp,
    most: i64,
) -> sql::Result<Vec<i64>> {
    statement!("SELECT id FROM incidents WHERE closed_at < $1 ORDER BY closed_at LIMIT $2")
        .bind(DbTime(before))
        .bind(most)
        .all(tx)
}

/// Deletes incidents.
pub(in crate::db) fn delete_all(tx: &Tx<'_>, ids: &[i64]) -> sql::Result<()> {
    statement!("DELETE FROM incidents WHERE id IN (SELECT value FROM json_each($1))")
        .bind(serde_json::json!(ids).to_string())
        .execute(tx)?;
    Ok(())
}

fn closed(row: &Row) -> sql::Result<Closed> {
    Ok(Closed {
        id: row.get("id")?,
        is_notified: rows::flag(row, "told"),
    })
}

fn open(row: &Row) -> Option<Open> {
    Some(Open {
        kind: IncidentKind::from_word(&rows::text(row, "kind")?)?,
        subject: rows::text(row, "subject")?,
        uid: rows::text(row, "uid"),
    })
}

fn incident(tx: &Tx<'_>, row: &Row) -> Option<Incident> {
    let kind = IncidentKind::from_word(&rows::text(row, "kind")?)?;
    let subject = rows::text(row, "subject").unwrap_or_default();
    let agent_id = rows::text(row, "agent_id");
    let is_agents = rows::flag(row, "is_agents");
    let target = match (kind, &agent_id) {
        (IncidentKind::Held, _) => Some(subject),
        (_, Some(_)) if is_agents => Some(Lane::new(subject).target_name().to_owned()),
        (_, Some(_)) => {
            let target = rows::target(row);
            Some(
                target
                    .unwrap_or_else(|| tx.targets().default.clone())
                    .to_string(),
            )
        }
        (_, None) => None,
    };
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
        agent_id,
        occurrence_id: rows::number(row, "occurrence_id"),
        intended_at: rows::lenient_time(row, "intended_at"),
        target,
        is_agents,
    };
    Some(Incident {
        text: incident.describe(tx.targets(), None),
        ..incident
    })
}
