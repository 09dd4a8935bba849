//! Occurrences that are open.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::plans::to_i64;
use super::unreadable::{Unreadable, fence, generation};
use crate::db::sql::{self, Row, query};
use crate::db::statements::rows::{self, occurrence_columns};
use crate::db::time::DbTime;
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::{AgentId, Identity, Lane, State, Trigger};

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

impl Db {
    /// Every open occurrence, the oldest intended instant first. One that can't be read is left
    /// out, and reported once: it stops none of the others.
    pub async fn list_open_occurrences(&self) -> Result<Vec<OpenOccurrence>> {
        Ok(self.sort_open_occurrences().await?.0)
    }

    /// The same, and those that can't be read, except what is being sent: that is its sender's.
    pub async fn sort_open_occurrences(&self) -> Result<(Vec<OpenOccurrence>, Vec<Unreadable>)> {
        let db = self.clone();
        self.read("look for open occurrences", move |tx| {
            let open = concat!(
                "SELECT fence, owner, failures, generation, expires_at, reconcile_until, \
             doubted_at, \"trigger\" = 'schedule' AND EXISTS (SELECT 1 FROM schedules s \
                 WHERE s.uid = occurrences.uid AND s.lifecycle = 'paused') AS paused, \
             (SELECT min(started_at) FROM attempts a INDEXED BY \
              sqlite_autoindex_attempts_1 WHERE a.occurrence_id = occurrences.id) AS \
             first_sent_at, (SELECT group_concat(otid) FROM attempts a INDEXED BY \
              sqlite_autoindex_attempts_1 WHERE a.occurrence_id = occurrences.id) AS \
             used_otids, (SELECT group_concat(install_id) FROM former_installs) AS \
             former_installs, ",
                occurrence_columns!(),
                " FROM occurrences INDEXED BY ix_occurrences_open \
             WHERE state IN ('waiting', 'sending', 'unknown')"
            );
            let rows = query(open).fetch_all(tx);
            let rows = rows?;
            let mut unreadable = Vec::new();
            let mut open = db.readable(&rows, |row| {
                let read = db.open_occurrence(row);
                let is_sent = rows::text(row, "state").as_deref() == Some(State::Sending.as_str());
                if let (Err(e), false, Ok(id)) = (&read, is_sent, row.get("id")) {
                    let reason = e.to_string();
                    unreadable.push(Unreadable { id, reason });
                }
                read
            });
            open.sort_by_key(|o| (o.intended_at, o.id));
            Ok((open, unreadable))
        })
        .await
    }

    fn open_occurrence(&self, row: &Row) -> sql::Result<OpenOccurrence> {
        let o = rows::occurrence(row)?;
        let generation = generation(row)?;
        let identity = self.identity(o.uid, o.trigger, o.intended_at);
        Ok(OpenOccurrence {
            id: o.id,
            fence: fence(row)?,
            uid: o.uid,
            agent_id: AgentId::parse(&o.agent_id)
                .map_err(|_| rows::unreadable("agent_id", &o.agent_id))?,
            trigger: o.trigger,
            lane: o.lane.unwrap_or_else(|| Lane::new("")),
            state: o.state,
            intended_at: o.intended_at,
            not_before: o.not_before,
            owner: rows::text(row, "owner").and_then(|o| o.parse().ok()),
            first_sent_at: rows::lenient_time(row, "first_sent_at"),
            sent_at: o.sent_at,
            doubted_at: rows::lenient_time(row, "doubted_at"),
            run_id: o.run_id,
            failures: rows::number(row, "failures").unwrap_or(0),
            generation,
            expires_at: rows::lenient_time(row, "expires_at"),
            reconcile_until: rows::lenient_time(row, "reconcile_until"),
            paused: rows::flag(row, "paused"),
            otids: otids(row, &identity, generation),
        })
    }

    /// Takes prompts of a dead scheduler, at most [`AT_ONCE`]: if it is as many, there may be more.
    /// What it was sending becomes `unknown`, to be looked for before anything is sent. Returns how
    /// many they were.
    pub async fn take_over(
        &self,
        owner: &str,
        reconcile_deadline: SignedDuration,
        now: Timestamp,
    ) -> Result<u64> {
        let owner = owner.to_owned();
        self.write("take over from a dead scheduler", move |tx| {
            let owner = &owner;
            let until = now
                .checked_add(reconcile_deadline)
                .unwrap_or(Timestamp::MAX);
            let left = "SELECT id FROM occurrences INDEXED BY ix_occurrences_open \
                    WHERE state = 'sending' AND state IN ('waiting', 'sending', 'unknown') \
                    AND coalesce(CAST(owner AS TEXT), '') = $1 LIMIT $2";
            let left = query(left)
                .bind(owner.to_owned())
                .bind(to_i64(AT_ONCE))
                .fetch_all(tx);
            let left = left?;
            for row in &left {
                query(
                    "UPDATE occurrences SET state = 'unknown', owner = NULL, fence = \
                 fence + 1, not_before = $2, reconcile_until = $3, \
                 doubted_at = coalesce((SELECT heartbeat_at FROM schedulers s \
                     WHERE s.owner = occurrences.owner), $2), \
                 reason = 'the scheduler that was sending it died', \
                 error = 'interrupted: the scheduler that was sending it died' WHERE id = $1",
                )
                .bind(rows::number(row, "id"))
                .bind(DbTime(now))
                .bind(DbTime(until))
                .execute(tx)?;
            }
            Ok(count(&left))
        })
        .await
    }

    /// Brings times forward that were counted from a later now, by a clock that was set back since:
    /// an answer, or the sending, lies in the future. A wait that began before now stays, however
    /// long the target asked for. The search for an unknown fate is never asked to wait for long.
    ///
    /// It mends at most [`AT_ONCE`]: if it is as many, there may be more. Returns how many they were.
    pub async fn pull_forward(&self, now: Timestamp, waits: &Waits) -> Result<u64> {
        let waits = waits.to_owned();
        self.write("mend the times of open occurrences", move |tx| {
            let waits = &waits;
            let after = |wait| DbTime(now.checked_add(wait).unwrap_or(Timestamp::MAX));
            let (retry, reconcile) = (after(waits.retry), after(waits.reconcile));
            let wrong = "SELECT id FROM occurrences INDEXED BY ix_occurrences_open \
                     WHERE state IN ('waiting', 'sending', 'unknown') \
                     AND (sent_at > $1 OR doubted_at > $1 OR reconcile_until > $3 \
                          OR not_before > $2 AND (state = 'unknown' OR coalesce( \
                              (SELECT a.finished_at > $1 FROM attempts a \
                               INDEXED BY sqlite_autoindex_attempts_1 \
                               WHERE a.occurrence_id = occurrences.id \
                               ORDER BY a.n DESC LIMIT 1), 1))) LIMIT $4";
            let wrong = query(wrong)
                .bind(DbTime(now))
                .bind(retry)
                .bind(reconcile)
                .bind(to_i64(AT_ONCE))
                .fetch_all(tx)?;
            for row in &wrong {
                // min() of a NULL is NULL. What was never tried is due when it was asked for.
                query(
                    "UPDATE occurrences SET not_before = min(not_before, $2), \
                 sent_at = min(sent_at, $3), doubted_at = min(doubted_at, $3), \
                 reconcile_until = min(reconcile_until, $4) \
                 WHERE id = $1",
                )
                .bind(rows::number(row, "id"))
                .bind(retry)
                .bind(DbTime(now))
                .bind(reconcile)
                .execute(tx)?;
            }
            Ok(count(&wrong))
        })
        .await
    }
}

fn count(rows: &[Row]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

/// How many otids the original may have used up after a copy of it was taken.
const USED_SINCE: i64 = 3;

fn otids(row: &Row, identity: &Identity, generation: i64) -> Vec<Uuid> {
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
