//! The columns of a schedule, and how they are read.

use super::policy::policy;
use super::{conversation, flag, lenient_time, number, text};
use crate::db::sql::{self, Row};
use crate::models::{Lifecycle, PingUrl, PromptSchedule, TargetName};

/// The columns of `schedules` in the order of [`PromptSchedule`].
macro_rules! schedule_columns {
    () => {
        schedule_columns!("prompt_text")
    };
    ($prompt:literal) => {
        concat!(
            "id, agent_id, ",
            $prompt,
            ", schedule_type, schedule_value, next_run, created_at, active, last_run, uid, name, \
             timezone, anchor, start_at, end_at, max_repetitions, repetitions, lifecycle, \
             broken_reason, paused_at, pause_note, ",
            $crate::db::statements::rows::policy_columns!(),
            ", ping_url, payload, target, conversation, resume_at, except_dates"
        )
    };
}
pub(in crate::db) use schedule_columns;

/// A schedule. Without a stored `lifecycle`, it is the one that adoption will give it.
pub(in crate::db) fn schedule(row: &Row) -> sql::Result<PromptSchedule> {
    let active = flag(row, "active");
    let lifecycle = match text(row, "lifecycle").and_then(|l| Lifecycle::from_word(&l)) {
        Some(stored) if (stored == Lifecycle::Active) == active => stored,
        _ if active => Lifecycle::Active,
        _ => Lifecycle::Cancelled,
    };
    Ok(PromptSchedule {
        id: row.get("id")?,
        agent_id: text(row, "agent_id").unwrap_or_default(),
        prompt_text: text(row, "prompt_text").unwrap_or_default(),
        schedule_type: text(row, "schedule_type").unwrap_or_default(),
        schedule_value: text(row, "schedule_value").unwrap_or_default(),
        next_run: lenient_time(row, "next_run"),
        created_at: lenient_time(row, "created_at"),
        active,
        last_run: lenient_time(row, "last_run"),
        uid: text(row, "uid").and_then(|u| u.parse().ok()),
        name: text(row, "name"),
        timezone: text(row, "timezone"),
        anchor: lenient_time(row, "anchor"),
        start_at: lenient_time(row, "start_at"),
        end_at: lenient_time(row, "end_at"),
        except: text(row, "except_dates"),
        max_repetitions: number(row, "max_repetitions"),
        repetitions: number(row, "repetitions").unwrap_or(0),
        lifecycle,
        broken_reason: text(row, "broken_reason"),
        paused_at: lenient_time(row, "paused_at"),
        pause_note: text(row, "pause_note"),
        resume_at: lenient_time(row, "resume_at"),
        policy: policy(row),
        target: target(row),
        conversation: conversation(row),
        ping_url: ping_url(row),
        payload: text(row, "payload"),
    })
}

/// The target of a schedule, if it names one.
pub(in crate::db) fn target(row: &Row) -> Option<TargetName> {
    text(row, "target")
        .filter(|name| !name.trim().is_empty())
        .map(TargetName::new)
}

/// The address to ping; `None` if it can't be read.
pub(in crate::db) fn ping_url(row: &Row) -> Option<PingUrl> {
    text(row, "ping_url").and_then(|url| PingUrl::parse(&url).ok())
}
