//! Settling: writing down what was decided about an occurrence, if the right to do so still holds.

use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::changes::{About, note_change};
use super::incidents::{Trouble, open_incident};
use super::notices::{Settled, follow_verdict, is_one_of_many, note_end};
use super::outbox::ping_of_verdict;
use crate::db::Db;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::control::write_pause;
use crate::db::statements::rows;
use crate::db::time::{DbTime, optional};
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::models::{
    By, Fault, IncidentKind, Lifecycle, Operation, Policy, State, Trigger, Turn, Verdict,
};

/// What a settlement came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The state that was written; not what was asked for where the schedule was ended meanwhile.
    pub state: State,
    /// Its schedule's number, if that still exists.
    pub schedule_id: Option<i64>,
    /// Why the schedule was paused with it, if it was.
    pub paused: Option<String>,
}

/// The columns that a verdict sets.
#[derive(Default)]
struct Change<'a> {
    state: &'static str,
    reason: Option<&'a str>,
    not_before: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    reconcile_until: Option<Timestamp>,
    run_id: Option<&'a str>,
    stop_reason: Option<&'a str>,
    turn: Option<Turn>,
    tokens: Option<i64>,
    reply: Option<&'a str>,
    fault: Option<&'a Fault>,
    failures: i64,
    generations: i64,
    /// Whether it is to be tried again under the same otid, and this time does not count.
    used_no_try: bool,
}

impl Db {
    /// Writes a verdict on an occurrence that is being sent or whose fate is unknown. Returns
    /// `None`, and changes nothing, if the right was lost: another process has taken over, or it
    /// is settled already.
    ///
    /// # Errors
    /// Those of the database; then nothing has changed.
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

    /// How many verdicts this process could not write, each try counted.
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
        self.write_and_tell("settle an occurrence", move |tx| {
            let verdict = &verdict;
            let held = "SELECT o.uid, o.agent_id, o.lane, o.\"trigger\", o.sent_at, \
                    s.id AS schedule_id, s.lifecycle, s.last_run, s.dead_in_row, \
                    s.pause_on_failure, s.touched, s.ping_url \
                    FROM occurrences o LEFT JOIN schedules s INDEXED BY ix_schedules_uid \
                    ON s.uid = o.uid \
                    WHERE o.id = $1 AND o.fence = $2 AND o.state IN ('sending', 'unknown')";
            let held = query(held)
                .bind(occurrence_id)
                .bind(fence)
                .fetch_optional(tx);
            let Some(held) = held? else {
                return Ok(None);
            };
            let schedule_id = rows::number(&held, "schedule_id");
            let change = change_of(verdict, is_ended(&held, schedule_id), now);
            write(tx, occurrence_id, &change, now)?;
            // When it was sent, not when it was claimed or settled. An older prompt whose fate was
            // found out late doesn't set it back.
            let sent_at = rows::lenient_time(&held, "sent_at");
            if matches!(verdict, Verdict::Delivered { .. })
                && rows::lenient_time(&held, "last_run") < sent_at
            {
                query(
                "UPDATE schedules SET last_run = $2, row_version = row_version + 1 WHERE id = $1",
            )
            .bind(schedule_id)
            .bind(optional(sent_at))
            .execute(tx)?;
            }
            let state = State::from_word(change.state).unwrap_or(State::Unknown);
            let [uid_text, agent_id, lane] = ["uid", "agent_id", "lane"]
                .map(|column| rows::text(&held, column).unwrap_or_default());
            let settled = Settled {
                occurrence_id,
                uid: &uid_text,
                agent_id: &agent_id,
                lane: &lane,
                state,
                verdict,
                is_last: nothing_follows(&held, schedule_id),
            };
            follow_verdict(tx, &settled, now)?;
            if let (Some(id), true, false) = (schedule_id, settled.is_last, state.is_open()) {
                note_end(tx, id, now)?;
            }
            if let (Some(url), Ok(uid)) = (rows::ping_url(&held), rows::uuid(&held, "uid")) {
                ping_of_verdict(tx, uid, &url, verdict, now)?;
            }
            let paused = match schedule_id {
                Some(id) => count_failures(tx, id, &held, &settled, now)?,
                None => None,
            };
            failpoint!(VerdictMade);
            Ok(Some(Settlement {
                state,
                schedule_id,
                paused,
            }))
        })
        .await
    }

    /// Notes Letta's run of a prompt that is on its way, so that it can be found after a crash.
    pub async fn record_run(&self, occurrence_id: i64, fence: i64, run_id: &str) -> Result<()> {
        let run_id = run_id.to_owned();
        self.write("note the run of a prompt", move |tx| {
            let run_id = &run_id;
            query(
                "UPDATE occurrences SET run_id = $3 \
                 WHERE id = $1 AND fence = $2 AND state = 'sending'",
            )
            .bind(occurrence_id)
            .bind(fence)
            .bind(run_id)
            .execute(tx)?;
            Ok(())
        })
        .await
    }
}

/// Counts the prompts of a schedule that were given up since one was delivered, and pauses an
/// active schedule once they are as many as its policy says. Runs by hand don't count. Returns the
/// note of the pause.
fn count_failures(
    tx: &Tx<'_>,
    schedule_id: i64,
    held: &Row,
    settled: &Settled<'_>,
    now: Timestamp,
) -> sql::Result<Option<String>> {
    if rows::text(held, "trigger").as_deref() != Some(Trigger::Schedule.as_str()) {
        return Ok(None);
    }
    let before = rows::number(held, "dead_in_row").unwrap_or(0);
    let (dead, fault) = match settled.verdict {
        Verdict::Delivered { .. } => (0, None),
        Verdict::Dead { fault } => (before.saturating_add(1), Some(fault)),
        Verdict::Waiting { .. } | Verdict::Unknown { .. } => return Ok(None),
    };
    if dead == before {
        return Ok(None);
    }
    let policy = Policy {
        pause_on_failure: rows::number(held, "pause_on_failure"),
        ..Policy::default()
    };
    let is_active = rows::text(held, "lifecycle").as_deref() == Some(Lifecycle::Active.as_str());
    // What another program did to it, perhaps to end it, is adopted first.
    let is_ours = rows::number(held, "touched") == Some(0);
    let pauses = is_active && is_ours && policy.pause_on_failure().is_some_and(|most| dead >= most);
    query("UPDATE schedules SET dead_in_row = $2, row_version = row_version + 1 WHERE id = $1")
        .bind(schedule_id)
        .bind(dead)
        .execute(tx)?;
    let (Some(fault), true) = (fault, pauses) else {
        return Ok(None);
    };
    let note = format!(
        "{dead} prompts in a row were given up; the last: {}",
        fault.text
    );
    write_pause(tx, schedule_id, Some(&note), now)?;
    let about = About {
        id: Some(schedule_id),
        uid: settled.uid.parse().ok(),
        agent_id: Some(settled.agent_id),
    };
    let what = format!("{dead} prompts in a row were given up");
    note_change(
        tx,
        &By::scheduler(),
        Operation::Pause,
        about,
        Some(&what),
        now,
    )?;
    query(
        "UPDATE schedules SET paused_by_failures = 1, row_version = row_version + 1 WHERE id = $1",
    )
    .bind(schedule_id)
    .execute(tx)?;
    if is_one_of_many(tx, settled, fault, now)? {
        // It is told with the others.
        return Ok(Some(note));
    }
    let paused = Trouble {
        kind: IncidentKind::Paused,
        whose: settled.whose(fault),
        occurrence_id: None,
        code: Some(&fault.code),
        reason: &note,
    };
    open_incident(tx, &paused, now)?;
    Ok(Some(note))
}

/// Whether the schedule was ended, deleted or can't be read, so that nothing more may be sent: what
/// waited at that time was settled, too.
fn is_ended(held: &Row, schedule_id: Option<i64>) -> bool {
    let lifecycle = rows::text(held, "lifecycle");
    let ended = [Lifecycle::Cancelled, Lifecycle::Broken].map(|l| Some(l.as_str()));
    schedule_id.is_none() || ended.contains(&lifecycle.as_deref())
}

/// Whether nothing more is to come of the schedule.
fn nothing_follows(held: &Row, schedule_id: Option<i64>) -> bool {
    let lifecycle = rows::text(held, "lifecycle");
    is_ended(held, schedule_id) || lifecycle.as_deref() == Some(Lifecycle::Finished.as_str())
}

fn change_of(verdict: &Verdict, ended: bool, now: Timestamp) -> Change<'_> {
    match verdict {
        Verdict::Delivered {
            run_id,
            stop_reason,
            turn,
            tokens,
            reply,
        } => Change {
            state: State::Delivered.as_str(),
            finished_at: Some(now),
            run_id: run_id.as_deref(),
            stop_reason: stop_reason.as_deref(),
            turn: Some(*turn),
            tokens: *tokens,
            reply: reply.as_deref(),
            ..Change::default()
        },
        Verdict::Waiting { fault, .. } if ended => Change {
            state: State::Cancelled.as_str(),
            reason: Some("its schedule was ended before it could be sent again"),
            finished_at: Some(now),
            fault: Some(fault),
            ..Change::default()
        },
        Verdict::Waiting {
            not_before,
            fault,
            counts,
            fresh_otid,
        } => Change {
            state: State::Waiting.as_str(),
            reason: Some(&fault.text),
            not_before: Some(*not_before),
            fault: Some(fault),
            failures: i64::from(*counts),
            generations: i64::from(*fresh_otid),
            used_no_try: !counts && !fresh_otid,
            ..Change::default()
        },
        Verdict::Unknown {
            not_before,
            reconcile_until,
            fault,
            run_id,
        } => Change {
            state: State::Unknown.as_str(),
            reason: Some(&fault.text),
            not_before: Some(*not_before),
            reconcile_until: Some(*reconcile_until),
            run_id: run_id.as_deref(),
            fault: Some(fault),
            ..Change::default()
        },
        Verdict::Dead { fault } => Change {
            state: State::Dead.as_str(),
            reason: Some(&fault.text),
            finished_at: Some(now),
            fault: Some(fault),
            ..Change::default()
        },
    }
}

fn write(tx: &Tx<'_>, id: i64, change: &Change<'_>, now: Timestamp) -> sql::Result<()> {
    let error = change.fault.map(|f| format!("{}: {}", f.code, f.text));
    query(
        "UPDATE occurrences SET state = $2, reason = $3, not_before = $4, finished_at = $5, \
         reconcile_until = $6, \
         run_id = coalesce($7, run_id), stop_reason = $8, turn = $9, tokens = $10, reply = $11, \
         error = $12, failures = failures + $13, generation = generation + $14, owner = NULL, \
         doubted_at = CASE WHEN $2 = 'unknown' THEN coalesce(doubted_at, $15) END WHERE id = $1",
    )
    .bind(id)
    .bind(change.state)
    .bind(change.reason)
    .bind(optional(change.not_before))
    .bind(optional(change.finished_at))
    .bind(optional(change.reconcile_until))
    .bind(change.run_id)
    .bind(change.stop_reason)
    .bind(change.turn.map(Turn::as_str))
    .bind(change.tokens)
    .bind(change.reply)
    .bind(error)
    .bind(change.failures)
    .bind(change.generations)
    .bind(DbTime(now))
    .execute(tx)?;
    finish_attempt(tx, id, change, now)
}

/// Writes the answer into the last attempt. If that used no try up and was answered as the one
/// before it, it is only counted there.
fn finish_attempt(
    tx: &Tx<'_>,
    occurrence_id: i64,
    change: &Change<'_>,
    now: Timestamp,
) -> sql::Result<()> {
    if let (Some(fault), true) = (change.fault, change.used_no_try) {
        let counted = query(
            "UPDATE attempts SET repeats = repeats + 1, finished_at = $2, error = $4 \
             WHERE occurrence_id = $1 AND counted = 0 AND error_code = $3 \
             AND n = (SELECT max(n) - 1 FROM attempts WHERE occurrence_id = $1) \
             AND otid = (SELECT otid FROM attempts WHERE occurrence_id = $1 ORDER BY n DESC \
             LIMIT 1)",
        )
        .bind(occurrence_id)
        .bind(DbTime(now))
        .bind(&fault.code)
        .bind(&fault.text)
        .execute(tx)?;
        if counted > 0 {
            query(
                "DELETE FROM attempts WHERE occurrence_id = $1 \
                 AND n = (SELECT max(n) FROM attempts WHERE occurrence_id = $1)",
            )
            .bind(occurrence_id)
            .execute(tx)?;
            return Ok(());
        }
    }
    query(
        "UPDATE attempts SET finished_at = $2, error_code = $3, error = $4, \
         run_id = coalesce($5, run_id), counted = $6 WHERE occurrence_id = $1 \
         AND n = (SELECT max(n) FROM attempts WHERE occurrence_id = $1)",
    )
    .bind(occurrence_id)
    .bind(DbTime(now))
    .bind(change.fault.map(|f| &f.code))
    .bind(change.fault.map(|f| &f.text))
    .bind(change.run_id)
    .bind(!change.used_no_try)
    .execute(tx)?;
    Ok(())
}
