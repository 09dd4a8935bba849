//! Reading rows. The columns that other programs write are read leniently: whatever stands in
//! them, no row stops another from being read.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::time::DbTime;
use crate::models::{
    CatchUp, EnvelopeStyle, Lane, Lifecycle, Occurrence, PingUrl, Policy, PromptSchedule, State,
    Trigger, Turn,
};
use crate::schedule::read_stored_time;

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
             broken_reason, paused_at, pause_note, catch_up, grace, pause_on_failure, envelope, \
             max_age, ping_url, payload"
        )
    };
}
pub(super) use schedule_columns;

/// The columns of `occurrences` in the order of [`Occurrence`].
macro_rules! occurrence_columns {
    () => {
        "id, uid, agent_id, \"trigger\", first_at, intended_at, count, state, reason, lane, \
         not_before, sent_at, finished_at, run_id, stop_reason, turn, tokens, reply, error, \
         firing, stands_for, stands_since"
    };
}
pub(super) use occurrence_columns;

/// The text of a column whatever its storage class; bytes that are no UTF-8 become U+FFFD.
pub(super) fn text(row: &SqliteRow, column: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(column).unwrap_or(None);
    bytes.map(|b| String::from_utf8_lossy(&b).into_owned())
}

/// A time of a column that other programs write; `None` where it is NULL or no time.
pub(super) fn lenient_time(row: &SqliteRow, column: &str) -> Option<Timestamp> {
    text(row, column).and_then(|t| read_stored_time(&t))
}

fn time(row: &SqliteRow, column: &str) -> sqlx::Result<Option<Timestamp>> {
    Ok(row
        .try_get_unchecked::<Option<DbTime>, _>(column)?
        .map(|t| t.0))
}

/// Whether a boolean column that other programs write holds true; NULL reads as false.
pub(super) fn flag(row: &SqliteRow, column: &str) -> bool {
    matches!(
        text(row, column).as_deref().map(str::trim),
        Some("1" | "true" | "TRUE" | "True")
    )
}

/// A word of ours, or the error of a column that holds another.
fn word<T>(row: &SqliteRow, column: &str, read: fn(&str) -> Option<T>) -> sqlx::Result<T> {
    let text: String = row.try_get_unchecked(column)?;
    read(&text).ok_or_else(|| unreadable(column, &text))
}

pub(super) fn unreadable(column: &str, text: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: format!("{text:?} is not a known value").into(),
    }
}

pub(super) fn uuid(row: &SqliteRow, column: &str) -> sqlx::Result<Uuid> {
    let text: String = row.try_get_unchecked(column)?;
    text.parse().map_err(|_| unreadable(column, &text))
}

/// A schedule. Its `lifecycle` is what the adoption will make of it where it has none yet.
pub(super) fn schedule(row: &SqliteRow) -> sqlx::Result<PromptSchedule> {
    let active = flag(row, "active");
    let lifecycle = match text(row, "lifecycle").and_then(|l| Lifecycle::from_word(&l)) {
        Some(stored) if (stored == Lifecycle::Active) == active => stored,
        _ if active => Lifecycle::Active,
        _ => Lifecycle::Cancelled,
    };
    Ok(PromptSchedule {
        id: row.try_get("id")?,
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
        max_repetitions: row.try_get_unchecked("max_repetitions")?,
        repetitions: row.try_get_unchecked("repetitions")?,
        lifecycle,
        broken_reason: text(row, "broken_reason"),
        paused_at: lenient_time(row, "paused_at"),
        pause_note: text(row, "pause_note"),
        policy: policy(row),
        ping_url: ping_url(row),
        payload: text(row, "payload"),
    })
}

/// Where to ping; nowhere where that can't be read.
pub(super) fn ping_url(row: &SqliteRow) -> Option<PingUrl> {
    text(row, "ping_url").and_then(|url| PingUrl::parse(&url).ok())
}

/// A policy; what can't be read of it is the default.
fn policy(row: &SqliteRow) -> Policy {
    let number = |column| {
        row.try_get_unchecked::<Option<i64>, _>(column)
            .unwrap_or(None)
    };
    let seconds = |column| number(column).map(SignedDuration::from_secs);
    Policy {
        catch_up: text(row, "catch_up").and_then(|w| CatchUp::from_word(&w)),
        grace: seconds("grace"),
        pause_on_failure: number("pause_on_failure"),
        envelope: text(row, "envelope").and_then(|w| EnvelopeStyle::from_word(&w)),
        max_age: seconds("max_age"),
    }
}

pub(super) fn occurrence(row: &SqliteRow) -> sqlx::Result<Occurrence> {
    let required = |column| time(row, column)?.ok_or_else(|| unreadable(column, "NULL"));
    Ok(Occurrence {
        id: row.try_get("id")?,
        uid: uuid(row, "uid")?,
        agent_id: text(row, "agent_id").unwrap_or_default(),
        trigger: word(row, "trigger", Trigger::from_word)?,
        first_at: required("first_at")?,
        intended_at: required("intended_at")?,
        count: row.try_get("count")?,
        firing: row.try_get("firing")?,
        stands_for: row.try_get("stands_for")?,
        stands_since: match time(row, "stands_since")? {
            Some(since) => since,
            None => required("intended_at")?,
        },
        state: word(row, "state", State::from_word)?,
        reason: row.try_get("reason")?,
        lane: row.try_get::<Option<String>, _>("lane")?.map(Lane::new),
        not_before: time(row, "not_before")?,
        sent_at: time(row, "sent_at")?,
        finished_at: time(row, "finished_at")?,
        run_id: row.try_get("run_id")?,
        stop_reason: row.try_get("stop_reason")?,
        turn: row
            .try_get::<Option<String>, _>("turn")?
            .and_then(|t| Turn::from_word(&t)),
        tokens: row.try_get("tokens")?,
        reply: row.try_get("reply")?,
        error: row.try_get("error")?,
    })
}
