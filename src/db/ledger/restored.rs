//! Turns a copy into a database of its own.

use jiff::Timestamp;
use uuid::Uuid;

use super::changes::{About, note_change};
use super::control::skip_to_now;
use super::notices::follow_lifecycle;
use crate::db::Db;
use crate::db::sqlite::adoption::adopt;
use crate::db::statements::restored;
use crate::error::Result;
use crate::models::Operation;
use crate::schedule::timetable_of;

/// Why an instant between a backup and its restoration is not sent.
const BETWEEN: &str =
    "it passed after the restored backup was taken and may already have been sent";

impl Db {
    /// Gives a copy its own identity, and settles what has passed since it was taken, in one
    /// transaction, because nobody else has it open yet. Returns the number of schedules, and those
    /// with instants that have passed.
    pub(in crate::db) async fn settle_restored(
        &self,
        what: &str,
        replay: bool,
        now: Timestamp,
    ) -> Result<(i64, Vec<i64>)> {
        let (db, what) = (self.clone(), what.to_owned());
        self.write("make the backup a database of its own", move |tx| {
            restored::keep_identity(tx, db.install_id, now)?;
            // Whoever restores a backup sees the time it was taken, however old it is.
            restored::forget_readings(tx)?;
            restored::trust(tx, now)?;
            restored::write_identity(tx, Uuid::new_v4())?;
            for id in restored::list_touched(tx)? {
                adopt(tx, id, &db.zone, now)?;
            }
            let mut passed = Vec::new();
            for schedule in restored::list_passed(tx, now)? {
                passed.push(schedule.id);
                if let (false, Ok(timetable)) = (replay, timetable_of(&schedule)) {
                    skip_to_now(tx, &schedule, &timetable, BETWEEN, now)?;
                }
            }
            if !replay {
                restored::skip_waiting(tx, BETWEEN, now)?;
            }
            for id in restored::list_troubled(tx)? {
                follow_lifecycle(tx, id, now)?;
            }
            let (none, what) = (About::none(), Some(what.as_str()));
            note_change(tx, &db.by, Operation::Restore, none, what, now)?;
            Ok((restored::count_schedules(tx)?, passed))
        })
        .await
    }
}
