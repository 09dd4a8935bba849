//! Reads rows. Columns that other programs write are read leniently: whatever they contain, no row
//! keeps another from being read.

mod policy;
mod schedule;

use jiff::Timestamp;
use uuid::Uuid;

use crate::db::sql::{self, Row};
use crate::models::{Conversation, Lane, Occurrence, State, Trigger, Turn, UnreadableOccurrence};
use crate::schedule::read_stored_time;

pub(in crate::db) use policy::{bind_policy, policy_assignments, policy_columns, policy_places};
pub(in crate::db) use schedule::{ping_url, schedule, schedule_columns, target};

/// The columns of `occurrences` in the order of [`Occurrence`].
macro_rules! occurrence_columns {
    () => {
        "id, uid, agent_id, \"trigger\", first_at, intended_at, count, state, reason, lane, \
         not_before, sent_at, finished_at, run_id, stop_reason, turn, tokens, reply, error, \
         firing, stands_for, stands_since, conversation, target"
    };
}
pub(in crate::db) use occurrence_columns;

/// How many instants an occurrence stands for. Their sum must not overflow, whatever another
/// program has written.
macro_rules! instants {
    () => {
        "CASE WHEN typeof(count) = 'integer' AND count BETWEEN 1 AND 1000000000000 THEN count \
         ELSE 1 END"
    };
}
pub(in crate::db) use instants;

/// The text of a column whatever its storage class; invalid UTF-8 becomes U+FFFD.
pub(in crate::db) fn text(row: &Row, column: &str) -> Option<String> {
    row.bytes(column)
        .map(|b| String::from_utf8_lossy(&b).into_owned())
}

/// The text of a column that must be valid UTF-8.
pub(in crate::db) fn whole_text(row: &Row, column: &str) -> sql::Result<String> {
    match row.bytes(column).map(String::from_utf8) {
        Some(Ok(text)) => Ok(text),
        Some(Err(_)) => Err(unreadable(column, "bytes that are not text")),
        None => Err(unreadable(column, "NULL")),
    }
}

/// A time from a column that other programs write; `None` if it is NULL or not a time.
pub(in crate::db) fn lenient_time(row: &Row, column: &str) -> Option<Timestamp> {
    text(row, column).and_then(|t| read_stored_time(&t))
}

/// A whole number from a column that other programs may write; `None` if there is none.
pub(in crate::db) fn number(row: &Row, column: &str) -> Option<i64> {
    text(row, column).and_then(|n| n.parse().ok())
}

/// Whether a boolean column that other programs write is true; NULL is false.
pub(in crate::db) fn flag(row: &Row, column: &str) -> bool {
    matches!(
        text(row, column).as_deref().map(str::trim),
        Some("1" | "true" | "TRUE" | "True")
    )
}

/// A known word, or the error of a column with another one.
fn word<T>(row: &Row, column: &str, read: fn(&str) -> Option<T>) -> sql::Result<T> {
    let text = text(row, column).unwrap_or_default();
    read(&text).ok_or_else(|| unreadable(column, &text))
}

/// The error of a column that can't be read.
pub(in crate::db) fn unreadable(column: &str, text: &str) -> sql::Error {
    sql::Error::Unreadable {
        column: column.to_owned(),
        problem: format!("{text:?} is not a known value"),
    }
}

pub(in crate::db) fn uuid(row: &Row, column: &str) -> sql::Result<Uuid> {
    let text = text(row, column).unwrap_or_default();
    text.parse().map_err(|_| unreadable(column, &text))
}

/// More otids than any occurrence uses: each of them costs a failed attempt.
const MOST_OTIDS: i64 = 1_000_000;

/// More claims than any occurrence has. SQLite only loses precision far beyond.
const MOST_CLAIMS: i64 = 1 << 40;

/// How many otids an occurrence has used.
pub(in crate::db) fn generation(row: &Row) -> sql::Result<i64> {
    count_up_to(row, "generation", MOST_OTIDS)
}

/// The fence of an occurrence.
pub(in crate::db) fn fence(row: &Row) -> sql::Result<i64> {
    count_up_to(row, "fence", MOST_CLAIMS)
}

fn count_up_to(row: &Row, column: &str, most: i64) -> sql::Result<i64> {
    let count = number(row, column).filter(|n| (0..=most).contains(n));
    let stored = || text(row, column).unwrap_or_default();
    count.ok_or_else(|| unreadable(column, &stored()))
}

/// Which occurrence can't be read, and why.
pub(in crate::db) fn why_unreadable(row: &Row, error: &sql::Error) -> UnreadableOccurrence {
    UnreadableOccurrence {
        id: row.get("id").unwrap_or_default(),
        reason: error.to_string(),
    }
}

/// Every row of occurrences, read or unreadable: none keeps another from being read.
pub(in crate::db) fn read_each<T>(
    rows: &[Row],
    read: impl Fn(&Row) -> sql::Result<T>,
) -> Vec<Result<T, UnreadableOccurrence>> {
    let read = |row| read(row).map_err(|e| why_unreadable(row, &e));
    rows.iter().map(read).collect()
}

/// The conversation of a schedule or an occurrence, if it names one that can be read.
pub(in crate::db) fn conversation(row: &Row) -> Option<Conversation> {
    text(row, "conversation").and_then(|text| Conversation::parse(&text).ok())
}

/// An occurrence. Its identity and its state must be readable.
pub(in crate::db) fn occurrence(row: &Row) -> sql::Result<Occurrence> {
    let required = |column| {
        let stored = text(row, column).unwrap_or_default();
        read_stored_time(&stored).ok_or_else(|| unreadable(column, &stored))
    };
    let intended_at = required("intended_at")?;
    Ok(Occurrence {
        id: row.get("id")?,
        uid: uuid(row, "uid")?,
        agent_id: text(row, "agent_id").unwrap_or_default(),
        target: target(row),
        trigger: word(row, "trigger", Trigger::from_word)?,
        first_at: required("first_at")?,
        intended_at,
        count: number(row, "count").unwrap_or(1),
        firing: number(row, "firing"),
        stands_for: number(row, "stands_for").unwrap_or(1),
        stands_since: lenient_time(row, "stands_since").unwrap_or(intended_at),
        state: word(row, "state", State::from_word)?,
        reason: text(row, "reason"),
        lane: text(row, "lane").map(Lane::new),
        conversation: conversation(row),
        not_before: lenient_time(row, "not_before"),
        sent_at: lenient_time(row, "sent_at"),
        finished_at: lenient_time(row, "finished_at"),
        run_id: text(row, "run_id"),
        stop_reason: text(row, "stop_reason"),
        turn: text(row, "turn").and_then(|t| Turn::from_word(&t)),
        tokens: number(row, "tokens"),
        reply: text(row, "reply"),
        error: text(row, "error"),
    })
}
