//! What only becomes known as time passes.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{SHOWN, close_of_ended};
use crate::db::ledger::incidents::{Affected, Trouble, open_incident, tell_end};
use crate::db::ledger::locks::lock_subject;
use crate::db::ledger::plans::to_i64;
use crate::db::sql::{self, Tx};
use crate::db::statements::{incidents, notices, schedulers};
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::IncidentKind;

/// How long a target may be held before the operator is notified: a restart takes less.
const LONG_HOLD: SignedDuration = SignedDuration::from_mins(1);

impl Db {
    /// Notices what only becomes known as time passes: targets held for long, and incidents of
    /// schedules that another program has deleted or given to another agent. It closes some of
    /// them, and returns whether there are more.
    pub async fn review_incidents(&self, now: Timestamp) -> Result<bool> {
        const DOING: &str = "review the incidents";
        let long_ago = now.checked_sub(LONG_HOLD).unwrap_or(Timestamp::MIN);
        let day_ago = now.checked_sub(SHOWN).unwrap_or(Timestamp::MIN);
        // Looked for first: almost always there is nothing to write.
        let found = self.read(DOING, move |tx| {
            let any = notices::needs_review(tx, long_ago, day_ago)?;
            let agents = notices::list_agents_perhaps_ended(tx, to_i64(AT_ONCE))?;
            Ok((any, BTreeSet::from_iter(agents)))
        });
        let (any, agents) = found.await?;
        if !any && agents.is_empty() {
            return Ok(false);
        }
        self.write(DOING, move |tx| {
            open_held(tx, long_ago, now)?;
            let mut closed = close_deleted(tx, now)?;
            close_shown(tx, day_ago, now)?;
            for agent_id in &agents {
                closed += close_of_ended(tx, agent_id, |_| None, now)?;
            }
            Ok(closed >= AT_ONCE)
        })
        .await
    }
}

fn open_held(tx: &Tx<'_>, long_ago: Timestamp, now: Timestamp) -> sql::Result<()> {
    for held in schedulers::list_held_since(tx, long_ago)? {
        lock_subject(tx, &held.target)?;
        if !schedulers::is_held(tx, &held.target)? {
            continue;
        }
        let trouble = Trouble {
            kind: IncidentKind::Held,
            affected: Affected::Target(&held.target),
            occurrence_id: None,
            code: Some(&held.code),
            reason: &held.reason,
        };
        open_incident(tx, &trouble, now)?;
    }
    Ok(())
}

/// Closes incidents of deleted schedules, at most [`AT_ONCE`]. Returns how many.
fn close_deleted(tx: &Tx<'_>, now: Timestamp) -> sql::Result<u64> {
    let deleted = incidents::list_of_deleted(tx, to_i64(AT_ONCE))?;
    for id in &deleted {
        let closed = incidents::close_by_id(tx, *id, "the schedule was deleted", now)?;
        if let Some(closed) = closed {
            tell_end(tx, &closed, now)?;
        }
    }
    Ok(u64::try_from(deleted.len()).unwrap_or(AT_ONCE))
}

/// Closes silently what has no end of its own and was shown for a day.
fn close_shown(tx: &Tx<'_>, day_ago: Timestamp, now: Timestamp) -> sql::Result<()> {
    for shown in incidents::list_endless_before(tx, day_ago)? {
        let outcome = "it was shown for a day";
        incidents::close(tx, shown.kind, &shown.subject, outcome, now)?;
    }
    Ok(())
}
