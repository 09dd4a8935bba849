//! Settling: records what was decided about an occurrence, if the right to do so still holds.

use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::changes::{About, note_change};
use super::incidents::{Trouble, open_incident};
use super::locks::{lock_schedule_of, lock_subject};
use super::notices::{Settled, follow_verdict, is_one_of_many, note_end};
use super::outbox::queue_ping;
use super::settling::{AttemptEnd, OfSchedule, Pause, decide};
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::control::write_pause;
use crate::db::statements::{attempts, settle};
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::models::{By, IncidentKind, Lane, Operation, Settlement, Verdict};

impl Db {
    /// Records a verdict on an occurrence that is being sent or whose outcome is unknown. Returns
    /// `None`, and changes nothing, if the right was lost: another process has taken over, or it is
    /// already settled.
    pub async fn settle(
        &self,
        occurrence_id: i64,
        fence: i64,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Result<Option<Settlement>> {
        let settled = self.write_verdict(occurrence_id, fence, verdict, now).await;
        if settled.is_err() {
            self.settle_failures.fetch_add(1, Ordering::Relaxed);
        }
        settled
    }

    /// How many verdicts this process could not record, counting each attempt.
    pub fn settle_failures(&self) -> u64 {
        self.settle_failures.load(Ordering::Relaxed)
    }

    async fn write_verdict(
        &self,
        occurrence_id: i64,
        fence: i64,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Result<Option<Settlement>> {
        let verdict = verdict.to_owned();
        self.write("settle an occurrence", move |tx| {
            lock_schedule_of(tx, occurrence_id)?;
            let Some(held) = settle::fetch_held(tx, occurrence_id, fence)? else {
                return Ok(None);
            };
            let settling = decide(&held, &verdict, now);
            let (state, columns) = (settling.state, &settling.columns);
            if !settle::write_verdict(tx, occurrence_id, fence, state, columns, now)? {
                return Ok(None);
            }
            finish_attempt(tx, occurrence_id, &settling.attempt, now)?;
            let schedule = settling.schedule.as_ref();
            if let Some((id, sent_at)) = schedule.and_then(|s| Some((s.id, s.last_run?))) {
                settle::write_last_run(tx, id, sent_at)?;
            }
            let settled = Settled {
                occurrence_id,
                uid: &held.uid,
                agent_id: &held.agent_id,
                lane: &held.lane,
                state,
                verdict: &verdict,
                is_last: settling.is_last,
            };
            follow_verdict(tx, &settled, now)?;
            if let Some(schedule) = schedule {
                follow_in_schedule(tx, schedule, &settled, now)?;
            }
            failpoint!(VerdictMade);
            let pause = schedule.and_then(|s| s.pause.as_ref());
            Ok(Some(Settlement {
                state,
                schedule_id: schedule.map(|s| s.id),
                paused: pause.map(|p| p.note.clone()),
            }))
        })
        .await
    }

    /// Records Letta's run of a prompt that is being sent, so that it can be found after a crash.
    pub async fn record_run(&self, occurrence_id: i64, fence: i64, run_id: &str) -> Result<()> {
        let run_id = run_id.to_owned();
        self.write("record the run of a prompt", move |tx| {
            Ok(settle::write_run(tx, occurrence_id, fence, &run_id)?)
        })
        .await
    }

    /// Notes the conversation that was made for a prompt, before anything is sent in it. Returns
    /// whether this scheduler still has the right to send it.
    pub async fn record_conversation(
        &self,
        occurrence_id: i64,
        fence: i64,
        conversation: &str,
    ) -> Result<bool> {
        let conversation = conversation.to_owned();
        self.write("note the conversation of a prompt", move |tx| {
            Ok(settle::write_conversation(
                tx,
                occurrence_id,
                fence,
                &conversation,
            )?)
        })
        .await
    }
}

/// Writes the answer into the last attempt. If that did not count and got the same answer as the
/// one before, it is only counted there.
fn finish_attempt(
    tx: &Tx<'_>,
    occurrence_id: i64,
    end: &AttemptEnd<'_>,
    now: Timestamp,
) -> sql::Result<()> {
    let AttemptEnd {
        fault,
        run_id,
        used_no_try,
    } = *end;
    if let (Some(fault), true) = (fault, used_no_try)
        && attempts::count_repeat(tx, occurrence_id, fault, now)?
    {
        return attempts::delete_last(tx, occurrence_id);
    }
    attempts::finish_last(tx, occurrence_id, fault, run_id, !used_no_try, now)
}

/// Writes what follows for the schedule, after the incidents.
fn follow_in_schedule(
    tx: &Tx<'_>,
    schedule: &OfSchedule<'_>,
    settled: &Settled<'_>,
    now: Timestamp,
) -> sql::Result<()> {
    if schedule.ends {
        note_end(tx, schedule.id, now)?;
    }
    if let Some(ping) = &schedule.ping {
        queue_ping(tx, ping.uid, ping.url, ping.ping, &ping.reason, now)?;
    }
    if let Some(dead) = schedule.dead_in_row {
        settle::write_dead_in_row(tx, schedule.id, dead)?;
    }
    match &schedule.pause {
        Some(pause) => pause_failing(tx, schedule.id, settled, pause, now),
        None => Ok(()),
    }
}

/// Pauses a schedule whose prompts failed, and opens an incident.
fn pause_failing(
    tx: &Tx<'_>,
    schedule_id: i64,
    settled: &Settled<'_>,
    pause: &Pause<'_>,
    now: Timestamp,
) -> sql::Result<()> {
    write_pause(tx, schedule_id, Some(&pause.note), None, now)?;
    let target = Lane::new(settled.lane).target();
    let about = About {
        id: Some(schedule_id),
        uid: settled.uid.parse().ok(),
        agent_id: Some(settled.agent_id),
        target: Some(&target),
    };
    let (by, what) = (By::scheduler(), Some(pause.what.as_str()));
    note_change(tx, &by, Operation::Pause, about, what, now)?;
    settle::mark_paused_by_failures(tx, schedule_id)?;
    let affected = settled.affected(pause.fault);
    lock_subject(tx, affected.subject())?;
    if is_one_of_many(tx, settled, pause.fault, now)? {
        // It is reported together with the others.
        return Ok(());
    }
    let paused = Trouble {
        kind: IncidentKind::Paused,
        affected,
        occurrence_id: None,
        code: Some(&pause.fault.code),
        reason: &pause.note,
    };
    open_incident(tx, &paused, now)?;
    Ok(())
}
