//! What whoever watches the machine wants to know of the database. Each question is answered by an
//! index or a sum that is kept, however many schedules there are: it is asked every few seconds.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::db::sqlite::filesystem::Sizes;
use crate::db::statements::gauges::{self, Count};
use crate::db::statements::schedulers;
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

impl Db {
    /// How it stands with the database.
    pub async fn gauges(&self, now: Timestamp) -> Result<Gauges> {
        let path = self.path.clone();
        self.read("read its gauges", move |tx| {
            let held = schedulers::list_held(tx)?;
            let oldest = [
                gauges::fetch_oldest_due(tx, now)?,
                gauges::fetch_oldest_waiting(tx)?,
            ];
            let oldest = oldest.into_iter().flatten().min();
            let schedules = sums(gauges::list_schedules(tx)?);
            let incidents = sums(gauges::list_incidents(tx)?);
            let mut outbox = BTreeMap::new();
            for channel in [Channel::Command, Channel::Url, Channel::Ping] {
                let waiting = gauges::count_letters(tx, channel)?;
                outbox.insert(channel.as_str().to_owned(), waiting);
            }
            let sizes = Sizes::of(&path);
            Ok(Gauges {
                oldest_due: oldest.filter(|since| *since <= now),
                held,
                schedules,
                incidents,
                outbox,
                file_bytes: sizes.file,
                log_bytes: sizes.log,
            })
        })
        .await
    }

    /// Counts the schedules anew, since a program that replaces whole rows changes their number past
    /// what keeps it.
    pub async fn recount_schedules(&self) -> Result<()> {
        self.write("count the schedules", move |tx| {
            let counted = gauges::count_schedules(tx)?;
            gauges::reset_sums(tx)?;
            for sum in &counted {
                gauges::set_sum(tx, sum)?;
            }
            Ok(())
        })
        .await
    }
}

fn sums(counts: Vec<Count>) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for Count { word, n } in counts {
        *sums.entry(word).or_insert(0) += n;
    }
    sums
}
