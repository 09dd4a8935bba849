//! Purging: the texts of what is over are removed, so that they can't be read back from the file.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::changes::{About, Noted};
use super::prune::drop_unused_payloads;
use crate::db::sql::{self, Tx, query};
use crate::db::sqlite::connection::{Access, connect};
use crate::db::sqlite::open::apart;
use crate::db::statements::rows;
use crate::db::time::{DbTime, optional};
use crate::db::{AT_ONCE, Db, database_error};
use crate::error::Result;
use crate::models::{AgentId, By, Operation};

/// Whose texts are removed.
#[derive(Clone, Debug)]
pub enum Purge {
    /// Those of one schedule.
    Schedule(Uuid),
    /// Those of every schedule of an agent, deleted ones included.
    Agent(AgentId),
}

/// What was purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Purged {
    /// Ended schedules whose prompt was removed.
    pub schedules: u64,
    /// Settled occurrences whose texts were removed.
    pub occurrences: u64,
    /// Prompts as they were sent, removed with them.
    pub payloads: u64,
    /// Live schedules whose prompt stays, since it is still to be sent.
    pub live: i64,
    /// Whether other processes kept the write-ahead log in use, so that texts may remain in it for
    /// a while.
    pub log_in_use: bool,
}

impl Purged {
    /// What the record of changes says of it.
    fn told(&self) -> String {
        format!(
            "texts of {} deliveries, {} prompts",
            self.occurrences, self.schedules
        )
    }
}

/// The occurrences that a purge is about: settled, and of whom and when it says.
const SETTLED: &str = "state NOT IN ('waiting', 'sending', 'unknown') \
     AND ($1 IS NULL OR uid = $1) AND ($2 IS NULL OR agent_id = $2) \
     AND ($3 IS NULL OR finished_at < $3)";

/// The schedules that a purge is about: over, with all that was sent of them, and with a prompt.
const OVER: &str = "lifecycle IN ('finished', 'cancelled') AND touched = 0 AND prompt_text <> '' \
     AND ($1 IS NULL OR uid = $1) AND ($2 IS NULL OR agent_id = $2) \
     AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.uid = schedules.uid \
         AND (o.finished_at IS NULL OR o.finished_at >= coalesce($3, '9999-12-31'))) \
     AND ($3 IS NULL OR created_at IS NULL OR created_at < $3)";

const DOING: &str = "purge texts";

/// What a purge asks of every statement: whose, and before when.
#[derive(Clone)]
struct Asked {
    uid: Option<String>,
    agent: Option<String>,
    before: Option<DbTime>,
}

/// Gives a statement the three parts of what is asked.
macro_rules! asking {
    ($asked:expr, $query:expr) => {
        $query
            .bind($asked.uid.clone())
            .bind($asked.agent.clone())
            .bind($asked.before)
    };
}

impl Db {
    /// Removes prompts, replies and error texts of what is settled, and was so `before` a time if
    /// one is given, a part at a time: whoever else writes comes between. Rows stay, and so does the
    /// account.
    ///
    /// # Errors
    /// Those of the database; what was purged until then stays so.
    pub async fn purge(
        &self,
        whose: &Purge,
        before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Purged> {
        let (uid, agent) = match whose {
            Purge::Schedule(uid) => (Some(uid.to_string()), None),
            Purge::Agent(agent) => (None, Some(agent.as_str().to_owned())),
        };
        let before = optional(before);
        let asked = Asked { uid, agent, before };
        let before_all = self.count_payloads().await?;
        let mut purged = Purged::default();
        let noting = self.noting(&asked, now).await?;
        let mut noted = Noted::default();
        let mut last = 0;
        while let Some(ids) = self
            .next_ids("occurrences", SETTLED, &asked, &mut last)
            .await?
        {
            purged.occurrences += ids.len() as u64;
            let (noting, told, so_far) = (noting.clone(), purged.told(), noted);
            let written = self.write(DOING, move |tx| {
                purge_occurrences(tx, &ids)?;
                Ok(noting.note(tx, so_far, &told)?)
            });
            noted = written.await?;
        }
        let of_incidents = asked.clone();
        let written = self.write(DOING, move |tx| Ok(purge_incidents(tx, &of_incidents)?));
        written.await?;
        let mut last = 0;
        while let Some(ids) = self.next_ids("schedules", OVER, &asked, &mut last).await? {
            purged.schedules += ids.len() as u64;
            let (noting, told, so_far) = (noting.clone(), purged.told(), noted);
            let written = self.write(DOING, move |tx| {
                purge_schedules(tx, &ids)?;
                Ok(noting.note(tx, so_far, &told)?)
            });
            noted = written.await?;
        }
        let of_live = asked.clone();
        let live = self.read(DOING, move |tx| {
            let live = "SELECT count(*) FROM schedules WHERE (lifecycle IS NULL \
                            OR lifecycle NOT IN ('finished', 'cancelled')) \
                        AND ($1 IS NULL OR uid = $1) AND ($2 IS NULL OR agent_id = $2) \
                        AND ($3 IS NULL OR 1)";
            Ok(asking!(of_live, query(live)).one(tx)?)
        });
        purged.live = live.await?;
        // Those that only schedules referred to went with their prompts.
        let gone = before_all.saturating_sub(self.count_payloads().await?);
        purged.payloads = u64::try_from(gone).unwrap_or(0);
        purged.log_in_use = self.clean_file().await?;
        Ok(purged)
    }

    /// Takes out of the file what was deleted from the tables. Returns whether others kept the log
    /// in use.
    async fn clean_file(&self) -> Result<bool> {
        let path = self.path.clone();
        apart(move || {
            let failed = |e: sql::Error| {
                let code = e.code();
                database_error(&path, DOING, code, e)
            };
            let connection = connect(&path, Access::Write).map_err(failed)?;
            let tx = &Tx::on(&connection);
            // What was deleted before this program overwrote what it deletes, and free pages.
            query("VACUUM").execute(tx).map_err(failed)?;
            // The log still holds the pages as they were.
            let emptied = query("PRAGMA wal_checkpoint(TRUNCATE)");
            let busy: i64 = emptied.one(tx).map_err(failed)?;
            Ok(busy != 0)
        })
        .await
    }

    async fn count_payloads(&self) -> Result<i64> {
        let count = self.read(DOING, |tx| {
            Ok(query("SELECT count(*) FROM payloads").one(tx)?)
        });
        count.await
    }

    /// The numbers of the next rows of a table that a purge is about; `None` after the last ones.
    async fn next_ids(
        &self,
        table: &str,
        which: &str,
        asked: &Asked,
        last: &mut i64,
    ) -> Result<Option<Vec<i64>>> {
        let next =
            format!("SELECT id FROM {table} WHERE {which} AND id > $4 ORDER BY id LIMIT {AT_ONCE}");
        let (asked, after) = (asked.clone(), *last);
        let ids = self.read(DOING, move |tx| {
            Ok(asking!(asked, query(&next)).bind(after).all(tx)?)
        });
        let ids: Vec<i64> = ids.await?;
        *last = ids.last().copied().unwrap_or(*last);
        Ok((!ids.is_empty()).then_some(ids))
    }

    /// What a purge is noted as.
    async fn noting(&self, asked: &Asked, now: Timestamp) -> Result<Noting> {
        let (by, asked) = (self.by.clone(), asked.clone());
        let noting = self.read(DOING, move |tx| {
            let row = query("SELECT id, agent_id FROM schedules WHERE uid = $1")
                .bind(&asked.uid)
                .fetch_optional(tx)?;
            let owner = row.as_ref().and_then(|row| rows::text(row, "agent_id"));
            Ok(Noting {
                by: by.clone(),
                id: row.as_ref().and_then(|row| rows::number(row, "id")),
                uid: asked.uid.as_ref().and_then(|uid| uid.parse().ok()),
                agent_id: owner.or(asked.agent.clone()),
                now,
            })
        });
        noting.await
    }
}

/// How a purge is noted in the record of changes.
#[derive(Clone)]
struct Noting {
    by: Arc<By>,
    id: Option<i64>,
    uid: Option<Uuid>,
    agent_id: Option<String>,
    now: Timestamp,
}

impl Noting {
    /// Notes how far it has come.
    fn note(&self, tx: &Tx<'_>, mut noted: Noted, told: &str) -> sql::Result<Noted> {
        let about = About {
            id: self.id,
            uid: self.uid,
            agent_id: self.agent_id.as_deref(),
        };
        noted.note(tx, &self.by, Operation::Purge, about, told, self.now)?;
        Ok(noted)
    }
}

fn purge_schedules(tx: &Tx<'_>, ids: &[i64]) -> sql::Result<()> {
    for id in ids {
        query(
            "UPDATE schedules SET prompt_text = '', pause_note = NULL, \
             row_version = row_version + 1 WHERE id = $1 AND touched = 0 \
             AND lifecycle IN ('finished', 'cancelled')",
        )
        .bind(id)
        .execute(tx)?;
    }
    Ok(())
}

fn purge_occurrences(tx: &Tx<'_>, ids: &[i64]) -> sql::Result<()> {
    let mut payloads = BTreeSet::new();
    for id in ids {
        let row = query("SELECT payload FROM occurrences WHERE id = $1")
            .bind(id)
            .fetch_optional(tx)?;
        payloads.extend(row.and_then(|row| rows::text(&row, "payload")));
        for statement in [
            "UPDATE attempts SET envelope = NULL, error = NULL WHERE occurrence_id = $1",
            // Of an error its code stays, which is ours.
            "UPDATE occurrences SET payload = NULL, reply = NULL, \
             error = CASE WHEN instr(error, ':') > 0 \
                 THEN substr(error, 1, instr(error, ':') - 1) END, \
             reason = CASE WHEN state = 'dead' THEN NULL ELSE reason END WHERE id = $1",
        ] {
            query(statement).bind(id).execute(tx)?;
        }
    }
    drop_unused_payloads(tx, &payloads)?;
    Ok(())
}

/// Removes notices that were given up, and what they told; those still to be sent tell of a trouble
/// that goes on, or stay until they are sent.
fn purge_incidents(tx: &Tx<'_>, asked: &Asked) -> sql::Result<()> {
    let troubles = "SELECT id FROM incidents WHERE (closed_at IS NOT NULL \
             OR NOT EXISTS (SELECT 1 FROM schedules s \
                            WHERE (s.uid = subject OR s.agent_id = incidents.agent_id) \
                            AND s.lifecycle NOT IN ('finished', 'cancelled'))) \
         AND ($3 IS NULL OR coalesce(closed_at, opened_at) < $3) AND (agent_id = $2 \
             OR occurrence_id IN (SELECT id FROM occurrences WHERE uid = $1) OR subject IN (\
             SELECT uid FROM schedules WHERE ($1 IS NULL OR uid = $1) \
                 AND ($2 IS NULL OR agent_id = $2) \
             UNION SELECT uid FROM occurrences WHERE ($1 IS NULL OR uid = $1) \
                 AND ($2 IS NULL OR agent_id = $2)))";
    for statement in [
        format!(
            "DELETE FROM outbox WHERE given_up_at IS NOT NULL \
             AND lane IN (SELECT 'incident:' || id FROM ({troubles}))"
        ),
        format!("UPDATE incidents SET reason = '' WHERE id IN ({troubles})"),
    ] {
        asking!(asked, query(&statement)).execute(tx)?;
    }
    Ok(())
}
