//! The claim: one transaction that turns the time that has come into a prompt that is on its way.
//!
//! A due schedule becomes an occurrence only here, when its lane can take it. The otid is
//! committed before the first byte is sent.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use sqlx::Row;
use uuid::Uuid;

use super::attempts::{Sending, request_of, store_payload};
use super::notices::follow_lifecycle;
use super::outbox::queue_ping;
use super::plans::{Unsent, remaining, timetable, to_i64};
use super::revisions::has_outcome;
use super::rows::{self, occurrence_columns};
use super::schedules::{DueSchedule, fetch, write_lifecycle};
use super::time::{DbTime, optional};
use super::{Db, Tx};
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::models::{AgentId, Lane, Lifecycle, Ping, PromptSchedule, ScheduleType, State};
use crate::schedule::{Division, Range, Timetable};

/// What became of a claim.
#[derive(Clone, Debug)]
pub enum Claim {
    /// It is ours to send.
    Job(Box<Job>),
    /// Its instants were settled without sending.
    Settled(State),
    /// Something else is on its way in this lane.
    LaneBusy,
    /// It is not there any more as it was seen: cancelled, changed, or claimed by another process.
    Gone,
    /// The schedule can't be read, and was marked so.
    Broken(String),
}

/// A prompt to be sent, and the right to settle it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The occurrence.
    pub occurrence_id: i64,
    /// The right to settle: void once another process has taken over.
    pub fence: i64,
    /// Its schedule.
    pub uid: Uuid,
    /// Its schedule's number when it was claimed.
    pub schedule_id: Option<i64>,
    /// Whom it is for.
    pub agent_id: AgentId,
    /// The lane it holds.
    pub lane: Lane,
    /// When it was meant to be sent.
    pub intended_at: Timestamp,
    /// The otid of this try.
    pub otid: Uuid,
    /// Letta's messages, with the line before the prompt if there is one.
    pub messages: Vec<Value>,
    /// What else Letta is asked, beside the messages.
    pub options: Map<String, Value>,
    /// How many tries counted before this one.
    pub failures: i64,
    /// When this try began.
    pub sent_at: Timestamp,
    /// When its first try began.
    pub first_sent_at: Timestamp,
    /// When retries end.
    pub expires_at: Timestamp,
    /// The schedule's next instant after the claim.
    pub next_run: Option<Timestamp>,
}

/// Who claims, and how long a claim may be retried.
#[derive(Clone, Debug)]
pub struct ClaimTerms {
    /// The scheduler.
    pub owner: Uuid,
    /// The age at which an occurrence is given up.
    pub max_age: SignedDuration,
    /// How late a one-shot may be sent at all.
    pub once_max_lateness: SignedDuration,
}

impl Db {
    /// Claims a due schedule: settles the instants from its `next_run` to `now` as its policy says
    /// ([`Timetable::divide`]) and advances `next_run`.
    ///
    /// # Errors
    /// Those of the database; then nothing has changed.
    pub async fn claim_due(
        &self,
        due: &DueSchedule,
        lane: &Lane,
        terms: &ClaimTerms,
        now: Timestamp,
    ) -> Result<Claim> {
        let doing = "claim a due schedule";
        let failed = |e| self.failed(doing, e);
        let mut tx = self.begin(doing).await?;
        let Some(schedule) = fetch_claimable(&mut tx, due).await.map_err(failed)? else {
            return Ok(Claim::Gone);
        };
        let Some(first) = schedule.next_run.filter(|t| *t <= now) else {
            return Ok(Claim::Gone);
        };
        let timetable = match timetable(&schedule) {
            Ok(timetable) => timetable,
            Err(e) => {
                let reason = e.to_string();
                write_lifecycle(&mut tx, schedule.id, Lifecycle::Broken, Some(&reason))
                    .await
                    .map_err(failed)?;
                follow_lifecycle(&mut tx, schedule.id, now)
                    .await
                    .map_err(failed)?;
                self.commit_and_tell(tx, doing).await?;
                return Ok(Claim::Broken(reason));
            }
        };
        let Some(body) = request_of(&mut tx, &schedule).await.map_err(failed)? else {
            let reason = "the request that it sends is gone from the database";
            write_lifecycle(&mut tx, schedule.id, Lifecycle::Broken, Some(reason))
                .await
                .map_err(failed)?;
            follow_lifecycle(&mut tx, schedule.id, now)
                .await
                .map_err(failed)?;
            self.commit_and_tell(tx, doing).await?;
            return Ok(Claim::Broken(reason.to_owned()));
        };
        if remaining(&schedule) == Some(0) {
            // Another program has woken a schedule that had its last instant.
            write_lifecycle(&mut tx, schedule.id, Lifecycle::Finished, None)
                .await
                .map_err(failed)?;
            follow_lifecycle(&mut tx, schedule.id, now)
                .await
                .map_err(failed)?;
            self.commit_and_tell(tx, doing).await?;
            return Ok(Claim::Settled(State::Skipped));
        }
        if lane_is_busy(&mut tx, lane).await.map_err(failed)? {
            return Ok(Claim::LaneBusy);
        }
        let policy = &schedule.policy;
        let division = timetable.divide(first, now, remaining(&schedule), policy);
        let next_run = advance(&mut tx, &schedule, &timetable, &division)
            .await
            .map_err(failed)?;
        let too_late = schedule.schedule_type == ScheduleType::Once.as_str()
            && now.duration_since(first) > terms.once_max_lateness;
        for unsent in unsent_of(&schedule, due.uid, &division, too_late) {
            unsent.record(&mut tx, now).await.map_err(failed)?;
        }
        let Some(intended_at) = division.sent.filter(|_| !too_late) else {
            follow_lifecycle(&mut tx, schedule.id, now)
                .await
                .map_err(failed)?;
            self.commit_and_tell(tx, doing).await?;
            return Ok(Claim::Settled(State::Missed));
        };
        if has_outcome(&mut tx, due.uid, intended_at)
            .await
            .map_err(failed)?
        {
            // A foreign writer set next_run back.
            follow_lifecycle(&mut tx, schedule.id, now)
                .await
                .map_err(failed)?;
            self.commit_and_tell(tx, doing).await?;
            return Ok(Claim::Settled(State::Skipped));
        }
        let hash = store_payload(&mut tx, &body).await.map_err(failed)?;
        let expires_at = later(now, policy.max_age.unwrap_or(terms.max_age));
        let row = sqlx::query(concat!(
            "INSERT INTO occurrences (uid, agent_id, \"trigger\", first_at, intended_at, state, \
             lane, payload, owner, fence, expires_at, sent_at, firing, stands_for, stands_since) \
             VALUES ($1, $2, 'schedule', $3, $3, 'sending', $4, $5, $6, 1, $7, $8, $9, $10, $11) \
             ON CONFLICT (uid, \"trigger\", intended_at) DO NOTHING RETURNING ",
            occurrence_columns!()
        ))
        .bind(due.uid.to_string())
        .bind(due.agent_id.as_str())
        .bind(DbTime(intended_at))
        .bind(lane.as_str())
        .bind(&hash)
        .bind(terms.owner.to_string())
        .bind(DbTime(expires_at))
        .bind(DbTime(now))
        .bind(
            schedule
                .repetitions
                .saturating_add(to_i64(division.taken())),
        )
        .bind(to_i64(division.coalesced.map_or(1, |r| r.count + 1)))
        .bind(DbTime(division.coalesced.map_or(intended_at, |r| r.first)))
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed)?;
        let Some(row) = row else {
            // This very instant has its outcome already: a foreign writer set next_run back.
            follow_lifecycle(&mut tx, schedule.id, now)
                .await
                .map_err(failed)?;
            self.commit_and_tell(tx, doing).await?;
            return Ok(Claim::Settled(State::Skipped));
        };
        let occurrence = rows::occurrence(&row).map_err(failed)?;
        let sending = Sending {
            occurrence: &occurrence,
            schedule: Some(&schedule),
            fence: 1,
            generation: 0,
            failures: 0,
            expires_at,
            body: &body,
        };
        let job = self.begin_attempt(&mut tx, &sending, now).await?;
        failpoint!(ClaimMade);
        self.commit_start(tx, &schedule, now, doing).await?;
        failpoint!(ClaimCommitted);
        Ok(Claim::Job(Box::new(Job { next_run, ..job })))
    }

    /// Claims a waiting occurrence for its next try. If another program has deleted its schedule,
    /// or changed it and that is not adopted yet, it is [`Claim::Gone`].
    ///
    /// # Errors
    /// Those of the database; then nothing has changed.
    pub async fn claim_waiting(
        &self,
        occurrence_id: i64,
        terms: &ClaimTerms,
        now: Timestamp,
    ) -> Result<Claim> {
        let doing = "claim a waiting occurrence";
        let failed = |e| self.failed(doing, e);
        let mut tx = self.begin(doing).await?;
        let row = sqlx::query(concat!(
            "UPDATE occurrences SET state = 'sending', owner = $2, fence = fence + 1, \
             sent_at = $3, not_before = NULL, run_id = NULL \
             WHERE id = $1 AND state = 'waiting' AND not_before <= $3 \
             AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.lane = occurrences.lane \
                             AND o.state IN ('sending', 'unknown')) \
             AND EXISTS (SELECT 1 FROM schedules s WHERE s.uid = occurrences.uid \
                         AND s.touched = 0 \
                         AND (s.lifecycle <> 'paused' OR occurrences.\"trigger\" = 'manual')) \
             AND NOT EXISTS (SELECT 1 FROM halt) \
             RETURNING fence, generation, failures, expires_at, payload, ",
            occurrence_columns!()
        ))
        .bind(occurrence_id)
        .bind(terms.owner.to_string())
        .bind(DbTime(now))
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed)?;
        let Some(row) = row else {
            return Ok(Claim::Gone);
        };
        let occurrence = rows::occurrence(&row).map_err(failed)?;
        let stored: Option<DbTime> = row.try_get("expires_at").map_err(failed)?;
        let body: String = sqlx::query_scalar("SELECT body FROM payloads WHERE hash = $1")
            .bind(row.try_get::<String, _>("payload").map_err(failed)?)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        let id: Option<i64> = sqlx::query_scalar("SELECT id FROM schedules WHERE uid = $1")
            .bind(occurrence.uid.to_string())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed)?;
        let schedule = match id {
            Some(id) => fetch(&mut tx, id).await.map_err(failed)?,
            None => None,
        };
        let expires_at = match stored {
            Some(expires_at) => expires_at.0,
            // The first try of a run by hand.
            None => {
                let own = schedule.as_ref().and_then(|s| s.policy.max_age);
                let expires_at = later(now, own.unwrap_or(terms.max_age));
                sqlx::query("UPDATE occurrences SET expires_at = $2 WHERE id = $1")
                    .bind(occurrence_id)
                    .bind(DbTime(expires_at))
                    .execute(&mut *tx)
                    .await
                    .map_err(failed)?;
                expires_at
            }
        };
        let sending = Sending {
            occurrence: &occurrence,
            schedule: schedule.as_ref(),
            fence: row.try_get("fence").map_err(failed)?,
            generation: row.try_get("generation").map_err(failed)?,
            failures: row.try_get("failures").map_err(failed)?,
            expires_at,
            body: &body,
        };
        let job = self.begin_attempt(&mut tx, &sending, now).await?;
        failpoint!(RetryMade);
        match (&schedule, stored) {
            // Only of its first try: a start puts the alarm off, and retries would for hours.
            (Some(schedule), None) => self.commit_start(tx, schedule, now, doing).await?,
            _ => self.commit(tx, doing).await?,
        }
        failpoint!(RetryCommitted);
        Ok(Claim::Job(Box::new(job)))
    }

    /// Commits the claim of a first try, and tells the schedule's dead-man service of it.
    async fn commit_start(
        &self,
        mut tx: Tx,
        schedule: &PromptSchedule,
        now: Timestamp,
        doing: &str,
    ) -> Result<()> {
        let (Some(url), Some(uid)) = (&schedule.ping_url, schedule.uid) else {
            return self.commit(tx, doing).await;
        };
        queue_ping(&mut tx, uid, url, Ping::Start, "", now)
            .await
            .map_err(|e| self.failed(doing, e))?;
        self.commit_and_tell(tx, doing).await
    }
}

/// The schedule, if it may still be claimed as it was seen.
async fn fetch_claimable(tx: &mut Tx, due: &DueSchedule) -> sqlx::Result<Option<PromptSchedule>> {
    let claimable: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM schedules s WHERE id = $1 AND uid = $2 AND active = 1 AND touched = 0 \
         AND agent_id = $3 AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.uid = s.uid \
         AND o.\"trigger\" = 'schedule' AND o.state IN ('waiting', 'sending', 'unknown')) \
         AND NOT EXISTS (SELECT 1 FROM halt)",
    )
    .bind(due.id)
    .bind(due.uid.to_string())
    .bind(due.agent_id.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    match claimable {
        Some(id) => fetch(tx, id).await,
        None => Ok(None),
    }
}

async fn lane_is_busy(tx: &mut Tx, lane: &Lane) -> sqlx::Result<bool> {
    let busy: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM occurrences WHERE lane = $1 AND state IN ('sending', 'unknown')",
    )
    .bind(lane.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    Ok(busy.is_some())
}

/// The instants of a division that are not sent, with their outcomes.
fn unsent_of<'a>(
    schedule: &'a PromptSchedule,
    uid: Uuid,
    division: &Division,
    too_late: bool,
) -> Vec<Unsent<'a>> {
    let unsent = |range: Range, state, reason| Unsent {
        uid,
        agent_id: &schedule.agent_id,
        first_at: range.first,
        newest: range.newest,
        count: range.count,
        state,
        reason,
    };
    let missed = division
        .missed
        .map(|r| unsent(r, State::Missed, "it was older than the grace of `skip`"));
    let coalesced = division.coalesced.map(|r| {
        let reason = "a newer firing of the same schedule was sent in its place";
        unsent(r, State::Coalesced, reason)
    });
    let late = division.sent.filter(|_| too_late).map(|at| {
        let reason = "it was too late to be of use when it could first be sent";
        let range = Range {
            first: at,
            newest: at,
            count: 1,
        };
        unsent(range, State::Missed, reason)
    });
    [missed, coalesced, late].into_iter().flatten().collect()
}

/// Moves `next_run` past the taken instants; the last one finishes the schedule and stays there.
async fn advance(
    tx: &mut Tx,
    schedule: &PromptSchedule,
    timetable: &Timetable,
    division: &Division,
) -> sqlx::Result<Option<Timestamp>> {
    let taken = to_i64(division.taken());
    let newest = division.newest().or(schedule.next_run);
    let exhausted = schedule
        .max_repetitions
        .is_some_and(|max| schedule.repetitions.saturating_add(taken) >= max);
    let next = match (exhausted, newest) {
        (false, Some(newest)) => timetable.next_after(newest),
        _ => None,
    };
    let lifecycle = if next.is_some() {
        Lifecycle::Active
    } else {
        Lifecycle::Finished
    };
    sqlx::query(
        "UPDATE schedules SET next_run = $2, planned_next_run = $2, \
         repetitions = repetitions + $3, lifecycle = $4, active = $5, \
         row_version = row_version + 1 WHERE id = $1",
    )
    .bind(schedule.id)
    .bind(optional(next.or(newest)))
    .bind(taken)
    .bind(lifecycle.as_str())
    .bind(lifecycle == Lifecycle::Active)
    .execute(&mut **tx)
    .await?;
    Ok(next)
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
