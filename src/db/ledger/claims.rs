//! The claim: one transaction that turns the time that has come into a prompt that is on its way.
//!
//! A due schedule becomes an occurrence only here, when its lane can take it. The otid is
//! committed before the first byte is sent.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::attempts::{Sending, fetch_payload, request_of, store_payload};
use super::claimable::{fetch_claimable, fetch_waiting, lane_is_busy};
use super::due::DueSchedule;
use super::fault::Fault;
use super::notices::follow_lifecycle;
use super::outbox::queue_ping;
use super::plans::{Unsent, remaining, timetable, to_i64};
use super::revisions::has_outcome;
use super::unreadable::{fence, generation};
use crate::db::Db;
use crate::db::sql::{self, Tx, query};
use crate::db::statements::rows::{self, occurrence_columns};
use crate::db::statements::schedules::{fetch, write_lifecycle};
use crate::db::time::{DbTime, optional};
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
    /// What it needs can't be read: the schedule was marked as broken, or the occurrence given up,
    /// as this says.
    Broken(String),
    /// The database refuses this one, although it works: why. Nothing has changed.
    Failed(String),
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

const CLAIM_DUE: &str = "claim a due schedule";
const CLAIM_WAITING: &str = "claim a waiting occurrence";

/// Whom a claim wrote something for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tells {
    /// Nobody.
    Nobody,
    /// Whoever delivers the outbox.
    Notifier,
}

/// Why something can't be sent whose request nobody knows any more.
const PAYLOAD_GONE: &str = "the request that it sends is gone from the database";

impl Db {
    /// Claims a due schedule: settles the instants from its `next_run` to `now` as its policy says
    /// ([`Timetable::divide`]) and advances `next_run`. One that can't be read becomes broken.
    ///
    /// # Errors
    /// Those of the database as a whole; then nothing has changed.
    pub async fn claim_due(
        &self,
        due: &DueSchedule,
        lane: &Lane,
        terms: &ClaimTerms,
        now: Timestamp,
    ) -> Result<Claim> {
        let tried = match self.try_claim_due(due, lane, terms, now).await {
            Err(Fault::Row(reason)) => self.break_due(due, &reason, now).await,
            tried => tried,
        };
        self.answered(CLAIM_DUE, tried)
    }

    /// What a claim came to, or the error where it is the database's.
    fn answered(&self, doing: &str, tried: Result<Claim, Fault>) -> Result<Claim> {
        match tried {
            Ok(claim) => Ok(claim),
            Err(Fault::Row(reason)) => Ok(Claim::Failed(reason)),
            Err(Fault::Transaction(e)) => Err(e),
            Err(Fault::Statement(e)) => match self.refused(doing, e) {
                (e, true) => Ok(Claim::Failed(e.chain())),
                (e, false) => Err(e),
            },
        }
    }

    async fn try_claim_due(
        &self,
        due: &DueSchedule,
        lane: &Lane,
        terms: &ClaimTerms,
        now: Timestamp,
    ) -> Result<Claim, Fault> {
        let due = due.to_owned();
        let lane = lane.to_owned();
        let terms = terms.to_owned();
        let db = self.clone();
        let claimed = self.claim(CLAIM_DUE, move |tx| {
            let (due, lane, terms) = (&due, &lane, &terms);
            let Some(schedule) = fetch_claimable(tx, due)? else {
                return Ok((Claim::Gone, Tells::Nobody));
            };
            // Its place in the lane was that of the instant it was seen with.
            let as_seen = |t: &Timestamp| t.as_microsecond() == due.next_run.as_microsecond();
            let first = schedule.next_run.filter(as_seen).filter(|t| *t <= now);
            let Some(first) = first else {
                return Ok((Claim::Gone, Tells::Nobody));
            };
            let timetable = timetable(&schedule).map_err(|e| Fault::of_row(&e))?;
            let Some(body) = request_of(tx, &schedule)? else {
                return Err(Fault::Row(PAYLOAD_GONE.to_owned()));
            };
            if remaining(&schedule) == Some(0) {
                // Another program has woken a schedule that had its last instant.
                write_lifecycle(tx, schedule.id, Lifecycle::Finished, None)?;
                let skipped = Claim::Settled(State::Skipped);
                return end_claim(tx, schedule.id, skipped, now);
            }
            if lane_is_busy(tx, lane)? {
                return Ok((Claim::LaneBusy, Tells::Nobody));
            }
            let policy = &schedule.policy;
            let division = timetable.divide(first, now, remaining(&schedule), policy);
            let next_run = advance(tx, &schedule, &timetable, &division)?;
            let too_late = schedule.schedule_type == ScheduleType::Once.as_str()
                && now.duration_since(first) > terms.once_max_lateness;
            for unsent in unsent_of(&schedule, due.uid, &division, too_late) {
                unsent.record(tx, now)?;
            }
            let Some(intended_at) = division.sent.filter(|_| !too_late) else {
                let missed = Claim::Settled(State::Missed);
                return end_claim(tx, schedule.id, missed, now);
            };
            // A foreign writer set next_run back.
            let skipped = Claim::Settled(State::Skipped);
            if has_outcome(tx, due.uid, intended_at)? {
                return end_claim(tx, schedule.id, skipped, now);
            }
            let hash = store_payload(tx, &body)?;
            let expires_at = later(now, policy.max_age.unwrap_or(terms.max_age));
            let row = query(concat!(
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
        .fetch_optional(tx)?;
            let Some(row) = row else {
                // This very instant has its outcome already.
                return end_claim(tx, schedule.id, skipped, now);
            };
            let occurrence = rows::occurrence(&row)?;
            let sending = Sending {
                occurrence: &occurrence,
                schedule: Some(&schedule),
                fence: 1,
                generation: 0,
                failures: 0,
                expires_at,
                body: &body,
            };
            let job = db.begin_attempt(tx, &sending, now)?;
            failpoint!(ClaimMade);
            let tells = tell_start(tx, &schedule, now)?;
            Ok((Claim::Job(Box::new(Job { next_run, ..job })), tells))
        });
        let claim = self.told_of(claimed.await?);
        if let Claim::Job(_) = claim {
            failpoint!(ClaimCommitted);
        }
        Ok(claim)
    }

    /// The claim, once the notifier is woken where it wrote something for it.
    fn told_of(&self, (claim, tells): (Claim, Tells)) -> Claim {
        if tells == Tells::Notifier {
            self.outbox_changed.notify_one();
        }
        claim
    }

    /// Marks a due schedule as broken, if it is still as it was seen.
    async fn break_due(
        &self,
        due: &DueSchedule,
        reason: &str,
        now: Timestamp,
    ) -> Result<Claim, Fault> {
        let due = due.to_owned();
        let reason = reason.to_owned();
        let broken = self.claim("mark a schedule as broken", move |tx| {
            let (due, reason) = (&due, &reason);
            let Some(schedule) = fetch_claimable(tx, due)? else {
                return Ok((Claim::Gone, Tells::Nobody));
            };
            write_lifecycle(tx, schedule.id, Lifecycle::Broken, Some(reason))?;
            let broken = Claim::Broken(format!("schedule {} is broken: {reason}", schedule.id));
            end_claim(tx, schedule.id, broken, now)
        });
        Ok(self.told_of(broken.await?))
    }

    /// Claims a waiting occurrence for its next try. If another program has deleted its schedule,
    /// or changed it and that is not adopted yet, it is [`Claim::Gone`]. One that can't be read is
    /// given up.
    ///
    /// # Errors
    /// Those of the database as a whole; then nothing has changed.
    pub async fn claim_waiting(
        &self,
        occurrence_id: i64,
        terms: &ClaimTerms,
        now: Timestamp,
    ) -> Result<Claim> {
        let tried = match self.try_claim_waiting(occurrence_id, terms, now).await {
            Err(Fault::Row(reason)) => {
                let given_up = self.give_up_unreadable(occurrence_id, &reason, now);
                let text = format!("occurrence {occurrence_id} is given up: {reason}");
                given_up.await.map(|()| Claim::Broken(text))
            }
            tried => tried,
        };
        self.answered(CLAIM_WAITING, tried)
    }

    async fn try_claim_waiting(
        &self,
        occurrence_id: i64,
        terms: &ClaimTerms,
        now: Timestamp,
    ) -> Result<Claim, Fault> {
        let terms = terms.to_owned();
        let db = self.clone();
        let claimed = self.claim(CLAIM_WAITING, move |tx| {
            let terms = &terms;
            let Some(row) = fetch_waiting(tx, occurrence_id)? else {
                return Ok((Claim::Gone, Tells::Nobody));
            };
            let occurrence = rows::occurrence(&row)?;
            if occurrence.not_before.is_some_and(|t| t > now) {
                return Ok((Claim::Gone, Tells::Nobody));
            }
            let (fence, generation) = (fence(&row)? + 1, generation(&row)?);
            let hash = rows::text(&row, "payload").unwrap_or_default();
            let Some(body) = fetch_payload(tx, &hash)? else {
                return Err(Fault::Row(PAYLOAD_GONE.to_owned()));
            };
            let id = "SELECT id FROM schedules INDEXED BY ix_schedules_uid WHERE uid = $1";
            let uid = occurrence.uid.to_string();
            let id = query(id).bind(uid.clone()).fetch_optional(tx)?;
            let schedule = match id.and_then(|row| rows::number(&row, "id")) {
                Some(id) => fetch(tx, id)?,
                None => None,
            };
            let stored = rows::lenient_time(&row, "expires_at");
            // There is none at the first try of a run by hand.
            let expires_at = stored.unwrap_or_else(|| {
                let own = schedule.as_ref().and_then(|s| s.policy.max_age);
                later(now, own.unwrap_or(terms.max_age))
            });
            query(
                "UPDATE occurrences SET state = 'sending', owner = $2, fence = $3, sent_at = $4, \
             not_before = NULL, run_id = NULL, expires_at = $5 WHERE id = $1",
            )
            .bind(occurrence_id)
            .bind(terms.owner.to_string())
            .bind(fence)
            .bind(DbTime(now))
            .bind(DbTime(expires_at))
            .execute(tx)?;
            let sending = Sending {
                occurrence: &occurrence,
                schedule: schedule.as_ref(),
                fence,
                generation,
                failures: rows::number(&row, "failures").unwrap_or(0),
                expires_at,
                body: &body,
            };
            let job = db.begin_attempt(tx, &sending, now)?;
            failpoint!(RetryMade);
            let tells = match (&schedule, stored) {
                // Only of its first try: a start puts the alarm off, and retries would for hours.
                (Some(schedule), None) => tell_start(tx, schedule, now)?,
                _ => Tells::Nobody,
            };
            Ok((Claim::Job(Box::new(job)), tells))
        });
        let claim = self.told_of(claimed.await?);
        if let Claim::Job(_) = claim {
            failpoint!(RetryCommitted);
        }
        Ok(claim)
    }
}

/// Ends what a claim settled without sending.
fn end_claim(
    tx: &Tx<'_>,
    schedule_id: i64,
    claim: Claim,
    now: Timestamp,
) -> Result<(Claim, Tells), Fault> {
    follow_lifecycle(tx, schedule_id, now)?;
    Ok((claim, Tells::Notifier))
}

/// Tells a schedule's dead-man service of a first try.
fn tell_start(tx: &Tx<'_>, schedule: &PromptSchedule, now: Timestamp) -> Result<Tells, Fault> {
    let (Some(url), Some(uid)) = (&schedule.ping_url, schedule.uid) else {
        return Ok(Tells::Nobody);
    };
    queue_ping(tx, uid, url, Ping::Start, "", now)?;
    Ok(Tells::Notifier)
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
fn advance(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    timetable: &Timetable,
    division: &Division,
) -> sql::Result<Option<Timestamp>> {
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
    query(
        "UPDATE schedules SET next_run = $2, planned_next_run = $2, \
         repetitions = repetitions + $3, lifecycle = $4, active = $5, \
         row_version = row_version + 1 WHERE id = $1",
    )
    .bind(schedule.id)
    .bind(optional(next.or(newest)))
    .bind(taken)
    .bind(lifecycle.as_str())
    .bind(lifecycle == Lifecycle::Active)
    .execute(tx)?;
    Ok(next)
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
