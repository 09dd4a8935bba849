//! Removes the texts of what is over.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use uuid::Uuid;

use super::rows;
use super::schedules::change_schedule;
use crate::db::sql::{self, Query, Tx, at_target, in_lane, statement};
use crate::db::time::optional;
use crate::models::{NamedAgent, TargetName};

/// Which texts to remove: of a schedule or an agent, optionally only those settled before a time.
#[derive(Clone, Debug, Default)]
pub(in crate::db) struct PurgeFilter {
    /// The schedule.
    pub(in crate::db) uid: Option<Uuid>,
    /// The agent.
    pub(in crate::db) agent: Option<NamedAgent>,
    /// The time.
    pub(in crate::db) before: Option<Timestamp>,
}

impl PurgeFilter {
    /// Binds `$1` to `$4`, the schedule and the agent.
    fn bind_whose<'q>(&self, tx: &Tx<'_>, question: Query<'q>) -> Query<'q> {
        let agent = self.agent.as_ref();
        question
            .bind(self.uid.map(|uid| uid.to_string()))
            .bind(agent.map(|agent| agent.id.as_str()))
            .bind_target(tx, agent.and_then(|agent| agent.target.as_ref()))
    }

    /// Binds those, and `$5`.
    fn bind<'q>(&self, tx: &Tx<'_>, question: Query<'q>) -> Query<'q> {
        self.bind_whose(tx, question).bind(optional(self.before))
    }
}

/// Whether a row with `uid`, `agent_id` and `target` is selected.
macro_rules! is_theirs {
    () => {
        concat!(
            "($1 IS NULL OR uid = $1) AND ($2 IS NULL OR agent_id = $2) AND ",
            at_target!("$3", "$4")
        )
    };
}

/// The ids of settled occurrences after one, up to a number.
pub(in crate::db) fn list_settled(
    tx: &Tx<'_>,
    filter: &PurgeFilter,
    after: i64,
    most: i64,
) -> sql::Result<Vec<i64>> {
    let question = statement!(
        "SELECT id FROM occurrences WHERE state NOT IN ('waiting', 'sending', 'unknown') AND ",
        is_theirs!(),
        " AND ($5 IS NULL OR finished_at < $5) AND id > $6 ORDER BY id LIMIT $7"
    );
    filter.bind(tx, question).bind(after).bind(most).all(tx)
}

/// The ids of schedules after one that are over, with everything they sent, and have a prompt, up
/// to a number.
pub(in crate::db) fn list_over(
    tx: &Tx<'_>,
    filter: &PurgeFilter,
    after: i64,
    most: i64,
) -> sql::Result<Vec<i64>> {
    let question = statement!(
        "SELECT id FROM schedules WHERE lifecycle IN ('finished', 'cancelled') AND touched = 0 \
         AND prompt_text <> '' AND ",
        is_theirs!(),
        " AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.uid = schedules.uid \
             AND (o.finished_at IS NULL OR o.finished_at >= coalesce($5, '9999-12-31'))) \
         AND ($5 IS NULL OR created_at IS NULL OR created_at < $5) \
         AND id > $6 ORDER BY id LIMIT $7"
    );
    filter.bind(tx, question).bind(after).bind(most).all(tx)
}

/// Whether an incident is over or belongs to schedules that are, and is selected.
macro_rules! is_past_trouble {
    () => {
        concat!(
            "(closed_at IS NOT NULL \
                 OR NOT EXISTS (SELECT 1 FROM schedules s \
                                WHERE (s.uid = subject OR s.agent_id = incidents.agent_id AND ",
            in_lane!("s.target", "subject", "$4"),
            ") AND s.lifecycle NOT IN ('finished', 'cancelled'))) \
             AND ($5 IS NULL OR coalesce(closed_at, opened_at) < $5) AND (agent_id = $2 AND ",
            "($3 IS NULL OR ",
            in_lane!("$3", "subject", "$4"),
            ") OR occurrence_id IN (SELECT id FROM occurrences WHERE uid = $1) OR subject IN (\
                 SELECT uid FROM schedules WHERE ",
            is_theirs!(),
            " UNION SELECT uid FROM occurrences WHERE ",
            is_theirs!(),
            "))"
        )
    };
}

/// The ids of such incidents after one, up to a number.
pub(in crate::db) fn list_incidents(
    tx: &Tx<'_>,
    filter: &PurgeFilter,
    after: i64,
    most: i64,
) -> sql::Result<Vec<i64>> {
    let question = statement!(
        "SELECT id FROM incidents WHERE ",
        is_past_trouble!(),
        " AND id > $6 ORDER BY id LIMIT $7"
    );
    filter.bind(tx, question).bind(after).bind(most).all(tx)
}

/// Deletes the notices that were given up of such incidents, with these ids.
pub(in crate::db) fn delete_notices(
    tx: &Tx<'_>,
    filter: &PurgeFilter,
    numbers: RangeInclusive<i64>,
) -> sql::Result<()> {
    let question = statement!(
        "DELETE FROM outbox WHERE given_up_at IS NOT NULL \
         AND lane IN (SELECT 'incident:' || CAST(id AS TEXT) FROM incidents WHERE ",
        is_past_trouble!(),
        " AND id BETWEEN $6 AND $7)"
    );
    let question = filter.bind(tx, question);
    question
        .bind(numbers.start())
        .bind(numbers.end())
        .execute(tx)?;
    Ok(())
}

/// Removes the texts of those incidents.
pub(in crate::db) fn purge_incidents(
    tx: &Tx<'_>,
    filter: &PurgeFilter,
    numbers: RangeInclusive<i64>,
) -> sql::Result<()> {
    let question = statement!(
        "UPDATE incidents SET reason = '' WHERE ",
        is_past_trouble!(),
        " AND id BETWEEN $6 AND $7"
    );
    let question = filter.bind(tx, question);
    question
        .bind(numbers.start())
        .bind(numbers.end())
        .execute(tx)?;
    Ok(())
}

/// How many schedules are not over, and keep their prompt.
pub(in crate::db) fn count_live(tx: &Tx<'_>, filter: &PurgeFilter) -> sql::Result<i64> {
    let question = statement!(
        "SELECT count(*) FROM schedules WHERE (lifecycle IS NULL \
             OR lifecycle NOT IN ('finished', 'cancelled')) AND ",
        is_theirs!()
    );
    filter.bind_whose(tx, question).one(tx)
}

/// A schedule whose texts are removed.
pub(in crate::db) struct PurgedSchedule {
    /// Its id, if readable.
    pub(in crate::db) id: Option<i64>,
    /// Its agent.
    pub(in crate::db) agent_id: Option<String>,
    /// The target that knows the agent.
    pub(in crate::db) target: Option<TargetName>,
}

/// The schedule with a uid.
pub(in crate::db) fn fetch_schedule(tx: &Tx<'_>, uid: Uuid) -> sql::Result<Option<PurgedSchedule>> {
    let row = statement!("SELECT id, agent_id, target FROM schedules WHERE uid = $1")
        .bind(uid.to_string())
        .fetch_optional(tx)?;
    Ok(row.map(|row| PurgedSchedule {
        id: rows::number(&row, "id"),
        agent_id: rows::text(&row, "agent_id"),
        target: rows::target(&row),
    }))
}

/// Removes the texts of a schedule that is over.
pub(in crate::db) fn purge_schedule(tx: &Tx<'_>, id: i64) -> sql::Result<()> {
    statement!(change_schedule!(
        "prompt_text = '', pause_note = NULL",
        " WHERE id = $1 AND touched = 0 AND lifecycle IN ('finished', 'cancelled')"
    ))
    .bind(id)
    .execute(tx)?;
    Ok(())
}

/// The texts of an occurrence.
pub(in crate::db) struct Texts {
    /// What was sent.
    pub(in crate::db) payload: Option<String>,
    /// Its error, if there is one.
    pub(in crate::db) error: Option<String>,
}

/// The texts of an occurrence.
pub(in crate::db) fn fetch_texts(tx: &Tx<'_>, id: i64) -> sql::Result<Option<Texts>> {
    let row = statement!("SELECT payload, error FROM occurrences WHERE id = $1")
        .bind(id)
        .fetch_optional(tx)?;
    Ok(row.map(|row| Texts {
        payload: rows::text(&row, "payload"),
        error: rows::text(&row, "error"),
    }))
}

/// Removes the texts of an occurrence, except the given part of its error.
pub(in crate::db) fn purge_occurrence(
    tx: &Tx<'_>,
    id: i64,
    error: Option<&str>,
) -> sql::Result<()> {
    statement!(
        "UPDATE occurrences SET payload = NULL, reply = NULL, error = $2, \
         reason = CASE WHEN state = 'dead' THEN NULL ELSE reason END WHERE id = $1"
    )
    .bind(id)
    .bind(error)
    .execute(tx)?;
    Ok(())
}

/// Removes the texts of the attempts of an occurrence.
pub(in crate::db) fn purge_attempts(tx: &Tx<'_>, occurrence_id: i64) -> sql::Result<()> {
    statement!("UPDATE attempts SET envelope = NULL, error = NULL WHERE occurrence_id = $1")
        .bind(occurrence_id)
        .execute(tx)?;
    Ok(())
}
