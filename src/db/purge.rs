//! Purging: the texts of what is over are removed, so that they can't be read back from the file.

use jiff::Timestamp;
use uuid::Uuid;

use super::prune::drop_unused_payloads;
use super::time::optional;
use super::{Db, Tx};
use crate::error::Result;
use crate::models::AgentId;

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

/// The occurrences that a purge is about: settled, and of whom and when it says.
const SETTLED: &str = "state NOT IN ('waiting', 'sending', 'unknown') \
     AND ($1 IS NULL OR uid = $1) AND ($2 IS NULL OR agent_id = $2) \
     AND ($3 IS NULL OR finished_at < $3)";

impl Db {
    /// Removes prompts, replies and error texts of what is settled, and was so `before` a time if
    /// one is given. Rows stay, and so does the account.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn purge(&self, whose: &Purge, before: Option<Timestamp>) -> Result<Purged> {
        let doing = "purge texts";
        let failed = |e| self.failed(doing, e);
        let mut tx = self.begin(doing).await?;
        let mut purged = purge(&mut tx, whose, before).await.map_err(failed)?;
        self.commit(tx, doing).await?;
        // What was deleted before this program overwrote what it deletes, and free pages.
        sqlx::query("VACUUM")
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        // The log still holds the pages as they were.
        let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&self.pool)
            .await
            .map_err(failed)?;
        purged.log_in_use = busy != 0;
        Ok(purged)
    }
}

async fn purge(tx: &mut Tx, whose: &Purge, before: Option<Timestamp>) -> sqlx::Result<Purged> {
    let (uid, agent) = match whose {
        Purge::Schedule(uid) => (Some(uid.to_string()), None),
        Purge::Agent(agent) => (None, Some(agent.as_str().to_owned())),
    };
    // Every statement has the same three parameters: whose, and before when.
    macro_rules! bound {
        ($query:expr) => {
            $query.bind(&uid).bind(&agent).bind(optional(before))
        };
    }
    let count = "SELECT count(*) FROM payloads";
    let before_all: i64 = sqlx::query_scalar(count).fetch_one(&mut **tx).await?;
    let select =
        format!("SELECT DISTINCT payload FROM occurrences WHERE payload NOTNULL AND {SETTLED}");
    let payloads: Vec<String> = bound!(sqlx::query_scalar(sqlx::AssertSqlSafe(select)))
        .fetch_all(&mut **tx)
        .await?;
    let attempts = format!(
        "UPDATE attempts SET envelope = NULL, error = NULL \
         WHERE occurrence_id IN (SELECT id FROM occurrences WHERE {SETTLED})"
    );
    bound!(sqlx::query(sqlx::AssertSqlSafe(attempts)))
        .execute(&mut **tx)
        .await?;
    // Of an error its code stays, which is ours.
    let occurrences = format!(
        "UPDATE occurrences SET payload = NULL, reply = NULL, \
         error = CASE WHEN instr(error, ':') > 0 THEN substr(error, 1, instr(error, ':') - 1) END, \
         reason = CASE WHEN state = 'dead' THEN NULL ELSE reason END WHERE {SETTLED}"
    );
    let occurrences = bound!(sqlx::query(sqlx::AssertSqlSafe(occurrences)))
        .execute(&mut **tx)
        .await?;
    // Notices of it that were given up, and what they told; those still to be sent tell of a trouble
    // that goes on, or stay until they are sent.
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
        bound!(sqlx::query(sqlx::AssertSqlSafe(statement)))
            .execute(&mut **tx)
            .await?;
    }
    let schedules = bound!(sqlx::query(
        "UPDATE schedules SET prompt_text = '', pause_note = NULL, row_version = row_version + 1 \
         WHERE lifecycle IN ('finished', 'cancelled') AND touched = 0 AND prompt_text <> '' \
         AND ($1 IS NULL OR uid = $1) AND ($2 IS NULL OR agent_id = $2) \
         AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.uid = schedules.uid \
                         AND (o.finished_at IS NULL OR o.finished_at >= coalesce($3, '9999-12-31'))) \
         AND ($3 IS NULL OR created_at IS NULL OR created_at < $3)"
    ))
    .execute(&mut **tx)
    .await?;
    let live: i64 = bound!(sqlx::query_scalar(
        "SELECT count(*) FROM schedules WHERE (lifecycle IS NULL \
             OR lifecycle NOT IN ('finished', 'cancelled')) \
         AND ($1 IS NULL OR uid = $1) AND ($2 IS NULL OR agent_id = $2) AND ($3 IS NULL OR 1)"
    ))
    .fetch_one(&mut **tx)
    .await?;
    drop_unused_payloads(tx, &payloads).await?;
    // Those that only schedules referred to went with their prompts.
    let after_all: i64 = sqlx::query_scalar(count).fetch_one(&mut **tx).await?;
    Ok(Purged {
        schedules: schedules.rows_affected(),
        occurrences: occurrences.rows_affected(),
        payloads: u64::try_from(before_all - after_all).unwrap_or(0),
        live,
        log_in_use: false,
    })
}
