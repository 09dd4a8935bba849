//! The claim: one transaction that turns a due instant into a prompt that is being sent.
//!
//! A due schedule only becomes an occurrence here, when its lane is free. The otid is committed
//! before the first byte is sent.

use jiff::Timestamp;
use uuid::Uuid;

use super::attempts::{Sending, request_of, store_payload};
use super::fault::Fault;
use super::locks::{lock_lane, lock_schedule_as_it_is};
use super::notices::follow_lifecycle;
use super::outbox::queue_ping;
use super::plans::{Unsent, to_i64};
use super::revisions::has_outcome;
use crate::clock::later;
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::claims::{self, Advance, FirstTry};
use crate::db::statements::schedules::write_lifecycle;
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::models::{
    Claim, ClaimTerms, DueSchedule, Job, Lane, Lifecycle, Ping, PromptSchedule, ScheduleType,
    State, TargetName,
};
use crate::schedule::{Division, Range, Timetable, remaining, timetable_of};

const CLAIM_DUE: &str = "claim a due schedule";

/// The fence of an occurrence that is sent for the first time.
const FIRST_FENCE: i64 = 1;

/// Why something can't be sent if its stored request is gone.
pub(in crate::db) const PAYLOAD_GONE: &str = "the request that it sends is gone from the database";

impl Db {
    /// Claims a due schedule: settles the instants from its `next_run` to `now` according to its
    /// policy ([`Timetable::divide`]) and advances `next_run`. If it can't be read, it becomes
    /// broken.
    ///
    /// # Errors
    /// If the database fails as a whole, not only for this schedule; then nothing has changed.
    pub async fn claim_due(
        &self,
        due: &DueSchedule,
        lane: &Lane,
        terms: &ClaimTerms,
        now: Timestamp,
    ) -> Result<Claim> {
        let tried = match self.try_claim_due(due, lane, terms, now).await {
            Err(Fault::Row(reason)) => self.break_due(due, lane, &reason, now).await,
            tried => tried,
        };
        self.answered(CLAIM_DUE, tried)
    }

    /// The result of a claim, or the error if it is the database's.
    pub(in crate::db) fn answered(
        &self,
        doing: &str,
        tried: Result<Claim, Fault>,
    ) -> Result<Claim> {
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
            db.settle_due(tx, &due, &lane, &terms, now)
        });
        let claim = claimed.await?;
        if let Claim::Job(_) = claim {
            failpoint!(ClaimCommitted);
        }
        Ok(claim)
    }

    /// Settles the instants of a due schedule that have passed, except the one to be sent, in one
    /// transaction.
    fn settle_due(
        &self,
        tx: &Tx<'_>,
        due: &DueSchedule,
        lane: &Lane,
        terms: &ClaimTerms,
        now: Timestamp,
    ) -> Result<Claim, Fault> {
        lock_schedule_as_it_is(tx, due.id)?;
        let Some(schedule) = claims::fetch_claimable(tx, due, &lane.target())? else {
            return Ok(Claim::Gone);
        };
        // Its position in the lane was that of the instant it was seen with.
        let as_seen = |t: &Timestamp| t.as_microsecond() == due.next_run.as_microsecond();
        // It may be for another recipient by now, and so belong in another lane.
        let named = schedule.target.as_ref();
        if named.is_some_and(|target| *target != lane.target())
            || schedule.conversation != due.conversation
        {
            return Ok(Claim::Gone);
        }
        let first = schedule.next_run.filter(as_seen).filter(|t| *t <= now);
        let Some(first) = first else {
            return Ok(Claim::Gone);
        };
        let timetable = timetable_of(&schedule).map_err(|e| Fault::of_row(&e))?;
        let Some(body) = request_of(tx, &schedule)? else {
            return Err(Fault::Row(PAYLOAD_GONE.to_owned()));
        };
        if remaining(&schedule) == Some(0) {
            // Another program reactivated a schedule that had its last instant.
            write_lifecycle(tx, schedule.id, Lifecycle::Finished, None)?;
            let skipped = Claim::Settled(State::Skipped);
            return end_claim(tx, schedule.id, skipped, now);
        }
        lock_lane(tx, lane)?;
        if claims::is_lane_busy(tx, lane)? {
            return Ok(Claim::LaneBusy);
        }
        let policy = &schedule.policy;
        let division = timetable.divide(first, now, remaining(&schedule), policy);
        let next_run = advance(tx, &schedule, lane, &timetable, &division)?;
        let too_late = schedule.schedule_type == ScheduleType::Once.as_str()
            && now.duration_since(first) > terms.once_max_lateness;
        for unsent in unsent_of(&schedule, due.uid, &lane.target(), &division, too_late) {
            unsent.record(tx, now)?;
        }
        let Some(intended_at) = division.sent.filter(|_| !too_late) else {
            let missed = Claim::Settled(State::Missed);
            return end_claim(tx, schedule.id, missed, now);
        };
        // Another program set next_run back.
        let skipped = Claim::Settled(State::Skipped);
        if has_outcome(tx, due.uid, intended_at)? {
            return end_claim(tx, schedule.id, skipped, now);
        }
        let hash = store_payload(tx, &body)?;
        let expires_at = later(now, policy.max_age.unwrap_or(terms.max_age));
        let taken = to_i64(division.taken());
        let first_try = FirstTry {
            uid: due.uid,
            agent_id: &due.agent_id,
            lane,
            conversation: schedule.conversation.as_ref(),
            intended_at,
            payload: &hash,
            owner: terms.owner,
            fence: FIRST_FENCE,
            expires_at,
            firing: schedule.repetitions.saturating_add(taken),
            stands_for: to_i64(division.coalesced.map_or(1, |r| r.count + 1)),
            stands_since: division.coalesced.map_or(intended_at, |r| r.first),
        };
        let Some(occurrence) = claims::insert_sending(tx, &first_try, now)? else {
            // This very instant already has an outcome.
            return end_claim(tx, schedule.id, skipped, now);
        };
        let sending = Sending {
            occurrence: &occurrence,
            schedule: Some(&schedule),
            fence: FIRST_FENCE,
            generation: 0,
            failures: 0,
            expires_at,
            body: &body,
        };
        let job = self.begin_attempt(tx, &sending, now)?;
        failpoint!(ClaimMade);
        tell_start(tx, &schedule, now)?;
        Ok(Claim::Job(Box::new(Job { next_run, ..job })))
    }

    /// Marks a due schedule as broken, if it is still as it was seen.
    async fn break_due(
        &self,
        due: &DueSchedule,
        lane: &Lane,
        reason: &str,
        now: Timestamp,
    ) -> Result<Claim, Fault> {
        let (due, target) = (due.to_owned(), lane.target());
        let reason = reason.to_owned();
        let broken = self.claim("mark a schedule as broken", move |tx| {
            let (due, reason) = (&due, &reason);
            lock_schedule_as_it_is(tx, due.id)?;
            let Some(schedule) = claims::fetch_claimable(tx, due, &target)? else {
                return Ok(Claim::Gone);
            };
            write_lifecycle(tx, schedule.id, Lifecycle::Broken, Some(reason))?;
            let broken = Claim::Broken(format!("schedule {} is broken: {reason}", schedule.id));
            end_claim(tx, schedule.id, broken, now)
        });
        broken.await
    }
}

/// Finishes a claim that settled instants without sending.
fn end_claim(tx: &Tx<'_>, schedule_id: i64, claim: Claim, now: Timestamp) -> Result<Claim, Fault> {
    follow_lifecycle(tx, schedule_id, now)?;
    Ok(claim)
}

/// Queues a ping for the first attempt to the schedule's dead-man service.
pub(in crate::db) fn tell_start(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    now: Timestamp,
) -> Result<(), Fault> {
    let (Some(url), Some(uid)) = (&schedule.ping_url, schedule.uid) else {
        return Ok(());
    };
    queue_ping(tx, uid, url, Ping::Start, "", now)?;
    Ok(())
}

/// The instants of a division that are not sent, with their outcomes.
fn unsent_of<'a>(
    schedule: &'a PromptSchedule,
    uid: Uuid,
    target: &'a TargetName,
    division: &Division,
    too_late: bool,
) -> Vec<Unsent<'a>> {
    let unsent = |range: Range, state, reason| Unsent {
        uid,
        agent_id: &schedule.agent_id,
        target: Some(target),
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
        let reason = "a newer run of the same schedule was sent in its place";
        unsent(r, State::Coalesced, reason)
    });
    let late = division.sent.filter(|_| too_late).map(|at| {
        let reason = "it was too late to be useful when it could first be sent";
        let range = Range {
            first: at,
            newest: at,
            count: 1,
        };
        unsent(range, State::Missed, reason)
    });
    [missed, coalesced, late].into_iter().flatten().collect()
}

/// Moves `next_run` past the claimed instants; the last one finishes the schedule and stays there.
fn advance(
    tx: &Tx<'_>,
    schedule: &PromptSchedule,
    lane: &Lane,
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
    let stands = Advance {
        next_run: next.or(newest),
        taken,
        lifecycle,
        target: lane.target(),
    };
    claims::advance(tx, schedule.id, &stands)?;
    Ok(next)
}
