//! The record of changes: each is written in the transaction that makes it.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::plans::to_i64;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::{AgentId, By, Change, ChangeQuery, Operation, PromptSchedule};

/// The schedule that a change is about, if it is about one.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::db) struct About<'a> {
    pub(in crate::db) id: Option<i64>,
    pub(in crate::db) uid: Option<Uuid>,
    pub(in crate::db) agent_id: Option<&'a str>,
}

impl<'a> About<'a> {
    /// A change of a schedule.
    pub(in crate::db) fn schedule(schedule: &'a PromptSchedule) -> Self {
        About {
            id: Some(schedule.id),
            uid: schedule.uid,
            agent_id: Some(&schedule.agent_id),
        }
    }

    /// A change that concerns no schedule, or all of them.
    pub(in crate::db) fn none() -> Self {
        About::default()
    }
}

impl Db {
    /// The same database, as changed by somebody else.
    pub fn acting_for(&self, by: By) -> Db {
        Db {
            by: Arc::new(by),
            ..self.clone()
        }
    }

    /// Who changes it.
    pub fn by(&self) -> &By {
        &self.by
    }

    /// What was changed, the newest first.
    pub async fn list_changes(&self, filter: &ChangeQuery) -> Result<Vec<Change>> {
        let filter = filter.to_owned();
        self.read("list the changes", move |tx| {
            let filter = &filter;
            // Each bound has an index, and one that is not asked for must not keep another from its own.
            let bounds = [
                filter.schedule_id.map(|_| "schedule_id = $1"),
                filter.agent_id.as_ref().map(|_| "agent_id = $2"),
                filter.since.map(|_| "at >= $3"),
            ];
            let bounds: Vec<&str> = bounds.into_iter().flatten().collect();
            let bounds = match bounds.is_empty() {
                true => String::new(),
                false => format!("WHERE {}", bounds.join(" AND ")),
            };
            let rows = query(&format!(
            "SELECT id, at, caller, key_name, face, operation, schedule_id, uid, agent_id, what \
             FROM changes {bounds} ORDER BY id DESC LIMIT $4 OFFSET $5"
        ))
        .bind(filter.schedule_id)
        .bind(filter.agent_id.as_ref().map(AgentId::as_str))
        .bind(filter.since.map(DbTime))
        .bind(i64::from(filter.limit))
        .bind(i64::from(filter.offset))
        .fetch_all(tx)?;
            let read = |row: &Row| {
                Ok(Change {
                    id: row.get("id")?,
                    at: rows::lenient_time(row, "at").unwrap_or_default(),
                    caller: rows::text(row, "caller").unwrap_or_default(),
                    key: rows::text(row, "key_name"),
                    face: rows::text(row, "face").unwrap_or_default(),
                    operation: rows::text(row, "operation").unwrap_or_default(),
                    schedule_id: rows::number(row, "schedule_id"),
                    uid: rows::text(row, "uid"),
                    agent_id: rows::text(row, "agent_id"),
                    what: rows::text(row, "what"),
                })
            };
            let changes = rows.iter().map(read);
            Ok(changes.collect::<sql::Result<_>>()?)
        })
        .await
    }

    /// Forgets some of what was changed before a time. Returns how many; call it until it has
    /// forgotten none.
    pub(in crate::db) async fn prune_changes(&self, before: Timestamp) -> Result<u64> {
        const DOING: &str = "prune the record of changes";
        let old = self.read(DOING, move |tx| {
            let old = "SELECT id FROM changes INDEXED BY ix_changes_at WHERE at < $1 LIMIT $2";
            let old = query(old)
                .bind(DbTime(before))
                .bind(to_i64(AT_ONCE))
                .fetch_all(tx)?;
            Ok(old
                .iter()
                .map(|row| rows::number(row, "id"))
                .collect::<Vec<_>>())
        });
        let old = old.await?;
        if old.is_empty() {
            return Ok(0);
        }
        self.write(DOING, move |tx| {
            for id in &old {
                query("DELETE FROM changes WHERE id = $1")
                    .bind(*id)
                    .execute(tx)?;
            }
            Ok(old.len() as u64)
        })
        .await
    }
}

/// Notes a change in the transaction that makes it. Returns its number.
pub(in crate::db) fn note_change(
    tx: &Tx<'_>,
    by: &By,
    operation: Operation,
    about: About<'_>,
    what: Option<&str>,
    now: Timestamp,
) -> sql::Result<i64> {
    query(
        "INSERT INTO changes (at, caller, key_name, face, operation, schedule_id, uid, agent_id, \
         what) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
    )
    .bind(DbTime(now))
    .bind(by.who())
    .bind(by.key.as_deref())
    .bind(by.face.as_str())
    .bind(operation.as_str())
    .bind(about.id)
    .bind(about.uid.map(|u| u.to_string()))
    .bind(about.agent_id)
    .bind(what)
    .one(tx)
}

/// A change that is made in several transactions: the first of them notes it, the others say how far
/// it has come.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::db) struct Noted(Option<i64>);

impl Noted {
    /// Notes how far it has come.
    pub(in crate::db) fn note(
        &mut self,
        tx: &Tx<'_>,
        by: &By,
        operation: Operation,
        about: About<'_>,
        what: &str,
        now: Timestamp,
    ) -> sql::Result<()> {
        match self.0 {
            None => {
                self.0 = Some(note_change(tx, by, operation, about, Some(what), now)?);
            }
            Some(id) => {
                query("UPDATE changes SET what = $2 WHERE id = $1")
                    .bind(id)
                    .bind(what)
                    .execute(tx)?;
            }
        }
        Ok(())
    }
}
