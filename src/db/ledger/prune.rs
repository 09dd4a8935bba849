//! Pruning: old settled history is reduced to totals, and schedules that ended as long ago are
//! deleted if nothing else is left of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::changes::{About, Noted};
use super::plans::to_i64;
use super::revisions::end_revision;
use crate::db::sql::{self, Tx};
use crate::db::statements::{payloads, prune};
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::{By, Operation, PruneReport};

impl PruneReport {
    /// Updates the record of changes.
    fn note(
        &self,
        tx: &Tx<'_>,
        noted: &mut Noted,
        by: &By,
        before: Timestamp,
        now: Timestamp,
    ) -> sql::Result<()> {
        let what = format!(
            "before {before}: {} deliveries, {} schedules",
            self.occurrences, self.schedules
        );
        noted.note(tx, by, Operation::Prune, About::none(), &what, now)
    }
}

impl Db {
    /// Prunes everything settled before a time, a part at a time, so that others can write in
    /// between.
    ///
    /// # Errors
    /// If the database fails; what was pruned until then stays pruned.
    pub async fn prune(
        &self,
        before: Timestamp,
        now: Timestamp,
        count: impl Fn(&PruneReport),
    ) -> Result<PruneReport> {
        let mut all = PruneReport::default();
        let mut noted = Noted::default();
        while self.prune_some(before, &mut all, &mut noted, now).await? {
            count(&all);
        }
        while self.prune_ended(before, &mut all, &mut noted, now).await? {
            count(&all);
        }
        while self.prune_changes(before).await? > 0 {}
        Ok(all)
    }

    /// Prunes some of the schedules that ended before a time: their totals stay, and so does the
    /// account. Returns whether there were any.
    async fn prune_ended(
        &self,
        before: Timestamp,
        all: &mut PruneReport,
        noted: &mut Noted,
        now: Timestamp,
    ) -> Result<bool> {
        const DOING: &str = "prune schedules that have ended";
        // Looked for first: almost always there is nothing to write.
        let ended = self.read(DOING, move |tx| Ok(prune::list_ended(tx, before, 1)?));
        if ended.await?.is_empty() {
            return Ok(false);
        }
        let (db, so_far) = (self.clone(), (*all, *noted));
        let pruned = self.write(DOING, move |tx| {
            let (mut all, mut noted) = so_far;
            let ended = prune::list_ended(tx, before, to_i64(AT_ONCE))?;
            for schedule in &ended {
                // Its revisions must say where it ended before its row is deleted.
                if let Ok(uid) = schedule.uid.parse::<Uuid>() {
                    end_revision(tx, uid, None)?;
                }
                prune::delete_schedule(tx, schedule.id)?;
                // No other program deleted it, so there is nothing to settle.
                prune::forget_deleted(tx, &schedule.uid)?;
            }
            if !ended.is_empty() {
                all.schedules += ended.len() as u64;
                all.note(tx, &mut noted, &db.by, before, now)?;
            }
            Ok((all, noted, !ended.is_empty()))
        });
        let any;
        (*all, *noted, any) = pruned.await?;
        Ok(any)
    }

    /// Prunes some of what was settled before a time: rows become totals, in one transaction.
    /// Returns whether there were any.
    async fn prune_some(
        &self,
        before: Timestamp,
        all: &mut PruneReport,
        noted: &mut Noted,
        now: Timestamp,
    ) -> Result<bool> {
        const DOING: &str = "prune the history";
        let settled = self.read(DOING, move |tx| {
            Ok(prune::list_settled(tx, before, to_i64(AT_ONCE))?)
        });
        let ids = settled.await?;
        if ids.is_empty() {
            return Ok(false);
        }
        let (db, so_far) = (self.clone(), (*all, *noted));
        let pruned = self.write(DOING, move |tx| {
            let (mut all, mut noted) = so_far;
            let some = prune_occurrences(tx, &ids)?;
            all.occurrences += some.occurrences;
            all.instants += some.instants;
            all.payloads += some.payloads;
            if some.occurrences > 0 {
                all.note(tx, &mut noted, &db.by, before, now)?;
            }
            Ok((all, noted, some.occurrences > 0))
        });
        let any;
        (*all, *noted, any) = pruned.await?;
        Ok(any)
    }
}

fn prune_occurrences(tx: &Tx<'_>, ids: &[i64]) -> sql::Result<PruneReport> {
    let mut pruned = PruneReport::default();
    let mut payloads = BTreeSet::new();
    for id in ids {
        prune::sum_up(tx, *id)?;
        prune::delete_attempts(tx, *id)?;
        // What was settled stays settled, so the choice made outside the transaction still holds;
        // if two prune at once, the second one finds less.
        if let Some(deleted) = prune::delete_occurrence(tx, *id)? {
            pruned.occurrences += 1;
            pruned.instants = pruned.instants.saturating_add(deleted.instants);
            payloads.extend(deleted.payload);
        }
    }
    pruned.payloads = drop_unused_payloads(tx, &payloads)?;
    Ok(pruned)
}

/// Deletes those payloads that no occurrence or schedule refers to any more.
pub(in crate::db) fn drop_unused_payloads<'h>(
    tx: &Tx<'_>,
    hashes: impl IntoIterator<Item = &'h String>,
) -> sql::Result<u64> {
    let mut dropped = 0;
    for hash in hashes {
        dropped += u64::from(payloads::delete_unused(tx, hash)?);
    }
    Ok(dropped)
}
