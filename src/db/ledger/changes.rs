//! The record of changes: each change is recorded in the transaction that makes it.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::plans::to_i64;
use crate::db::sql::{self, Tx};
use crate::db::statements::changes::{self, Made};
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::{By, Change, ChangeQuery, Operation, PromptSchedule, TargetName};

/// The schedule or the target that a change is about, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::db) struct About<'a> {
    pub(in crate::db) id: Option<i64>,
    pub(in crate::db) uid: Option<Uuid>,
    pub(in crate::db) agent_id: Option<&'a str>,
    pub(in crate::db) target: Option<&'a TargetName>,
}

impl<'a> About<'a> {
    /// A change of a schedule.
    pub(in crate::db) fn schedule(schedule: &'a PromptSchedule) -> Self {
        About {
            id: Some(schedule.id),
            uid: schedule.uid,
            agent_id: Some(&schedule.agent_id),
            target: schedule.target.as_ref(),
        }
    }

    /// A change that is about a target.
    pub(in crate::db) fn target(target: &'a TargetName) -> Self {
        About {
            target: Some(target),
            ..About::default()
        }
    }

    /// A change that is about no schedule, or about all.
    pub(in crate::db) fn none() -> Self {
        About::default()
    }
}

impl Db {
    /// A handle through which somebody else makes changes.
    pub fn acting_for(&self, by: By) -> Db {
        Db {
            by: Arc::new(by),
            ..self.clone()
        }
    }

    /// Who makes changes through this handle.
    pub fn by(&self) -> &By {
        &self.by
    }

    /// The recorded changes, newest first.
    pub async fn list_changes(&self, filter: &ChangeQuery) -> Result<Vec<Change>> {
        let filter = filter.to_owned();
        self.read("list the changes", move |tx| {
            Ok(changes::list(tx, &filter)?)
        })
        .await
    }

    /// Deletes some changes recorded before a time. Returns how many; call it until there are none.
    pub(in crate::db) async fn prune_changes(&self, before: Timestamp) -> Result<u64> {
        const DOING: &str = "prune the record of changes";
        let old = self.read(DOING, move |tx| {
            Ok(changes::list_before(tx, before, to_i64(AT_ONCE))?)
        });
        let old = old.await?;
        if old.is_empty() {
            return Ok(0);
        }
        self.write(DOING, move |tx| {
            for id in &old {
                changes::delete(tx, *id)?;
            }
            Ok(old.len() as u64)
        })
        .await
    }
}

/// Records a change in the transaction that makes it. Returns its id.
pub(in crate::db) fn note_change(
    tx: &Tx<'_>,
    by: &By,
    operation: Operation,
    about: About<'_>,
    what: Option<&str>,
    now: Timestamp,
) -> sql::Result<i64> {
    let made = Made {
        by,
        operation,
        schedule_id: about.id,
        uid: about.uid,
        agent_id: about.agent_id,
        target: about.target,
        what,
    };
    changes::insert(tx, &made, now)
}

/// A change that is made in several transactions: the first one records it, the others update its
/// progress.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::db) struct Noted(Option<i64>);

impl Noted {
    /// Records the progress.
    pub(in crate::db) fn note(
        &mut self,
        tx: &Tx<'_>,
        by: &By,
        operation: Operation,
        about: About<'_>,
        what: &str,
        now: Timestamp,
    ) -> sql::Result<()> {
        match self.0 {
            None => {
                self.0 = Some(note_change(tx, by, operation, about, Some(what), now)?);
            }
            Some(id) => changes::set_what(tx, id, what)?,
        }
        Ok(())
    }
}
