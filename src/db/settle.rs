//! Settling: writing down what was decided about an occurrence, if the right to do so still holds.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::control::write_pause;
use super::notices::{Settled, Trouble, follow_verdict, open_incident};
use super::outbox::ping_of_verdict;
use super::time::{DbTime, optional};
use super::{Db, Tx, rows};
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::models::{Fault, IncidentKind, Lifecycle, Policy, State, Trigger, Turn, Verdict};

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
        let doing = "settle an occurrence";
        let failed = |e| self.failed(doing, e);
        let mut tx = self.begin(doing).await?;
        let held = sqlx::query(
            "SELECT o.uid, o.\"trigger\", o.sent_at, s.id AS schedule_id, s.lifecycle, s.last_run, \
             s.dead_in_row, s.pause_on_failure, s.touched, s.ping_url FROM occurrences o LEFT JOIN schedules s ON s.uid = o.uid \
             WHERE o.id = $1 AND o.fence = $2 AND o.state IN ('sending', 'unknown')",
        )
        .bind(occurrence_id)
        .bind(fence)
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed)?;
        let Some(held) = held else { return Ok(None) };
        let schedule_id: Option<i64> = held.try_get("schedule_id").map_err(failed)?;
        let change = change_of(verdict, is_ended(&held, schedule_id), now);
        write(&mut tx, occurrence_id, &change, now)
            .await
            .map_err(failed)?;
        // When it was sent, not when it was claimed or settled. An older prompt whose fate was
        // found out late doesn't set it back.
        let sent_at = rows::lenient_time(&held, "sent_at");
        if matches!(verdict, Verdict::Delivered { .. })
            && rows::lenient_time(&held, "last_run") < sent_at
        {
            sqlx::query(
                "UPDATE schedules SET last_run = $2, row_version = row_version + 1 WHERE id = $1",
            )
            .bind(schedule_id)
            .bind(optional(sent_at))
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        }
        let state = State::from_word(change.state).unwrap_or(State::Unknown);
        let settled = Settled {
            occurrence_id,
            uid: rows::uuid(&held, "uid").map_err(failed)?,
            state,
            verdict,
            is_last: nothing_follows(&held, schedule_id),
        };
        follow_verdict(&mut tx, &settled, now)
            .await
            .map_err(failed)?;
        if let Some(url) = rows::ping_url(&held) {
            ping_of_verdict(&mut tx, settled.uid, &url, verdict, now)
                .await
                .map_err(failed)?;
        }
        let paused = match schedule_id {
            Some(id) => count_failures(&mut tx, id, &held, verdict, now)
                .await
                .map_err(failed)?,
            None => None,
        };
        failpoint!(VerdictMade);
        self.commit_and_tell(tx, doing).await?;
        Ok(Some(Settlement {
            state,
            schedule_id,
            paused,
        }))
    }

    /// Notes Letta's run of a prompt that is on its way, so that it can be found after a crash.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn record_run(&self, occurrence_id: i64, fence: i64, run_id: &str) -> Result<()> {
        sqlx::query(
            "UPDATE occurrences SET run_id = $3 WHERE id = $1 AND fence = $2 AND state = 'sending'",
        )
        .bind(occurrence_id)
        .bind(fence)
        .bind(run_id)
        .execute(&self.pool)
        .await
        .map_err(|e| self.failed("note the run of a prompt", e))?;
        Ok(())
    }
}

/// Counts the prompts of a schedule that were given up since one was delivered, and pauses an
/// active schedule once they are as many as its policy says. Runs by hand don't count. Returns the
/// note of the pause.
async fn count_failures(
    tx: &mut Tx,
    schedule_id: i64,
    held: &SqliteRow,
    verdict: &Verdict,
    now: Timestamp,
) -> sqlx::Result<Option<String>> {
    if held.try_get::<String, _>("trigger")? != Trigger::Schedule.as_str() {
        return Ok(None);
    }
    let before: i64 = held.try_get("dead_in_row")?;
    let (dead, fault) = match verdict {
        Verdict::Delivered { .. } => (0, None),
        Verdict::Dead { fault } => (before.saturating_add(1), Some(fault)),
        Verdict::Waiting { .. } | Verdict::Unknown { .. } => return Ok(None),
    };
    if dead == before {
        return Ok(None);
    }
    let policy = Policy {
        pause_on_failure: held.try_get("pause_on_failure")?,
        ..Policy::default()
    };
    let is_active = rows::text(held, "lifecycle").as_deref() == Some(Lifecycle::Active.as_str());
    // What another program did to it, perhaps to end it, is adopted first.
    let is_ours = !rows::flag(held, "touched");
    let pauses = is_active && is_ours && policy.pause_on_failure().is_some_and(|most| dead >= most);
    sqlx::query(
        "UPDATE schedules SET dead_in_row = $2, row_version = row_version + 1 WHERE id = $1",
    )
    .bind(schedule_id)
    .bind(dead)
    .execute(&mut **tx)
    .await?;
    let (Some(fault), true) = (fault, pauses) else {
        return Ok(None);
    };
    let note = format!(
        "{dead} prompts in a row were given up; the last: {}",
        fault.text
    );
    write_pause(tx, schedule_id, Some(&note), now).await?;
    let paused = Trouble {
        kind: IncidentKind::Paused,
        subject: &rows::text(held, "uid").unwrap_or_default(),
        occurrence_id: None,
        code: Some(&fault.code),
        reason: &note,
    };
    open_incident(tx, &paused, now).await?;
    Ok(Some(note))
}

/// Whether the schedule was ended, deleted or can't be read, so that nothing more may be sent: what
/// waited at that time was settled, too.
fn is_ended(held: &SqliteRow, schedule_id: Option<i64>) -> bool {
    let lifecycle: Option<String> = held.try_get("lifecycle").unwrap_or(None);
    let ended = [Lifecycle::Cancelled, Lifecycle::Broken].map(|l| Some(l.as_str()));
    schedule_id.is_none() || ended.contains(&lifecycle.as_deref())
}

/// Whether nothing more is to come of the schedule.
fn nothing_follows(held: &SqliteRow, schedule_id: Option<i64>) -> bool {
    let lifecycle: Option<String> = held.try_get("lifecycle").unwrap_or(None);
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

async fn write(tx: &mut Tx, id: i64, change: &Change<'_>, now: Timestamp) -> sqlx::Result<()> {
    let error = change.fault.map(|f| format!("{}: {}", f.code, f.text));
    sqlx::query(
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
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "UPDATE attempts SET finished_at = $2, error_code = $3, error = $4, \
         run_id = coalesce($5, run_id) WHERE occurrence_id = $1 \
         AND n = (SELECT max(n) FROM attempts WHERE occurrence_id = $1)",
    )
    .bind(id)
    .bind(DbTime(now))
    .bind(change.fault.map(|f| &f.code))
    .bind(change.fault.map(|f| &f.text))
    .bind(change.run_id)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
