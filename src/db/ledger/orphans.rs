//! Schedules that another program deleted: what was due or waiting is settled.

use jiff::Timestamp;

use super::changes::{About, note_change};
use super::plans::{Outcome, settle_until, to_i64};
use super::revisions::end_revision;
use crate::db::sql::{self, Tx};
use crate::db::statements::orphans::{self, Deleted};
use crate::db::statements::plans::end_waiting;
use crate::db::{AT_ONCE, Db};
use crate::error::Result;
use crate::models::{By, Operation, State};
use crate::schedule::timetable_of;

/// Why an instant of a deleted schedule is not sent.
const DELETED: &str = "its schedule was deleted";

impl Db {
    /// Settles what another program's deletions left behind: instants that were due, and prompts
    /// that waited. Prompts being sent finish. It settles at most [`AT_ONCE`] of each, and returns
    /// whether there may be more.
    pub async fn settle_deleted(&self, now: Timestamp) -> Result<bool> {
        const DOING: &str = "settle the prompts of deleted schedules";
        // Looked for first: almost always there is nothing to write.
        let any = self.read(DOING, |tx| Ok(orphans::exist(tx)?));
        if !any.await? {
            return Ok(false);
        }
        self.write(DOING, move |tx| {
            let deleted = orphans::list_deleted(tx, to_i64(AT_ONCE))?;
            for deleted in &deleted {
                settle_instants(tx, deleted, now)?;
                // Last, because until then the note says where the schedule was.
                orphans::delete_note(tx, deleted.note)?;
            }
            let ended = end_replaced(tx, now)?;
            Ok(deleted.len().max(ended) >= usize::try_from(AT_ONCE).unwrap_or(usize::MAX))
        })
        .await
    }
}

/// Ends what waits for schedules that were replaced unnoticed. Returns how many.
fn end_replaced(tx: &Tx<'_>, now: Timestamp) -> sql::Result<usize> {
    let waiting = orphans::list_waiting(tx, to_i64(AT_ONCE))?;
    for id in &waiting {
        orphans::cancel(tx, *id, DELETED, now)?;
    }
    Ok(waiting.len())
}

fn settle_instants(tx: &Tx<'_>, deleted: &Deleted, now: Timestamp) -> sql::Result<()> {
    let (Some(schedule), false) = (&deleted.schedule, deleted.replaced) else {
        return Ok(());
    };
    let about = About {
        id: deleted.schedule_id,
        ..About::schedule(schedule)
    };
    let by = By::another_program();
    note_change(tx, &by, Operation::Delete, about, None, now)?;
    if let Ok(timetable) = timetable_of(schedule) {
        let outcome = Outcome {
            state: State::Cancelled,
            reason: DELETED,
            at: now,
        };
        settle_until(tx, schedule, &timetable, now, outcome)?;
    }
    let Some(uid) = schedule.uid else {
        return Ok(());
    };
    end_revision(tx, uid, None)?;
    end_waiting(tx, uid, State::Cancelled, DELETED, now)
}
