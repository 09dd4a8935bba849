//! What whoever watches the machine wants to know of the database. Each question is answered by an
//! index or a sum that is kept, however many schedules there are: it is asked every few seconds.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::schedulers::fetch_held_targets;
use crate::db::sql::{Row, query};
use crate::db::statements::rows;
use crate::db::time::DbTime;
use crate::db::{Db, HeldTarget};
use crate::error::Result;
use crate::models::Channel;

/// How it stands with the database at a moment.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Since when the oldest prompt is due that is neither delivered nor on its way.
    pub oldest_due: Option<Timestamp>,
    /// The targets that are held.
    pub held: Vec<HeldTarget>,
    /// How many schedules there are of each lifecycle; `new` are not taken up yet.
    pub schedules: BTreeMap<String, i64>,
    /// How many incidents of each kind are open. More than a hundred thousand are not counted, here
    /// and in the outbox.
    pub incidents: BTreeMap<String, i64>,
    /// How many letters wait on each channel.
    pub outbox: BTreeMap<String, i64>,
    /// The size of the file.
    pub file_bytes: u64,
    /// The size of the write-ahead log.
    pub log_bytes: u64,
}

/// The oldest that could be claimed now.
const OLDEST_DUE: &str = "SELECT min(next_run) AS since FROM schedules INDEXED BY ix_schedules_due \
     WHERE active = 1 AND touched = 0 AND next_run <= $1";

/// The oldest that was tried, or asked for by hand, and waits for its next try. Of a paused schedule
/// nothing is due.
const OLDEST_WAITING: &str = "SELECT min(o.intended_at) AS since \
     FROM occurrences o INDEXED BY ix_occurrences_open \
     LEFT JOIN schedules s INDEXED BY ix_schedules_uid ON s.uid = o.uid \
     WHERE o.state = 'waiting' AND o.state IN ('waiting', 'sending', 'unknown') \
     AND (s.lifecycle IS NULL OR s.lifecycle <> 'paused' OR o.\"trigger\" = 'manual')";

const INCIDENTS: &str = "SELECT kind AS word, 1 AS n \
     FROM incidents INDEXED BY ix_incidents_one_open WHERE closed_at IS NULL LIMIT 100000";

const OUTBOX: &str = "SELECT $1 AS word, count(*) AS n FROM (SELECT 1 \
     FROM outbox INDEXED BY ix_outbox_lane WHERE channel = $1 AND given_up_at IS NULL LIMIT \
     100000)";

const SCHEDULES: &str = "SELECT lifecycle AS word, count AS n FROM schedule_counts";

impl Db {
    /// How it stands with the database.
    pub async fn gauges(&self, now: Timestamp) -> Result<Gauges> {
        let path = self.path.clone();
        self.read("read its gauges", move |tx| {
            let held = fetch_held_targets(tx)?;
            let mut oldest_due: Option<Timestamp> = None;
            let since = |row: &Row| rows::lenient_time(row, "since");
            for row in [
                query(OLDEST_DUE).bind(DbTime(now)).fetch_optional(tx),
                query(OLDEST_WAITING).fetch_optional(tx),
            ] {
                let found = row?.as_ref().and_then(since);
                oldest_due = [oldest_due, found].into_iter().flatten().min();
            }
            let schedules = query(SCHEDULES).fetch_all(tx);
            let incidents = query(INCIDENTS).fetch_all(tx);
            let mut outbox = Vec::new();
            for channel in [Channel::Command, Channel::Url, Channel::Ping] {
                let waiting = query(OUTBOX).bind(channel.as_str()).fetch_all(tx);
                outbox.extend(waiting?);
            }
            let size = |end: &str| {
                let mut name = path.as_os_str().to_owned();
                name.push(end);
                std::fs::metadata(name).map_or(0, |file| file.len())
            };
            Ok(Gauges {
                oldest_due: oldest_due.filter(|since| *since <= now),
                held,
                schedules: sums(&schedules?),
                incidents: sums(&incidents?),
                outbox: sums(&outbox),
                file_bytes: size(""),
                log_bytes: size("-wal"),
            })
        })
        .await
    }

    /// Counts the schedules anew, since a program that replaces whole rows changes their number past
    /// what keeps it.
    pub async fn recount_schedules(&self) -> Result<()> {
        self.write("count the schedules", move |tx| {
            let counted = query(
            "SELECT coalesce(lifecycle, 'new') AS word, count(*) AS n FROM schedules GROUP BY 1",
        )
        .fetch_all(tx)?;
            query("UPDATE schedule_counts SET count = 0").execute(tx)?;
            for (lifecycle, n) in counted.iter().filter_map(count) {
                query("UPDATE schedule_counts SET count = $2 WHERE lifecycle = $1")
                    .bind(lifecycle)
                    .bind(n)
                    .execute(tx)?;
            }
            Ok(())
        })
        .await
    }
}

fn sums(rows: &[Row]) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for (word, n) in rows.iter().filter_map(count) {
        *sums.entry(word).or_insert(0) += n;
    }
    sums
}

fn count(row: &Row) -> Option<(String, i64)> {
    Some((rows::text(row, "word")?, rows::number(row, "n")?))
}
