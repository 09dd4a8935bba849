//! Looking at who changed what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Service, not_found};
use crate::db::ChangeFilter;
use crate::error::Result;
use crate::models::{AgentId, Caller, Change};

/// Which changes are asked for.
#[derive(Clone, Debug, Default)]
pub struct ChangeQuery {
    /// Only those of this schedule.
    pub id: Option<i64>,
    /// Only those of this agent's schedules.
    pub agent_id: Option<AgentId>,
    /// Only those of this time or later.
    pub since: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
    /// Leaving out so many at the beginning.
    pub offset: u32,
}

/// Something that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// Its number; later changes have larger ones.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who: `operator`, `agent` (some agent, of which nobody tells which), an agent's id, `scheduler`
    /// or `another program`.
    pub caller: String,
    /// What the key is called that was shown; only told to the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How they reached us: `cli`, `plugin`, `mcp`, `rest`, `letta-api`, `scheduler` or `another
    /// program`.
    pub face: String,
    /// What was done, such as `register` or `pause`.
    pub operation: String,
    /// The schedule's number, as it was then; none where it was about no schedule.
    pub schedule_id: Option<i64>,
    /// The schedule; unlike its number it is never given again.
    pub uid: Option<String>,
    /// Whose the schedule was.
    pub agent_id: Option<String>,
    /// What of it was changed, by name.
    pub what: Option<String>,
}

impl Service {
    /// Who changed what, the newest first. To an agent only changes of schedules are told that were its
    /// own at the time.
    ///
    /// # Errors
    /// [`crate::error::Code::ScheduleNotFound`] for an id of which nothing is known,
    /// [`crate::error::Code::NotPermitted`], and those of the database.
    pub async fn changes(&self, asked: &ChangeQuery) -> Result<Vec<ChangeView>> {
        let _place = self.place_to_read().await;
        if let (Some(id), Some(_)) = (asked.id, self.caller.scope()) {
            self.find(id).await?;
        }
        let filter = ChangeFilter {
            schedule_id: asked.id,
            agent_id: self.narrow(asked.agent_id.clone())?,
            since: asked.since,
            limit: asked.limit,
            offset: asked.offset,
        };
        let changes = self.db.list_changes(&filter).await?;
        // Whoever deleted a schedule that is gone is told; an id that never was is a mistake.
        if let (Some(id), true) = (asked.id, changes.is_empty()) {
            let ever = ChangeFilter {
                schedule_id: Some(id),
                limit: 1,
                ..ChangeFilter::default()
            };
            let is_known = !self.db.list_changes(&ever).await?.is_empty()
                || self.db.get_schedule(id).await?.is_some();
            if !is_known {
                return Err(not_found(id));
            }
        }
        let is_operator = self.caller == Caller::Operator;
        let view = |change: Change| ChangeView {
            id: change.id,
            at: change.at,
            caller: change.caller,
            key: change.key.filter(|_| is_operator),
            face: change.face,
            operation: change.operation,
            schedule_id: change.schedule_id,
            uid: change.uid,
            agent_id: change.agent_id,
            what: change.what,
        };
        Ok(changes.into_iter().map(view).collect())
    }
}
