//! The record of changes.

use super::answers::{ChangeLog, Success};
use super::{Service, not_found};
use crate::error::Result;
use crate::models::{Caller, ChangeQuery};

impl Service {
    /// Who changed what, newest first. An agent sees only changes of schedules that were its own at
    /// the time.
    ///
    /// # Errors
    /// [`crate::error::Code::ScheduleNotFound`] for an unknown id,
    /// [`crate::error::Code::NotPermitted`], and those of the database.
    pub async fn changes(&self, asked: &ChangeQuery) -> Result<ChangeLog> {
        let _place = self.place_to_read().await;
        if let (Some(id), Some(_)) = (asked.schedule_id, self.caller.scope()) {
            self.find(id).await?;
        }
        let asked = ChangeQuery {
            agent: self.narrow(asked.agent.clone())?,
            ..asked.clone()
        };
        let mut changes = self.db.list_changes(&asked).await?;
        // A deleted schedule has its changes; an id that never existed is an error.
        if let (Some(id), true) = (asked.schedule_id, changes.is_empty()) {
            let ever = ChangeQuery {
                schedule_id: Some(id),
                limit: 1,
                ..ChangeQuery::default()
            };
            let is_known = !self.db.list_changes(&ever).await?.is_empty()
                || self.db.get_schedule(id).await?.is_some();
            if !is_known {
                return Err(not_found(id));
            }
        }
        if self.caller != Caller::Operator {
            for change in &mut changes {
                change.key = None;
            }
        }
        Ok(ChangeLog {
            status: Success::Success,
            count: changes.len(),
            changes,
        })
    }
}
