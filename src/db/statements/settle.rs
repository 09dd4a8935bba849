//! What a verdict reads and writes.

use jiff::Timestamp;

use super::rows;
use super::schedules::change_schedule;
use crate::db::sql::{self, Tx, statement};
use crate::db::time::{DbTime, optional};
use crate::models::{Lifecycle, PingUrl, State, Trigger, Turn};

/// An occurrence that the caller may settle, and its schedule.
#[derive(Clone, Debug)]
pub(in crate::db) struct Held {
    /// Its schedule's uid, as stored.
    pub(in crate::db) uid: String,
    /// Its agent.
    pub(in crate::db) agent_id: String,
    /// The lane it occupies.
    pub(in crate::db) lane: String,
    /// Its trigger.
    pub(in crate::db) trigger: Option<Trigger>,
    /// When it was last sent.
    pub(in crate::db) sent_at: Option<Timestamp>,
    /// Its schedule, if that still exists.
    pub(in crate::db) schedule: Option<HeldSchedule>,
}

/// What matters about a schedule when one of its occurrences is settled.
#[derive(Clone, Debug)]
pub(in crate::db) struct HeldSchedule {
    /// Its id.
    pub(in crate::db) id: i64,
    /// Its lifecycle.
    pub(in crate::db) lifecycle: Option<Lifecycle>,
    /// When its latest delivered prompt was sent.
    pub(in crate::db) last_run: Option<Timestamp>,
    /// How many of its prompts have failed since.
    pub(in crate::db) dead_in_row: i64,
    /// After how many failures it is paused; `None` for the default.
    pub(in crate::db) pause_on_failure: Option<i64>,
    /// Whether another program has changed it, and that is not adopted yet.
    pub(in crate::db) is_touched: bool,
    /// The address of its dead-man service.
    pub(in crate::db) ping_url: Option<PingUrl>,
}

/// An occurrence that is being sent or whose outcome is unknown; `None` if the right was lost.
pub(in crate::db) fn fetch_held(tx: &Tx<'_>, id: i64, fence: i64) -> sql::Result<Option<Held>> {
    let row = statement!(
        "SELECT o.uid, o.agent_id, o.lane, o.\"trigger\", o.sent_at, s.id AS schedule_id, \
         s.lifecycle, s.last_run, s.dead_in_row, s.pause_on_failure, s.touched, s.ping_url \
         FROM occurrences o LEFT JOIN schedules s INDEXED BY ix_schedules_uid ON s.uid = o.uid \
         WHERE o.id = $1 AND o.fence = $2 AND o.state IN ('sending', 'unknown')"
    )
    .bind(id)
    .bind(fence)
    .fetch_optional(tx)?;
    Ok(row.map(|row| {
        let text = |column| rows::text(&row, column);
        Held {
            uid: text("uid").unwrap_or_default(),
            agent_id: text("agent_id").unwrap_or_default(),
            lane: text("lane").unwrap_or_default(),
            trigger: text("trigger").and_then(|t| Trigger::from_word(&t)),
            sent_at: rows::lenient_time(&row, "sent_at"),
            schedule: rows::number(&row, "schedule_id").map(|id| HeldSchedule {
                id,
                lifecycle: text("lifecycle").and_then(|l| Lifecycle::from_word(&l)),
                last_run: rows::lenient_time(&row, "last_run"),
                dead_in_row: rows::number(&row, "dead_in_row").unwrap_or(0),
                pause_on_failure: rows::number(&row, "pause_on_failure"),
                is_touched: rows::number(&row, "touched") != Some(0),
                ping_url: rows::ping_url(&row),
            }),
        }
    }))
}

/// The columns of an occurrence that a verdict sets.
#[derive(Clone, Debug, Default)]
pub(in crate::db) struct VerdictColumns<'a> {
    /// Why it is in its state.
    pub(in crate::db) reason: Option<&'a str>,
    /// When to try or search for it next.
    pub(in crate::db) not_before: Option<Timestamp>,
    /// When it ended.
    pub(in crate::db) finished_at: Option<Timestamp>,
    /// When to stop searching for it.
    pub(in crate::db) reconcile_until: Option<Timestamp>,
    /// Letta's run; `None` keeps the stored one.
    pub(in crate::db) run_id: Option<&'a str>,
    /// Letta's stop reason.
    pub(in crate::db) stop_reason: Option<&'a str>,
    /// How the turn ended.
    pub(in crate::db) turn: Option<Turn>,
    /// Tokens the turn used.
    pub(in crate::db) tokens: Option<i64>,
    /// The beginning of the agent's reply.
    pub(in crate::db) reply: Option<&'a str>,
    /// The fault's code and text.
    pub(in crate::db) error: Option<String>,
    /// How many more attempts counted.
    pub(in crate::db) failures: i64,
    /// How many more otids are used up.
    pub(in crate::db) generations: i64,
}

/// Records a verdict on an occurrence, if the right to do so still holds. Returns whether it does.
pub(in crate::db) fn write_verdict(
    tx: &Tx<'_>,
    id: i64,
    fence: i64,
    state: State,
    columns: &VerdictColumns<'_>,
    now: Timestamp,
) -> sql::Result<bool> {
    let written = statement!(
        "UPDATE occurrences SET state = $2, reason = $3, not_before = $4, finished_at = $5, \
         reconcile_until = $6, \
         run_id = coalesce($7, run_id), stop_reason = $8, turn = $9, tokens = $10, reply = $11, \
         error = $12, failures = failures + $13, generation = generation + $14, owner = NULL, \
         doubted_at = CASE WHEN $2 = 'unknown' THEN coalesce(doubted_at, $15) END \
         WHERE id = $1 AND fence = $16 AND state IN ('sending', 'unknown')"
    )
    .bind(id)
    .bind(state.as_str())
    .bind(columns.reason)
    .bind(optional(columns.not_before))
    .bind(optional(columns.finished_at))
    .bind(optional(columns.reconcile_until))
    .bind(columns.run_id)
    .bind(columns.stop_reason)
    .bind(columns.turn.map(Turn::as_str))
    .bind(columns.tokens)
    .bind(columns.reply)
    .bind(&columns.error)
    .bind(columns.failures)
    .bind(columns.generations)
    .bind(DbTime(now))
    .bind(fence)
    .execute(tx)?;
    Ok(written > 0)
}

/// Records when the latest delivered prompt of a schedule was sent.
pub(in crate::db) fn write_last_run(tx: &Tx<'_>, id: i64, sent_at: Timestamp) -> sql::Result<()> {
    statement!(change_schedule!("last_run = $2", " WHERE id = $1"))
        .bind(id)
        .bind(DbTime(sent_at))
        .execute(tx)?;
    Ok(())
}

/// Records how many prompts of a schedule have failed since the last delivery.
pub(in crate::db) fn write_dead_in_row(tx: &Tx<'_>, id: i64, dead: i64) -> sql::Result<()> {
    statement!(change_schedule!("dead_in_row = $2", " WHERE id = $1"))
        .bind(id)
        .bind(dead)
        .execute(tx)?;
    Ok(())
}

/// Marks a pause as caused by failed prompts.
pub(in crate::db) fn mark_paused_by_failures(tx: &Tx<'_>, id: i64) -> sql::Result<()> {
    statement!(change_schedule!("paused_by_failures = 1", " WHERE id = $1"))
        .bind(id)
        .execute(tx)?;
    Ok(())
}

/// Records Letta's run of a prompt that is being sent, if the right to do so still holds.
pub(in crate::db) fn write_run(tx: &Tx<'_>, id: i64, fence: i64, run_id: &str) -> sql::Result<()> {
    statement!(
        "UPDATE occurrences SET run_id = $3 WHERE id = $1 AND fence = $2 AND state = 'sending'"
    )
    .bind(id)
    .bind(fence)
    .bind(run_id)
    .execute(tx)?;
    Ok(())
}
