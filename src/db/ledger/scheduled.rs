//! Schedules by their lasting identity, as callers know them that give them no numbers.

use uuid::Uuid;

use crate::db::Db;
use crate::db::sql::{self, query};
use crate::db::statements::rows::{self, occurrence_columns, schedule_columns};
use crate::error::Result;
use crate::models::{AgentId, Occurrence, PromptSchedule};

/// What is still to be sent: what will run, is paused, or has finished with its last instant on
/// the way.
macro_rules! live {
    () => {
        "(lifecycle IN ('active', 'paused') OR (lifecycle = 'finished' AND EXISTS \
         (SELECT 1 FROM occurrences o WHERE o.uid = schedules.uid AND o.\"trigger\" = 'schedule' \
          AND o.state IN ('waiting', 'sending', 'unknown'))))"
    };
}

impl Db {
    /// The schedule of an identity, and whether anything of it is still to be sent.
    pub async fn get_schedule_by_uid(&self, uid: Uuid) -> Result<Option<(PromptSchedule, bool)>> {
        self.read("look for the schedule", move |tx| {
            let row = query(concat!(
                "SELECT ",
                live!(),
                " AS live, ",
                schedule_columns!(),
                " FROM schedules WHERE uid = $1"
            ))
            .bind(uid.to_string())
            .fetch_optional(tx)?;
            let Some(row) = row else { return Ok(None) };
            let schedule = rows::schedule(&row)?;
            Ok(Some((schedule, rows::flag(&row, "live"))))
        })
        .await
    }

    /// An agent's schedules of which anything is still to be sent, by their numbers, after the
    /// number given.
    pub async fn list_live_schedules(
        &self,
        agent: &AgentId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<PromptSchedule>> {
        let agent = agent.to_owned();
        self.read("list the schedules of an agent", move |tx| {
            let agent = &agent;
            let rows = query(concat!(
                "SELECT ",
                schedule_columns!(),
                " FROM schedules WHERE agent_id = $1 AND id > $2 AND uid IS NOT NULL AND ",
                live!(),
                " ORDER BY id LIMIT $3"
            ))
            .bind(agent.as_str())
            .bind(after)
            .bind(limit)
            .fetch_all(tx)?;
            Ok(rows
                .iter()
                .map(rows::schedule)
                .collect::<sql::Result<_>>()?)
        })
        .await
    }

    /// What was sent to an agent of a schedule, or should have been and never was; the newest first.
    /// One that can't be read is left out, and reported once.
    pub async fn list_sent(
        &self,
        uid: Uuid,
        agent: &AgentId,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<Occurrence>> {
        let agent = agent.to_owned();
        let db = self.clone();
        self.read("list what was sent", move |tx| {
            let agent = &agent;
            let rows = query(concat!(
                "SELECT ",
                occurrence_columns!(),
                " FROM occurrences WHERE uid = $1 AND agent_id = $2 \
             AND state IN ('delivered', 'dead', 'missed') \
             ORDER BY intended_at DESC, id DESC LIMIT $3 OFFSET $4"
            ))
            .bind(uid.to_string())
            .bind(agent.as_str())
            .bind(limit)
            .bind(offset)
            .fetch_all(tx)?;
            Ok(db.readable(&rows, rows::occurrence))
        })
        .await
    }

    /// A stored request; `None` if it is gone or no text.
    pub async fn get_payload(&self, hash: &str) -> Result<Option<String>> {
        let hash = hash.to_owned();
        self.read("read a stored request", move |tx| {
            let hash = &hash;
            let row = query("SELECT body FROM payloads WHERE hash = $1")
                .bind(hash)
                .fetch_optional(tx)?;
            Ok(row.and_then(|row| rows::whole_text(&row, "body").ok()))
        })
        .await
    }
}
