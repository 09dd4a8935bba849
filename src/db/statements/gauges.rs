//! Figures for monitoring. Each is answered by an index or a stored count, however many schedules
//! there are.

use jiff::Timestamp;

use super::rows;
use crate::db::sql::{self, Row, Tx, statement};
use crate::db::time::DbTime;
use crate::models::{Channel, Lifecycle};

/// The number of rows with a word.
pub(in crate::db) struct Count {
    /// The word.
    pub(in crate::db) word: String,
    /// The number.
    pub(in crate::db) n: i64,
}

/// Since when the oldest schedule has been due that could be claimed now.
pub(in crate::db) fn fetch_oldest_due(
    tx: &Tx<'_>,
    now: Timestamp,
) -> sql::Result<Option<Timestamp>> {
    let row = statement!(
        "SELECT min(next_run) AS since FROM schedules INDEXED BY ix_schedules_due \
         WHERE active = 1 AND touched = 0 AND next_run <= $1"
    )
    .bind(DbTime(now))
    .fetch_optional(tx)?;
    Ok(row.and_then(|row| rows::lenient_time(&row, "since")))
}

/// The intended time of the oldest occurrence that waits for a retry or is a manual run. Nothing is
/// due while its schedule is paused.
pub(in crate::db) fn fetch_oldest_waiting(tx: &Tx<'_>) -> sql::Result<Option<Timestamp>> {
    let row = statement!(
        "SELECT min(o.intended_at) AS since \
         FROM occurrences o INDEXED BY ix_occurrences_open \
         LEFT JOIN schedules s INDEXED BY ix_schedules_uid ON s.uid = o.uid \
         WHERE o.state = 'waiting' AND o.state IN ('waiting', 'sending', 'unknown') \
         AND (s.lifecycle IS NULL OR s.lifecycle <> 'paused' OR o.\"trigger\" = 'manual')"
    )
    .fetch_optional(tx)?;
    Ok(row.and_then(|row| rows::lenient_time(&row, "since")))
}

/// The open incidents by kind, up to a hundred thousand.
pub(in crate::db) fn list_incidents(tx: &Tx<'_>) -> sql::Result<Vec<Count>> {
    let rows = statement!(
        "SELECT kind AS word, 1 AS n FROM incidents INDEXED BY ix_incidents_one_open \
         WHERE closed_at IS NULL LIMIT 100000"
    )
    .fetch_all(tx)?;
    Ok(counts(&rows))
}

/// How many messages wait on a channel, up to a hundred thousand.
pub(in crate::db) fn count_messages(tx: &Tx<'_>, channel: Channel) -> sql::Result<i64> {
    statement!(
        "SELECT count(*) FROM (SELECT 1 FROM outbox INDEXED BY ix_outbox_lane \
         WHERE channel = $1 AND given_up_at IS NULL LIMIT 100000) AS found"
    )
    .bind(channel.as_str())
    .one(tx)
}

/// The stored counts of schedules by lifecycle.
pub(in crate::db) fn list_schedules(tx: &Tx<'_>) -> sql::Result<Vec<Count>> {
    let rows =
        statement!("SELECT lifecycle AS word, count AS n FROM schedule_counts").fetch_all(tx)?;
    Ok(counts(&rows))
}

/// How many schedules there are in each lifecycle, counted one by one. `GROUP BY` would sort all of
/// them in memory.
pub(in crate::db) fn count_schedules(tx: &Tx<'_>) -> sql::Result<Vec<Count>> {
    let row = statement!(
        "SELECT count(*) FILTER (WHERE coalesce(lifecycle, 'new') = 'new') AS new, \
         count(*) FILTER (WHERE lifecycle = 'active') AS active, \
         count(*) FILTER (WHERE lifecycle = 'paused') AS paused, \
         count(*) FILTER (WHERE lifecycle = 'finished') AS finished, \
         count(*) FILTER (WHERE lifecycle = 'cancelled') AS cancelled, \
         count(*) FILTER (WHERE lifecycle = 'broken') AS broken FROM schedules"
    )
    .fetch_one(tx)?;
    let words = Lifecycle::ALL.iter().map(|lifecycle| lifecycle.as_str());
    let count = |word: &str| {
        Ok(Count {
            word: word.to_owned(),
            n: row.get(word)?,
        })
    };
    std::iter::once("new").chain(words).map(count).collect()
}

/// Sets all counts to zero.
pub(in crate::db) fn reset_sums(tx: &Tx<'_>) -> sql::Result<()> {
    statement!("UPDATE schedule_counts SET count = 0").execute(tx)?;
    Ok(())
}

/// Sets the count of a lifecycle.
pub(in crate::db) fn set_sum(tx: &Tx<'_>, sum: &Count) -> sql::Result<()> {
    statement!("UPDATE schedule_counts SET count = $2 WHERE lifecycle = $1")
        .bind(&sum.word)
        .bind(sum.n)
        .execute(tx)?;
    Ok(())
}

fn counts(rows: &[Row]) -> Vec<Count> {
    let count = |row| {
        Some(Count {
            word: rows::text(row, "word")?,
            n: rows::number(row, "n")?,
        })
    };
    rows.iter().filter_map(count).collect()
}
