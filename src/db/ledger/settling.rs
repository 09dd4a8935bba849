//! What follows from a verdict: decided from the occurrence and its schedule as they are, before
//! anything is written.

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::statements::settle::{Held, HeldSchedule, VerdictColumns};
use crate::models::{Fault, Lifecycle, Ping, PingUrl, Policy, State, Trigger, Turn, Verdict};

/// What to write with a verdict.
#[derive(Debug)]
pub(in crate::db) struct Settling<'a> {
    /// The new state of the occurrence.
    pub(in crate::db) state: State,
    /// The other columns of the occurrence.
    pub(in crate::db) columns: VerdictColumns<'a>,
    /// How its last attempt ended.
    pub(in crate::db) attempt: AttemptEnd<'a>,
    /// Whether its schedule will send nothing more.
    pub(in crate::db) is_last: bool,
    /// What changes in its schedule, if that still exists.
    pub(in crate::db) schedule: Option<OfSchedule<'a>>,
}

/// How an attempt ended.
#[derive(Debug)]
pub(in crate::db) struct AttemptEnd<'a> {
    /// Why it failed, if it did.
    pub(in crate::db) fault: Option<&'a Fault>,
    /// Letta's run, if known.
    pub(in crate::db) run_id: Option<&'a str>,
    /// Whether the same will be sent again under the same otid, and this attempt does not count.
    pub(in crate::db) used_no_try: bool,
}

/// What changes in the schedule of an occurrence.
#[derive(Debug)]
pub(in crate::db) struct OfSchedule<'a> {
    /// Its id.
    pub(in crate::db) id: i64,
    /// When the prompt was sent, if that is the latest delivery.
    pub(in crate::db) last_run: Option<Timestamp>,
    /// Whether this was its last prompt.
    pub(in crate::db) ends: bool,
    /// A ping for its dead-man service, if it has one.
    pub(in crate::db) ping: Option<PingToSend<'a>>,
    /// How many of its prompts have failed since the last delivery, if that changes.
    pub(in crate::db) dead_in_row: Option<i64>,
    /// Its pause, if these are too many.
    pub(in crate::db) pause: Option<Pause<'a>>,
}

/// A ping to be sent.
#[derive(Debug)]
pub(in crate::db) struct PingToSend<'a> {
    /// The schedule.
    pub(in crate::db) uid: Uuid,
    /// The address.
    pub(in crate::db) url: &'a PingUrl,
    /// The result.
    pub(in crate::db) ping: Ping,
    /// Why the prompt failed.
    pub(in crate::db) reason: String,
}

/// A pause of a schedule whose prompts failed.
#[derive(Debug)]
pub(in crate::db) struct Pause<'a> {
    /// What happened.
    pub(in crate::db) what: String,
    /// The same, with the last fault.
    pub(in crate::db) note: String,
    /// The last fault.
    pub(in crate::db) fault: &'a Fault,
}

/// Decides what follows from a verdict on an occurrence.
pub(in crate::db) fn decide<'a>(
    held: &'a Held,
    verdict: &'a Verdict,
    now: Timestamp,
) -> Settling<'a> {
    let is_ended = held.schedule.as_ref().is_none_or(is_ended);
    let (state, columns) = outcome(verdict, is_ended, now);
    let is_last = held.schedule.as_ref().is_none_or(has_nothing_to_come);
    Settling {
        state,
        attempt: AttemptEnd {
            fault: fault_of(verdict),
            run_id: columns.run_id,
            used_no_try: state == State::Waiting
                && columns.failures == 0
                && columns.generations == 0,
        },
        columns,
        is_last,
        schedule: held.schedule.as_ref().map(|schedule| {
            let (dead_in_row, pause) = count_failures(held, schedule, verdict);
            OfSchedule {
                id: schedule.id,
                last_run: last_run(held, schedule, verdict),
                ends: is_last && !state.is_open(),
                ping: ping(held, schedule, verdict),
                dead_in_row,
                pause,
            }
        }),
    }
}

/// Whether a schedule has ended or can't be read, so that nothing more may be sent: its waiting
/// prompts were settled at that time, too.
fn is_ended(schedule: &HeldSchedule) -> bool {
    let lifecycle = schedule.lifecycle;
    matches!(lifecycle, Some(Lifecycle::Cancelled | Lifecycle::Broken))
}

fn has_nothing_to_come(schedule: &HeldSchedule) -> bool {
    is_ended(schedule) || schedule.lifecycle == Some(Lifecycle::Finished)
}

fn fault_of(verdict: &Verdict) -> Option<&Fault> {
    match verdict {
        Verdict::Delivered { .. } => None,
        Verdict::Waiting { fault, .. }
        | Verdict::Unknown { fault, .. }
        | Verdict::Dead { fault } => Some(fault),
    }
}

/// The state of an occurrence after a verdict, and its columns.
fn outcome(verdict: &Verdict, is_ended: bool, now: Timestamp) -> (State, VerdictColumns<'_>) {
    let error = fault_of(verdict).map(|f| format!("{}: {}", f.code, f.text));
    match verdict {
        Verdict::Delivered {
            run_id,
            stop_reason,
            turn,
            tokens,
            reply,
            error,
        } => {
            let columns = VerdictColumns {
                finished_at: Some(now),
                run_id: run_id.as_deref(),
                stop_reason: stop_reason.as_deref(),
                turn: Some(*turn),
                tokens: *tokens,
                reply: reply.as_deref(),
                error: error.clone(),
                ..VerdictColumns::default()
            };
            (State::Delivered, columns)
        }
        Verdict::Waiting { .. } if is_ended => {
            let columns = VerdictColumns {
                reason: Some("its schedule ended before it could be retried"),
                finished_at: Some(now),
                error,
                ..VerdictColumns::default()
            };
            (State::Cancelled, columns)
        }
        Verdict::Waiting {
            not_before,
            fault,
            counts,
            fresh_otid,
        } => {
            let columns = VerdictColumns {
                reason: Some(&fault.text),
                not_before: Some(*not_before),
                error,
                failures: i64::from(*counts),
                generations: i64::from(*fresh_otid),
                ..VerdictColumns::default()
            };
            (State::Waiting, columns)
        }
        Verdict::Unknown {
            not_before,
            reconcile_until,
            fault,
            run_id,
        } => {
            let columns = VerdictColumns {
                reason: Some(&fault.text),
                not_before: Some(*not_before),
                reconcile_until: Some(*reconcile_until),
                run_id: run_id.as_deref(),
                error,
                ..VerdictColumns::default()
            };
            (State::Unknown, columns)
        }
        Verdict::Dead { fault } => {
            let columns = VerdictColumns {
                reason: Some(&fault.text),
                finished_at: Some(now),
                error,
                ..VerdictColumns::default()
            };
            (State::Dead, columns)
        }
    }
}

/// When the prompt was sent, not when it was claimed or settled. An older prompt whose outcome was
/// found out late doesn't set it back.
fn last_run(held: &Held, schedule: &HeldSchedule, verdict: &Verdict) -> Option<Timestamp> {
    let is_delivered = matches!(verdict, Verdict::Delivered { .. });
    held.sent_at
        .filter(|_| is_delivered && schedule.last_run < held.sent_at)
}

/// What a verdict means for the schedule's dead-man service.
fn ping<'a>(held: &Held, schedule: &'a HeldSchedule, verdict: &Verdict) -> Option<PingToSend<'a>> {
    let (ping, reason) = match verdict {
        Verdict::Delivered { turn: Turn::Ok, .. } => (Ping::Success, String::new()),
        Verdict::Delivered { turn, .. } => (
            Ping::Fail,
            format!("delivered, but the agent's turn ended with: {turn}"),
        ),
        Verdict::Dead { fault } => (Ping::Fail, format!("{}: {}", fault.code, fault.text)),
        Verdict::Waiting { .. } | Verdict::Unknown { .. } => return None,
    };
    Some(PingToSend {
        uid: held.uid.parse().ok()?,
        url: schedule.ping_url.as_ref()?,
        ping,
        reason,
    })
}

/// Counts the prompts of a schedule that have failed since the last delivery, and pauses an active
/// schedule when there are as many as its policy says. Manual runs don't count.
fn count_failures<'a>(
    held: &Held,
    schedule: &HeldSchedule,
    verdict: &'a Verdict,
) -> (Option<i64>, Option<Pause<'a>>) {
    let before = schedule.dead_in_row;
    let (dead, fault) = match verdict {
        _ if held.trigger != Some(Trigger::Schedule) => return (None, None),
        Verdict::Delivered { .. } => (0, None),
        Verdict::Dead { fault } => (before.saturating_add(1), Some(fault)),
        Verdict::Waiting { .. } | Verdict::Unknown { .. } => return (None, None),
    };
    if dead == before {
        return (None, None);
    }
    let policy = Policy {
        pause_on_failure: schedule.pause_on_failure,
        ..Policy::default()
    };
    // If another program changed it, perhaps to end it, that is adopted first.
    let is_ours = !schedule.is_touched;
    let is_active = schedule.lifecycle == Some(Lifecycle::Active);
    let is_too_much = policy.pause_on_failure().is_some_and(|most| dead >= most);
    let pause = fault
        .filter(|_| is_active && is_ours && is_too_much)
        .map(|fault| {
            let what = format!("{dead} prompts in a row were given up");
            Pause {
                note: format!("{what}; the last: {}", fault.text),
                what,
                fault,
            }
        });
    (Some(dead), pause)
}

#[cfg(test)]
mod tests;
