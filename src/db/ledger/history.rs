//! The history of occurrences.

use crate::db::Db;
use crate::db::statements::history;
use crate::error::Result;
use crate::models::{Attempt, HistoryFilter, PastOccurrence};

impl Db {
    /// The latest occurrences matching a filter, newest first. One that can't be read is left out,
    /// and logged once.
    pub async fn list_history(&self, filter: &HistoryFilter) -> Result<Vec<PastOccurrence>> {
        let (db, filter) = (self.clone(), filter.to_owned());
        self.read("read the history", move |tx| {
            let mut past = Vec::new();
            for shown in db.readable(history::list(tx, &filter)?) {
                past.push(PastOccurrence {
                    attempts: history::list_attempts(tx, shown.occurrence.id)?,
                    schedule_id: shown.schedule_id,
                    occurrence: shown.occurrence,
                });
            }
            Ok(past)
        })
        .await
    }

    /// The attempts of an occurrence, oldest first, without those that can't be read.
    pub async fn list_attempts(&self, occurrence_id: i64) -> Result<Vec<Attempt>> {
        self.read("read the attempts", move |tx| {
            Ok(history::list_attempts(tx, occurrence_id)?)
        })
        .await
    }
}
