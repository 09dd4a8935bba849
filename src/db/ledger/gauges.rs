//! Figures for monitoring. Each is answered by an index or a stored count, however many schedules
//! there are, because they are read every few seconds.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::halt::halts_of_targets;
use crate::db::Db;
use crate::db::sqlite::filesystem::Sizes;
use crate::db::statements::gauges::{self, Count};
use crate::db::statements::schedulers;
use crate::error::Result;
use crate::models::{Channel, Gauges};

impl Db {
    /// Figures about the database.
    pub async fn gauges(&self, now: Timestamp) -> Result<Gauges> {
        let path = self.path.clone();
        self.read("read its gauges", move |tx| {
            let held = schedulers::list_held(tx)?;
            let halted = halts_of_targets(tx)?;
            let oldest = [
                gauges::fetch_oldest_due(tx, now)?,
                gauges::fetch_oldest_waiting(tx)?,
            ];
            let oldest = oldest.into_iter().flatten().min();
            let schedules = sums(gauges::list_schedules(tx)?);
            let incidents = sums(gauges::list_incidents(tx)?);
            let mut outbox = BTreeMap::new();
            for channel in [Channel::Command, Channel::Url, Channel::Ping] {
                let waiting = gauges::count_messages(tx, channel)?;
                outbox.insert(channel.as_str().to_owned(), waiting);
            }
            let sizes = Sizes::of(&path);
            Ok(Gauges {
                oldest_due: oldest.filter(|since| *since <= now),
                held,
                halted,
                schedules,
                incidents,
                outbox,
                file_bytes: sizes.file,
                log_bytes: sizes.log,
            })
        })
        .await
    }

    /// Recounts the schedules, because a program that replaces whole rows changes their number
    /// without updating the stored counts.
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
