//! Purging: removes the texts of what is over, so that they can't be read from the file.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::changes::{About, Noted};
use super::plans::to_i64;
use super::prune::drop_unused_payloads;
use crate::db::sql::{self, Tx};
use crate::db::sqlite::clean::clean_file;
use crate::db::statements::payloads;
use crate::db::statements::purge::{self, PurgeFilter};
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::{By, NamedAgent, Operation, PurgeReport, PurgeScope, TargetName};

const DOING: &str = "purge texts";

/// Lists the ids of the next rows for a purge.
type List = fn(&Tx<'_>, &PurgeFilter, i64, i64) -> sql::Result<Vec<i64>>;

impl Db {
    /// Removes prompts, replies and error texts of what is settled (before `before`, if given), a
    /// part at a time, so that others can write in between. Rows stay, and so does the account.
    ///
    /// # Errors
    /// If the database fails; what was purged until then stays purged.
    pub async fn purge(
        &self,
        whose: &PurgeScope,
        before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<PurgeReport> {
        let filter = match whose.clone() {
            PurgeScope::Schedule(uid) => PurgeFilter {
                uid: Some(uid),
                before,
                ..PurgeFilter::default()
            },
            PurgeScope::Agent(agent) => PurgeFilter {
                agent: Some(agent),
                before,
                ..PurgeFilter::default()
            },
        };
        let payloads = self.count_payloads().await?;
        let mut purged = PurgeReport::default();
        let mut noting = self.noting(&filter, now).await?;
        let mut last = 0;
        while let Some(ids) = self
            .next_ids(purge::list_settled, &filter, &mut last)
            .await?
        {
            purged.occurrences += ids.len() as u64;
            noting = self
                .purge_some(noting, purged, ids, purge_occurrence)
                .await?;
        }
        let mut last = 0;
        while let Some(ids) = self
            .next_ids(purge::list_incidents, &filter, &mut last)
            .await?
        {
            self.purge_incidents(&filter, &ids).await?;
        }
        let mut last = 0;
        while let Some(ids) = self.next_ids(purge::list_over, &filter, &mut last).await? {
            purged.schedules += ids.len() as u64;
            noting = self
                .purge_some(noting, purged, ids, purge::purge_schedule)
                .await?;
        }
        let live = self.read(DOING, move |tx| Ok(purge::count_live(tx, &filter)?));
        purged.live = live.await?;
        // Those that only schedules referred to were removed with their prompts.
        let gone = payloads.saturating_sub(self.count_payloads().await?);
        purged.payloads = u64::try_from(gone).unwrap_or(0);
        purged.log_in_use = clean_file(self.path.clone(), DOING).await?;
        Ok(purged)
    }

    /// Purges some rows in one transaction, and records the progress.
    async fn purge_some(
        &self,
        noting: Noting,
        so_far: PurgeReport,
        ids: Vec<i64>,
        purge_one: fn(&Tx<'_>, i64) -> sql::Result<()>,
    ) -> Result<Noting> {
        let written = self.write(DOING, move |tx| {
            for id in &ids {
                purge_one(tx, *id)?;
            }
            Ok(noting.clone().note(tx, &so_far.summary())?)
        });
        written.await
    }

    /// Removes notices that were given up, with their texts; those still to be sent are about open
    /// incidents, or stay until they are sent.
    async fn purge_incidents(&self, filter: &PurgeFilter, ids: &[i64]) -> Result<()> {
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
            return Ok(());
        };
        let (filter, numbers) = (filter.clone(), *first..=*last);
        let written = self.write(DOING, move |tx| {
            purge::delete_notices(tx, &filter, numbers.clone())?;
            Ok(purge::purge_incidents(tx, &filter, numbers.clone())?)
        });
        written.await
    }

    async fn count_payloads(&self) -> Result<i64> {
        self.read(DOING, |tx| Ok(payloads::count(tx)?)).await
    }

    /// The ids of the next rows to purge; `None` after the last ones.
    async fn next_ids(
        &self,
        list: List,
        filter: &PurgeFilter,
        last: &mut i64,
    ) -> Result<Option<Vec<i64>>> {
        let (filter, after) = (filter.clone(), *last);
        let ids = self.read(DOING, move |tx| {
            Ok(list(tx, &filter, after, to_i64(AT_ONCE))?)
        });
        let ids: Vec<i64> = ids.await?;
        *last = ids.last().copied().unwrap_or(*last);
        Ok((!ids.is_empty()).then_some(ids))
    }

    /// How to record a purge.
    async fn noting(&self, filter: &PurgeFilter, now: Timestamp) -> Result<Noting> {
        let (by, filter) = (self.by.clone(), filter.clone());
        let noting = self.read(DOING, move |tx| {
            let schedule = match filter.uid {
                Some(uid) => purge::fetch_schedule(tx, uid)?,
                None => None,
            };
            let (id, agent_id, target) = match (schedule, filter.agent.clone()) {
                (Some(schedule), _) => (schedule.id, schedule.agent_id, schedule.target),
                (None, Some(NamedAgent { id, target })) => (None, Some(id.to_string()), target),
                (None, None) => (None, None, None),
            };
            Ok(Noting {
                by: by.clone(),
                id,
                uid: filter.uid,
                agent_id,
                target,
                noted: Noted::default(),
                now,
            })
        });
        noting.await
    }
}

/// How a purge is recorded in the record of changes.
#[derive(Clone)]
struct Noting {
    by: Arc<By>,
    id: Option<i64>,
    uid: Option<Uuid>,
    agent_id: Option<String>,
    target: Option<TargetName>,
    noted: Noted,
    now: Timestamp,
}

impl Noting {
    /// Records the progress.
    fn note(mut self, tx: &Tx<'_>, summary: &str) -> sql::Result<Self> {
        let about = About {
            id: self.id,
            uid: self.uid,
            agent_id: self.agent_id.as_deref(),
            target: self.target.as_ref(),
        };
        self.noted
            .note(tx, &self.by, Operation::Purge, about, summary, self.now)?;
        Ok(self)
    }
}

fn purge_occurrence(tx: &Tx<'_>, id: i64) -> sql::Result<()> {
    let Some(texts) = purge::fetch_texts(tx, id)? else {
        return Ok(());
    };
    purge::purge_attempts(tx, id)?;
    // The code of an error stays, because it is our own.
    let code = texts.error.as_ref().and_then(|e| e.split_once(':'));
    purge::purge_occurrence(tx, id, code.map(|(code, _)| code))?;
    drop_unused_payloads(tx, &texts.payload)?;
    Ok(())
}
