//! What has become of occurrences, for whoever looks. Each way to ask has an index of its own, so that
//! a page costs what it shows, however much lies in the database.

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::Db;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows::{self, occurrence_columns};
use crate::db::time::DbTime;
use crate::error::Result;
use crate::models::{AgentId, Attempt, Occurrence, State};

/// Which occurrences to show.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    /// Only those of this schedule.
    pub uid: Option<Uuid>,
    /// Only this agent's.
    pub agent_id: Option<AgentId>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those meant for this time or later.
    pub since: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
    /// Leaving out so many at the beginning.
    pub offset: u32,
}

/// An occurrence with what belongs to it.
#[derive(Clone, Debug)]
pub struct Past {
    /// The occurrence.
    pub occurrence: Occurrence,
    /// Its schedule's number, if that still exists.
    pub schedule_id: Option<i64>,
    /// Its attempts, the first one first.
    pub attempts: Vec<Attempt>,
}

/// How a filter is asked for: left alone, SQLite takes whatever old statistics praise.
struct Way {
    index: &'static str,
    conditions: String,
}

impl HistoryFilter {
    fn way(&self) -> Way {
        // The conditions of the partial indexes, which are asked for by their words.
        let (of_state, is_among) = match self.state {
            Some(State::Dead | State::Missed | State::Skipped | State::Cancelled) => (
                "ix_occurrences_not_sent",
                "state IN ('dead', 'missed', 'skipped', 'cancelled')",
            ),
            Some(State::Waiting | State::Sending | State::Unknown) => (
                "ix_occurrences_open",
                "state IN ('waiting', 'sending', 'unknown')",
            ),
            Some(State::Delivered | State::Coalesced) | None => {
                ("ix_occurrences_intended_at", "TRUE")
            }
        };
        let index = match (self.uid, &self.agent_id) {
            (Some(_), _) => "ix_occurrences_of_schedule",
            (None, Some(_)) => "ix_occurrences_of_agent",
            (None, None) => of_state,
        };
        let asked = [
            self.uid.map(|_| "uid = $1"),
            self.agent_id.as_ref().map(|_| "agent_id = $2"),
            self.state.map(|_| "state = $3"),
            self.since.map(|_| "intended_at >= $4"),
        ];
        let asked = asked.into_iter().flatten().chain([is_among]);
        let conditions = asked.collect::<Vec<_>>().join(" AND ");
        Way { index, conditions }
    }
}

impl Db {
    /// The latest occurrences of a filter, the newest first. One that can't be read is left out,
    /// and reported once.
    pub async fn list_history(&self, filter: &HistoryFilter) -> Result<Vec<Past>> {
        let (db, filter) = (self.clone(), filter.to_owned());
        self.read("read the history", move |tx| {
            let Way { index, conditions } = filter.way();
            let columns = occurrence_columns!();
            let rows = query(&format!(
                "SELECT {columns}, (SELECT s.id FROM schedules s INDEXED BY ix_schedules_uid \
                 WHERE s.uid = occurrences.uid) AS schedule_id FROM occurrences \
                 INDEXED BY {index} WHERE {conditions} \
                 ORDER BY intended_at DESC, id DESC LIMIT $5 OFFSET $6"
            ))
            .bind(filter.uid.map(|u| u.to_string()))
            .bind(filter.agent_id.as_ref().map(AgentId::as_str))
            .bind(filter.state.map(State::as_str))
            .bind(filter.since.map(DbTime))
            .bind(i64::from(filter.limit))
            .bind(i64::from(filter.offset))
            .fetch_all(tx)?;
            let past = |row: &Row| {
                let occurrence = rows::occurrence(row)?;
                Ok(Past {
                    attempts: attempts_of(tx, occurrence.id)?,
                    schedule_id: rows::number(row, "schedule_id"),
                    occurrence,
                })
            };
            Ok(db.readable(rows::read_each(&rows, past)))
        })
        .await
    }

    /// The attempts of an occurrence, the first one first, without those that can't be read.
    pub async fn list_attempts(&self, occurrence_id: i64) -> Result<Vec<Attempt>> {
        self.read("read the attempts", move |tx| {
            Ok(attempts_of(tx, occurrence_id)?)
        })
        .await
    }
}

fn attempts_of(tx: &Tx<'_>, occurrence_id: i64) -> sql::Result<Vec<Attempt>> {
    let attempts = "SELECT n, otid, started_at, finished_at, repeats, error_code, error, run_id \
                    FROM attempts WHERE occurrence_id = $1 ORDER BY n";
    let rows = query(attempts).bind(occurrence_id).fetch_all(tx)?;
    let read = |(place, row): (usize, &Row)| {
        Some(Attempt {
            n: rows::number(row, "n").or_else(|| i64::try_from(place + 1).ok())?,
            otid: rows::uuid(row, "otid").ok()?,
            started_at: rows::lenient_time(row, "started_at")?,
            finished_at: rows::lenient_time(row, "finished_at"),
            repeats: rows::number(row, "repeats").unwrap_or(0),
            error_code: rows::text(row, "error_code"),
            error: rows::text(row, "error"),
            run_id: rows::text(row, "run_id"),
        })
    };
    Ok(rows.iter().enumerate().filter_map(read).collect())
}
