//! What is recorded about schedules, for their accounts.

use jiff::Timestamp;
use uuid::Uuid;

use super::rows::{self, instants};
use crate::db::sql::{self, Tx, statement};

/// Every schedule that ever existed, live ones first, by id.
pub(in crate::db) fn list_uids(tx: &Tx<'_>) -> sql::Result<Vec<Uuid>> {
    let rows = statement!(
        "SELECT all_uids.uid AS uid FROM (SELECT uid FROM schedules WHERE uid IS NOT NULL \
             UNION SELECT uid FROM schedule_revisions UNION SELECT uid FROM occurrences \
             UNION SELECT uid FROM pruned_sums) AS all_uids \
         LEFT JOIN schedules s ON s.uid = all_uids.uid ORDER BY s.id IS NULL, s.id"
    )
    .fetch_all(tx)?;
    let uids = rows.iter().filter_map(|row| rows::uuid(row, "uid").ok());
    Ok(uids.collect())
}

/// How many instants of a schedule have one outcome.
pub(in crate::db) struct Sum {
    /// The trigger, as stored.
    pub(in crate::db) trigger: String,
    /// The outcome, as stored.
    pub(in crate::db) state: String,
    /// Whether they have been pruned.
    pub(in crate::db) is_pruned: bool,
    /// How many there are.
    pub(in crate::db) count: i64,
}

/// The outcomes of a schedule's instants.
pub(in crate::db) fn list_sums(tx: &Tx<'_>, uid: Uuid) -> sql::Result<Vec<Sum>> {
    statement!(
        "SELECT \"trigger\", state, 0 AS pruned, sum(",
        instants!(),
        ") AS count FROM occurrences WHERE uid = $1 GROUP BY \"trigger\", state \
         UNION ALL SELECT \"trigger\", state, 1, count FROM pruned_sums \
         INDEXED BY sqlite_autoindex_pruned_sums_1 WHERE uid = $1"
    )
    .bind(uid.to_string())
    .map(tx, |row| {
        Ok(Sum {
            trigger: rows::text(row, "trigger").unwrap_or_default(),
            state: rows::text(row, "state").unwrap_or_default(),
            is_pruned: rows::flag(row, "pruned"),
            count: rows::number(row, "count").unwrap_or(0),
        })
    })
}

/// A recorded instant or range, as far as it can be read.
pub(in crate::db) struct Range {
    /// Its first instant.
    pub(in crate::db) first: Option<Timestamp>,
    /// Its last instant.
    pub(in crate::db) newest: Option<Timestamp>,
}

/// The recorded instants of a schedule, up to a number, oldest first.
pub(in crate::db) fn list_recorded(tx: &Tx<'_>, uid: Uuid, most: i64) -> sql::Result<Vec<Range>> {
    statement!(
        "SELECT first_at, intended_at FROM occurrences WHERE uid = $1 AND \"trigger\" = 'schedule' \
         ORDER BY intended_at LIMIT $2"
    )
    .bind(uid.to_string())
    .bind(most)
    .map(tx, |row| {
        Ok(Range {
            first: rows::lenient_time(row, "first_at"),
            newest: rows::lenient_time(row, "intended_at"),
        })
    })
}

/// The newest pruned instant of a schedule.
pub(in crate::db) fn fetch_pruned_until(tx: &Tx<'_>, uid: Uuid) -> sql::Result<Option<Timestamp>> {
    let row = statement!(
        "SELECT max(last_at) AS last_at FROM pruned_sums WHERE uid = $1 \
         AND \"trigger\" = 'schedule'"
    )
    .bind(uid.to_string())
    .fetch_one(tx)?;
    Ok(rows::lenient_time(&row, "last_at"))
}
