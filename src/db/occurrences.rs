//! Reading occurrences: what is open, and what has been.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::Db;
use super::rows::{self, occurrence_columns};
use super::time::{DbTime, optional};
use crate::error::Result;
use crate::models::{AgentId, Attempt, Identity, Lane, Occurrence, State, Trigger};

/// The occurrences that can't be read and were reported, with the databases they are in.
static REPORTED: Mutex<BTreeSet<(Uuid, i64)>> = Mutex::new(BTreeSet::new());

/// An open occurrence as the scheduler needs it.
#[derive(Clone, Debug)]
pub struct OpenOccurrence {
    /// Its number.
    pub id: i64,
    /// The right to settle it.
    pub fence: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// Whom it is for.
    pub agent_id: AgentId,
    /// What made it.
    pub trigger: Trigger,
    /// The lane it holds or waits for.
    pub lane: Lane,
    /// Where it stands.
    pub state: State,
    /// The intended instant.
    pub intended_at: Timestamp,
    /// When it may be tried, or looked for, next.
    pub not_before: Option<Timestamp>,
    /// Who sends it.
    pub owner: Option<Uuid>,
    /// When it was first sent.
    pub first_sent_at: Option<Timestamp>,
    /// When it was last sent.
    pub sent_at: Option<Timestamp>,
    /// Since when its fate is unknown.
    pub doubted_at: Option<Timestamp>,
    /// Letta's run, if it is known.
    pub run_id: Option<String>,
    /// How many tries counted.
    pub failures: i64,
    /// How many otids it has used up; otids 0 to this one may be in the agent's history.
    pub generation: i64,
    /// When retries end.
    pub expires_at: Option<Timestamp>,
    /// When looking for it ends.
    pub reconcile_until: Option<Timestamp>,
    /// Whether it waits for its schedule to be resumed.
    pub paused: bool,
    /// Every otid under which it may have been sent, the newest last: here, or by the database of
    /// which this one is a restored copy, also after the copy was taken.
    pub otids: Vec<Uuid>,
}

/// The longest that anything open may wait.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// For its next try.
    pub retry: SignedDuration,
    /// For its fate to be found out.
    pub reconcile: SignedDuration,
}

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

impl Db {
    /// Every open occurrence, the oldest intended instant first. One that can't be read is left
    /// out, and reported once: it stops none of the others.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list_open_occurrences(&self) -> Result<Vec<OpenOccurrence>> {
        let failed = |e| self.failed("look for open occurrences", e);
        let rows = sqlx::query(concat!(
            "SELECT fence, owner, failures, generation, expires_at, reconcile_until, doubted_at, \
             \"trigger\" = 'schedule' AND EXISTS (SELECT 1 FROM schedules s \
                 WHERE s.uid = occurrences.uid AND s.lifecycle = 'paused') AS paused, \
             (SELECT min(started_at) FROM attempts a WHERE a.occurrence_id = occurrences.id) \
                 AS first_sent_at, \
             (SELECT group_concat(DISTINCT otid) FROM attempts a \
              WHERE a.occurrence_id = occurrences.id) AS used_otids, \
             (SELECT group_concat(install_id) FROM former_installs) AS former_installs, ",
            occurrence_columns!(),
            " FROM occurrences WHERE state IN ('waiting', 'sending', 'unknown') \
             ORDER BY intended_at, id"
        ))
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        Ok(self.readable(&rows, |r| self.open_occurrence(r)))
    }

    /// What can be read of `rows`. The others are reported, once in the life of this process.
    fn readable<T>(
        &self,
        rows: &[SqliteRow],
        read: impl Fn(&SqliteRow) -> sqlx::Result<T>,
    ) -> Vec<T> {
        let read_or_report = |row| match read(row) {
            Ok(occurrence) => Some(occurrence),
            Err(e) => {
                self.report_unreadable(row, &e);
                None
            }
        };
        rows.iter().filter_map(read_or_report).collect()
    }

    fn report_unreadable(&self, row: &SqliteRow, error: &sqlx::Error) {
        let id: i64 = row.try_get_unchecked("id").unwrap_or_default();
        let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.insert((self.install_id, id)) {
            tracing::error!(
                "occurrence {id} in the database {} can't be read and is left alone: {error}",
                self.path.display()
            );
        }
    }

    fn open_occurrence(&self, row: &SqliteRow) -> sqlx::Result<OpenOccurrence> {
        let o = rows::occurrence(row)?;
        let time = |column| -> sqlx::Result<Option<Timestamp>> {
            Ok(row.try_get::<Option<DbTime>, _>(column)?.map(|t| t.0))
        };
        let generation: i64 = row.try_get("generation")?;
        let identity = self.identity(o.uid, o.trigger, o.intended_at);
        Ok(OpenOccurrence {
            id: o.id,
            fence: row.try_get("fence")?,
            uid: o.uid,
            agent_id: AgentId::parse(&o.agent_id)
                .map_err(|_| rows::unreadable("agent_id", &o.agent_id))?,
            trigger: o.trigger,
            lane: o.lane.unwrap_or_else(|| Lane::new("")),
            state: o.state,
            intended_at: o.intended_at,
            not_before: o.not_before,
            owner: row
                .try_get::<Option<String>, _>("owner")?
                .and_then(|o| o.parse().ok()),
            first_sent_at: time("first_sent_at")?,
            sent_at: o.sent_at,
            doubted_at: time("doubted_at")?,
            run_id: o.run_id,
            failures: row.try_get("failures")?,
            generation,
            expires_at: time("expires_at")?,
            reconcile_until: time("reconcile_until")?,
            paused: row.try_get("paused")?,
            otids: otids(row, &identity, generation),
        })
    }

    /// The latest occurrences of a filter, the newest first. One that can't be read is left out,
    /// and reported once.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list_history(&self, filter: &HistoryFilter) -> Result<Vec<Occurrence>> {
        let failed = |e| self.failed("read the history", e);
        let rows = sqlx::query(concat!(
            "SELECT ",
            occurrence_columns!(),
            " FROM occurrences WHERE ($1 IS NULL OR uid = $1) AND ($2 IS NULL OR agent_id = $2) \
             AND ($4 IS NULL OR state = $4) AND ($5 IS NULL OR intended_at >= $5) \
             ORDER BY intended_at DESC, id DESC LIMIT $3 OFFSET $6"
        ))
        .bind(filter.uid.map(|u| u.to_string()))
        .bind(filter.agent_id.as_ref().map(AgentId::as_str))
        .bind(i64::from(filter.limit))
        .bind(filter.state.map(State::as_str))
        .bind(optional(filter.since))
        .bind(i64::from(filter.offset))
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        Ok(self.readable(&rows, rows::occurrence))
    }

    /// The attempts of an occurrence, the first one first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list_attempts(&self, occurrence_id: i64) -> Result<Vec<Attempt>> {
        let failed = |e| self.failed("read the attempts", e);
        let rows = sqlx::query(
            "SELECT n, otid, started_at, finished_at, error_code, error, run_id FROM attempts \
             WHERE occurrence_id = $1 ORDER BY n",
        )
        .bind(occurrence_id)
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let read = |r: &SqliteRow| -> sqlx::Result<Attempt> {
            Ok(Attempt {
                n: r.try_get("n")?,
                otid: rows::uuid(r, "otid")?,
                started_at: r.try_get::<DbTime, _>("started_at")?.0,
                finished_at: r.try_get::<Option<DbTime>, _>("finished_at")?.map(|t| t.0),
                error_code: r.try_get("error_code")?,
                error: r.try_get("error")?,
                run_id: r.try_get("run_id")?,
            })
        };
        rows.iter().map(|r| read(r).map_err(failed)).collect()
    }

    /// The numbers of the schedules by their identities.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn schedule_ids(&self) -> Result<HashMap<Uuid, i64>> {
        let rows = sqlx::query("SELECT uid, id FROM schedules WHERE uid IS NOT NULL")
            .fetch_all(&self.pool)
            .await
            .map_err(|e| self.failed("read the schedules' numbers", e))?;
        let read = |r| Some((rows::text(r, "uid")?.parse().ok()?, r.try_get("id").ok()?));
        Ok(rows.iter().filter_map(read).collect())
    }

    /// When the next schedule becomes due after `now`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let next: Option<DbTime> = sqlx::query_scalar(
            "SELECT min(next_run) FROM schedules WHERE active = 1 AND touched = 0 \
             AND next_run > $1",
        )
        .bind(DbTime(now))
        .fetch_one(&self.pool)
        .await
        .map_err(|e| self.failed("look for the next due schedule", e))?;
        Ok(next.map(|t| t.0))
    }

    /// Takes the prompts of a dead scheduler: what it was sending becomes `unknown`, to be looked
    /// for before anything is sent. Returns how many they were.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn take_over(
        &self,
        owner: Uuid,
        reconcile_deadline: SignedDuration,
        now: Timestamp,
    ) -> Result<u64> {
        let until = now
            .checked_add(reconcile_deadline)
            .unwrap_or(Timestamp::MAX);
        let taken = sqlx::query(
            "UPDATE occurrences SET state = 'unknown', owner = NULL, fence = fence + 1, \
             not_before = $2, reconcile_until = $3, \
             doubted_at = coalesce((SELECT heartbeat_at FROM schedulers s WHERE s.owner = $1), $2), \
             reason = 'the scheduler that was sending it died', \
             error = 'interrupted: the scheduler that was sending it died' \
             WHERE owner = $1 AND state = 'sending'",
        )
        .bind(owner.to_string())
        .bind(DbTime(now))
        .bind(DbTime(until))
        .execute(&self.pool)
        .await
        .map_err(|e| self.failed("take over from a dead scheduler", e))?;
        Ok(taken.rows_affected())
    }

    /// Lets nothing that is open wait for longer than it ever should: if the clock was set back, its
    /// times were counted from a later now.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn pull_forward(&self, now: Timestamp, waits: &Waits) -> Result<()> {
        let after = |wait| DbTime(now.checked_add(wait).unwrap_or(Timestamp::MAX));
        // min() of a NULL is NULL.
        sqlx::query(
            "UPDATE occurrences SET not_before = min(not_before, $2), sent_at = min(sent_at, $1), \
             doubted_at = min(doubted_at, $1), reconcile_until = min(reconcile_until, $3) \
             WHERE state IN ('waiting', 'sending', 'unknown') \
             AND (not_before > $2 OR sent_at > $1 OR doubted_at > $1 OR reconcile_until > $3)",
        )
        .bind(DbTime(now))
        .bind(after(waits.retry))
        .bind(after(waits.reconcile))
        .execute(&self.pool)
        .await
        .map_err(|e| self.failed("mend the times of open occurrences", e))?;
        Ok(())
    }
}

/// How many otids the original may have used up after a copy of it was taken.
const USED_SINCE: i64 = 3;

fn otids(row: &SqliteRow, identity: &Identity, generation: i64) -> Vec<Uuid> {
    let listed = |column| {
        let text = rows::text(row, column).unwrap_or_default();
        let ids: Vec<Uuid> = text.split(',').filter_map(|id| id.parse().ok()).collect();
        ids
    };
    let former = listed("former_installs");
    let of_former = former.into_iter().flat_map(|install_id| {
        let identity = Identity {
            install_id,
            ..*identity
        };
        (0..=generation + USED_SINCE).map(move |g| identity.otid(g))
    });
    let own: Vec<Uuid> = (0..=generation).map(|g| identity.otid(g)).collect();
    let mut otids: Vec<Uuid> = of_former.chain(listed("used_otids")).collect();
    otids.retain(|otid| !own.contains(otid));
    otids.extend(own);
    otids
}
