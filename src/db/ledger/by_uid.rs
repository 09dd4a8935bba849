//! Schedules by uid, for callers who don't use their ids.

use uuid::Uuid;

use crate::db::Db;
use crate::db::sql;
use crate::db::statements::{by_uid, payloads};
use crate::error::Result;
use crate::models::{AgentAt, Occurrence, PromptSchedule};

impl Db {
    /// The schedule with a uid, and whether anything of it is still to be sent.
    pub async fn get_schedule_by_uid(&self, uid: Uuid) -> Result<Option<(PromptSchedule, bool)>> {
        self.read("look for the schedule", move |tx| {
            Ok(by_uid::fetch_with_life(tx, uid)?)
        })
        .await
    }

    /// An agent's schedules of which anything is still to be sent, by id, after the id given.
    pub async fn list_live_schedules(
        &self,
        agent: &AgentAt,
        after: i64,
        limit: u32,
    ) -> Result<Vec<PromptSchedule>> {
        let agent = agent.to_owned();
        self.read("list the schedules of an agent", move |tx| {
            Ok(by_uid::list_live(tx, &agent, after, limit)?)
        })
        .await
    }

    /// What was sent to an agent by a schedule, or should have been and never was; newest first.
    /// One that can't be read is left out, and logged once.
    pub async fn list_sent(
        &self,
        uid: Uuid,
        agent: &AgentAt,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<Occurrence>> {
        let (db, agent) = (self.clone(), agent.to_owned());
        self.read("list what was sent", move |tx| {
            let sent = by_uid::list_sent(tx, uid, &agent, limit, offset)?;
            Ok(db.readable(sent))
        })
        .await
    }

    /// A stored request; `None` if it is gone or not text.
    pub async fn get_payload(&self, hash: &str) -> Result<Option<String>> {
        let hash = hash.to_owned();
        self.read("read a stored request", move |tx| {
            match payloads::fetch(tx, &hash) {
                Err(sql::Error::Unreadable { .. }) => Ok(None),
                stored => Ok(stored?),
            }
        })
        .await
    }
}
