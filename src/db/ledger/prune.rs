//! Pruning: settled history that is no longer kept one by one, but as sums; and schedules that ended
//! as long ago, with nothing left of them but those.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::changes::{About, Noted};
use super::plans::to_i64;
use super::revisions::end_revision;
use crate::db::sql::{self, Tx, query};
use crate::db::statements::rows;
use crate::db::statements::rows::instants;
use crate::db::time::DbTime;
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::{By, Operation};

/// Schedules that ended before `$1`, all of whose deliveries are pruned, and of which nobody has to
/// know any more. What another program has just changed, perhaps to wake it, is adopted first. One
/// step in the index of all of an occurrence's key tells whether there is any.
const ENDED: &str = "SELECT id, uid FROM (\
         SELECT id, uid, agent_id, touched, lifecycle FROM schedules WHERE ended_at < $1 \
         UNION ALL SELECT id, uid, agent_id, touched, lifecycle FROM schedules \
             WHERE ended_at IS NULL \
             AND lifecycle IN ('finished', 'cancelled') AND next_run < $1 \
             AND coalesce(last_run, '') < $1 AND coalesce(created_at, '') < $1) AS s \
     WHERE s.touched = 0 AND s.lifecycle IN ('finished', 'cancelled') \
     AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.uid = s.uid \
                     AND o.\"trigger\" IN ('schedule', 'manual') AND o.intended_at > '') \
     AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.closed_at IS NULL \
                     AND i.subject = s.uid) \
     AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.closed_at IS NULL \
                     AND i.agent_id = s.agent_id AND i.uid = s.uid) LIMIT $2";

/// What was pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pruned {
    /// Rows of settled occurrences.
    pub occurrences: u64,
    /// The instants that they stood for.
    pub instants: i64,
    /// Prompts that nothing refers to any more.
    pub payloads: u64,
    /// Schedules that had ended, of which nothing else was left.
    pub schedules: u64,
}

impl Pruned {
    /// Notes in the record of changes how far it has come.
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
    /// Prunes all that was settled before a time, a part at a time: whoever else writes comes
    /// between.
    ///
    /// # Errors
    /// Those of the database; what was pruned until then stays so.
    pub async fn prune(&self, before: Timestamp, now: Timestamp) -> Result<Pruned> {
        let mut all = Pruned::default();
        let mut noted = Noted::default();
        while self.prune_some(before, &mut all, &mut noted, now).await? {}
        while self.prune_ended(before, &mut all, &mut noted, now).await? {}
        while self.prune_changes(before).await? > 0 {}
        Ok(all)
    }

    /// Prunes some of the schedules that ended before a time: their sums stay, and so does the
    /// account. Returns whether there were any.
    ///
    /// # Errors
    /// Those of the database; then nothing has changed.
    async fn prune_ended(
        &self,
        before: Timestamp,
        all: &mut Pruned,
        noted: &mut Noted,
        now: Timestamp,
    ) -> Result<bool> {
        const DOING: &str = "prune schedules that have ended";
        // Looked for first: almost always there is nothing to write.
        let any = self.read(DOING, move |tx| {
            let any = query(ENDED).bind(DbTime(before)).bind(1);
            Ok(any.fetch_optional(tx)?.is_some())
        });
        if !any.await? {
            return Ok(false);
        }
        let (db, so_far) = (self.clone(), (*all, *noted));
        let pruned = self.write(DOING, move |tx| {
            let (mut all, mut noted) = so_far;
            let ended = query(ENDED)
                .bind(DbTime(before))
                .bind(to_i64(AT_ONCE))
                .fetch_all(tx)?;
            for row in &ended {
                let id = rows::number(row, "id");
                let uid = rows::text(row, "uid").unwrap_or_default();
                // Its revisions must say where it ended before its row is gone.
                if let Ok(uid) = uid.parse::<Uuid>() {
                    end_revision(tx, uid, None)?;
                }
                query("DELETE FROM schedules WHERE id = $1")
                    .bind(id)
                    .execute(tx)?;
                // No other program deleted it: there is nothing to settle.
                query("DELETE FROM deleted_schedules WHERE uid = $1")
                    .bind(uid)
                    .execute(tx)?;
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

    /// Prunes some of what was settled before a time: rows become sums, in one transaction. Returns
    /// whether there were any.
    ///
    /// # Errors
    /// Those of the database; then nothing has changed.
    async fn prune_some(
        &self,
        before: Timestamp,
        all: &mut Pruned,
        noted: &mut Noted,
        now: Timestamp,
    ) -> Result<bool> {
        const DOING: &str = "prune the history";
        let old = self.read(DOING, move |tx| {
            let old = "SELECT id FROM occurrences INDEXED BY ix_occurrences_finished_at \
                       WHERE finished_at < $1 AND state NOT IN ('waiting', 'sending', 'unknown') \
                       LIMIT $2";
            let old = query(old)
                .bind(DbTime(before))
                .bind(to_i64(AT_ONCE))
                .fetch_all(tx)?;
            let ids = old.iter().filter_map(|row| rows::number(row, "id"));
            Ok(ids.collect::<Vec<i64>>())
        });
        let ids = old.await?;
        if ids.is_empty() {
            return Ok(false);
        }
        let (db, so_far) = (self.clone(), (*all, *noted));
        let pruned = self.write(DOING, move |tx| {
            let (mut all, mut noted) = so_far;
            let some = prune(tx, &ids)?;
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

fn prune(tx: &Tx<'_>, ids: &[i64]) -> sql::Result<Pruned> {
    // What was settled stays settled, so the choice made outside the transaction still holds; of
    // two that prune at once the second finds less.
    let ids = ids
        .iter()
        .map(i64::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let instants: Option<i64> = query(&format!(
        "SELECT sum({}) FROM occurrences WHERE id IN ({ids})",
        instants!()
    ))
    .one(tx)?;
    let payloads = query(&format!(
        "SELECT payload FROM occurrences WHERE id IN ({ids}) AND payload IS NOT NULL"
    ))
    .fetch_all(tx)?;
    let payloads: BTreeSet<String> = (payloads.iter())
        .filter_map(|row| rows::text(row, "payload"))
        .collect();
    let sum_up = format!(
        "INSERT INTO pruned_sums (uid, \"trigger\", state, count, first_at, last_at) \
         SELECT uid, \"trigger\", state, sum({}), min(first_at), max(intended_at) \
             FROM occurrences WHERE id IN ({ids}) GROUP BY 1, 2, 3 \
         ON CONFLICT DO UPDATE SET count = count + excluded.count, \
             first_at = min(first_at, excluded.first_at), \
             last_at = max(last_at, excluded.last_at)",
        instants!()
    );
    let attempts = format!("DELETE FROM attempts WHERE occurrence_id IN ({ids})");
    for statement in [sum_up, attempts] {
        query(&statement).execute(tx)?;
    }
    let deleted = query(&format!("DELETE FROM occurrences WHERE id IN ({ids})")).execute(tx)?;
    Ok(Pruned {
        occurrences: deleted,
        instants: instants.unwrap_or(0),
        payloads: drop_unused_payloads(tx, &payloads)?,
        ..Pruned::default()
    })
}

/// Deletes those of some payloads to which neither an occurrence nor a schedule refers any more.
pub(in crate::db) fn drop_unused_payloads<'h>(
    tx: &Tx<'_>,
    hashes: impl IntoIterator<Item = &'h String>,
) -> sql::Result<u64> {
    let mut dropped = 0;
    for hash in hashes {
        let deleted = query(
            "DELETE FROM payloads WHERE hash = $1 \
             AND NOT EXISTS (SELECT 1 FROM occurrences WHERE payload = $1) \
             AND NOT EXISTS (SELECT 1 FROM schedules WHERE payload = $1)",
        )
        .bind(hash)
        .execute(tx)?;
        dropped += deleted;
    }
    Ok(dropped)
}
